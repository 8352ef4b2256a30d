"""The table at the end of a run: what came of each service, why a step failed, and what to type next."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from ..engine.process import give_way
from ..plan.outcomes import Outcome, State
from . import grid, style
from .states import mark

if TYPE_CHECKING:
    from ..plan.failures import Failure

SHORT_DIGEST = len("sha256:") + 12
LAST_LINES = 12
LONGEST_EXCERPT = 12
_HEADS = ("service", "state", "seconds", "size", "because", "image", "digest")


@contextmanager
def at_hand() -> Iterator[None]:
    """Load what draws the table and the page, which takes a quarter of a second, while something else is waited for."""
    loading = Thread(target=_load, daemon=True)
    loading.start()
    yield
    loading.join()


def _load() -> None:
    give_way()  # to the compilers, which are what is waited for
    grid.load()
    from . import page

    page.load()


def show(outcomes: Sequence[Outcome], budgets: Mapping[str, int]) -> None:
    """Print the table, then each failure."""
    heads = [head for head in _HEADS if head != "because" or any(outcome.because for outcome in outcomes)]
    rows = [dict(zip(_HEADS, _row(outcome, budgets), strict=True)) for outcome in outcomes]
    grid.show(
        heads,
        [[row[head] for head in heads] for row in rows],
        right=("seconds", "size"),
        giving=("because", "image", "digest"),
        told=("because",),
    )
    for outcome in outcomes:
        if outcome.failure is not None:
            _explain(outcome, outcome.failure)


def _row(outcome: Outcome, budgets: Mapping[str, int]) -> tuple[str, ...]:
    return (
        outcome.service,
        mark(outcome.state),
        "" if outcome.state is State.CURRENT else f"{outcome.seconds:.1f}",
        _size(outcome.size, budgets.get(outcome.service)),
        _because(outcome.because),
        outcome.reference if outcome.ready else "",
        style.safe(outcome.digest or "")[:SHORT_DIGEST],
    )


def _because(reasons: Sequence[str]) -> str:
    more = len(reasons) - 1
    return style.safe("".join(reasons[:1])) + (f", and {more} more" if more > 0 else "")


def _size(size: int | None, budget: int | None) -> str:
    if size is None:
        return ""
    if budget is None:
        return style.megabytes(size)
    text = f"{style.megabytes(size)} of {budget // 10**6}"
    return text if size <= budget else style.paint(f"{text}: over budget", style.BAD)


def _explain(outcome: Outcome, failure: "Failure") -> None:
    style.say()
    style.say(f"{style.paint(outcome.service, style.STRONG)}: {style.paint(failure.kind.value, style.BAD)}")
    if failure.step:
        style.say(f"  step  {style.step(failure.step)}")
    for line in failure.lines[-LAST_LINES:]:
        style.say(f"      | {style.safe(line)}")
    style.say(f"  {style.safe(failure.message)}")
    if failure.place:
        style.say(f"    {style.safe(failure.place)}")
    for line in failure.excerpt[:LONGEST_EXCERPT]:
        style.say(f"    {style.safe(line)}")
    if len(failure.excerpt) > LONGEST_EXCERPT:
        style.say("    …")
    if failure.hint:
        style.say(f"  hint  {failure.hint}")
    if outcome.log:
        style.say(f"  log   {outcome.log}")


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Return the run in one line: how many of each state, and how long."""
    counts = [
        (word, sum(outcome.state is state for outcome in outcomes))
        for state, word in (
            (State.CURRENT, "up to date"),
            (State.PULLED, "pulled"),
            (State.BUILT, "built"),
            (State.UNCHANGED, "unchanged"),
            (State.FAILED, "failed"),
            (State.STOPPED, "stopped"),
        )
    ]
    return f"{', '.join(f'{count} {word}' for word, count in counts if count)} in {style.seconds(seconds)}"
