"""What has no place in an image: keys, tokens, environment files, histories, build tools.

Conservative: only what can hardly be anything else. A private key counts with its body, not
for the words that a TLS library carries; a token by the prefix that its issuer gives it for
this very purpose, with the length that it has. Names count where the tool that writes the
file puts it. What a tool calls an example does not.
"""

import re
from collections.abc import Iterator, Mapping

from .elf import Bytes
from .evidence import Leak

# Literal beginning: the whole. The first is looked for, as it is far quicker; the second decides.
_CONTENT: tuple[tuple[bytes, "re.Pattern[bytes]", str], ...] = tuple(
    (literal, re.compile(pattern), what)
    for literal, pattern, what in (
        (
            b"PRIVATE KEY-----",
            (
                rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----(?:\s|\\[nr])+"
                rb"(?:[A-Za-z-]+: [^\r\n]*\r?\n\s*)*[A-Za-z0-9+/]{40}"
            ),
            "a private key",
        ),
        (
            b"PGP PRIVATE KEY BLOCK-----",
            rb"-----BEGIN PGP PRIVATE KEY BLOCK-----\s+(?:[A-Za-z]+: [^\r\n]*\r?\n)*\s*[A-Za-z0-9+/]{40}",
            "a private key",
        ),
        (b"PuTTY-User-Key-File-", rb"PuTTY-User-Key-File-\d: \S", "a private key"),
        (b"AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[0-9A-Z]{58}", "a private key"),
        (b"AKIA", rb"(?<![A-Za-z0-9+/])AKIA[0-9A-Z]{16}(?![A-Za-z0-9+/=])", "an AWS access key"),
        (b"ghp_", rb"(?<![A-Za-z0-9_])ghp_[A-Za-z0-9]{36}(?![A-Za-z0-9])", "a GitHub token"),
        (b"gho_", rb"(?<![A-Za-z0-9_])gho_[A-Za-z0-9]{36}(?![A-Za-z0-9])", "a GitHub token"),
        (b"ghs_", rb"(?<![A-Za-z0-9_])ghs_[A-Za-z0-9]{36}(?![A-Za-z0-9])", "a GitHub token"),
        (b"github_pat_", rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", "a GitHub token"),
        (b"glpat-", rb"(?<![A-Za-z0-9_])glpat-[A-Za-z0-9_-]{20}", "a GitLab token"),
        (b"xoxb-", rb"xoxb-\d{10,13}-\d{10,13}-[A-Za-z0-9]{24}", "a Slack token"),
        (b"xoxp-", rb"xoxp-\d{10,13}-\d{10,13}-\d{10,13}-[A-Za-z0-9]{32}", "a Slack token"),
        (b"sk-ant-", rb"(?<![A-Za-z0-9_])sk-ant-[a-z]+\d\d-[A-Za-z0-9_-]{80,}", "an API key"),
        (b"sk-proj-", rb"(?<![A-Za-z0-9_])sk-proj-[A-Za-z0-9_-]{40,}", "an API key"),
        (b"SG.", rb"(?<![A-Za-z0-9_])SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "a SendGrid key"),
        (b"hf_", rb"(?<![A-Za-z0-9_])hf_[A-Za-z]{34}(?![A-Za-z0-9])", "a Hugging Face token"),
        (b"sk_live_", rb"(?<![A-Za-z0-9_])sk_live_[A-Za-z0-9]{24,}", "a Stripe key"),
        (b"npm_", rb"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])", "an npm token"),
        (b"_authToken=", rb"_authToken=[^\s$\"']{8,}", "an npm token"),
        (b"pypi-AgEIcHlwaS5vcmc", rb"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}", "a PyPI token"),
        (b"dckr_pat_", rb"dckr_pat_[A-Za-z0-9_-]{27}", "a Docker token"),
        (b"AIza", rb"(?<![A-Za-z0-9_-])AIza[0-9A-Za-z_-]{35}(?![A-Za-z0-9_-])", "a Google API key"),
        (b'"auths"', rb'"auths"\s*:\s*\{[^}]{0,9999}"auth"\s*:\s*"[A-Za-z0-9+/=]{8,}"', "a registry login"),
    )
)
_EXAMPLE = re.compile(r"[._-](?:example|sample|template|dist|defaults?)$")
_ENVIRONMENT = re.compile(r"\.env(?:\..*|rc)?|[\w-]+\.env")
_SECRET_FILES: Mapping[str, str] = {
    ".netrc": "logins",
    "_netrc": "logins",
    ".git-credentials": "git logins",
    ".pypirc": "logins",
    ".pgpass": "database logins",
    ".htpasswd": "logins",
    ".vault-token": "a Vault token",
    ".dockercfg": "registry logins",
    "secring.gpg": "a private key",
    "terraform.tfstate": "what Terraform knows, passwords among it",
    "id_rsa": "a private key",
    "id_dsa": "a private key",
    "id_ecdsa": "a private key",
    "id_ed25519": "a private key",
}
_KEY_FILES = (".key", ".p12", ".pfx", ".jks", ".keystore", ".ppk", ".kdbx")
_PUBLIC = "usr/share/"  # where distributions have keys for everybody, as DNSSEC's
_SECRET_ENDINGS = ("/.aws/credentials", "/.kube/config", "/.cargo/credentials.toml", "/.config/gh/hosts.yml")
_HISTORIES = re.compile(
    r"\.(?:bash|ash|zsh|sh|fish|python|node_repl|psql|mysql|sqlite|rediscli|irb|php)_?history|fish_history|\.lesshst|\.viminfo"
)
_REPOSITORIES = frozenset({".git", ".hg", ".svn"})
_TOOLS = frozenset(
    {
        "tcc",
        *("make", "gmake", "cmake", "ninja", "meson", "bazel", "m4", "autoconf", "automake"),
        *("go", "gofmt", "rustc", "cargo", "rustup", "javac", "mvn", "gradle", "ghc", "zig", "nasm", "yasm"),
        *("git", "hg", "svn", "as", "tsc"),
    }
)
# Those of a cross compiler, and of one version beside another.
_COMPILER = re.compile(
    r"(?:musl-|[a-z0-9_]+-(?:[a-z0-9_]+-)?(?:linux|w64|none|apple)[a-z0-9_.-]*-)?"
    r"(?:cc|gcc|c\+\+|g\+\+|cpp|clang(?:\+\+)?|ld(?:\.[a-z]+)?)(?:-[0-9]+(?:\.[0-9]+)*)?"
)
_PARTS_OF_A_COMPILER = frozenset({"cc1", "cc1plus", "collect2", "lto1"})
_TOOL_FOLDERS = frozenset({"bin", "sbin"})
_SWITCHES = frozenset({"yes", "no", "true", "false", "on", "off", "1", "0"})
"""What a variable has that only says whether there is a secret."""
_DEFAULT = re.compile(r"ARG (\w+)=(.*)", re.DOTALL)
_ARGUMENTS = re.compile(r"(?:RUN )?\|\d+ (.*?) /bin/")
_LOGIN = re.compile(r"://[^\s/:@$<{\"']*:[^\s/@$<{\"']+@")  # begins with a literal: a value may be megabytes
_WEB_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")
_VARIABLE = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|SECRET|SECRET_KEY|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS)$", re.IGNORECASE
)


def secret_name(path: str) -> Leak | None:
    """Return what the name of a file, from the root, says of a secret in it; None for one that says nothing."""
    name = path.rpartition("/")[2]
    lower = name.lower()
    if _ENVIRONMENT.fullmatch(lower) and not _EXAMPLE.search(lower):
        return Leak(path, "an environment file")
    what = _SECRET_FILES.get(lower)
    if what is None and f"/{path}".endswith(_SECRET_ENDINGS):
        what = "logins"
    if what is None and lower.endswith(_KEY_FILES) and not path.startswith(_PUBLIC):
        what = "a key"
    return None if what is None else Leak(path, what)


def secrets_within(path: str, content: Bytes) -> Iterator[Leak]:
    """Yield what the content of a file holds, each kind once; never the secret itself."""
    seen: set[str] = set()
    for literal, pattern, what in _CONTENT:
        if what not in seen and _holds(content, literal) and pattern.search(content):  # type: ignore[call-overload]
            seen.add(what)
            yield Leak(path, what)


def _holds(content: Bytes, literal: bytes) -> bool:
    found: int = content.find(literal)  # type: ignore[attr-defined]  # bytes and mmap have it, and no protocol of them
    return found >= 0


def secret_variable(name: str, value: str) -> Leak | None:
    """Return what a variable that every container gets gives away, by its name or its value; None for most."""
    if value and value.lower() not in _SWITCHES and _VARIABLE.search(name):
        return Leak(f"ENV {name}", "a value that should be secret")
    if _LOGIN.search(value):
        return Leak(f"ENV {name}", "a login in an address")
    return Leak(f"ENV {name}", "a token") if _WEB_TOKEN.search(value) else None


def secret_arguments(step: str) -> Iterator[Leak]:
    """Yield the build arguments that give themselves away in a step of the history.

    ``RUN |1 TOKEN=… /bin/sh -c …`` has their values, and ``ARG TOKEN=…`` what they are by default.
    """
    found = _ARGUMENTS.match(step)
    given = [word.partition("=")[::2] for word in found[1].split()] if found else []
    if (default := _DEFAULT.match(step)) is not None:
        given.append((default[1], default[2].strip("\"'")))
    for name, value in given:
        leak = secret_variable(name, value)
        if leak is not None:
            yield Leak(f"ARG {name}", leak.what)


def login_within(place: str, text: str) -> Leak | None:
    """Return what an address in a text that everybody can read gives away; None where it does not."""
    return Leak(place, "a login in an address") if _LOGIN.search(text) else None


def leftover(path: str, *, executable: bool) -> Leak | None:
    """Return what a file is that only a build or a person at a shell leaves behind; None for any other."""
    above, _, name = path.rpartition("/")
    folders = above.split("/")
    if _HISTORIES.fullmatch(name):
        return Leak(path, "the history of a shell or a tool")
    repository = next((one for one in (*folders, name) if one in _REPOSITORIES), None)
    if repository is not None:
        return Leak(f"{path.partition(repository)[0]}{repository}", "the history of the sources")
    tool = folders[-1] in _TOOL_FOLDERS and (name in _TOOLS or _COMPILER.fullmatch(name))
    return Leak(path, "a build tool") if executable and (tool or name in _PARTS_OF_A_COMPILER) else None
