"""What the head of a program says: for which processor it is, and whether it carries what it could do without.

Sources: the ELF-64 object file format (elf.h), the Mach-O loader (mach-o/loader.h) and PE.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_MAGIC = b"\x7fELF"
_MACHINES = {3: "386", 20: "ppc", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}
_OTHERS = {b"\xcf\xfa\xed\xfe": "macOS", b"\xca\xfe\xba\xbf": "macOS", b"MZ\x90\x00": "Windows"}
_RELOCATABLE = 1  # e_type ET_REL: an object file, which nothing runs
_DYNAMIC, _INTERPRETER = 2, 3  # p_type
_NEEDED = 1  # d_tag
_SYMBOLS = 2  # sh_type SHT_SYMTAB


class Bytes(Protocol):
    """What can be read in pieces: bytes, or a file that is mapped into memory."""

    def __getitem__(self, place: slice) -> bytes:
        """Return a piece."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...


@dataclass(frozen=True, slots=True)
class Program:
    """One program or library."""

    architecture: str
    """As OCI spells it; another system's name, or the number, for what no container here runs."""
    dynamic: bool = False
    """Whether it needs a loader or libraries beside it."""
    symbols: bool = False
    """Whether it still has the symbols of its build."""


def parse(content: Bytes) -> Program | None:
    """Return what a file is as a program; None for what is none, and for one that is cut off."""
    head = bytes(content[:64])
    if head[:4] in _OTHERS:
        return Program(_OTHERS[head[:4]])
    if head[:4] != _MAGIC or len(head) < 52:  # noqa: PLR2004 - the head of the 32-bit kind
        return None
    order = ">" if head[5] == 2 else "<"  # noqa: PLR2004 - ELFDATA2MSB
    kind, machine = struct.unpack_from(f"{order}HH", head, 16)
    if kind == _RELOCATABLE:
        return None
    architecture = _MACHINES.get(machine, f"machine {machine}")
    if head[4] != 2 or len(head) < 64:  # noqa: PLR2004 - ELFCLASS64; what is smaller is of no platform that is built
        return Program(architecture)
    try:
        return Program(
            architecture, dynamic=_is_dynamic(content, head, order), symbols=_has_symbols(content, head, order)
        )
    except struct.error:  # its tables lie outside: no kernel loads it
        return Program(architecture)


def _is_dynamic(content: Bytes, head: bytes, order: str) -> bool:
    place = struct.unpack_from(f"{order}Q", head, 32)[0]
    size, count = struct.unpack_from(f"{order}HH", head, 54)
    for at in _table(content, place, size, count):
        kind = struct.unpack_from(f"{order}I", at)[0]
        if kind == _INTERPRETER:
            return True
        if kind == _DYNAMIC:
            offset, length = struct.unpack_from(f"{order}Q", at, 8)[0], struct.unpack_from(f"{order}Q", at, 32)[0]
            table = bytes(content[offset : offset + min(length, 1 << 16)])
            tags = (struct.unpack_from(f"{order}Q", table, step)[0] for step in range(0, len(table) - 15, 16))
            if _NEEDED in tags:
                return True
    return False


def _has_symbols(content: Bytes, head: bytes, order: str) -> bool:
    place = struct.unpack_from(f"{order}Q", head, 40)[0]
    size, count = struct.unpack_from(f"{order}HH", head, 58)
    return any(struct.unpack_from(f"{order}I", at, 4)[0] == _SYMBOLS for at in _table(content, place, size, count))


def _table(content: Bytes, place: int, size: int, count: int) -> Iterator[bytes]:
    for number in range(count if place else 0):
        at = bytes(content[place + number * size : place + (number + 1) * size])
        if not at:  # past its end, where a count that lies would go on for long
            return
        yield at
