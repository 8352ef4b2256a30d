"""Whether the base images can be had from here."""

import re
from collections.abc import Sequence

from ...errors import EngineError
from ...plan.bases import hub_path, repository_of, resolve
from .. import process

_PROBE_SECONDS = 15.0


def short_name(reference: str) -> str:
    """Return a reference's repository as Dockerfiles write it: ``golang`` for ``docker.io/library/golang:1.27``."""
    return repository_of(hub_path(reference) or reference).removeprefix("library/")


def series(reference: str) -> str | None:
    """Return the first two numbers of a reference's tag: ``1.27`` for ``golang:1.27.2-alpine3.24``."""
    found = re.search(r":(\d+\.\d+)", reference.rpartition("/")[2])
    return found.group(1) if found else None


def mirrored(reference: str, mirror: str | None) -> str:
    """Return where builds take this image from: the mirror's copy where there is a mirror."""
    (base,) = resolve((reference,), mirror=mirror, stand_ins={})
    return base.replacement or base.reference


def telling(references: Sequence[str]) -> str:
    """Return the reference whose absence says most of the registry: an official image, which everybody can have."""
    return min(references, key=lambda reference: not (hub_path(reference) or "").startswith("library/"))


def refusal(reference: str) -> str | None:
    """Ask the registry for the manifest of ``reference``; return None when it is to be had, else why not."""
    try:
        done = process.run("docker", "buildx", "imagetools", "inspect", "--raw", reference, timeout=_PROBE_SECONDS)
    except EngineError as error:
        return str(error).partition("\n")[0].removeprefix("error: ")
    # The reason stands last, after the request's address in quotes.
    return None if done.ok else done.last_line.removeprefix("ERROR: ").rpartition('": ')[2]
