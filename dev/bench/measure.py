"""Run the cases in every way, side by side, and hold the ways against each other."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median

from .designs import DESIGNS
from .ground import GO_SERVICE, RUST_SERVICE, Ground, ground
from .ways import Limit, Way, limit, seconds


class Case(StrEnum):
    """What has happened before a build."""

    COLD = "cold"
    """No step and no cache mount is there; the bases are."""
    NOTHING = "nothing changed"
    GO_LINE = "one line of Go changed"
    RUST_LINE = "one line of Rust changed"
    DEPENDENCY = "one Go dependency more"

    @property
    def service(self) -> str:
        """The service that changed."""
        return {Case.GO_LINE: GO_SERVICE, Case.DEPENDENCY: GO_SERVICE, Case.RUST_LINE: RUST_SERVICE}.get(self, "")

    def prepare(self, place: Ground) -> None:
        """Change what has to change."""
        if self is Case.DEPENDENCY:
            place.add_dependency()
        elif self.service:
            place.add_line(self.service)


@dataclass(frozen=True, slots=True)
class Row:
    """One case on one set of platforms: the wall seconds of every run, by way."""

    case: Case
    platforms: tuple[str, ...]
    runs: dict[Way, list[float]]
    limit: float | None
    """Wall seconds below which no build of all services can be, where that was counted."""

    def seconds(self, way: Way) -> float | None:
        """Return the median of a way's runs."""
        return median(self.runs[way]) if self.runs.get(way) else None


@dataclass(slots=True)
class Plan:
    """What is measured."""

    cases: Sequence[Case]
    platforms: Sequence[tuple[str, ...]]
    repeat: int
    """Runs of each case and way; a cold one is run once."""
    folder: Path
    say: Callable[[str], object]
    rows: list[Row] = field(default_factory=list)


def measure(plan: Plan) -> list[Row]:
    """Run everything, the ways side by side within each case, and return a row a case and set of platforms.

    Raises BenchError when a command fails.
    """
    for platforms in plan.platforms:
        with ExitStack() as stack:
            own, plain, classic = (stack.enter_context(ground(plan.folder)) for _ in range(3))
            grounds = {Way.OURS: own, Way.ONE: own, Way.BAKE: plain, Way.CLASSIC: classic}
            with ground(plan.folder) as spare:
                plan.say(f"{', '.join(platforms)}: the compilers alone")
                least = limit(spare, platforms)
            # The cold run comes first, and warms the caches for the others.
            for case in (Case.COLD, *(case for case in plan.cases if case is not Case.COLD)):
                row = _row(case, platforms, grounds, plan, least)
                if case in plan.cases:
                    plan.rows.append(row)
    return plan.rows


def _row(case: Case, platforms: tuple[str, ...], grounds: dict[Way, Ground], plan: Plan, least: Limit) -> Row:
    ways = [Way.OURS, Way.BAKE, Way.CLASSIC, *([Way.ONE] if case.service else [])]
    runs: dict[Way, list[float]] = {way: [] for way in ways}
    for number in range(1 if case is Case.COLD else plan.repeat):
        # Every way comes first in its turn, so that none always runs on what another leaves behind.
        turn = number % len(ways)
        for way in (*ways[turn:], *ways[:turn]):
            case.prepare(grounds[way])
            runs[way].append(seconds(way, grounds[way], platforms, case.service))
            plan.say(f"{', '.join(platforms)}: {case}: {way}: {runs[way][-1]:.2f} s")
    limits = {Case.COLD: least.cold, Case.GO_LINE: least.go_line, Case.RUST_LINE: least.rust_line}
    return Row(case, platforms, runs, limits.get(case))


def compare(plan: Plan) -> dict[str, list[Row]]:
    """Run the cases on each design of the Dockerfiles, ours first, and return its rows by its name.

    Raises BenchError when a command fails.
    """
    found: dict[str, list[Row]] = {}
    platforms = plan.platforms[0]
    for name, rewrite in DESIGNS.items():
        with ground(plan.folder, rewrite) as place:
            found[name] = []
            for case in (Case.COLD, *(case for case in plan.cases if case is not Case.COLD)):
                runs = []
                for _ in range(1 if case is Case.COLD else plan.repeat):
                    case.prepare(place)
                    runs.append(seconds(Way.OURS, place, platforms))
                    plan.say(f"{name}: {case}: {runs[-1]:.2f} s")
                found[name].append(Row(case, platforms, {Way.OURS: runs}, None))
    return found
