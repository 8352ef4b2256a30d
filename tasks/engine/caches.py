"""See that caches can be used before a build asks for them, and keep a folder's content whole."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import PushError
from ..plan.caches import Cache, Kind
from . import registry

NEW = ".new"
_GHA = "ACTIONS_RUNTIME_TOKEN"
_GHA_URLS = ("ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL")


def usable(
    caches: Sequence[Cache], scopes: Iterable[str], root: Path, bundle: Path | None
) -> tuple[tuple[Cache, ...], tuple[str, ...]]:
    """Return those that can be used, and of each other one why not.

    A folder's scopes that are broken are removed: they would be in the way of every build to come.
    """
    found, problems = [], []
    for cache in caches:
        problem = _problem(cache, scopes, root, bundle)
        if problem:
            problems.append(f"the cache {cache} is left out: {problem}")
        else:
            found.append(_known(cache, scopes, root) if cache.kind is Kind.LOCAL else cache)
    return tuple(found), tuple(problems)


def _known(cache: Cache, scopes: Iterable[str], root: Path) -> Cache:
    there = frozenset(scope for scope in scopes if (root / cache.place / scope).is_dir())
    return replace(cache, ending=NEW, there=there)


def _problem(cache: Cache, scopes: Iterable[str], root: Path, bundle: Path | None) -> str:
    match cache.kind:
        case Kind.REGISTRY:
            try:
                registry.require(cache.place, bundle)
            except PushError as error:
                return error.reason
        case Kind.GHA:
            if not os.environ.get(_GHA) or not any(map(os.environ.get, _GHA_URLS)):
                return f"{_GHA} and {_GHA_URLS[0]} are not in the environment, as they are in an action of GitHub"
        case Kind.LOCAL:
            try:
                _prepare(root / cache.place, scopes)
            except OSError as error:
                return f"{cache.place} cannot be written: {error.strerror}"
    return ""


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
