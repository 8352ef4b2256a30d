"""Decide what a run of the images starts, what it replaces, and what is in its way."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import ConfigError
from ..printable import line
from .targets import SERVICE_LABEL

# On the containers alone, with the project as its value: images and what is built on them never carry it.
RUN_LABEL = "container-tasks.run"
HOST = "127.0.0.1"
# Where a container must publish a port to be in the way of one on HOST.
_OVERLAPPING = frozenset({HOST, "0.0.0.0", ""})  # noqa: S104 - compared with, not listened on
_END = 65536  # the first number that is no port
# What forwards a published port to a container, of whichever engine.
_FORWARDERS = ("docker-proxy", "rootlessport", "rootlesskit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One container to start."""

    project: str
    service: str
    image: str
    port: int | None = None
    """Where the service listens."""
    publish: int | None = None
    """Where it is published on this machine, if not at the same port."""
    health: str | None = None
    """The path that answers 2xx when it is well; asked where the image has no check of its own."""
    memory: int | None = None
    """Bytes that it may have; None for no limit."""
    tmpfs: tuple[str, ...] = ()
    """Folders that it may write, in memory."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the container is called."""
        return f"{self.project}-{self.service}"

    @property
    def published(self) -> int | None:
        """The port of this machine where it answers; None for one that listens nowhere."""
        return None if self.port is None else self.publish or self.port

    @property
    def url(self) -> str:
        """Where the service answers; empty for one that listens nowhere."""
        return "" if self.published is None else f"http://{HOST}:{self.published}"

    @property
    def health_url(self) -> str:
        """Where it says that it is well; empty for one that says so nowhere."""
        return "" if self.health is None else f"{self.url}{self.health}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of the engine, whoever made it."""

    id: str
    name: str
    image: str
    labels: Mapping[str, str] = field(default_factory=dict)
    published: tuple[tuple[str, int], ...] = ()
    """The addresses and TCP ports that it holds on the engine's machine; none while it does not run."""
    ended: bool = False
    """Whether it ran, and does not any more."""

    @property
    def service(self) -> str:
        """The service that it runs, if it says so."""
        return self.labels.get(SERVICE_LABEL, "")

    def runs_for(self, project: str) -> bool:
        """Whether container-run of a project made it.

        Images that are committed from a container inherit its labels, so its name has to fit too.
        """
        return self.labels.get(RUN_LABEL) == project and self.name == f"{project}-{self.service}"

    def holds(self, port: int) -> bool:
        """Whether nobody else can listen on a port of this machine's loopback."""
        return any(address in _OVERLAPPING and taken == port for address, taken in self.published)


@dataclass(frozen=True, slots=True)
class Process:
    """A program of this machine."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One thing that a launch needs and another has."""

    service: str
    what: str
    way_out: str
    """The command that frees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a run is going to do."""

    launches: tuple[Launch, ...]
    replaced: tuple[Container, ...]
    """Containers of an earlier run that go first."""
    conflicts: tuple[Conflict, ...]


def decide(
    launches: Sequence[Launch],
    found: Sequence[Container],
    listening: Mapping[int, Process | None],
    *,
    followed: Collection[str] = (),
) -> Decision:
    """Sort the engine's containers into what is replaced and what is in the way.

    ``listening`` holds the ports of this machine that are taken, with the program that has
    them where that is known; ``followed`` the services that another run follows.
    """
    wanted = {launch.name: launch for launch in launches}
    replaced = tuple(
        container
        for container in found
        if container.name in wanted and container.runs_for(wanted[container.name].project)
    )
    others = [container for container in found if container not in replaced]
    up = {container.service for container in replaced if not container.ended}
    conflicts = [_followed(launch) for launch in launches if launch.service in up.intersection(followed)]
    ports: dict[int, str] = {}
    wished = [launch.published for launch in launches]
    for launch in launches:
        conflicts += (_name_taken(launch, other) for other in others if other.name == launch.name)
        port = launch.published
        if port is None:
            continue
        if port in ports:
            conflicts.append(_shared(launch, port, ports[port], busy={*wished, *listening, *_published(found)}))
            continue
        ports[port] = launch.service
        holders = [other for other in others if other.holds(port)]
        if holders:
            conflicts += (_held(launch, port, holder) for holder in holders)
        elif port in listening and not any(container.holds(port) for container in replaced):
            conflicts.append(_listened(launch, port, listening[port]))
    return Decision(launches=tuple(launches), replaced=replaced, conflicts=tuple(conflicts))


def _followed(launch: Launch) -> Conflict:
    return Conflict(
        service=launch.service,
        what="another container-run has started it, and follows it",
        way_out=f"Ctrl-C there, or inv container-stop --services {launch.service}",
    )


def _name_taken(launch: Launch, other: Container) -> Conflict:
    return Conflict(
        service=launch.service,
        what=f"the name {launch.name} is taken by a container that is not of container-run ({other.image})",
        way_out=f"docker rename {other.name} {other.name}-old",
    )


def _published(found: Sequence[Container]) -> Iterable[int]:
    return (port for container in found for _, port in container.published)


def _shared(launch: Launch, port: int, first: str, *, busy: Collection[int | None]) -> Conflict:
    free = next(one for one in itertools.chain(range(port + 1, _END), range(1, port)) if one not in busy)
    return Conflict(
        service=launch.service,
        what=f"port {port} is the one of {first}, too",
        way_out=f"in invoke.yaml, container.services.{launch.service}.publish: {free}",
    )


def _held(launch: Launch, port: int, holder: Container) -> Conflict:
    project = launch.project
    ours = holder.runs_for(project)
    return Conflict(
        service=launch.service,
        what=f"port {port} is taken by the container {holder.name} ({holder.image})",
        way_out=f"inv container-stop --services {holder.service}" if ours else f"docker stop {holder.name}",
    )


def _listened(launch: Launch, port: int, process: Process | None) -> Conflict:
    taken = f"port {port} is taken by"
    if process is None:
        what, way_out = f"{taken} another program", f"sudo ss -ltnp 'sport = :{port}' shows which"
    elif process.name.startswith(_FORWARDERS):
        what, way_out = f"{taken} a container of another engine ({process.name}, pid {process.pid})", "stop it there"
    else:
        what, way_out = f"{taken} {process.name} (pid {process.pid})", f"kill {process.pid}"
    return Conflict(service=launch.service, what=what, way_out=way_out)


def refusal(conflicts: Sequence[Conflict]) -> ConfigError:
    """Return the error that names every conflict, each with the command that ends it."""
    if len(conflicts) == 1:
        only = conflicts[0]
        return ConfigError(f"{only.service}: {line(only.what)}", hint=line(only.way_out))
    lines = "".join(f"\n  {one.service}: {line(f'{one.what}: {one.way_out}')}" for one in conflicts)
    return ConfigError(
        f"{len(conflicts)} things are in the way, and nothing was started:{lines}",
        hint="each line ends with what frees it; inv container-run --services starts some without the others",
    )


def own(found: Iterable[Container], project: str, services: Sequence[str] = ()) -> tuple[Container, ...]:
    """Return the containers that container-run of a project made, by default those of every service."""
    mine = (container for container in found if container.runs_for(project))
    return tuple(sorted((one for one in mine if not services or one.service in services), key=lambda one: one.name))
