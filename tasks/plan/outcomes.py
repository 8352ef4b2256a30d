"""What came of each target of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .failures import Failure
    from .steps import Course


class State(StrEnum):
    """How a target ended."""

    CURRENT = "up to date"
    """Nothing that its build reads has changed, so nothing was asked of the builder."""
    PULLED = "pulled"
    """The registry had an image of the same fingerprint, so it was not built."""
    BUILT = "built"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    STOPPED = "stopped"
    """Ended by --fail-fast or Ctrl-C, or never begun because of it."""


class Layer(NamedTuple):
    """One layer of an image."""

    created_by: str
    """The line of the Dockerfile, as the image tells it."""
    size: int
    """Bytes, unpacked."""


class Content(NamedTuple):
    """What is in an image."""

    size: int | None
    """Bytes of the unpacked layers."""
    layers: tuple[Layer, ...] = ()
    """Those that have any bytes, the lowest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One service's line in the table at the end."""

    service: str
    state: State
    seconds: float = 0.0
    cached: float | None = None
    """Share of the steps that came from the cache, 0 to 1."""
    reference: str = ""
    digest: str | None = None
    content: Content | None = None
    before: Content | None = None
    """What was in the image that the last build here made."""
    failure: "Failure | None" = None
    log: str = ""
    because: tuple[str, ...] = ()
    """Why it was built, the most telling first."""
    course: "Course | None" = None
    """How its build went; None where the builder was not asked."""
    spoilt: str = ""
    """Why it was built without its caches, where these were at fault."""

    @property
    def size(self) -> int | None:
        """Bytes of the unpacked layers, where they are known."""
        return None if self.content is None else self.content.size

    @property
    def ready(self) -> bool:
        """Whether the image is there."""
        return self.state in {State.CURRENT, State.PULLED, State.BUILT, State.UNCHANGED}


def none_began(outcomes: Sequence[Outcome]) -> bool:
    """Whether every target failed before its first step: then the fault is with the definition or the builder."""
    return all(outcome.state is State.FAILED and outcome.cached is None for outcome in outcomes)


def failed(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Return those that failed by themselves."""
    return tuple(outcome for outcome in outcomes if outcome.state is State.FAILED)


def only_pushes_failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether every image was built, and the registry alone is at fault."""
    from .failures import Kind

    causes = [outcome.failure.kind for outcome in outcomes if outcome.failure is not None]
    return bool(causes) and all(kind is Kind.PUSH for kind in causes)
