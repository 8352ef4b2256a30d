"""What a build reads of a context, however that is kept: on this disk, or in a commit."""

import contextlib
import posixpath
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ..plan.ignore import Ignore, Matches
from ..plan.reads import is_pattern, matches

_LONGEST = 4096
"""Letters of a path: one that is longer leads nowhere, and a link to ``itself/x`` would grow for ever."""
_DEEPEST = 3 * _LONGEST
"""Calls within calls that the deepest tree of folders takes, which has two letters a folder."""


class Status(Protocol):
    """What is at a path."""

    @property
    def st_mode(self) -> int:
        """Its kind and permissions, as in a file system."""


S = TypeVar("S", bound=Status)


class Files(Protocol[S]):
    """Where a context is kept. Paths are relative to it, with forward slashes."""

    def status(self, path: str) -> S | None:
        """Return what is at a path itself, never what a link there leads to; None where there is nothing."""

    def entries(self, folder: str) -> Iterator[tuple[str, S]]:
        """Yield the names in a folder with what is there, in any order.

        Raises OSError for a folder that cannot be read.
        """

    def link(self, path: str) -> str:
        """Return the text of the link at a path.

        Raises OSError where it is gone.
        """

    def describe(self, path: str, status: S) -> str:
        """Return the kind of what is at a path, and what it holds."""


@dataclass(slots=True)
class Walks(Generic[S]):
    """The ways through one context; what several services take alike is taken once."""

    files: Files[S]
    _known: dict[tuple[str, Ignore], tuple[dict[str, str], list[str]]] = field(default_factory=dict)

    def read(self, sources: Sequence[str], ignore: Ignore) -> dict[str, str]:
        """Return what the sources mean, by path, as the files describe it.

        A link counts with what it leads to inside the context. What is not there is told, too: it may come.
        """
        found: dict[str, str] = {}
        waiting, seen = list(sources), set(sources)
        while waiting:
            there, links = self._walked(waiting.pop(), ignore)
            found |= there
            for link in links:
                if link not in seen:
                    seen.add(link)
                    waiting.append(link)
        return found

    def _walked(self, source: str, ignore: Ignore) -> tuple[Mapping[str, str], Sequence[str]]:
        if (source, ignore) not in self._known:
            walk = _Walk(self.files, ignore)
            with _deep():
                walk.source(source)
            self._known[source, ignore] = walk.found, walk.links
        return self._known[source, ignore]


@contextlib.contextmanager
def _deep() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@dataclass(slots=True)
class _Walk(Generic[S]):
    """One way through a context for one source."""

    files: Files[S]
    ignore: Ignore
    found: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    """The sources that links on the way lead to."""

    def source(self, source: str) -> None:
        """Note what a source means."""
        if is_pattern(source):
            self._below("", None, only=source)
            return
        above: Matches | None = None
        ignored = False
        passed: list[tuple[str, S]] = []
        parts = [] if source == "." else source.split("/")
        for count in range(1, len(parts) + 1):
            path = "/".join(parts[:count])
            ignored, above = self.ignore.ignores(path, above)
            status = self.files.status(path)
            if status is None:
                self.found[path] = "missing"
                return
            if not stat.S_ISDIR(status.st_mode) or count == len(parts):
                rest = "/".join(parts[count:])
                there = self._at(path, status, (ignored, above), rest=rest)
                for folder in passed if there else ():  # COPY --parents takes their modes along
                    self._note(*folder, ignored=False)
                return
            passed.append((path, status))
        self._below("", None)

    def _at(
        self, path: str, status: S, state: tuple[bool, Matches], *, only: str | None = None, rest: str = ""
    ) -> bool:
        """Note what is at a path; return whether there is anything. ``rest``: where the source goes on from there."""
        ignored, above = state
        passing = only is not None and "**" not in only and path.count("/") < only.count("/")
        if stat.S_ISLNK(status.st_mode):
            return self._note(path, status, ignored=ignored, rest=rest)
        if not stat.S_ISDIR(status.st_mode):
            nothing_below = stat.S_ISREG(status.st_mode)  # a repository within this one may have more
            return self._note(path, status, ignored=ignored or ((passing or bool(rest)) and nothing_below))
        some = False
        if not ignored or self.ignore.may_keep_below(path):
            some = self._below(path, above, only=only)
        there = some or not (ignored or passing)
        if there:  # a folder that is kept out is there all the same where something in it is kept
            self._note(path, status, ignored=False)
        return there

    def _below(self, folder: str, above: Matches | None, only: str | None = None) -> bool:
        """Note everything below a folder, or what a pattern may mean; return whether there was anything."""
        some = False
        try:
            for name, status in self.files.entries(folder):
                path = f"{folder}/{name}" if folder else name
                if only is None or matches(only, path):
                    some |= self._at(path, status, self.ignore.ignores(path, above), only=only)
        except OSError as error:
            self.found[folder or "."] = f"unreadable {error.errno}"
            return True
        return some

    def _note(self, path: str, status: S, *, ignored: bool, rest: str = "") -> bool:
        if ignored or stat.S_ISSOCK(status.st_mode):  # BuildKit sends no sockets
            return False
        if path not in self.found:
            self.found[path] = self.files.describe(path, status)
        if stat.S_ISLNK(status.st_mode):
            with contextlib.suppress(OSError):
                leads_to = posixpath.join("/", posixpath.dirname(path), self.files.link(path), rest)
                if len(leads_to) < _LONGEST:
                    self.links.append(posixpath.normpath(leads_to).lstrip("/") or ".")
        return True
