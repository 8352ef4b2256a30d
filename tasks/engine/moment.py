"""Folders for a moment: they go with whoever needs them; those of a process that was killed go with the next one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "container-tasks-moment-"


@contextmanager
def folder() -> Iterator[Path]:
    """Yield an empty folder that nobody else may look into; it is gone afterwards.

    A lock on the folder says that it is needed, and goes with its process.
    """
    if hasattr(os, "geteuid"):
        _sweep(Path(tempfile.gettempdir()))
    path, lock = _made()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _made() -> tuple[Path, int | None]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        try:
            lock = _taken(path)
        except FileNotFoundError:
            continue
        if lock is None or os.fstat(lock).st_nlink > 0:  # another one's sweep may have come in between
            return path, lock
        os.close(lock)


def _taken(path: Path) -> int | None:
    """Return the lock on a folder, which ends when it is closed; None where there are no such locks.

    Raises BlockingIOError where somebody has it.
    """
    try:
        import fcntl
    except ImportError:
        return None
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _sweep(place: Path) -> None:
    """Remove the folders of this user whose process is gone."""
    for path in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if path.stat(follow_symlinks=False).st_uid != os.geteuid():
                continue
            lock = _taken(path)
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)
