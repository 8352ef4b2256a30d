"""Who signs images and who is trusted: decided from the settings, before anything is pushed. Pure."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ConfigError
from .names import REGISTRY

GITHUB = "https://token.actions.githubusercontent.com"
"""Who says for GitHub which workflow a job belongs to."""
DIGEST = r"sha256:[0-9a-f]{64}"
KEY = r"(?!-)(?! )(?!https?://)[^\u0000-\u001f\u007f-\u009f]+"
"""Where a key is: a path, or what cosign takes in its place (``env://NAME``, ``awskms://…``, ``k8s://…``)."""
# Alternatives stand in a group, and groups in no other: what is anchored at both ends is seen to be.
_PART = r"\\[ -~]|\[(?:\\[ -~]|[!-Z^-~])+\]"
IDENTITY = rf"(?=.*[A-Za-z0-9]{{3}})\^(?:{_PART}|\((?:{_PART}|[ -'*-Z^-~])*\)|[ -'*-Z^-{{}}~])+\$"
"""A regular expression for all of an identity, with some letters in it: not one that everybody satisfies."""
ISSUER = r"https://[!-~]+"
_LITERAL = re.compile(r"\^((?:\\[ -/:-@\[-`{-~]|[^\\^$.|?*+(){}\[\]])+)\$")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://.+|pkcs11:.+", re.DOTALL)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END \1-----")
_SEQUENCE = 0x30  # what each public key begins with, in DER
_SHORTEST = 24  # bytes of a public key in DER


class Choice(StrEnum):
    """What ``container.sign`` can be."""

    AUTO = "auto"
    KEY = "key"
    KEYLESS = "keyless"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How images are signed: with a key, or, where there is none, as whom an identity token names."""

    key: str | None = None
    """Where the private key is; never the key itself."""

    @property
    def keyless(self) -> bool:
        """Whether an identity token stands in for a key."""
        return self.key is None

    def __str__(self) -> str:
        """Return it for a message."""
        return "an identity token" if self.key is None else f"the key {self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose signature counts: that of a key, or, where there is none, that of an identity."""

    key: str | None = None
    """Where the public key is; with ``derived``, where the private key is whose other half counts."""
    derived: bool = False
    identity: str | None = None
    """A regular expression for all of it."""
    issuer: str = GITHUB


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, and what it is called by its content."""

    pem: str

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and the digest of the key in DER, as ``openssl pkey -pubin -outform DER | sha256sum`` says."""
        return f"sha256:{hashlib.sha256(_der(self.pem)).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who has signed."""

    fingerprint: str | None = None
    """Of the public key."""
    identity: str | None = None
    issuer: str | None = None

    def __str__(self) -> str:
        """Return it for a person."""
        return f"the key {self.fingerprint}" if self.fingerprint else f"{self.identity} (says {self.issuer})"


def decide(choice: str, *, key: str | None, token: bool) -> Signing | None:
    """Return how images are signed; None for not at all. ``token``: whether the environment has an identity token.

    Raises ConfigError where what was chosen cannot be.
    """
    if choice == Choice.NONE:
        return None
    if choice == Choice.KEY and key is None:
        raise ConfigError(
            "container.sign is key, and container.sign_key names none",
            hint="set container.sign_key: a file, or env://NAME; cosign generate-key-pair makes one",
        )
    if choice == Choice.KEYLESS and not token:
        raise ConfigError(
            "container.sign is keyless, and there is no identity token: cosign would open a browser, and wait",
            hint="in GitHub Actions: permissions: id-token: write; elsewhere SIGSTORE_ID_TOKEN",
        )
    if choice in {Choice.KEY, Choice.AUTO} and key is not None:
        return Signing(key=key)
    return Signing() if token and choice in {Choice.KEYLESS, Choice.AUTO} else None


def trust(
    signing: Signing | None, *, sign_key: str | None, verify_key: str | None, identity: str | None, issuer: str
) -> Trust | None:
    """Return whose signatures count; None where nothing says it.

    What signs here decides which kind counts where both are named; a key comes first otherwise.
    """
    of_identity = None if identity is None else Trust(identity=identity, issuer=issuer)
    of_key = None if verify_key is None else Trust(key=verify_key)
    if of_key is None and sign_key is not None:
        of_key = Trust(key=sign_key, derived=True)
    if signing is not None:
        return of_identity if signing.keyless else of_key
    return of_key or of_identity


def check_key(reference: str, source: str) -> str:
    """Return where a key is, as it was written; the key itself is never repeated in an error.

    Raises ConfigError for what cannot be a path or an address.
    """
    if reference.lstrip().startswith("-----BEGIN"):
        raise ConfigError(f"{source} holds a key itself", hint="write where the key is: a file, or env://NAME")
    if not re.fullmatch(KEY, reference):
        raise ConfigError(
            f"{source} does not say where a key is", hint="a file, env://NAME, or a URI that cosign takes"
        )
    return reference


def is_elsewhere(reference: str) -> bool:
    """Whether a key is no file: in the environment, in a cluster, in a key management service."""
    return _ELSEWHERE.fullmatch(reference) is not None


def check_identity(pattern: str, source: str) -> str:
    """Return the regular expression for all of an identity.

    Raises ConfigError for one that another identity could satisfy by a part of it, or that anybody satisfies.
    """
    if not re.fullmatch(IDENTITY, pattern):
        raise ConfigError(
            f"{source} is not anchored: a part of another identity would do",
            hint=r"^https://github\.com/ORG/REPO/\.github/workflows/release\.yml@refs/tags/v.*$; alternatives in (a|b)",
        )
    try:
        re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{source} is no regular expression: {error}", hint="mend it there") from error
    return pattern


def only(identity: str) -> str:
    """Return the regular expression for just that identity."""
    return f"^{re.escape(identity)}$"


def sole(pattern: str) -> str | None:
    """Return the one identity that a regular expression stands for; None where others satisfy it too."""
    found = _LITERAL.fullmatch(pattern)
    return None if found is None else re.sub(r"\\(.)", r"\1", found[1])


def check_issuer(address: str, source: str) -> str:
    """Return the address of who gives identity tokens.

    Raises ConfigError unless it is an https one.
    """
    if not re.fullmatch(ISSUER, address):
        raise ConfigError(f"{source}: {address!r} is no issuer of identities", hint=f"for example {GITHUB}")
    return address


def split_reference(reference: str) -> tuple[str, str]:
    """Return name and digest of a whole reference ``host/path@sha256:…``.

    Raises ValueError for any other: a tag can be another image when it is signed.
    """
    name, _, digest = reference.partition("@")
    if not (re.fullmatch(DIGEST, digest) and "/" in name and re.fullmatch(REGISTRY, name)):
        raise ValueError(f"{reference!r} is not host/path@sha256:…")
    return name, digest


def pem_type(text: str) -> str | None:
    """Return what a PEM text says it is (``PUBLIC KEY``); None where it is no whole PEM block."""
    found = _PEM.search(text)
    return None if found is None else found[1]


def public_key(text: str) -> PublicKey:
    """Return the public key in a PEM text.

    Raises ValueError where there is none, or a damaged one.
    """
    if pem_type(text) != "PUBLIC KEY":
        raise ValueError(pem_type(text) or "no PEM")
    der = _der(text)
    if len(der) < _SHORTEST or der[0] != _SEQUENCE:
        raise ValueError("damaged")
    return PublicKey(text.strip() + "\n")


def _der(pem: str) -> bytes:
    found = _PEM.search(pem)
    try:
        return base64.b64decode("".join(found[2].split()) if found else "", validate=True)
    except binascii.Error as error:
        raise ValueError("damaged") from error
