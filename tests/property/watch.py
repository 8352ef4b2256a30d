"""Watches what this process does to the machine: programs that it would start, and files that it writes.

One audit hook for the process, which hears of everything while somebody watches. No program starts
then: it is as if none was on PATH.
"""

import contextlib
import errno
import os
import resource
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

_STARTS = {"os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.startfile", "os.fork", "os.forkpty", "pty.spawn"}
# Which of the arguments of an event are paths that it changes.
_CHANGES = {
    "os.mkdir": (0,),
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.link": (1,),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.utime": (0,),
    "os.mkfifo": (0,),
    "os.mknod": (0,),
    "os.setxattr": (0,),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(slots=True)
class Seen:
    """What was done while somebody watched."""

    started: list[tuple[str, ...]] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    """Programs that were started by another way than an argument list of text."""
    written: list[str] = field(default_factory=list)

    def outside(self, *folders: Path) -> list[str]:
        """Return what was written neither in these folders nor in a temporary folder of the tasks."""
        own = f"{os.path.realpath(tempfile.gettempdir())}/container-tasks-"
        inside = tuple(f"{os.path.realpath(folder)}/" for folder in folders)
        places = {*map(os.path.realpath, folders), os.path.devnull}
        return [path for path in self.written if path not in places and not path.startswith((own, *inside))]


_seen: Seen | None = None


def _hear(event: str, words: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event == "subprocess.Popen":
        _start(_seen, words[0], words[1])
    elif event in _STARTS:
        _seen.otherwise.append(event)
    elif event == "open" and isinstance(words[0], str | bytes | os.PathLike):
        if isinstance(words[2], int) and words[2] & _WRITES:
            _seen.written.append(_real(words[0]))
        _refuse_endless(words[0])
    elif event in _CHANGES:
        # A number is a file that is open, so it was heard of by its name.
        _seen.written.extend(_real(words[at], follow=False) for at in _CHANGES[event] if not isinstance(words[at], int))


def _start(seen: Seen, program: object, argv: object) -> None:
    if not isinstance(argv, list | tuple) or not all(isinstance(word, str) for word in argv):
        seen.otherwise.append(repr(argv))
        return
    if Path(os.fsdecode(program or argv[0])).name in {"sh", "bash", "dash", "env", "cmd.exe"}:  # type: ignore[arg-type]
        seen.otherwise.append(repr(argv))
    seen.started.append(tuple(argv))
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])


def _refuse_endless(path: str | bytes | os.PathLike[str]) -> None:
    """End a reader that would wait for a pipe, or read a device for ever."""
    with contextlib.suppress(OSError, ValueError):
        kind = Path(os.fsdecode(path)).stat().st_mode
        if (stat.S_ISFIFO(kind) or stat.S_ISCHR(kind)) and os.fspath(path) not in {os.devnull, "/dev/urandom"}:
            raise AssertionError(f"{path!r} is opened, which may never end")


def _real(path: Any, *, follow: bool = True) -> str:  # noqa: ANN401 - whatever os takes
    text = os.fsdecode(path)
    return os.path.realpath(text) if follow else f"{os.path.realpath(Path(text).parent)}/{Path(text).name}"


def install() -> None:
    """Begin to hear; a hook stays for as long as the process."""
    import_module("filelock")  # which tries the temporary folder when it is loaded
    sys.addaudithook(_hear)


@contextmanager
def watching() -> Iterator[Seen]:
    """Watch what the body does, and start no program in it."""
    global _seen  # noqa: PLW0603 - an audit hook cannot be taken away again, only told to be deaf
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    _seen = Seen()
    try:
        with bounded():
            yield _seen
    finally:
        _seen, sys.dont_write_bytecode = None, before


@contextmanager
def bounded() -> Iterator[None]:
    """Let the body take a gigabyte more than there is already, so that what never ends fails instead of swapping."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(OSError):  # no /proc: no bound
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
