"""Room on the disks that images and caches grow on."""

import shutil
from pathlib import Path

GIGABYTE = 1_000_000_000
MINIMUM = 5 * GIGABYTE
"""Bytes below which a build of several images is likely to fail."""


def free_bytes(path: Path) -> int | None:
    """Return the bytes that may still be written below ``path``, which need not exist.

    None where that cannot be told, as for the data of an engine on another machine.
    """
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
