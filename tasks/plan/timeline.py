"""Where the time of a run went: what ran beside what, the critical path, the slowest steps."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from .lastrun import Run, Service, Step

_STRIDES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
WORTH = 0.01
"""Share of the run from which a step is worth a line."""
_SLACK = 0.001
"""Seconds. BuildKit's clock and the client's differ by less; a step that begins where another ends follows it."""


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the critical path."""

    service: str
    step: Step
    waited: float
    """Seconds between the end of the step before it and its own beginning."""


@dataclass(frozen=True, slots=True)
class Slow:
    """A step, with every service that waited for it."""

    step: Step
    seconds: float
    services: tuple[str, ...]


def critical_path(run: Run) -> tuple[Link, ...]:
    """Return the chain of steps that decided how long the run took, first to last.

    It begins at the step that was done last and goes back, each time to the input that was done last. Steps from the
    cache took nothing, whenever BuildKit says that they were done. A step without other inputs waited for BuildKit's
    own steps before it, which have no inputs in its stream but go by phases; and those for all that was done before.
    """
    ends = [(step.end, service) for service in run.services for step in service.steps if step.end is not None]
    if not ends:
        return ()
    service = max(ends, key=lambda end: end[0])[1]
    chain = _chain(service)
    befores = [0.0, *map(_end, chain)]
    return tuple(
        Link(service.name, step, max((step.start or 0.0) - before, 0.0))
        for step, before in zip(chain, befores, strict=False)
    )


def _chain(service: Service) -> list[Step]:
    ended = sorted((step for step in service.steps if step.end is not None), key=_end)
    done = [step for step in ended if not step.cached] or ended[-1:]
    ends = [_end(step) for step in done]
    numbered = {step.number: step for step in done}
    chain = [done[-1]]
    seen = {done[-1].number}
    while True:
        step = chain[-1]
        before = max(
            (numbered[number] for number in step.inputs if number in numbered and number not in seen),
            key=_end,
            default=None,
        )
        at = bisect_right(ends, (step.start or 0.0) + _SLACK)
        while before is None and at:
            at -= 1
            if done[at].number not in seen and (done[at].internal or step.internal):
                before = done[at]
        if before is None:
            return chain[::-1]
        chain.append(before)
        seen.add(before.number)


def _end(step: Step) -> float:
    return step.end or 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the critical path that is worth a line: one step, or several short ones between such."""

    steps: tuple[Step, ...]
    seconds: float
    waited: float
    share: float
    """Of the whole run, 0 to 1."""

    @property
    def name(self) -> str | None:
        """The name of the step; None for several."""
        return self.steps[0].name if len(self.steps) == 1 else None


def parts(run: Run, path: Sequence[Link]) -> tuple[Part, ...]:
    """Return a critical path for reading: each step that counts, and what is between them together."""
    whole = length(run)
    least = whole * WORTH
    groups: list[list[Link]] = []
    for long, same in groupby(path, key=lambda link: (link.step.seconds or 0.0) >= least):
        links = list(same)
        groups += [[link] for link in links] if long else [links]
    return tuple(_part(group, whole) for group in groups)


def _part(links: Sequence[Link], whole: float) -> Part:
    seconds = sum(link.step.seconds or 0.0 for link in links)
    waited = sum(link.waited for link in links)
    return Part(
        tuple(link.step for link in links), seconds, waited if waited >= whole * WORTH else 0.0, seconds / whole
    )


def slowest(run: Run, count: int) -> tuple[Slow, ...]:
    """Return the steps that took longest and are worth a line, each once however many services share it."""
    found: dict[object, list[tuple[str, Step]]] = defaultdict(list)
    for service in run.services:
        for step in service.steps:
            if step.seconds and not step.cached:
                found[step.shared or (service.name, step.number)].append((service.name, step))
    merged = [
        Slow(same[0][1], max(step.seconds or 0.0 for _, step in same), tuple(dict.fromkeys(name for name, _ in same)))
        for same in found.values()
    ]
    least = length(run) * WORTH
    worth = [slow for slow in merged if slow.seconds >= least]
    return tuple(sorted(worth, key=lambda slow: -slow.seconds)[:count])


def sharers(run: Run) -> Mapping[str, tuple[str, ...]]:
    """Return, for each step that several services have in common, those services."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for service in run.services:
        for step in service.steps:
            if step.shared:
                found[step.shared][service.name] = None
    return {shared: tuple(names) for shared, names in found.items() if len(names) > 1}


def lanes(steps: Iterable[Step], most: int) -> tuple[tuple[Step, int], ...]:
    """Put steps that ran at one time into lanes of their own, as far as there are lanes."""
    free: list[float] = []
    placed: list[tuple[Step, int]] = []
    for step in sorted((step for step in steps if step.end is not None), key=lambda step: step.start or 0.0):
        start = step.start or 0.0
        lane = next((number for number, end in enumerate(free) if end <= start + _SLACK), len(free))
        if lane == len(free) and len(free) < most:
            free.append(0.0)
        lane = min(range(len(free)), key=free.__getitem__) if lane == len(free) else lane
        free[lane] = max(free[lane], _end(step))
        placed.append((step, lane))
    return tuple(placed)


def busy(run: Run, pieces: int) -> tuple[int, ...]:
    """Return how many steps ran at once, at most, in each piece of the run's time; a shared one counts once."""
    spans = {
        step.shared or (service.name, step.number): (step.start, step.end)
        for service in run.services
        for step in service.steps
        if step.start is not None and step.end is not None and step.seconds and not step.cached
    }
    total = length(run)
    marks = sorted([(start, 1) for start, _ in spans.values()] + [(end, -1) for _, end in spans.values()])
    peaks, count = [0] * pieces, 0
    for (at, change), (until, _) in pairwise([*marks, (total, 0)]):
        count += change
        first, last = (min(max(int(moment / total * pieces), 0), pieces - 1) for moment in (at, until))
        for piece in range(first, last + 1):
            peaks[piece] = max(peaks[piece], count)
    return tuple(peaks)


def length(run: Run) -> float:
    """Return the seconds that a drawing of the run has to hold; never 0."""
    ends = [step.end for service in run.services for step in service.steps if step.end is not None]
    return max([run.seconds, 0.001, *ends])


def stride(seconds: float, most: int) -> float:
    """Return a round number of seconds of which so many, at most, go into an axis of that length."""
    return next((stride for stride in _STRIDES if seconds / stride <= most), seconds / most)
