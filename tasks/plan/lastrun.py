"""A record read back, as the frozen values that a report is made from; ``record`` makes it.

Times are seconds since the run began, sizes bytes. What a record has beyond this is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert

from ..errors import ConfigError
from .outcomes import State
from .record import SCHEMA

AGAIN = "the next inv container-build writes it"
_WORST_FIRST = (State.FAILED, State.STOPPED, State.BUILT, State.UNCHANGED, State.PULLED, State.CURRENT)
Moment = Annotated[float, Meta(ge=-1e9, le=1e9)]
"""Seconds; below 0 where a clock was set back."""
Bytes = Annotated[int, Meta(ge=0, le=10**15)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One vertex of a build's graph."""

    number: int
    name: str
    start: Moment | None = None
    seconds: Moment | None = None
    cached: bool = False
    error: str = ""
    internal: bool = False
    """BuildKit's own housekeeping rather than a line of a Dockerfile."""
    inputs: tuple[int, ...] = ()
    """The numbers of the steps that it builds upon."""
    shared: str | None = None
    """The same for one step of several services, which BuildKit runs once."""

    @property
    def end(self) -> float | None:
        """When it was done."""
        return None if self.start is None or self.seconds is None else self.start + max(self.seconds, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image."""

    created_by: str
    size: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """An image as an earlier run left it."""

    size: Bytes | None = None
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a service failed."""

    kind: str
    message: str
    step: str = ""
    lines: tuple[str, ...] = ()
    dockerfile: str | None = None
    line: int | None = None
    excerpt: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What came of one service."""

    name: str
    state: str
    because: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    digest: str | None = None
    start: Moment | None = None
    seconds: Moment | None = None
    cached: Moment | None = None
    """Share of its steps that came from the cache, 0 to 1."""
    size: Bytes | None = None
    budget: Bytes | None = None
    layers: tuple[Layer, ...] = ()
    before: Before | None = None
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None
    log: str | None = None

    @property
    def built(self) -> bool:
        """Whether anything was asked of the builder."""
        return bool(self.steps)

    @property
    def current(self) -> bool:
        """Whether there was nothing to do for it."""
        return self.state == State.CURRENT.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The value of a setting, and who said so."""

    value: Any = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """What ended the run."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, all that its record says."""

    task: str
    project: str
    started: str
    seconds: Moment
    result: str
    version: str = ""
    commit: str | None = None
    exit: int = 0
    error: Error | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    output: str = ""
    stand_ins: bool = False
    services: tuple[Service, ...] = ()

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How many services ended in which state, the worst first."""
        states = [service.state for service in self.services]
        order = dict.fromkeys([*(state.value for state in _WORST_FIRST), *states])
        return tuple((state, states.count(state)) for state in order if state in states)

    @property
    def reasons(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each reason with the services that it made build; what made most of them build comes first."""
        found: dict[str, list[str]] = {}
        for service in self.services:
            for reason in () if service.current else service.because:
                found.setdefault(reason, []).append(service.name)
        return tuple((reason, tuple(names)) for reason, names in sorted(found.items(), key=lambda one: -len(one[1])))


def parse(record: Mapping[str, Any]) -> Run:
    """Return the run that a record tells of.

    Raises ConfigError for a record of another schema, and for one that is damaged: it names the place.
    """
    if record.get("schema") != SCHEMA:
        raise ConfigError(
            f"the record of the last run is of schema {record.get('schema')!r:.40}, and this version reads {SCHEMA}",
            hint=AGAIN,
        )
    try:
        return convert(record, Run)
    except ValidationError as error:
        said, _, place = str(error).partition(" - at ")
        place = place.strip("`").removeprefix("$").removeprefix(".") or "its top"
        raise ConfigError(f"the record of the last run is damaged at {place:.200}: {said:.200}", hint=AGAIN) from None
