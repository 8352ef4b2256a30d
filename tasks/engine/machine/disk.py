"""Room on the disks that images and caches grow on."""

import os
import shutil
from pathlib import Path

GIGABYTE = 1_000_000_000
MINIMUM = 5 * GIGABYTE
"""Bytes below which a build of several images is likely to fail."""
NOTHING = 50_000_000
"""Bytes below which nothing builds: a lock, a log and a small build take more."""


def free_bytes(path: Path) -> int | None:
    """Return the bytes that may still be written below ``path``, which need not exist.

    None where that cannot be told, as for the data of an engine on another machine; nothing where no more files fit.
    """
    for place in (path, *path.parents):
        try:
            free = shutil.disk_usage(place).free
            return free if _takes_files(place) else 0
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def is_full(path: Path, *, least: int = NOTHING) -> bool:
    """Whether there are fewer bytes than that; where it cannot be told, there are enough."""
    free = free_bytes(path)
    return free is not None and free < least


def _takes_files(place: Path) -> bool:
    if not hasattr(os, "statvfs"):
        return True
    told = os.statvfs(place)
    return not told.f_files or told.f_favail > 0  # some file systems count none
