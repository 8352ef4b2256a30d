"""What lies in a build context: the files that a build reads, with their modes, links and digests."""

import hashlib
import os
import posixpath
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..plan.ignore import Ignore, Matches
from ..plan.reads import is_pattern, matches

_LONGEST = 4096
"""Letters of a path: one that is longer leads nowhere, and a link to ``itself/x`` would grow for ever."""


@dataclass(slots=True)
class Tree:
    """One build context; each file is read once, however many services read it."""

    root: Path
    _digests: dict[str, str] = field(default_factory=dict)

    def read(self, sources: Sequence[str], ignore: Ignore) -> dict[str, str]:
        """Return what the sources mean, by path: kind, mode, and the digest of the content or the link's text.

        A link counts with what it leads to inside the context. What is not there is told, too: it may come.
        """
        found: dict[str, str] = {}
        waiting, seen = list(sources), set(sources)
        while waiting:
            for link in _Walk(self, ignore, found).source(waiting.pop()):
                if link not in seen:
                    seen.add(link)
                    waiting.append(link)
        return found

    def describe(self, path: str, status: os.stat_result) -> str:
        """Return the kind and mode of what is at a path, and what it holds."""
        mode = f"{stat.S_IMODE(status.st_mode):o}"
        if stat.S_ISREG(status.st_mode):
            return f"file {mode} {self._digest(path)}"
        if stat.S_ISLNK(status.st_mode):
            return f"link {os.readlink(self.root / path)}"  # noqa: PTH115 - as it is written
        if stat.S_ISDIR(status.st_mode):
            return f"folder {mode}"
        return f"special {stat.S_IFMT(status.st_mode):o} {mode} {status.st_rdev:x}"

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            try:
                with (self.root / path).open("rb") as file:
                    self._digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                self._digests[path] = f"unreadable {error.errno}"
        return self._digests[path]


@dataclass(slots=True)
class _Walk:
    """One way through a tree for one source."""

    tree: Tree
    ignore: Ignore
    found: dict[str, str]
    links: list[str] = field(default_factory=list)

    def source(self, source: str) -> list[str]:
        """Note what a source means; return the sources that links on the way lead to."""
        if is_pattern(source):
            self._below("", None, only=source)
            return self.links
        above: Matches | None = None
        ignored = False
        passed: list[tuple[str, os.stat_result]] = []
        parts = [] if source == "." else source.split("/")
        for count in range(1, len(parts) + 1):
            path = "/".join(parts[:count])
            ignored, above = self.ignore.ignores(path, above)
            status = self._status(path)
            if status is None:
                self.found[path] = "missing"
                return self.links
            if not stat.S_ISDIR(status.st_mode) or count == len(parts):
                rest = "/".join(parts[count:])
                there = self._at(path, status, (ignored, above), rest=rest)
                for folder in passed if there else ():  # COPY --parents takes their modes along
                    self._note(*folder, ignored=False)
                return self.links
            passed.append((path, status))
        self._below("", None)
        return self.links

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(self.tree.root / path)
        except (OSError, ValueError):
            return None

    def _at(
        self,
        path: str,
        status: os.stat_result,
        state: tuple[bool, Matches],
        *,
        only: str | None = None,
        rest: str = "",
    ) -> bool:
        """Note what is at a path; return whether there is anything. ``rest``: where the source goes on from there."""
        ignored, above = state
        passing = only is not None and "**" not in only and path.count("/") < only.count("/")
        if stat.S_ISLNK(status.st_mode):
            return self._note(path, status, ignored=ignored, rest=rest)
        if not stat.S_ISDIR(status.st_mode):
            return self._note(path, status, ignored=ignored or passing or bool(rest))
        some = False
        if not ignored or self.ignore.may_keep_below(path):
            some = self._below(path, above, only=only)
        there = some or not (ignored or passing)
        if there:  # a folder that is kept out is there all the same where something in it is kept
            self._note(path, status, ignored=False)
        return there

    def _below(self, folder: str, above: Matches | None, only: str | None = None) -> bool:
        """Note everything below a folder, or what a pattern may mean; return whether there was anything."""
        try:
            names = sorted(entry.name for entry in (self.tree.root / folder).iterdir())
        except OSError as error:
            self.found[folder or "."] = f"unreadable {error.errno}"
            return True
        some = False
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if only is not None and not matches(only, path):
                continue
            status = self._status(path)
            if status is not None:
                some |= self._at(path, status, self.ignore.ignores(path, above), only=only)
        return some

    def _note(self, path: str, status: os.stat_result, *, ignored: bool, rest: str = "") -> bool:
        if ignored or stat.S_ISSOCK(status.st_mode):  # BuildKit sends no sockets
            return False
        self.found.setdefault(path, self.tree.describe(path, status))
        if stat.S_ISLNK(status.st_mode):
            leads_to = posixpath.join("/", posixpath.dirname(path), os.readlink(self.tree.root / path), rest)  # noqa: PTH115 - as it is written
            if len(leads_to) < _LONGEST:
                self.links.append(posixpath.normpath(leads_to).lstrip("/") or ".")
        return True
