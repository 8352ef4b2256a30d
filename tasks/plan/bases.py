"""Where the bases of the images come from: as written, a mirror's copies, or stand-ins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a base really comes from."""

    REGISTRY = "registry"
    MIRROR = "mirror"
    STAND_IN = "stand-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """One image that a Dockerfile takes from outside."""

    reference: str
    origin: Origin = Origin.REGISTRY
    replacement: str | None = None

    @property
    def named_context(self) -> tuple[str, str] | None:
        """Bake's named context that replaces this base: its key is the whole reference, as written."""
        return None if self.replacement is None else (self.reference, f"docker-image://{self.replacement}")


def resolve(
    references: Iterable[str], *, mirror: str | None, stand_ins: Mapping[str, str], own: Iterable[str] = ()
) -> tuple[Base, ...]:
    """Decide for each reference where it comes from.

    A mirror wins over stand-ins: whoever names one has it. ``stand_ins`` maps a repository
    of Docker Hub's library ("golang") to a reference with a digest. References in ``own``
    are images of this repository and stay as they are.
    """
    kept = set(own)
    return tuple(_resolve(reference, mirror, stand_ins, kept) for reference in dict.fromkeys(references))


def _resolve(reference: str, mirror: str | None, stand_ins: Mapping[str, str], own: set[str]) -> Base:
    if reference in own:
        return Base(reference=reference)
    path = hub_path(reference)
    if mirror is not None and path is not None:
        return Base(reference=reference, origin=Origin.MIRROR, replacement=f"{mirror}/{path}")
    repository = repository_of(path or reference)
    stand_in = stand_ins.get(repository.removeprefix("library/")) if path is not None else None
    if stand_in is not None:
        return Base(reference=reference, origin=Origin.STAND_IN, replacement=stand_in)
    return Base(reference=reference)


def hub_path(reference: str) -> str | None:
    """Return what follows Docker Hub's host, with ``library/`` spelled out; None for another registry."""
    first, slash, rest = reference.partition("/")
    if slash and first in {"docker.io", "index.docker.io"}:
        return hub_path(rest)
    if slash and ("." in first or ":" in first or first == "localhost"):
        return None
    return reference if slash else f"library/{reference}"


def repository_of(reference: str) -> str:
    """Return a reference without its tag and digest."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
