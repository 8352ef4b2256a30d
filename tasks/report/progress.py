"""Show a run while it goes on: a live line a service, one line a step, or only what fails."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..engine.events import Begun, Ended, Event, Output, Warned
from ..plan.outcomes import Outcome
from . import style
from .states import mark

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(slots=True)
class Quiet:
    """Remember the outcomes and show nothing."""

    services: Sequence[str]
    outcomes: list[Outcome] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen in order."""

    def begun(self, service: str) -> None:
        """Hear that a service's build has begun."""

    def event(self, service: str, event: Event) -> None:
        """Hear what happens in it."""

    def ended(self, outcome: Outcome) -> None:
        """Hear how it ended."""
        self.outcomes.append(outcome)


class Lines(Quiet):
    """One line a step, with the service in front: for logs, pipes and CI."""

    __slots__ = ()

    def begun(self, service: str) -> None:
        """Say that a build has begun."""
        self._say(service, "begins")

    def event(self, service: str, event: Event) -> None:
        """Say that a step has ended, and how."""
        match event:
            case Ended(step) if step.error:
                self._say(service, f"{style.paint('failed', style.BAD)}  {style.step(step.name)}")
            case Ended(step) if not step.internal:
                how = "cached" if step.cached else style.seconds(step.seconds or 0.0)
                self._say(service, f"{how:>8}  {style.step(step.name)}")
            case Warned(text):
                self._say(service, f"{style.paint('warning', style.WARN)}  {style.safe(text)}")

    def ended(self, outcome: Outcome) -> None:
        """Say how it ended."""
        self.outcomes.append(outcome)
        self._say(outcome.service, f"{mark(outcome.state)} in {style.seconds(outcome.seconds)}")

    def _say(self, service: str, text: str) -> None:
        width = max(map(len, self.services), default=0)
        style.say(f"{service:<{width}}  {text}")


@dataclass(slots=True)
class _Line:
    """What a live line shows: the step that began last and still runs, and its last words."""

    began: float | None = None
    running: dict[int, str] = field(default_factory=dict)
    words: dict[int, str] = field(default_factory=dict)
    outcome: Outcome | None = None

    @property
    def step(self) -> tuple[str, str]:
        number = next(reversed(self.running), 0)
        return self.running.get(number, ""), self.words.get(number, "")


class Live(Quiet):
    """A line a service that shows the step it is at, redrawn in place."""

    __slots__ = ("_lines", "_live")

    def __enter__(self) -> Self:
        """Take the lower part of the terminal."""
        from rich.live import Live as RichLive

        style.ready()
        self._lines = {service: _Line() for service in self.services}
        self._live: RichLive = RichLive(get_renderable=self._picture, refresh_per_second=8)
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture where it is, without the lines: the table follows."""
        self._live.transient = True
        self._live.__exit__(kind, error, trace)

    def begun(self, service: str) -> None:
        """Start the clock of a service."""
        self._lines[service].began = time.monotonic()

    def event(self, service: str, event: Event) -> None:
        """Remember the step that a service is at."""
        line = self._lines[service]
        match event:
            case Begun(step):
                line.running[step.number] = step.name
            case Ended(step):
                line.running.pop(step.number, None)
            case Output(step, text) if text.strip():
                line.words[step.number] = text.strip()

    def ended(self, outcome: Outcome) -> None:
        """Show how a service ended."""
        self.outcomes.append(outcome)
        self._lines[outcome.service].outcome = outcome

    def _picture(self) -> "Text":
        from rich.text import Text

        width = max(map(len, self.services), default=0)
        rows = [f"  {service:<{width}}  {self._row(line)}" for service, line in self._lines.items()]
        return Text.from_ansi("\n".join(rows), no_wrap=True, overflow="ellipsis")

    @staticmethod
    def _row(line: _Line) -> str:
        if line.outcome is not None:
            return f"{mark(line.outcome.state)}  {style.seconds(line.outcome.seconds):>8}"
        if line.began is None:
            return style.paint("waits", style.QUIET)
        clock = style.seconds(time.monotonic() - line.began)
        step, words = line.step
        said = f"  {style.paint(style.safe(words), style.QUIET)}" if words else ""
        return f"{style.paint('builds', style.BUSY)} {clock:>8}  {style.step(step)}{said}"


def display(kind: str, services: Sequence[str]) -> Quiet:
    """Return the display that fits a kind of progress and the terminal."""
    if kind == "quiet":
        return Quiet(services)
    if kind == "auto" and style.live():
        return Live(services)
    return Lines(services)
