"""See that caches can be used before a build asks for them, and keep a folder's content whole."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import PushError
from ..plan.caches import Cache, Kind
from . import published, registry

NEW = ".new"
_LONGEST = 1  # bytes of a manifest: whether there is one is all that is asked
_GHA = "ACTIONS_RUNTIME_TOKEN"
_GHA_URLS = ("ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How registries are asked."""

    bundle: Path | None
    """The authorities that this machine trusts."""
    builder: str | None
    limit: int
    """Questions at once."""


def usable(
    caches: Sequence[Cache], scopes: Sequence[str], root: Path, asking: Asking
) -> tuple[tuple[Cache, ...], tuple[str, ...]]:
    """Return those that can be used, with the scopes that are there, and of each other one why not.

    A folder's scopes that are broken are removed: they would be in the way of every build to come.
    """
    found, problems = [], []
    for cache in caches:
        usable_one, problem = _tried(cache, scopes, root, asking)
        if problem:
            problems.append(f"the cache {cache} is left out: {problem}")
        else:
            found.append(usable_one)
    return tuple(found), tuple(problems)


def _tried(cache: Cache, scopes: Sequence[str], root: Path, asking: Asking) -> tuple[Cache, str]:
    problem = _problem(cache, scopes, root, asking.bundle)
    if problem or cache.kind is Kind.GHA:
        return cache, problem
    if cache.kind is Kind.LOCAL:
        there = frozenset(scope for scope in scopes if (root / cache.place / scope).is_dir())
        return replace(cache, ending=NEW, there=there), ""
    return _published(cache, scopes, root, asking)


def _published(cache: Cache, scopes: Sequence[str], root: Path, asking: Asking) -> tuple[Cache, str]:
    """Ask for every scope first: while BuildKit waits for the manifest of one, all builds of the engine wait."""
    references = {scope: f"{cache.place}:{scope}" for scope in scopes}
    answers = published.ask(
        tuple(references.values()), root=root, builder=asking.builder, limit=asking.limit, longest=_LONGEST
    )
    if any(answer.silent for answer in answers.values()):
        return cache, f"no answer within {published.PATIENCE:g} s"
    there = frozenset(scope for scope, reference in references.items() if answers[reference].content is not None)
    return replace(cache, there=there), ""


def _problem(cache: Cache, scopes: Iterable[str], root: Path, bundle: Path | None) -> str:
    match cache.kind:
        case Kind.REGISTRY:
            try:
                registry.require(cache.place, bundle)
            except PushError as error:
                return error.reason
        case Kind.GHA:
            address = _gha_address()
            if not os.environ.get(_GHA) or not address:
                return f"{_GHA} and {_GHA_URLS[0]} are not in the environment, as they are in an action of GitHub"
            # BuildKit waits for it without an end, and cannot be told to stop.
            return registry.silence(address, bundle)
        case Kind.LOCAL:
            try:
                _prepare(root / cache.place, scopes)
            except OSError as error:
                return f"{cache.place} cannot be written: {error.strerror}"
    return ""


def _gha_address() -> str:
    """Return where buildx asks: at the second kind of service where GitHub says so, whose first is gone there."""
    second = os.environ.get("ACTIONS_CACHE_SERVICE_V2", "").lower() in {"true", "1", "t"}
    found = [os.environ.get(name, "") for name in (_GHA_URLS if second else reversed(_GHA_URLS))]
    return next(filter(None, found), "")


def _prepare(folder: Path, scopes: Iterable[str]) -> None:
    """Make the folder, and take out of it what is half-written or broken."""
    folder.mkdir(parents=True, exist_ok=True)
    for scope in scopes:
        _remove(folder / f"{scope}{NEW}")
        if os.path.lexists(folder / scope) and not _whole(folder / scope):
            _remove(folder / scope)


def _whole(folder: Path) -> bool:
    """Whether a folder has an index whose manifests are there as their digests say; layers are not looked at."""
    try:
        if folder.is_symlink():
            return False
        entries = json.loads((folder / "index.json").read_text(encoding="utf-8"))["manifests"]
        return bool(entries) and all(_is_there(folder, entry) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _is_there(folder: Path, entry: Mapping[str, Any]) -> bool:
    kind, _, digest = str(entry["digest"]).partition(":")
    if kind != "sha256" or not digest.isalnum():
        return False
    return hashlib.sha256((folder / "blobs" / kind / digest).read_bytes()).hexdigest() == digest


def keep(caches: Iterable[Cache], scope: str, root: Path) -> None:
    """Put what a build has written in the place of what was there before: BuildKit only ever adds to a folder."""
    for folder in _folders(caches, root):
        new = folder / f"{scope}{NEW}"
        if _whole(new):
            _remove(folder / scope)
            with contextlib.suppress(OSError):  # another process's, or no room: the next build makes a new one
                new.rename(folder / scope)
        _remove(new)


def forget(caches: Iterable[Cache], scopes: Iterable[str], root: Path) -> None:
    """Remove scopes that have spoilt a build."""
    for folder in _folders(caches, root):
        for scope in scopes:
            _remove(folder / scope)
            _remove(folder / f"{scope}{NEW}")


def _folders(caches: Iterable[Cache], root: Path) -> list[Path]:
    return [root / cache.place for cache in caches if cache.kind is Kind.LOCAL]


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
