"""Which commit last changed what a service's build reads, for several services in one walk through the history."""

import contextlib
import os
import stat
from collections.abc import Generator, Mapping
from pathlib import Path

from ..errors import ConfigError
from ..plan.history import DIRTY, SHALLOW, Change
from ..plan.scope import Scope
from . import workspace
from .commits import Git
from .git import ENVIRONMENT
from .process import stream

# No setting of a person may hide a commit or a path.
_LOG = ("-c", "log.showRoot=true", "log", "-z", "--format=%H %cI %P", "--raw", "--no-renames", "--relative")
_LOG_MORE = ("-c", "--full-history", "--ignore-submodules=none", "--no-ext-diff", "--no-show-signature", "--no-notes")
_MOST = 500
"""Paths that git is asked for; with more, it tells all that each commit has changed."""


def last_changes(root: Path, scopes: Mapping[str, Scope]) -> Mapping[str, Change]:
    """Return the newest commit that touched anything that a build reads, by service.

    It is ``-dirty`` where the work tree differs in what the build reads, or has of that what no commit has. In a
    shallow clone, whose oldest commits seem to bring everything, it may be the one checked out, and ``-shallow``.
    A service is left out where git knows nothing of it: no checkout, or nothing that was ever committed.
    """
    git, limit = Git(root, "git"), _limit(scopes)
    try:
        newest = _newest(root, scopes, limit, shallow=git.shallow())
        if not newest:
            return {}
        differing = frozenset(path for path, _ in git.differing("HEAD", limit))
        tracked = git.tracked()
    except ConfigError:
        return {}
    found = {}
    for service, change in newest.items():
        scope = scopes[service]
        dirty = any(map(scope.covers, differing)) or not _all_tracked(scope, tracked)
        found[service] = Change(f"{change.revision}{DIRTY}", change.committed) if dirty else change
    return found


def _limit(scopes: Mapping[str, Scope]) -> list[str]:
    """Return what git has to look at; nothing where that is all, or too much to name."""
    folders = sorted({folder for scope in scopes.values() for folder in scope.folders()})
    return [] if "." in folders or len(folders) > _MOST else [f":(literal){folder}" for folder in folders]


def _newest(root: Path, scopes: Mapping[str, Scope], limit: list[str], *, shallow: bool) -> dict[str, Change]:
    found: dict[str, Change] = {}
    missing = dict(scopes)
    head: Change | None = None
    with contextlib.closing(_commits(root, [] if shallow else limit)) as commits:
        for change, bottom, paths in commits:
            head = head or change
            for service in [name for name, scope in missing.items() if any(map(scope.covers, paths))]:
                found[service] = Change(f"{head.revision}{SHALLOW}", head.committed) if shallow and bottom else change
                del missing[service]
            if not missing:
                break
    return found


def _commits(root: Path, limit: list[str]) -> Generator[tuple[Change, bool, list[str]]]:
    """Yield commits, the newest first: whether there is none below, and the paths that it touched."""
    change: Change | None = None
    bottom, paths, path_next = False, list[str](), False
    words = (*_LOG, *_LOG_MORE, "HEAD", "--", *limit)
    with contextlib.closing(stream("git", "-C", root, *words, env=ENVIRONMENT)) as tokens:
        for token in tokens:
            told = token.removeprefix(b"\n")
            if path_next:
                paths.append(os.fsdecode(token))
                path_next = False
            elif told.startswith(b":"):
                path_next = True
            elif told:
                if change is not None:
                    yield change, bottom, paths
                revision, committed, *parents = told.decode().split()
                change, bottom, paths = Change(revision, committed), not parents, []
    if change is not None:
        yield change, bottom, paths


def _all_tracked(scope: Scope, tracked: Mapping[str, int]) -> bool:
    """Return whether git has every file that is there of what the build reads."""
    for path in scope.present():
        if path not in tracked and not {".git", workspace.FOLDER} & set(path.split("/")):  # a commit has neither
            above = path.rpartition("/")[0]
            while above and above not in tracked:
                above = above.rpartition("/")[0]
            if not above or stat.S_IFMT(tracked[above]) != stat.S_IFMT(0o160000):
                return False
    return True
