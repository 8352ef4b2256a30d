"""What a verification has seen of one image, before anything is judged."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .conditions import Health
from .elf import Program
from .platforms import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where a service is asked over HTTP; None where it says nothing of that kind."""

    health: str | None = None
    health_port: int | None = None
    """Where that is asked, if not at the service's own port."""
    ready: str | None = None
    metrics: str | None = None
    slow: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a Dockerfile says its image has; None and absent where it does not say it, or only BuildKit knows."""

    user: str | None = None
    ports: tuple[str, ...] = ()
    """Each with its protocol: ``8080/tcp``."""
    more_ports: bool = False
    """Whether it exposes others, which only BuildKit knows."""
    checked: bool | None = None
    """Whether it has a HEALTHCHECK: False for ``HEALTHCHECK NONE``."""
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str | None = None
    base: str | None = None
    """The image that it stands on, as written; None for ``scratch`` and for what only BuildKit can tell."""
    from_scratch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One image on one platform, and what is said of it."""

    name: str
    """A service's name, or the reference that was asked for."""
    platform: Platform
    reference: str
    service: bool = True
    """Whether it is a service's of this repository."""
    paths: Paths = field(default_factory=Paths)
    asked: frozenset[str] = frozenset()
    """Those of the paths that invoke.yaml names: they have to be there."""
    port: int | None = None
    memory: int | None = None
    tmpfs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    budget: int | None = None
    declared: Declared | None = None
    """None for an image without a Dockerfile here."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that the build of it adds."""
    stamped: tuple[str, ...] = ()
    """Labels that it adds, and of which only the build knows the value."""
    skipped: frozenset[str] = frozenset()
    """Checks that a person has ruled out."""

    @property
    def title(self) -> str:
        """Name it among others."""
        return f"{self.name} {self.platform}"


# What was seen --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Why something could not be seen."""

    reason: str


class Kind(StrEnum):
    """What an entry of a layer is."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    OTHER = "other"
    GONE = "gone"
    """A whiteout: what lies below is deleted."""
    EMPTIED = "emptied"
    """An opaque whiteout: everything in this folder that lies below is deleted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a layer."""

    path: str
    kind: Kind
    mode: int = 0
    size: int = 0
    program: Program | None = None
    """None for what is no program."""
    capable: bool = False
    """Whether whoever runs it gets capabilities from the file."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that has no place in an image."""

    path: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer, read from end to end."""

    digest: str
    """Of its content unpacked, as the configuration has it (diff_id)."""
    packed: int
    """Bytes as it is stored."""
    entries: tuple[Entry, ...] = ()
    secrets: tuple[Leak, ...] = ()
    leftovers: tuple[Leak, ...] = ()
    unreadable: str = ""
    """Why it could not be read."""

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(entry.size for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One platform's image, as the engine stores it."""

    id: str
    """The digest of its manifest, or of its configuration where the store knows no manifests."""
    architecture: str
    layers: tuple[Layer, ...]
    packed: bool
    """Whether the store keeps layers as a registry has them."""
    user: str = ""
    ports: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str | None = None
    health_test: tuple[str, ...] = ()
    """The words of its HEALTHCHECK; none without one."""
    allowed: float = 0.0
    """Seconds that its HEALTHCHECK gives it to become healthy."""
    secrets: tuple[Leak, ...] = ()
    """Those of its configuration: environment, history."""


_URL = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::([^/\s\"']*))?(/[^\s\"']*)")


def completed(subject: Subject, image: Image) -> Subject:
    """Return a subject with what only its image says: the port that it exposes, and the path that its check asks."""
    port = subject.port
    if port is None:
        exposed = (one.partition("/") for one in image.ports)
        port = next((int(number) for number, _, kind in exposed if kind == "tcp" and number.isdigit()), None)
    health, at = subject.paths.health, None
    if health is None and (asked := _URL.search(" ".join(image.health_test))):
        health = asked[2]
        at = int(asked[1]) if re.fullmatch(r"[0-9]{1,5}", asked[1] or "") else None
    return replace(subject, port=port, paths=replace(subject.paths, health=health, health_port=at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What an image should stand on."""

    name: str
    """In words, for people."""
    layers: tuple[str, ...]
    """Digests of the layers, unpacked."""
    ports: tuple[str, ...] = ()
    """Those that it exposes, and so what stands on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one HTTP request brought."""

    path: str
    status: int | None = None
    """None where nothing answered."""
    body: bytes = b""
    kind: str = ""
    """Its content type."""
    seconds: float = 0.0
    fault: str = ""
    """Why nothing answered."""

    @property
    def well(self) -> bool:
        """Whether it is a success, as HTTP calls it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How one start went, until it was well or given up."""

    fault: str = ""
    """Why it does not run: it did not start, or it ended; empty while it runs."""
    lines: tuple[str, ...] = ()
    """The last that it wrote, where something is wrong."""
    health: Health = Health.NONE
    probe: str = ""
    """What the last look at its health said."""
    healthy: float | None = None
    """Seconds until its HEALTHCHECK was well; None when it never was, or there is none."""
    answer: Answer | None = None
    """What its health path said last; None where there is none to ask."""
    answered: float | None = None
    """Seconds until that was a success."""
    allowed: float = 0.0
    """Seconds that it had."""

    @property
    def well(self) -> bool:
        """Whether it runs and nothing speaks against its health."""
        checked = self.health in {Health.NONE, Health.HEALTHY}
        return not self.fault and checked and (self.answer is None or self.answer.well)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How it ended when it was asked to."""

    signal: str
    seconds: float | None
    """Until its end; None when it had to be killed."""
    code: int | None = None
    answer: Answer | None = None
    """What the request in flight brought; None when there was none."""
    before: bool = False
    """Whether that had its answer before the signal was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Everything that was seen of it running."""

    impossible: str = ""
    """Why it cannot run here at all."""
    deaf: str = ""
    """Why it could not be asked over HTTP."""
    user: str = ""
    first: Start | None = None
    """As the usual user."""
    ready: Answer | None = None
    metrics: Answer | None = None
    stuck: float | None = None
    """Seconds from SIGSTOP until its HEALTHCHECK said so; None when it never did."""
    below: int = 0
    """Processes that its first one had started when that was stopped."""
    again: Start | None = None
    """After SIGKILL."""
    stop: Stop | None = None
    other_user: str = ""
    other: Start | None = None
    """As a random user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one image, for the checks to judge."""

    subject: Subject
    image: Image
    runs: Runs
    base: Base | Unknown
    before: int | Unknown
    """Bytes of the files of the last one that was verified here."""
    published: Sequence[int] | Unknown
    """Bytes of each layer of the published one, as they are stored."""
