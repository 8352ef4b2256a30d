"""What daemons of ours leave mounted when they are killed (Linux)."""

from pathlib import Path

from ...errors import EngineError
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
    places = (line.split(" ")[4].replace(r"\040", " ") for line in mountinfo.splitlines() if line)
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
