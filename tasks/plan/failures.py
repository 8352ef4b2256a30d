"""Say what kind of failure ended a build: a compile error is not a flaky download.

BuildKit reports failures in words only, so this reads words; what matches nothing is a
failed step, which is what it looks like.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .retrying import words_can_pass


class Kind(StrEnum):
    """Whose fault it was."""

    STEP = "step failed"
    DOWNLOAD = "download failed"
    BASE = "base image could not be had"
    PUSH = "push failed"
    DISK = "disk full"
    ENGINE = "builder lost"
    DEFINITION = "definition refused"
    CROSSED = "ended with another build of the same step"
    """BuildKit runs a step of two clients once; when the one that began it is stopped, the other's fails. Nor can two
    export the same image at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a target failed, with what a person needs to mend it."""

    kind: Kind
    step: str
    """The name of the step, as BuildKit gives it."""
    message: str
    lines: tuple[str, ...] = ()
    """The step's last lines."""
    excerpt: tuple[str, ...] = ()
    """The Dockerfile around the failing line, as buildx shows it."""
    dockerfile: str = ""
    """The Dockerfile at fault, relative to the root, where buildx names a line."""
    line: int | None = None
    hint: str = ""

    @property
    def place(self) -> str:
        """The Dockerfile and the line, as editors take them."""
        return f"{self.dockerfile}:{self.line}" if self.line is not None else self.dockerfile


_NETWORK = re.compile(
    r"x509:|certificate (?:signed by unknown|verify failed|is not trusted|has expired)"
    r"|tls: |TLS handshake|SSL certificate"
    r"|SSL routines|unable to get local issuer|i/o timeout|timed? ?out (?:while|after|waiting)|operation timed out"
    r"|Connection (?:refused|reset|timed out)|connection (?:refused|reset)|no such host|[Cc]ould not resolve"
    r"|Temporary failure (?:in name resolution|resolving)|[Nn]ame or service not known|network is unreachable"
    r"|Network is unreachable|failed to (?:fetch|download)|unexpected EOF|download of .* failed|spurious network error"
    r"|dial tcp|HTTP (?:429|5\d\d)|429 Too Many|50[234] (?:Bad Gateway|Service|Gateway)"
    r"|bad address '|wget: server returned error"
    r"|[Cc]ould not connect|EAI_AGAIN|ETIMEDOUT|ECONNRESET|Read timed out",
)
_COMPILER = re.compile(
    r"^(?:error(?:\[E\d+\])?: (?!failed to (?:fetch|download|get))"
    r'|.*\.go:\d+:\d+: (?!.*(?:dial tcp|Get "https?://))'
    r"|.*: undefined: )",
    re.MULTILINE,
)
# Two builds that stand on one image of the repository export it at the same moment, and the engine keeps it once.
_SAME_IMAGE = re.compile(r'image "moby-dangling@sha256:[0-9a-f]{64}": already exists')
_CERTIFICATE = re.compile(
    r"x509:|certificate|unable to get local issuer|SSL routines(?!:[\w:]*unexpected eof)", re.IGNORECASE
)
_OWN_FOLDER = ".container"  # where buildx writes what it says of an image
_DISK = re.compile(r"no space left on device|ResourceExhausted|disk quota exceeded", re.IGNORECASE)
_LOST = re.compile(
    r"code = Unavailable|error reading from server: EOF|[Cc]annot connect to the Docker daemon|transport is closing"
    r"|connection error: desc|graceful_stop|closing transport due to"
)
_REFUSED = re.compile(
    r"401 Unauthorized|403 Forbidden|denied: |unauthorized|insufficient_scope|authorization failed", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The lines of a Dockerfile that buildx shows beside an error."""

    dockerfile: str = ""
    line: int | None = None
    lines: tuple[str, ...] = ()


def diagnose(*, step: str, error: str, lines: Sequence[str], excerpt: Excerpt | None = None) -> Failure:
    """Return the failure of a step from BuildKit's error, the step's output and buildx's last words."""
    shown = excerpt or Excerpt()
    kind = _kind(step, error, "\n".join(lines))
    return Failure(
        kind=kind,
        step=step,
        message=_short(error),
        lines=tuple(lines),
        excerpt=shown.lines,
        dockerfile=shown.dockerfile,
        line=shown.line,
        hint=_hint(kind, "\n".join([error, *lines])),
    )


def _short(error: str) -> str:
    """Return the error without the whole script that BuildKit quotes in it: the step and the excerpt show that."""
    found = re.search(r"did not complete successfully: (.*)\Z", error, re.DOTALL)
    return f"the step ended with {found[1]}" if found else error


def _kind(step: str, error: str, output: str) -> Kind:
    if "no active sessions" in error or _SAME_IMAGE.search(error):
        return Kind.CROSSED
    if re.search(r"failed to push|push access denied", error) or re.match(r"pushing |exporting .*push", step):
        return Kind.PUSH
    internal = re.match(r"\[(?:[\w-]+ )?internal\] (.*)", step)
    if not step or internal:
        return _of_words(error, _of_internal("" if internal is None else internal[1]))
    if re.match(r"\[[^\]]*\] FROM ", step):
        return _of_words(error, Kind.BASE)
    if _NETWORK.search(output) and not _COMPILER.search(output):
        return Kind.DOWNLOAD
    return _of_words(f"{error}\n{output}", Kind.STEP)


def _of_internal(step: str) -> Kind:
    if step == "waiting for connection":
        return Kind.ENGINE
    return Kind.BASE if step.startswith("load metadata for") else Kind.DEFINITION


def _of_words(words: str, otherwise: Kind) -> Kind:
    """Return what the words say beyond doubt, whichever step they come from."""
    if _DISK.search(words):
        return Kind.DISK
    if _LOST.search(words):
        return Kind.ENGINE
    return Kind.BASE if "failed to resolve source metadata" in words else otherwise


_HINTS = {
    Kind.DOWNLOAD: "nothing is wrong with the sources: run the same command again when the network answers",
    Kind.BASE: "inv container-setup looks for the bases; container.mirror names a registry that has them",
    Kind.PUSH: "run the same command again when the registry answers",
    Kind.DISK: "inv container-clean frees this project's share; docker system df shows the rest",
    Kind.ENGINE: "inv container-setup starts the engine again",
    Kind.STEP: "",
    Kind.CROSSED: "nothing is wrong with the sources: run the same command again",
    Kind.DEFINITION: "",
}


def untrusted(text: str) -> bool:
    """Whether these words complain of a certificate."""
    return _CERTIFICATE.search(text) is not None


def _hint(kind: Kind, text: str) -> str:
    if kind is Kind.DOWNLOAD and untrusted(text):
        return "the step does not trust what this network answers with: mount the secret id=ca, or set container.ca"
    if kind is Kind.DISK and f"/{_OWN_FOLDER}/" in text:
        return "that is the disk of this checkout: df -h . shows what room it has"
    if kind is Kind.PUSH and _REFUSED.search(text):
        return "docker login to that registry, with the right to push"
    if kind is Kind.PUSH and not words_can_pass(text):
        return "it will say so again: see --registry, and what that registry allows, its largest layer among it"
    return _HINTS[kind]
