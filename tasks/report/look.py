"""A run looked back at, in a few lines on the terminal."""

from collections.abc import Sequence

from ..plan import growth, timeline
from ..plan.lastrun import Run, Service
from . import grid, style

_STEPS = 5
_SIZES = 15
_STATES = {"failed": style.BAD, "stopped": style.WARN, **dict.fromkeys(("built", "pulled", "up to date"), style.GOOD)}


def show(run: Run, page: str, *, opened: bool) -> None:
    """Print what the run came to, its critical path, slowest steps and sizes, and where its page is."""
    style.say("  ".join(filter(None, (style.paint(style.safe(run.project), style.STRONG), *_about(run)))))
    counts = ", ".join(style.paint(f"{count} {state}", _STATES.get(state, "")) for state, count in run.counts)
    style.say(f"{counts or 'no services'} in {style.duration(run.seconds)}, {style.safe(run.started)}")
    for service in run.services:
        if service.failure is not None:
            style.say(style.paint(f"  {_failed(service)}", style.BAD))
    path = timeline.critical_path(run)
    if path:
        style.say(f"\n{style.safe(path[-1].service)} decided how long it took:")
        rows = [
            (
                style.step(part.name) if part.name else f"{len(part.steps)} short steps",
                style.duration(part.seconds),
                style.percent(part.share),
                f"after {style.duration(part.waited)} of waiting" if part.waited else "",
            )
            for part in timeline.parts(run, path)
        ]
        _grid(("critical path", "took", "of the run", ""), rows, right=("took", "of the run"))
    slowest = timeline.slowest(run, _STEPS)
    if slowest:
        style.say()
        found = [(style.step(slow.step.name), style.duration(slow.seconds), _names(slow.services)) for slow in slowest]
        _grid(("slowest steps", "took", "in"), found, right=("took",))
    sized = [service for service in run.services if service.size is not None]
    if sized:
        style.say()
        sized.sort(key=lambda service: (-_over(service), -abs(growth.grown(service) or 0)))
        heads = ("size", "now", "budget", "before")
        _grid(heads, [_size(service) for service in sized[:_SIZES]], right=heads[1:])
        if len(sized) > _SIZES:
            style.say(f"and {len(sized) - _SIZES} more")
    style.say(f"\n{'Opened' if opened else 'Page'}: {style.safe(page)}")


def _about(run: Run) -> tuple[str, ...]:
    commit = f" ({run.commit})" if run.commit else ""
    return tuple(map(style.safe, (f"inv {run.task}", f"v{run.version}{commit}", ", ".join(run.platforms))))


def _failed(service: Service) -> str:
    failure = service.failure
    if failure is None:
        return ""
    where = f" ({failure.dockerfile}:{failure.line})" if failure.dockerfile and failure.line else ""
    log = f"; log: {service.log}" if service.log else ""
    return style.safe(f"{service.name}: {failure.kind}{where}: {failure.message[:200]}{log}")


def _size(service: Service) -> tuple[str, str, str, str]:
    grown = growth.grown(service)
    over = _over(service)
    now = style.megabytes(service.size or 0)
    return (
        style.safe(service.name),
        style.paint(now, style.BAD) if over else now,
        "" if service.budget is None else style.megabytes(service.budget),
        "" if grown is None else style.growth(grown),
    )


def _over(service: Service) -> int:
    return max((service.size or 0) - service.budget, 0) if service.budget else 0


def _names(services: tuple[str, ...]) -> str:
    shown = ", ".join(services[:3])
    return style.safe(shown if len(services) <= 3 else f"{shown} and {len(services) - 3} more")  # noqa: PLR2004


def _grid(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, right: tuple[str, ...]) -> None:
    grid.show(heads, rows, right=right, giving=heads[:1])
