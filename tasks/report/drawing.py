"""A run as the page shows it: what is drawn where on the axis, and what is only counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from ..plan import timeline
from ..plan.lastrun import Run, Service, Step

MARKS = 6  # moments that the axis names, at most
_STEPS = 80  # lines a service
_BARS = 300  # a service
_LANES = 4
_UNITS = ((3600, "h"), (60, "min"), (0, "s"))
_PIECES = 120  # of the strip that shows how many steps ran at once
_LEAST = 0.35  # percent of the width: a step of no time is seen, too


class Place(NamedTuple):
    """Where a bar begins and how wide it is, in percent of the axis."""

    left: float
    width: float


class Line(NamedTuple):
    """A step that has a line of its own, or is named in a list."""

    step: Step
    kind: str
    place: Place
    critical: bool
    others: Sequence[str]
    """The other services that share it."""


class Row(NamedTuple):
    """One service of the chart."""

    service: Service
    critical: bool
    lanes: int
    bars: Sequence[tuple[Place, int, str]]
    """Place, lane and kind of each step."""
    lines: Sequence[Line]
    cut: int
    """Steps that would have a line, if there were not so many."""
    rest: Sequence[tuple[str, Sequence[Line]]]
    """What is only counted, by the word for it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A run on its axis."""

    run: Run
    seconds: float
    path: Sequence[timeline.Link]
    _decisive: frozenset[tuple[str, int]]
    _sharers: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, run: Run) -> "Drawing":
        """Return the drawing of a run."""
        path = timeline.critical_path(run)
        decisive = frozenset((link.service, link.step.number) for link in path)
        return cls(run, timeline.length(run), path, decisive, timeline.sharers(run))

    @property
    def marks(self) -> list[tuple[str, float]]:
        """The moments that the axis names, and where they are."""
        stride = timeline.stride(self.seconds, MARKS)
        moments = [number * stride for number in range(int(self.seconds / stride) + 1)]
        unit, name = next((unit, name) for unit, name in _UNITS if stride >= unit or unit == 0)
        return [(f"{moment / (unit or 1):g} {name}", self._percent(moment)) for moment in moments]

    @property
    def busy(self) -> tuple[list[tuple[Place, float]], int]:
        """The strip of how many steps ran at once: places with their height in percent, and the peak."""
        peaks = timeline.busy(self.run, _PIECES)
        most = max(peaks)
        bars, at = [], 0
        for count, same in groupby(peaks):
            pieces = len(list(same))
            if count:
                bars.append((Place(100 * at / _PIECES, 100 * pieces / _PIECES), 100 * count / most))
            at += pieces
        return bars, most

    def place(self, start: float | None, end: float | None) -> Place:
        """Return where a bar is."""
        left, right = self._percent(start or 0.0), self._percent(end or 0.0)
        width = max(right - left, _LEAST)
        return Place(min(left, 100.0 - width), width)

    def row(self, service: Service) -> Row:
        """Return one service of the chart."""
        begun = sorted((step for step in service.steps if step.end is not None), key=lambda step: step.start or 0.0)
        worth = {at for at, step in enumerate(begun) if self._worth(step)}
        shown = sorted(sorted(worth, key=lambda at: (not begun[at].error, -(begun[at].seconds or 0.0)))[:_STEPS])
        lanes = timeline.lanes((step for step in begun if not step.cached), _LANES)
        return Row(
            service=service,
            critical=any(link.service == service.name for link in self.path),
            lanes=1 + max((lane for _, lane in lanes), default=0),
            bars=[(self.place(step.start, step.end), lane, self._kind(service, step)) for step, lane in lanes[:_BARS]],
            lines=[self._line(service, begun[at]) for at in shown],
            cut=len(worth) - len(shown),
            rest=self._rest(service, [step for at, step in enumerate(begun) if at not in worth]),
        )

    def _percent(self, moment: float) -> float:
        return min(max(100 * moment / self.seconds, 0.0), 100.0)

    def _worth(self, step: Step) -> bool:
        return bool(step.error) or (not step.cached and (step.seconds or 0.0) >= timeline.WORTH * self.seconds)

    def _rest(self, service: Service, short: Sequence[Step]) -> list[tuple[str, Sequence[Line]]]:
        own = [step for step in short if not step.internal]
        kinds = {
            "short": [step for step in own if not step.cached],
            "from the cache": [step for step in own if step.cached],
            "of BuildKit's own": [step for step in short if step.internal],
            "not run to the end": [step for step in service.steps if step.end is None and not step.internal],
        }
        return [(word, [self._line(service, step) for step in steps]) for word, steps in kinds.items() if steps]

    def _line(self, service: Service, step: Step) -> Line:
        return Line(
            step=step,
            kind=self._kind(service, step),
            place=self.place(step.start, step.end),
            critical=(service.name, step.number) in self._decisive,
            others=[name for name in self._sharers.get(step.shared or "", ()) if name != service.name],
        )

    def _kind(self, service: Service, step: Step) -> str:
        """Return the class of a step's bar."""
        if step.error:
            return "bad"
        if (service.name, step.number) in self._decisive:
            return "critical"
        if step.internal:
            return "own"
        return "shared" if step.shared in self._sharers else "run"
