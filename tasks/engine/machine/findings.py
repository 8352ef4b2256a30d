"""What a look at the machine found, one line each."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ...errors import TaskError
from ...plan.commands import is_command
from ...printable import masked


class State(StrEnum):
    """How a finding stands; the value is what a person reads."""

    OK = "ok"
    CHANGED = "changed"
    DOING = "doing"
    """Something long begins; its own finding follows."""
    WARNING = "warning"
    CANNOT = "cannot"


BAD = frozenset({State.WARNING, State.CANNOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: how it stands, and the way out where it stands badly."""

    state: State
    subject: str
    text: str
    way_out: str | None = None

    def __str__(self) -> str:
        """Return the line for a person."""
        line = f"{self.state.value:<8} {self.subject:<16} {self.text}"
        return line if self.way_out is None else f"{line}; {self.way_out}"


Say = Callable[[Finding], None]


def _finding(state: State, subject: str, text: str, way_out: str | None = None) -> Finding:
    return Finding(
        state=state, subject=subject, text=masked(text), way_out=None if way_out is None else masked(way_out)
    )


def ok(subject: str, text: str) -> Finding:
    """Return that nothing had to be done."""
    return _finding(State.OK, subject, text)


def changed(subject: str, text: str, *, way_out: str | None = None) -> Finding:
    """Return that the machine was changed, and how to use that where it is not plain."""
    return _finding(State.CHANGED, subject, text, way_out)


def doing(subject: str, text: str) -> Finding:
    """Return that something long begins."""
    return _finding(State.DOING, subject, text)


def warning(subject: str, text: str, *, way_out: str) -> Finding:
    """Return that something works, but not as well as it could."""
    return _finding(State.WARNING, subject, text, way_out)


def cannot(subject: str, text: str, *, way_out: str) -> Finding:
    """Return that something is missing which this machine could not be given."""
    return _finding(State.CANNOT, subject, text, way_out)


def refused(subject: str, error: TaskError, *, way_out: str | None = None) -> Finding:
    """Return what an error says, and its way out: its own hint, or ``way_out`` where that is a sentence."""
    text, mend = told(error, way_out or error.hint or "inv container-doctor")
    return cannot(subject, text, way_out=mend)


def told(error: TaskError, otherwise: str) -> tuple[str, str]:
    """Return the text for an error, and its way out: its own hint, or ``otherwise`` where that is a sentence."""
    reason, hint = error.reason.partition("\n")[0], error.hint
    if hint is not None and is_command(hint):
        return reason, hint
    return (f"{reason} ({hint})" if hint and hint != otherwise else reason), otherwise
