"""Caches of BuildKit beside the builder's own: in a registry, in GitHub Actions, in a folder; bake's words for them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from ..errors import ConfigError
from . import names
from .platforms import Platform

if TYPE_CHECKING:
    from .failures import Kind as Failing

NONE = "none"
USUAL_FOLDER = ".container/cache"
_LETTER = "[A-Za-z0-9_.-]"
_PART = rf"(?!\.\.(?!{_LETTER})){_LETTER}+"
PATH = rf"{_PART}(?:/{_PART})*"
"""A folder inside the repository."""
# Between service and platforms: no service's name has it, so no two services share a scope.
_JOINT = ".."
_NO_FAULT_OF_A_CACHE = "did not complete successfully"  # a command of the Dockerfile
_CONTENT = re.compile(r"httpReadSeeker|unexpected commit digest|expected number of bytes|content sha256:\S+: not found")


class Kind(StrEnum):
    """Where a cache is."""

    REGISTRY = "registry"
    GHA = "gha"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Cache:
    """One cache; each service has its own scope in it for each set of platforms."""

    kind: Kind
    place: str = ""
    """A registry's repository, or a folder relative to the root."""
    ending: str = ""
    """What a folder that is written has at the end of its name, beside the one that is read."""
    there: frozenset[str] | None = None
    """The scopes that can be read; None for those that there may be."""

    def __str__(self) -> str:
        """Return it as the setting has it."""
        return f"{self.kind}={self.place}" if self.place else self.kind.value

    def source(self, scope: str) -> str:
        """Return where a build reads a scope."""
        match self.kind:
            case Kind.REGISTRY:
                return f"type=registry,ref={self.place}:{scope}"
            case Kind.GHA:
                return f"type=gha,scope={scope}"
            case Kind.LOCAL:
                return f"type=local,src={self.place}/{scope}"

    def destination(self, scope: str) -> str:
        """Return where a build writes a scope, with the layers of all its stages; that it cannot is no error."""
        where = self.source(scope)
        if self.kind is Kind.LOCAL:
            where = f"type=local,dest={self.place}/{scope}{self.ending}"
        return f"{where},mode=max,ignore-error=true"


def parse(words: Sequence[str], *, registry: str, source: str) -> tuple[Cache, ...]:
    """Return the caches that a setting names: ``registry``, ``gha`` and ``local``, the first and last with a place.

    Raises ConfigError for what is none.
    """
    if list(words) == [NONE]:
        return ()
    return tuple(dict.fromkeys(_one(word, registry, source) for word in words))


def _one(word: str, registry: str, source: str) -> Cache:
    kind, given, place = word.partition("=")
    hint = "choose from none, registry[=host/path], gha, local[=folder]"
    if kind not in list(Kind) or (given and (not place or kind == Kind.GHA)):
        raise ConfigError(f"{source}: {word!r} is no cache", hint=hint)
    if kind == Kind.REGISTRY:
        repository = names.check_registry(place or f"{registry}/build-cache", source=source)
        if "/" not in repository:
            raise ConfigError(f"{source}: {repository!r} has no path", hint=f"for example registry={repository}/cache")
        return Cache(Kind.REGISTRY, repository)
    if kind == Kind.GHA:
        return Cache(Kind.GHA)
    folder = place or USUAL_FOLDER
    if re.fullmatch(PATH, folder) is None:
        raise ConfigError(
            f"{source}: {folder!r} is no folder inside the repository", hint=f"for example local={USUAL_FOLDER}"
        )
    return Cache(Kind.LOCAL, folder)


def scope(service: str, platforms: Sequence[Platform]) -> str:
    """Return the scope that a build writes.

    One for each set of platforms: BuildKit exports a target's platforms together, and a scope that builds for
    other platforms share is overwritten by each of them.
    """
    return f"{service}{_JOINT}{'-'.join(one.arch for one in Platform if one in platforms)}"


def scopes(service: str, platforms: Sequence[Platform]) -> tuple[str, ...]:
    """Return the scopes that a build reads, its own first: all that hold one of its platforms."""
    own = scope(service, platforms)
    others = (scope(service, one) for one in _sets() if set(one) & set(platforms))
    return tuple(dict.fromkeys((own, *others)))


def _sets() -> Iterator[tuple[Platform, ...]]:
    for size in range(1, len(Platform) + 1):
        yield from combinations(Platform, size)


def at_fault(kind: "Failing", error: str) -> bool:
    """Whether a build may have failed because of its caches: something did that is no command of its Dockerfile.

    BuildKit goes on without a cache that cannot be found, but not without a layer that one has promised.
    """
    if _NO_FAULT_OF_A_CACHE in error:
        return False
    from .failures import Kind as Failing

    return kind in {Failing.STEP, Failing.BASE, Failing.DEFINITION} or _CONTENT.search(error) is not None
