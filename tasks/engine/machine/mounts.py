"""What daemons of ours leave mounted when they are killed (Linux)."""

import re
from pathlib import Path

from ...errors import EngineError
from ...plan.commands import quoted
from .. import process

_TABLE = Path("/proc/self/mountinfo")


def below(folder: Path) -> list[str]:
    """Return what is mounted in or below a folder, deepest first."""
    try:
        return listed_below(folder, _TABLE.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return []


def listed_below(folder: Path, mountinfo: str) -> list[str]:
    """Read the text of /proc/self/mountinfo, whose fifth field is the place (man 5 proc); pure."""
    places = (_unescaped(line.split(" ")[4]) for line in mountinfo.splitlines() if line)
    return sorted((place for place in places if Path(place).is_relative_to(folder)), key=len, reverse=True)


def unmount_below(folder: Path) -> None:
    """Unmount all in and below a folder, so that deleting it deletes nothing else.

    Raises EngineError when something stays mounted.
    """
    for place in below(folder):
        process.run("umount", "--lazy", place)
    left = below(folder)
    if left:
        raise EngineError(f"{left[0]} is still mounted", hint=f"umount {left[0]}, then again: inv container-setup")


def writable_again(folder: Path) -> str:
    """Return what makes the mount that a folder is in writable."""
    try:
        table = _TABLE.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        table = ""
    return remounted(folder.resolve(), table)


def remounted(folder: Path, mountinfo: str) -> str:
    """Return the same for that text, whose sixth field has a mount's own options, and the last its file system's."""
    found: dict[str, bool] = {}
    for line in mountinfo.splitlines():
        mount, _, system = line.partition(" - ")
        place, options = mount.split(" ")[4:6]
        own, whole = options.split(","), system.split(" ")[-1].split(",")
        found[_unescaped(place)] = "ro" in own and "ro" not in whole
    where = next((one for one in (folder, *folder.parents) if str(one) in found), None)
    if where is None:
        where = next(one for one in (folder, *folder.parents) if one.is_mount())
    return f"mount -o remount,rw{',bind' if found.get(str(where)) else ''} {quoted(where)}"


def _unescaped(place: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)  # spaces, line ends and backslashes
