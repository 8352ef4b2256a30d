"""What a check may say of an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .evidence import Evidence

BUILD = "inv container-build makes it what its Dockerfile says"
"""What mends an image that is not as its Dockerfile has it."""


class Result(StrEnum):
    """How a check ended. What does not apply, or could not be tried, is never ok."""

    OK = "ok"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says, with the evidence in words."""

    result: Result
    said: str
    hint: str = ""
    """What mends it."""
    found: tuple[str, ...] = ()
    """Everything that is wrong, where ``said`` names only the first of it."""


def _nothing(_seen: Evidence) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, what it asks in words, and who judges."""

    name: str
    asks: str
    judge: Callable[[Evidence], Verdict]
    lacks: Callable[[Evidence], str] = _nothing
    """Says why it cannot be run; empty text when it can."""


def ok(said: str) -> Verdict:
    """Return that it is so."""
    return Verdict(Result.OK, said)


def failed(said: str, hint: str = "") -> Verdict:
    """Return that it is not so, and what mends it."""
    return Verdict(Result.FAILED, said, hint)


def failed_by(found: Sequence[str], hint: str, *, begin: str = "") -> Verdict:
    """Return that these are what is wrong: the first of them in words, behind ``begin``."""
    return Verdict(Result.FAILED, f"{begin}{some(found)}", hint, tuple(found))


def not_run(why: str) -> Verdict:
    """Return that nobody can say, and why."""
    return Verdict(Result.NOT_RUN, why)


def some(words: Sequence[str], most: int = 3) -> str:
    """Return the first of several, and how many more there are."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def megabytes(size: int) -> str:
    """Return bytes as evidence has them, in steps of 1000."""
    return f"{size / 10**6:.1f} MB"
