"""No secret leaves the place where it was planted: everything that the tasks write, show, start or publish is read."""

import base64
import gzip
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tasks.engine import cache
from tests import advisories, cosigns, faulty, shops
from tests.faulty import Faulty
from tests.oci import Registry
from tests.support import BUILDER, Repo, client, docker

pytestmark = pytest.mark.docker

# Each has words of its own, so that a find tells where it came from.
SECRETS = {
    "the login of a registry": "pl4nted-login-q7w8e9",
    "the environment": "pl4nted-variable-a1s2d3",
    "the address of a git remote": "pl4nted-remote-z4x5c6",
    "a build secret": "pl4nted-authority-r5t6y7",
    "the address of a proxy": "pl4nted-proxy-f8g9h1",
    "cosign's password": "pl4nted-cosign-v2b3n4",
}
USER = "somebody"
WORDS = {
    name: (
        secret.encode(),
        base64.b64encode(f"{USER}:{secret}".encode()),
        base64.b64encode(secret.encode()).rstrip(b"="),
    )
    for name, secret in SECRETS.items()
}


@dataclass
class Processes:
    """The command lines of all processes of this machine, as anybody can read them."""

    seen: set[bytes] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Read them again and again."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue


def found(content: bytes) -> list[str]:
    """Return the names of the secrets that some bytes hold, packed or not."""
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            content += unpack(content)
        except (OSError, EOFError, zlib.error):
            continue
    return [name for name, words in WORDS.items() if any(word in content for word in words)]


def found_below(folder: Path, *, planted: tuple[Path, ...] = ()) -> dict[str, list[str]]:
    """Return what the files below a folder hold, but for those in which it was planted."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    read = {str(path): found(path.read_bytes()) for path in files if path not in planted}
    return {path: names for path, names in read.items() if names}


@pytest.fixture
def spoilt(registry: str) -> Iterator[Faulty]:
    """A registry that asks for a login."""
    with faulty.faulty(registry) as made:
        made.at("", faulty.login(USER, SECRETS["the login of a registry"], service=True))
        yield made


@pytest.fixture
def planted(tiny: Repo, spoilt: Faulty, tmp_path: Path, builder: str, trivy: Path) -> dict[str, str]:
    """A repository and an environment with a secret in every place that one can come from."""
    proxy = f"http://{USER}:{SECRETS['the address of a proxy']}@proxy.invalid:3128"
    proxies = {"default": {"httpProxy": proxy, "httpsProxy": proxy, "noProxy": "localhost,127.0.0.1"}}
    login = (USER, SECRETS["the login of a registry"])
    keys = cosigns.make_keys(tmp_path, "ours", SECRETS["cosign's password"])
    advisories.push(Registry(spoilt.behind), "db:2")
    authorities = Path("/etc/ssl/certs/ca-certificates.crt").read_text(encoding="utf-8")
    (tmp_path / "authorities.pem").write_text(f"# {SECRETS['a build secret']}\n{authorities}", encoding="utf-8")
    tiny.service(
        "one",
        "COPY services/one/word /word",
        "ARG REVISION",
        "LABEL org.opencontainers.image.revision=$REVISION",
        "RUN --mount=type=secret,id=ca,target=/ca wc -l /ca",
        "USER 1000",
    )
    tiny.service("bad", "RUN --mount=type=secret,id=ca env && false")
    tiny.write(
        "invoke.yaml",
        f"container:\n  project: tiny\n  registry: {spoilt.address}/team\n  ca: {tmp_path / 'authorities.pem'}\n"
        f"  sign_key: {keys.private}\n  scan_db: {spoilt.address}/db:2\n",
    )
    tiny.write(".gitignore", ".container/\n")
    tiny.commit()
    remote = f"https://{USER}:{SECRETS['the address of a git remote']}@git.invalid/team/tiny.git"
    subprocess.run(["git", "-C", tiny.root, "remote", "add", "origin", remote], check=True)
    return {
        **client(tmp_path / "client", {spoilt.address: login}, proxies=proxies),
        **shops.own_cache(tmp_path / "cache"),
        "PATH": f"{trivy.parent}:{shops.path()}",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "http_proxy": proxy,
        "https_proxy": proxy,
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
        "MY_API_TOKEN": SECRETS["the environment"],
        "GITHUB_TOKEN": SECRETS["the environment"],
        "COSIGN_PASSWORD": SECRETS["cosign's password"],
    }


PUSHED = ("container-push", "--services", "one", "--skip", "verify", "--builder", BUILDER, "--progress", "plain")
RUNS = (
    ("container-build",),
    ("container-build", "--services", "one", "--progress", "plain", "--force"),
    ("container-build", "--services", "one", "--print"),
    ("container-plan",),
    ("container-plan", "--json"),
    ("container-config",),
    ("container-run", "--services", "one", "--detach"),
    ("container-stop",),
    ("container-verify", "--services", "one"),
    ("container-report",),
    ("container-scan", "--services", "one", "--local"),
    PUSHED,
    ("container-push", "--skip", "verify", "--builder", BUILDER),
    ("container-scan", "--services", "one", "--json"),
    ("container-sbom", "--service", "one"),
    ("container-releases",),
    ("container-releases", "--json"),
    ("container-rollback", "--to", "v1.2.3"),
    ("container-build", "--services", "one", "--reuse", "--force"),
)

MUST = ("container-scan", "container-sbom", "container-releases", "container-rollback")


def test_no_secret_is_found_in_anything_that_is_written_shown_started_or_published(
    tiny: Repo, spoilt: Faulty, planted: dict[str, str], tmp_path: Path
) -> None:
    processes = Processes()
    shown = {}
    with processes.watched():
        for words in RUNS:
            shown[" ".join(words)] = tiny.inv(*words, env=planted)
    failing = {words: done.all for words, done in shown.items() if done.code and "bad" not in done.all}
    for words in (PUSHED, *(run for run in RUNS if run[0] in MUST)):
        assert shown[" ".join(words)].code == 0, shown[" ".join(words)].all
    assert shown["container-build"].code == 4, shown["container-build"].all
    assert {words: names for words, done in shown.items() if (names := found(done.all.encode()))} == {}, failing
    assert {line.replace(b"\0", b" "): names for line in processes.seen if (names := found(line))} == {}
    own = (tiny.root / "invoke.yaml", tiny.root / ".git/config")
    records = found_below(tiny.root, planted=own)
    # Builds are given a copy of the authorities, which the next run writes anew.
    assert records in ({}, {str(tiny.root / ".container/ca.pem"): ["a build secret"]})
    assert found_below(cache.home() / "logs") == {}
    assert found_below(tmp_path / "cache") == {}


def test_no_secret_is_found_in_what_a_push_publishes(
    tiny: Repo, spoilt: Faulty, planted: dict[str, str], tmp_path: Path
) -> None:
    tiny.inv(*PUSHED, env=planted).ok()
    published = [path for path in (tmp_path / "registry").rglob("data") if path.is_file()]
    assert len(published) > 3
    texts = [path.read_bytes() for path in published]
    for kind in (
        *(b"slsa.dev/provenance", b"cosign container image signature", b"application/vnd.in-toto+json"),
        b'"signer": "the key sha256:',
    ):
        assert any(kind in text for text in texts), kind
    assert found_below(tmp_path / "registry") == {}
    tiny.inv("container-build", "--services", "one", "--force", env=planted).ok()
    image = f"{spoilt.address}/team/one:latest"
    assert found(docker("history", "--no-trunc", "--format", "json", image).encode()) == []
    assert found(docker("inspect", image).encode()) == []
    docker("save", "--output", str(tmp_path / "image.tar"), image)
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "image.tar", "-C", tmp_path / "unpacked"], check=True)
    assert found_below(tmp_path / "unpacked") == {}


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    secret = SECRETS["the environment"].encode()
    assert found(b"x" + secret) == found(gzip.compress(secret)) == ["the environment"]
    assert found(base64.b64encode(f"{USER}:{SECRETS['the environment']}".encode())) == ["the environment"]
    (tmp_path / "log").write_bytes(secret)
    assert found_below(tmp_path) == {str(tmp_path / "log"): ["the environment"]}
    assert found_below(tmp_path, planted=(tmp_path / "log",)) == {}
