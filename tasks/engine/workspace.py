"""The folder ``.container/`` at the root, which git and docker ignore: logs, the CA bundle, the lock."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError, Interrupted

FOLDER = ".container"
WAY_OUT = f"make the checkout writable, and see that its disk has room; rm -r {FOLDER} begins anew"
"""What mends that something cannot be written there."""
_IGNORE_ALL = "*\n"
_FOLDERS = ("logs", "inputs", "verified")
UNWAITING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""How a file is opened that may have become a pipe, which would wait for ever, or a link to elsewhere."""


def log_path(service: str) -> str:
    """Return where a service's log lies, relative to the root."""
    return f"{FOLDER}/logs/{service}.log"


def prepare(root: Path) -> Path:
    """Make the folder, and return it.

    Raises ConfigError where the checkout cannot be written.
    """
    folder = root / FOLDER
    for place in (folder, *(folder / name for name in _FOLDERS)):
        if place.is_symlink():
            raise ConfigError(
                f"{place.relative_to(root)} is a link, and what is written there would land elsewhere",
                hint=f"rm {place.relative_to(root)}",
            )
    try:
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"  # for repositories that do not ignore the folder themselves
        if not os.path.lexists(ignore) or (ignore.is_file() and ignore.stat().st_size == 0):  # a disk was full once
            ignore.write_text(_IGNORE_ALL, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{FOLDER}/ cannot be written: {error.strerror}",
            hint="builds keep their logs there: make the checkout writable, and see that its disk has room",
        ) from error
    return folder


def copy_bundle(root: Path, bundle: Path) -> str:
    """Copy a CA bundle into the folder and return its path relative to the root.

    The definition may only name paths inside the root: newer buildx asks for an
    entitlement otherwise, which older ones do not know.
    """
    target = prepare(root) / "ca.pem"
    content = bundle.read_bytes()
    try:
        if target.is_symlink() or not target.is_file() or target.read_bytes() != content:
            path = target.with_suffix(f".{os.getpid()}.new")  # another run may write its own at once
            try:
                with fresh(path) as file:
                    file.write(content)
                path.replace(target)
            finally:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{FOLDER}/ca.pem cannot be written: {error.strerror}", hint=WAY_OUT) from error
    return f"{FOLDER}/{target.name}"


def content(path: Path) -> bytes:
    """Return what a file there holds; a pipe or a link that took its place is not followed.

    Raises OSError where there is no regular file, or it cannot be read.
    """
    with open(os.open(path, UNWAITING), "rb") as file:  # noqa: PTH123 - opened already
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read()


def fresh(path: Path) -> BinaryIO:
    """Open a new file in the place of whatever is there: a link or a pipe is removed, and never written to."""
    path.unlink(missing_ok=True)
    return path.open("xb")


@contextlib.contextmanager
def temporary(root: Path) -> Iterator[Path]:
    """Yield a folder for what programs write for a run that is alone in this checkout; it goes with the run.

    What a run that was killed has left there goes first. Raises ConfigError where it cannot be made.
    """
    folder = prepare(root) / "tmp"
    _remove(folder)
    try:
        folder.mkdir()
    except OSError as error:
        raise ConfigError(f"{FOLDER}/{folder.name} cannot be made: {error.strerror}", hint=WAY_OUT) from error
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def write_new(root: Path, name: str, text: str) -> Path:
    """Write a file at the root that is not there yet, and return its path.

    Raises ConfigError where it is there already, or cannot be written.
    """
    path = root / name
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{name} is there already, and was left alone", hint="edit it, or move it away") from None
    except OSError as error:
        raise ConfigError(f"{name} cannot be written: {error.strerror}", hint="make the checkout writable") from error
    return path


@contextlib.contextmanager
def alone(root: Path, waiting: Callable[[], None], name: str = "lock") -> Iterator[None]:
    """Let one run at a time build in this checkout; ``waiting`` is called when another one does.

    ``name`` is the lock's file: runs of another kind have their own.
    """
    with _alone(prepare(root) / name, waiting, FOLDER):
        yield


@contextlib.contextmanager
def alone_in(folder: Path, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Let one run at a time of this machine do something, by a lock in the cache folder.

    Raises ConfigError where that cannot be written, and Interrupted.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made: {error.strerror}", hint="make the cache folder writable"
        ) from error
    with _alone(folder / name, waiting, str(folder)):
        yield


@contextlib.contextmanager
def _alone(path: Path, waiting: Callable[[], None], place: str) -> Iterator[None]:
    try:
        let_go = at_once(path) or _in_turn(path, waiting)
    except KeyboardInterrupt:
        raise Interrupted("stopped while waiting for the other run") from None
    except OSError as error:
        raise ConfigError(f"{place}/{path.name} cannot be taken: {error.strerror}", hint=WAY_OUT) from error
    try:
        yield
    finally:
        let_go()


def at_once(path: Path) -> "Callable[[], object] | None":
    """Take a lock that is free, and return what lets it go; None where it has to be waited for, or there is no flock.

    It is the lock that filelock takes on Unix: loading that needs a tenth of the time of a run that builds nothing.
    """
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = os.fstat(descriptor).st_nlink > 0  # its last owner may have taken the file away meanwhile
    except OSError:
        free = False
    if free:
        return lambda: os.close(descriptor)
    os.close(descriptor)
    return None


def _in_turn(path: Path, waiting: Callable[[], None]) -> Callable[[], object]:
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    return lock.release


def held(path: Path) -> bool:
    """Return whether a run holds this lock; one that is not there is not made."""
    from filelock import FileLock, Timeout

    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # another user's
        return False
