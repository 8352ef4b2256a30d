"""Daemons of ours in the process table (Linux).

A pidfile is a rumour: after kill -9 or a restart of the machine its number may belong to anybody. So a
process is ours only when its own command line says so: the program's name, and a word that no other
process has, such as a path in our cache folder.
"""

import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path("/proc")
_KILL_SECONDS = 5.0  # that the kernel may take to end what was killed


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What tells a process of ours from all others."""

    program: str
    """The last part of its argv[0]."""
    word: str
    """A whole word of its command line."""


def command_line(pid: int) -> tuple[str, ...]:
    """Return a process's words; none for one that is gone, a zombie or a thread of the kernel."""
    try:
        raw = (_TABLE / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(word.decode(errors="replace") for word in raw.split(b"\0") if word)


def is_one(pid: int, mark: Mark) -> bool:
    """Return whether the process with this number is what ``mark`` describes."""
    words = command_line(pid)
    return bool(words) and Path(words[0]).name == mark.program and mark.word in words


def find(mark: Mark) -> tuple[int, ...]:
    """Return the numbers of all running processes that ``mark`` describes."""
    return tuple(pid for pid in everybody() if is_one(pid, mark))


def everybody() -> tuple[int, ...]:
    """Return the number of every process; none where there is no table to read."""
    if not _TABLE.is_dir():
        return ()
    return tuple(int(entry.name) for entry in _TABLE.iterdir() if entry.name.isdigit())


def named(program: str) -> tuple[int, ...]:
    """Return the numbers of all running processes of that program, whoever started them."""
    return tuple(pid for pid in everybody() if (words := command_line(pid)) and Path(words[0]).name == program)


def stop(mark: Mark, *, grace: float = 20.0) -> int:
    """End every process that ``mark`` describes, and return how many there were.

    They are asked first and killed after ``grace`` seconds. A descriptor holds each process while it is
    looked at, so that a number given to somebody else in between is never hit.
    """
    held = [descriptor for pid in find(mark) if (descriptor := _hold(pid, mark)) is not None]
    try:
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_SECONDS)):
            for descriptor in held:
                _send(descriptor, number)
            if _all_ended(held, within=patience):
                break
    finally:
        for descriptor in held:
            os.close(descriptor)
    return len(held)


def forget_stale(pidfile: Path, mark: Mark) -> bool:
    """Remove a pidfile that does not name a process ``mark`` describes; return whether it was there.

    dockerd refuses to start over a pidfile whose number is alive, whosever it is, and kills by the number
    in its containerd's.
    """
    try:
        text = pidfile.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    if text.isdigit() and is_one(int(text), mark):
        return False
    with suppress(FileNotFoundError):
        pidfile.unlink()
    return True


def kill_with_children(mark: Mark) -> int:
    """Kill every process that ``mark`` describes together with its direct children; return how many there were."""
    parents = find(mark)
    for pid in parents:
        for victim in (*_children(pid), pid):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
    return len(parents)


def _children(parent: int) -> tuple[int, ...]:
    found = []
    for pid in everybody():
        with suppress(OSError, IndexError, ValueError):
            after_name = (_TABLE / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2]
            if int(after_name.split()[1]) == parent:  # man 5 proc: state, then the parent
                found.append(pid)
    return tuple(found)


def _hold(pid: int, mark: Mark) -> int | None:
    """Return a descriptor of the process when it is still the one that ``mark`` describes."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if is_one(pid, mark):
        return descriptor
    os.close(descriptor)
    return None


def _send(descriptor: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, number)


def _all_ended(held: list[int], *, within: float) -> bool:
    """Wait until each process has ended, its sockets and locks too: its command line goes before them."""
    until = time.monotonic() + within
    poll = select.poll()
    waiting = set(held)
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting and (left := until - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            waiting.remove(descriptor)
    return not waiting
