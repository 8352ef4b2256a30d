"""A hundred services: what it costs to find that nothing changed, and to build the one that did."""

import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .ground import ROOT, Ground, ground
from .ways import Way, seconds

COUNTS = (5, 100)
QUIET = 10.0  # seconds after which BuildKit has written its history (it goes on when its client has left)
_PLATFORMS = ("linux/amd64",)
_CHANGED = "s001"


@dataclass(frozen=True, slots=True)
class Many:
    """What was measured with so many services; wall seconds, the median of the runs."""

    count: int
    quiet_ours: float
    quiet_bake: float
    """Nothing changed, on a builder that has rested."""
    busy_ours: float
    busy_bake: float
    """Nothing changed, one run right after the other."""
    own: float
    """Processor seconds of our own process and its children where nothing changed; not those of the engine."""
    one_of_all: float
    """One service changed, and all are asked for."""
    one_alone: float
    """One service changed, and it alone is asked for."""
    one_plain: float
    """The same with docker buildx build."""


def measure(counts: Sequence[int], repeat: int, folder: Path, say: Callable[[str], object]) -> list[Many]:
    """Generate repositories of so many services, and measure both ways in each.

    Raises BenchError when a command fails.
    """
    found = []
    for count in counts:
        with _many(folder, count) as place:
            say(f"{count} services: the first build")
            seconds(Way.OURS, place, _PLATFORMS)
            found.append(_of(place, count, repeat, say))
    return found


def _of(place: Ground, count: int, repeat: int, say: Callable[[str], object]) -> Many:
    def once(what: str, way: Way, pause: float, *, change: bool = False) -> float:
        if change:
            (place.root / f"services/{_CHANGED}/word").write_text(f"{time.time_ns()}\n", encoding="utf-8")
        found = seconds(way, place, _PLATFORMS, _CHANGED, pause=pause)
        say(f"{count} services: {what}: {way}: {found:.2f} s")
        return found

    def several(what: str, way: Way, pause: float) -> float:
        return median(once(what, way, pause) for _ in range(repeat))

    quiet, busy, one = "nothing changed, quiet builder", "nothing changed, back to back", "one changed"
    own, rested = _processor_seconds(), several(quiet, Way.OURS, QUIET)
    own = (_processor_seconds() - own) / repeat
    # The bakes come last: for minutes a builder goes on writing what one of a hundred has left behind.
    busy_ours = several(busy, Way.OURS, 0)
    ways = (Way.OURS, Way.ALONE, Way.ONE)
    in_turn = [[once(one, way, QUIET, change=True) for way in ways] for _ in range(repeat)]
    one_of_all, one_alone, one_plain = map(median, zip(*in_turn, strict=True))
    return Many(
        count=count,
        quiet_ours=rested,
        busy_ours=busy_ours,
        quiet_bake=several(quiet, Way.BAKE, QUIET),
        busy_bake=several(busy, Way.BAKE, 0),
        own=own,
        one_of_all=one_of_all,
        one_alone=one_alone,
        one_plain=one_plain,
    )


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _many(folder: Path, count: int) -> Iterator[Ground]:
    def rewrite(root: Path) -> None:
        line = next(
            line
            for line in (ROOT / "services/agent/Dockerfile").read_text(encoding="utf-8").splitlines()
            if line.endswith(" AS runtime")
        )
        shutil.rmtree(root / "services")
        (root / "invoke.yaml").unlink()
        for number in range(count):
            service = root / f"services/s{number:03}"
            service.mkdir(parents=True)
            text = f'{line}\nCOPY services/{service.name}/word /\nCMD ["cat", "/word"]\n'
            (service / "Dockerfile").write_text(text, encoding="utf-8")
            (service / "word").write_text(f"{number}\n", encoding="utf-8")

    with ground(folder, rewrite) as place:
        yield place
