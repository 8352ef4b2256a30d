"""Where the bases of the images come from: as written, a mirror's copies, or stand-ins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a base really comes from."""

    REGISTRY = "registry"
    MIRROR = "mirror"
    STAND_IN = "stand-in"
    OWN = "own"
    """Another image of the same repository, built in the same run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """One image that a Dockerfile takes from outside."""

    reference: str
    origin: Origin = Origin.REGISTRY
    replacement: str | None = None

    @property
    def named_context(self) -> tuple[str, str] | None:
        """Bake's named context that replaces this base: its key is the whole reference, as BuildKit calls it."""
        if self.replacement is None:
            return None
        kind = "target:" if self.origin is Origin.OWN else "docker-image://"
        return familiar(self.reference), f"{kind}{self.replacement}"


def resolve(
    references: Iterable[str], *, mirror: str | None, stand_ins: Mapping[str, str], own: Mapping[str, str] | None = None
) -> tuple[Base, ...]:
    """Decide for each reference where it comes from.

    A mirror wins over stand-ins: whoever names one has it. ``stand_ins`` maps a repository
    of Docker Hub's library ("golang") to a reference with a digest; ``own`` maps the
    repositories of this repository's images ("base", "ghcr.io/acme/base") to bake targets.
    """
    return tuple(_resolve(reference, mirror, stand_ins, own or {}) for reference in dict.fromkeys(references))


def _resolve(reference: str, mirror: str | None, stand_ins: Mapping[str, str], own: Mapping[str, str]) -> Base:
    target = own.get(repository_of(reference))
    if target is not None and "@" not in reference:
        return Base(reference=reference, origin=Origin.OWN, replacement=target)
    path = hub_path(reference)
    if mirror is not None and path is not None:
        return Base(reference=reference, origin=Origin.MIRROR, replacement=f"{mirror}/{path}")
    repository = repository_of(path or reference)
    stand_in = stand_ins.get(repository.removeprefix("library/")) if path is not None else None
    if stand_in is not None:
        return Base(reference=reference, origin=Origin.STAND_IN, replacement=stand_in)
    return Base(reference=reference)


def familiar(reference: str) -> str:
    """Return a reference as BuildKit looks it up among the named contexts: without Docker Hub's host and ``:latest``.

    Source: NamedContext in BuildKit's frontend/dockerui.
    """
    path = hub_path(reference)
    short = reference if path is None else path.removeprefix("library/")
    return short.removesuffix(":latest")


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
