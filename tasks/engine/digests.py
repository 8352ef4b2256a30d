"""The digests of files: each is read once a run, and not again in the next while it is untouched.

What is kept is trusted as git trusts its index: while size, times, inode and device are the same. A time of
change (ctime) is set by the kernel alone, so a file whose own time was put back is noticed. A file that was
changed shortly before it was read may change again without another time: it is not kept.
"""

import contextlib
import errno
import hashlib
import json
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError
from . import workspace

_FILE = "digests"
_SCHEME = "container-tasks digests 1"
SETTLED = 60
"""Seconds. Clocks of file systems have steps of up to 2 s, and what is written through memory (mmap) gets no new
time before the kernel has written the page, after at most 35 s."""
_MOST = 100_000
"""Files that are kept; beyond them, only those that the last run read."""
_CHUNK = 1 << 20


@dataclass(slots=True)
class Digests:
    """The digests of the files below a repository's root."""

    root: Path
    settled: float = SETTLED
    """Seconds for which a file must have been unchanged for its digest to be kept."""
    _this_run: dict[str, str] = field(default_factory=dict)
    _kept: dict[str, str] | None = None
    """By path below the root: the state that a file was in, and its digest."""
    _used: dict[str, str] = field(default_factory=dict)
    _grown: bool = False

    def of(self, path: str, status: os.stat_result) -> str:
        """Return the SHA-256 of a regular file's content, or ``unreadable`` with the number of the error."""
        if path not in self._this_run:
            self._this_run[path] = self._known(path, status) or self._read(path, status)
        return self._this_run[path]

    def keep(self) -> None:
        """Write down what was read, whole or not at all; nobody has to know where that cannot be."""
        if not self._grown:
            return
        kept = {**(self._kept or {}), **self._used}
        content = json.dumps(kept if len(kept) <= _MOST else self._used, ensure_ascii=True).encode()
        with contextlib.suppress(ConfigError, OSError):
            path = workspace.prepare(self.root) / _FILE
            new = path.with_suffix(f".{os.getpid()}.new")  # another run may write its own at once
            try:
                with workspace.fresh(new) as file:
                    file.write(_first_line(content) + content)
                new.replace(path)
                self._grown = False
            finally:
                new.unlink(missing_ok=True)

    def _known(self, path: str, status: os.stat_result) -> str | None:
        if self._kept is None:
            self._kept = _load(self.root)
        name = self._name(path)
        state, _, digest = self._kept.get(name, "").rpartition(" ")
        if not digest or state != _state(status):
            return None
        self._used[name] = self._kept[name]
        return digest

    def _read(self, path: str, status: os.stat_result) -> str:
        began = time.time_ns()
        try:
            digest, before, after = _read(path)
        except OSError as error:
            return f"unreadable {error.errno}"
        still = _state(status) == _state(before) == _state(after)
        old = max(status.st_mtime_ns, status.st_ctime_ns) < began - self.settled * 10**9
        if still and old and os.name == "posix":  # elsewhere ctime is another time
            self._used[self._name(path)] = f"{_state(status)} {digest}"
            self._grown = True
        return digest

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self.root}/")


def _read(path: str) -> tuple[str, os.stat_result, os.stat_result]:
    """Return a file's digest, and its state before and after; a pipe that took its place is not waited for."""
    opened = os.open(path, workspace.UNWAITING)
    try:
        before = os.fstat(opened)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file any more")
        digest = hashlib.sha256()
        while chunk := os.read(opened, _CHUNK):
            digest.update(chunk)
        return digest.hexdigest(), before, os.fstat(opened)
    finally:
        os.close(opened)


def _state(status: os.stat_result) -> str:
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_size} {times} {status.st_ino} {status.st_dev}"


def _load(root: Path) -> dict[str, str]:
    try:
        first, _, content = workspace.content(root / workspace.FOLDER / _FILE).partition(b"\n")
        if first + b"\n" != _first_line(content):
            return {}
        kept = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _first_line(content: bytes) -> bytes:
    """Return the line above what is kept: no damage to it can make a changed file look unchanged."""
    return f"{_SCHEME} {hashlib.sha256(content).hexdigest()}\n".encode()
