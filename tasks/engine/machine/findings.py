"""What a look at the machine found, one line each."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a finding stands; the value is what a person reads."""

    OK = "ok"
    CHANGED = "changed"
    DOING = "doing"
    """Something long begins; its own finding follows."""
    WARNING = "warning"
    CANNOT = "cannot"


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


def ok(subject: str, text: str) -> Finding:
    """Return that nothing had to be done."""
    return Finding(state=State.OK, subject=subject, text=text)


def changed(subject: str, text: str, *, way_out: str | None = None) -> Finding:
    """Return that the machine was changed, and how to use that where it is not plain."""
    return Finding(state=State.CHANGED, subject=subject, text=text, way_out=way_out)


def doing(subject: str, text: str) -> Finding:
    """Return that something long begins."""
    return Finding(state=State.DOING, subject=subject, text=text)


def warning(subject: str, text: str, *, way_out: str) -> Finding:
    """Return that something works, but not as well as it could."""
    return Finding(state=State.WARNING, subject=subject, text=text, way_out=way_out)


def cannot(subject: str, text: str, *, way_out: str) -> Finding:
    """Return that something is missing which this machine could not be given."""
    return Finding(state=State.CANNOT, subject=subject, text=text, way_out=way_out)
