"""Files and folders that are there whole or not at all, whenever a process ends."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PARTIAL = ".partial-"
_LONGEST_SOCKET = 107  # bytes that a unix socket's path may have (man 7 unix)


def write_text(path: Path, text: str) -> bool:
    """Make ``path`` hold ``text``, in one step; return whether it did not before."""
    with suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == text:
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_PARTIAL)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(path)
    return True


def write_json(path: Path, value: Any) -> bool:  # noqa: ANN401 - whatever JSON can hold
    """Make ``path`` hold ``value`` as JSON, in one step; return whether it did not before."""
    return write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in ``path``; an empty one where it is missing or no such thing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``, which goes away when the block ends.

    What runs that were killed left there goes away too, so the caller holds the set-up's lock.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f"{target.name}{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{target.name}{_PARTIAL}"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``target`` when the block ends well, and goes away otherwise."""
    with scratch(target) as folder:
        yield folder
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)


def short_socket(path: Path) -> Path:
    """Return a path for a unix socket: this one, or one under /run when it is longer than the kernel allows."""
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    return short_folder(path.parent) / path.name


def short_folder(path: Path) -> Path:
    """Return the folder under /run that stands for one whose path is too long for sockets in it."""
    return Path("/run") / f"container-tasks-{digest_of(path)}"


def fits_sockets(path: Path, *, below: str) -> bool:
    """Return whether a socket called ``below`` in that folder has a path that the kernel allows."""
    return len(os.fsencode(path / below)) <= _LONGEST_SOCKET


def digest_of(path: Path) -> str:
    """Return eight letters that stand for a path where it does not fit."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
