"""The steps of a build, as BuildKit tells of them, and how one service's build went."""

import re
from dataclasses import dataclass
from datetime import datetime

# Several targets in one bake put the target's name before the step's: `[web internal] load …`.
_HOUSEKEEPING = re.compile(r"\[(?:[\w-]+ )?(?:internal\]|auth\]|context )")
CACHE_IMPORT, CACHE_EXPORT = "importing cache manifest from", "exporting cache to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One vertex of the build graph, as far as it has come."""

    number: int
    name: str
    started: datetime | None = None
    completed: datetime | None = None
    cached: bool = False
    error: str = ""
    digest: str = ""
    """The vertex's own name, the same in every build that has this step."""
    inputs: tuple[str, ...] = ()
    """The digests of the steps that it stands on."""

    @property
    def seconds(self) -> float | None:
        """How long it took, once it is done."""
        if self.started is None or self.completed is None:
            return None
        return (self.completed - self.started).total_seconds()

    @property
    def of_cache(self) -> bool:
        """Whether it reads or writes a cache beside the builder's own, without which the build goes on."""
        return self.name.startswith((CACHE_IMPORT, CACHE_EXPORT))

    @property
    def internal(self) -> bool:
        """Whether it is BuildKit's own housekeeping rather than a line of a Dockerfile."""
        return not self.name.startswith("[") or _HOUSEKEEPING.match(self.name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How the build of one service went."""

    began: float
    """Seconds of this machine's steady clock."""
    steps: tuple[Step, ...] = ()
    lag: float | None = None
    """What to add to the builder's time (seconds since 1970) for this machine's steady clock: the least of all
    events, which is that of the event that came at once. The two clocks may differ by anything, and this one
    may be set while a build goes on."""
