"""Which ports of this machine are taken, and by which program."""

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ..plan.running import HOST, Process

_PROC = Path("/proc")
_LISTEN = "0A"
# Addresses in /proc/net/tcp and tcp6 whose listeners keep others from 127.0.0.1, as amd64 and arm64 write them.
_HERE = frozenset({"00000000", "0100007F", "0" * 32, "0000000000000000FFFF00000100007F"})
_ADDRESS, _STATE, _INODE = 1, 3, 9  # columns


def taken(ports: Iterable[int]) -> Mapping[int, Process | None]:
    """Return the ports that cannot be listened on, with the program that has them where this user may know it."""
    busy = tuple(port for port in dict.fromkeys(ports) if not _is_free(port))
    return _owners(busy) if busy else {}


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere the option would share a port with its listener
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE  # EACCES: low ports are the engine's to open
    return True


def _owners(ports: tuple[int, ...]) -> Mapping[int, Process | None]:
    inodes: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            inodes.update(listeners((_PROC / "net" / table).read_text(encoding="ascii")))
    wanted = {f"socket:[{inode}]": port for inode, port in inodes.items() if port in ports}
    found: dict[int, Process | None] = dict.fromkeys(ports)
    if wanted:
        for folder in _PROC.glob("[0-9]*"):
            for port in _sockets(folder, wanted):
                found[port] = found[port] or Process(int(folder.name), _name(folder))
    return found


def listeners(table: str) -> Mapping[str, int]:
    """Return the ports that are listened on, by their sockets' inodes, from the text of /proc/net/tcp or tcp6.

    Only those in the way of a listener on 127.0.0.1.
    """
    found = {}
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) > _INODE and words[_STATE] == _LISTEN:
            address, _, port = words[_ADDRESS].partition(":")
            if address in _HERE:
                found[words[_INODE]] = int(port, 16)
    return found


def _sockets(folder: Path, wanted: Mapping[str, int]) -> set[int]:
    """Return the wanted ports whose sockets a process has open."""
    found: set[int] = set()
    with suppress(OSError):  # another user's process, or one that has ended meanwhile
        for link in (folder / "fd").iterdir():
            with suppress(OSError):
                port = wanted.get(str(link.readlink()))
                found |= set() if port is None else {port}
    return found


def _name(folder: Path) -> str:
    try:
        text = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
    return "".join(letter if letter.isprintable() else "?" for letter in text) or "a program"
