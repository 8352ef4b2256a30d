"""Judge how a container is: coming up, up, or failed, and what its end means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

# Seconds that a container without a health check has to stay up to count as up.
SETTLED = 1.0
# Seconds in which a service whose image has no health check has to answer at its health path.
PATIENCE = 60.0
# What the C library, Go and Rust say of a write to it, in small letters (EROFS).
READ_ONLY = "read-only file system"
# Seconds that every start may take, however hasty its image is: a machine may be busy.
LEAST = 10.0
# Nanoseconds between two looks at the health of a container that starts.
_LOOK = 300_000_000
_USUAL_INTERVAL = 30_000_000_000  # the engine's own default, in nanoseconds
_USUAL_RETRIES = 3  # and its own


class Health(StrEnum):
    """What the image's HEALTHCHECK says, in the engine's words."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NONE = "none"


class Stand(StrEnum):
    """Where a container stands on its way up."""

    COMING = "coming up"
    UP = "up"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a container ended."""

    code: int | None
    """Its exit code; None when it was removed by somebody else."""
    out_of_memory: bool = False

    @property
    def bad(self) -> bool:
        """Whether it ended by a fault of its own."""
        return bool(self.code)

    def __str__(self) -> str:
        """Say it."""
        if self.code is None:
            return "was stopped and removed from outside"
        if self.out_of_memory:
            return f"was killed: out of memory (exit code {self.code})"
        return f"ended with exit code {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a container is at one moment."""

    service: str
    health: Health = Health.NONE
    exit: Exit | None = None
    """None while it runs."""
    probe: str = ""
    """What the last look at its health said."""

    @property
    def problem(self) -> str:
        """What is wrong with it; empty where nothing is."""
        if self.exit is not None:
            return str(self.exit)
        if self.health is Health.UNHEALTHY:
            return f"is unhealthy: {self.probe}" if self.probe else "is unhealthy"
        return ""

    def answered(self, fault: str, seconds: float) -> "Condition":
        """Return it with what its health path said, so many seconds after its start; no fault is well."""
        if not fault:
            return replace(self, health=Health.HEALTHY)
        health = Health.STARTING if seconds < PATIENCE else Health.UNHEALTHY
        return replace(self, health=health, probe=f"after {PATIENCE:.0f} s {fault}")

    def stand(self, seconds: float) -> Stand:
        """Judge it, so many seconds after its start."""
        if self.problem:
            return Stand.FAILED
        settled = self.health is Health.HEALTHY or (self.health is Health.NONE and seconds >= SETTLED)
        return Stand.UP if settled else Stand.COMING


def allowance(check: Mapping[str, object] | None) -> float:
    """Return the seconds that an image's own HEALTHCHECK gives it to become healthy, within LEAST and PATIENCE.

    ``check`` is in the engine's words: nanoseconds, and 0 or nothing for the engine's own defaults.
    """
    said = check or {}
    nanoseconds = _number(said, "StartPeriod", 0) + _number(said, "Interval", _USUAL_INTERVAL) * _number(
        said, "Retries", _USUAL_RETRIES
    )
    return min(PATIENCE, max(LEAST, nanoseconds / 10**9)) if check else PATIENCE


def _number(said: Mapping[str, object], key: str, usual: int) -> int:
    value = said.get(key)
    return value if isinstance(value, int) and value else usual


def probing(check: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """Return what to add to an image's HEALTHCHECK so that a start is noticed at once.

    ``check`` is the image's own, in the engine's words. Its command, interval, timeout and
    retries stay; only while the container starts, when a failure does not count yet, it is
    looked at more often. Where the image has no such period, the time to its first regular
    look takes its place. None for an image without a check; engines older than API 1.44
    know no such interval and ignore it.
    """
    test = (check or {}).get("Test")
    if check is None or not isinstance(test, Sequence) or not test or test[0] == "NONE":
        return None
    period = check.get("StartPeriod") or check.get("Interval") or _USUAL_INTERVAL
    return {"StartPeriod": period, "StartInterval": _LOOK}
