"""The records of the private engine's builder, of which it can keep more than it is able to read again.

dockerd gives its builder ten seconds to read them all at a start, and ends where that is not enough; some
thousands of cached steps are (https://github.com/moby/moby/issues/48569, mended in Docker 27.4). They are cache:
what is lost with them is time, and images stay.
"""

import re
import shutil
from pathlib import Path

from .. import process
from . import mounts, packages, private

# It listens only after its builder has read all; the last line is the error that it ends with.
_ENDED = re.compile(
    r"Daemon has completed initialization(?!.*API listen on).*^context deadline exceeded\s*\Z", re.DOTALL | re.MULTILINE
)
_TAIL = 20_000  # bytes of a log that hold its last lines
_CONTAINER = re.compile(r"[0-9a-f]{64}")  # the engine's own leases are named as its containers
_BATCH = 500  # names in one command line


def are_too_many(log: Path) -> bool:
    """Return whether this log of dockerd ends as one does whose builder has more records than it can read."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            tail = stream.read().decode(errors="replace")
    except OSError:
        return False
    return bool(_ENDED.search(tail))


def drop(place: private.Layout) -> None:
    """Forget all of them; the engine must not run."""
    folder = place.folder / "data" / "buildkit"
    mounts.unmount_below(folder)
    shutil.rmtree(folder)


def release(place: private.Layout) -> int:
    """Let the started engine collect what only the dropped records kept, and return how many there were.

    Raises EngineError: containerd cannot be asked.
    """
    program = packages.unpacked(packages.ENGINE) / "usr/bin/ctr"
    leases = (program, "--address", place.run / "containerd" / "containerd.sock", "--namespace", "moby", "leases")
    names = process.check(*leases, "ls", "--quiet").split()
    orphans = [name for name in names if not _CONTAINER.fullmatch(name)]
    for begin in range(0, len(orphans), _BATCH):
        process.check(*leases, "delete", *orphans[begin : begin + _BATCH])
    return len(orphans)
