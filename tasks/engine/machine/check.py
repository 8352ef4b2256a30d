"""One thing of a machine that can be looked at and, where that is safe, put in order.

``inv container-setup`` mends those that a build needs, ``inv container-doctor`` looks at all of them, and its
``--fix`` mends with the same functions.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ...errors import EngineError, TaskError
from ...plan.platforms import Platform
from ...plan.signing import Signing
from .findings import Finding, Say
from .reach import Engine


class Need(StrEnum):
    """What some checks cannot do without; the value is what a person reads."""

    ENGINE = "an engine"
    BUILDX = "buildx"
    CLIENT = "a docker client that the engine understands"


@dataclass(slots=True, kw_only=True)
class Site:
    """What the checks look at: this machine, what a repository needs of it, and what they have found so far."""

    project: str
    bases: tuple[str, ...] = ()
    """The whole references of the base images that builds here need."""
    mirror: str | None = None
    wanted_builder: str | None = None
    """The release builder that was asked for."""
    root: Path = field(default_factory=Path.cwd)
    registry: str | None = None
    services: tuple[str, ...] = ()
    builder: str | None = None
    platforms: tuple[Platform, ...] = ()
    ca: str = "auto"
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each setting came from, by its key."""
    dockerfiles: tuple[str, ...] = ()
    """The services' Dockerfiles, as seen from the root."""
    signing: Callable[[], Signing | None] = lambda: None
    """Says how pushed images are signed; raises ConfigError where what was chosen cannot be."""
    engine: Engine | None = None
    """The engine that answers, once it was found."""
    buildx: bool = True
    """Whether docker has a buildx that can what builds need, as far as is known."""
    understood: bool = True
    """Whether docker's client and the engine speak with each other, as far as is known."""
    client_is_new: bool = False
    """Whether docker or buildx had to be put there."""
    refused: "Future[str | None] | None" = None
    """Why the bases cannot be had, asked ahead."""

    @property
    def there(self) -> frozenset[Need]:
        """What there is of all that checks may need."""
        found = {Need.ENGINE: self.engine is not None, Need.BUILDX: self.buildx, Need.CLIENT: self.understood}
        return frozenset(need for need, is_there in found.items() if is_there)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something to look at. ``look`` changes nothing; ``mend`` looks again, mends what it can, and says both."""

    subject: str
    look: Callable[[Site], Iterable[Finding]]
    mend: Callable[[Site, Say], None] | None = None
    error: type[TaskError] = EngineError
    """The kind of failure that a build would meet, where it cannot be."""
    needs: frozenset[Need] = frozenset()
    """Without these there is nothing to look at."""
