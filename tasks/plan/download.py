"""The tiny build that proves whether builds here get out: which downloads it tries, and what came of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from .bases import repository_of
from .failures import Kind, diagnose, untrusted

_PROXY = re.compile("proxy", re.IGNORECASE)
CA = "/etc/ssl/certs/ca-certificates.crt"
# What each language's own tool fetches from where its packages come from: a few kilobytes, with its own TLS.
_PROBES: Mapping[str, str] = {
    "golang": "go list -m golang.org/x/mod@latest",
    "rust": "cargo init -q --lib --vcs none probe && cd probe && echo 'cfg-if = \"1\"' >>Cargo.toml"
    " && CARGO_NET_RETRY=0 cargo generate-lockfile",
    "python": "pip download -q --no-deps --retries 0 -d . six",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One download of a base's own tool."""

    language: str
    image: str


class Cause(StrEnum):
    """What keeps a download from its place."""

    TRUST = "an authority that the step does not trust"
    PROXY = "a proxy"
    NETWORK = "the network"
    OTHER = "something of the step's own"


@dataclass(frozen=True, slots=True)
class Result:
    """What a download came to."""

    language: str
    fault: str = ""
    hint: str = ""
    cause: Cause | None = None


def probes(images: Mapping[str, str]) -> tuple[Probe, ...]:
    """Return the downloads to try: one a language. ``images`` maps a base's reference to where it is taken from."""
    found: dict[str, str] = {}
    for reference, image in images.items():
        name = PurePosixPath(repository_of(reference)).name
        if name in _PROBES:
            found.setdefault(name, image)
    return tuple(Probe(name, image) for name, image in found.items())


def dockerfile(tried: Sequence[Probe], nonce: str) -> str:
    """Return the Dockerfile that tries them; each writes what it said and its exit code, and none fails the build.

    ``nonce``, a word that is nowhere else, is in every step, so that each runs, and can be forgotten afterwards; what
    was written is in the folder of that name.
    """
    lines, mount, code = [], f"--mount=type=secret,id=ca,target={CA}", "echo $? >/told/code"
    for probe in tried:
        lines += [
            f"FROM --platform=$BUILDPLATFORM {probe.image} AS {probe.language}",
            f"RUN {mount} mkdir /told && cd /tmp && : {nonce}; ({_PROBES[probe.language]}) >/told/said 2>&1; {code}",
        ]
    lines.append("FROM scratch")
    lines += [f"COPY --from={probe.language} /told /{nonce}/{probe.language}" for probe in tried]
    if not tried:
        lines.append(f"COPY Dockerfile /{nonce}")
    return "\n".join(lines) + "\n"


def result(language: str, code: str, said: str) -> Result:
    """Return what a download came to, from its exit code and its words."""
    if code.strip() == "0":
        return Result(language)
    lines = [line for line in said.splitlines() if line.strip()]
    failure = diagnose(step=f"[{language}] RUN", error="", lines=lines[-20:])
    last = lines[-1].strip() if lines else f"exit code {code.strip()}"
    if failure.kind is not Kind.DOWNLOAD:
        return Result(language, last, cause=Cause.OTHER)
    cause = Cause.PROXY if _PROXY.search(said) else Cause.NETWORK
    return Result(language, last, failure.hint, Cause.TRUST if untrusted("\n".join(lines)) else cause)
