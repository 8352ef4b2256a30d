"""What a file of machine code says: for which processor it is, and whether it carries what it could do without.

Sources: the ELF-64 object file format (elf.h), ar(5), the Mach-O loader (mach-o/loader.h), the PE format.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_MAGIC = b"\x7fELF"
_MACHINES = {3: "386", 20: "ppc", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}
_UNNAMED = "machine "
_MACOS = frozenset({b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbf"})
_RELOCATABLE = 1  # e_type ET_REL: an object file, which nothing runs
_DYNAMIC, _INTERPRETER = 2, 3  # p_type
_NEEDED = 1  # d_tag
_SYMBOLS = 2  # sh_type SHT_SYMTAB
_ARCHIVE, _MEMBER_END = b"!<arch>\n", b"`\n"
_MEMBER = 60  # bytes of the head of an archive's member
_PE, _PE_PLACE = b"PE\0\0", 60  # where a program of Windows says where its own head is
_DIRECTORIES = {0x10B: 96, 0x20B: 112}  # of PE32 and PE32+, in the optional header
_MANAGED = 14  # the data directory of what a runtime translates, on any processor


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
    """One program, one library, or objects that programs are linked from."""

    architecture: str
    """As OCI spells it; another system's name, or the number, for what no container here runs."""
    dynamic: bool = False
    """Whether it needs a loader or libraries beside it."""
    symbols: bool = False
    """Whether it still has the symbols of its build."""
    linkable: bool = False
    """Whether it is an object, or an archive of them: nothing runs it."""

    @property
    def known(self) -> bool:
        """Whether its processor is one that has a name here."""
        return not self.architecture.startswith(_UNNAMED)


def parse(content: Bytes) -> Program | None:
    """Return what a file is as machine code; None for what is none, and for what is cut off."""
    head = bytes(content[:64])
    if head[:8] == _ARCHIVE:
        return _archive(content)
    if head[:2] == b"MZ":
        return Program("Windows") if _is_of_windows(content, head) else None
    if head[:4] in _MACOS:
        return Program("macOS")
    found = _elf(head)
    return None if found is None else _program(content, head, *found)


def _program(content: Bytes, head: bytes, order: str, kind: int, architecture: str) -> Program | None:
    if kind == _RELOCATABLE:
        program = Program(architecture, linkable=True)
        return program if program.known else None  # what a kernel or a card is given: BPF
    if head[4] != 2 or len(head) < 64:  # noqa: PLR2004 - ELFCLASS64; what is smaller is of no platform that is built
        return Program(architecture)
    try:
        return Program(
            architecture, dynamic=_is_dynamic(content, head, order), symbols=_has_symbols(content, head, order)
        )
    except struct.error:  # its tables lie outside: no kernel loads it
        return Program(architecture)


def _elf(head: bytes) -> tuple[str, int, str] | None:
    """Return byte order, kind and architecture; None for what is not ELF."""
    if head[:4] != _MAGIC or len(head) < 52:  # noqa: PLR2004 - the head of the 32-bit kind
        return None
    order = ">" if head[5] == 2 else "<"  # noqa: PLR2004 - ELFDATA2MSB
    kind, machine = struct.unpack_from(f"{order}HH", head, 16)
    return order, kind, _MACHINES.get(machine, f"{_UNNAMED}{machine}")


def _archive(content: Bytes) -> Program | None:
    """Return what the objects of an archive are for, as ``ar`` packs them."""
    found = set()
    at = len(_ARCHIVE)
    while len(head := bytes(content[at : at + _MEMBER])) == _MEMBER and head.endswith(_MEMBER_END):
        size, at = int(head[48:58].strip() or b"0") if head[48:58].strip().isdigit() else 0, at + _MEMBER
        name = head[:16].strip()
        begins = at + (int(name[3:]) if name.startswith(b"#1/") and name[3:].isdigit() else 0)  # BSD: a long name
        if (object_ := _elf(bytes(content[begins : begins + 64]))) is not None:
            found.add(object_[2])
        at += size + size % 2
    return Program(" and ".join(sorted(found)), linkable=True) if found else None


def _is_of_windows(content: Bytes, head: bytes) -> bool:
    """Whether it is machine code of Windows: no program of DOS, and not for a runtime such as .NET's."""
    place = int.from_bytes(head[_PE_PLACE : _PE_PLACE + 4], "little")
    own = bytes(content[place : place + 24 + max(_DIRECTORIES.values()) + 8 * (_MANAGED + 1)])
    if own[:4] != _PE:
        return False
    directories = _DIRECTORIES.get(int.from_bytes(own[24:26], "little"), 0)
    managed = 24 + directories + 8 * _MANAGED
    return not directories or not any(own[managed : managed + 4])


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
