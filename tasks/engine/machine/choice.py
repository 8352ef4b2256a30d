"""Which engine to use, and whether to start one: decided from what was found. Pure."""

from dataclasses import dataclass
from pathlib import Path

from ...plan.commands import quoted
from .reach import Engine, Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What counts for the decision, apart from the engine itself."""

    root: bool
    packages: bool
    """Whether packages of Debian or Ubuntu can be had."""
    service: bool
    """Whether systemd has a docker service here."""
    foreign_engine: bool
    """Whether a dockerd runs that is not ours."""
    ours: bool
    """Whether a private engine of ours was started on this endpoint and its process is there."""
    usual: bool
    """Whether the endpoint is the usual one, not one that DOCKER_HOST or a context names."""
    own_socket: Path
    """Where an engine of ours listens when the usual socket is taken."""
    distribution: str
    socket_group: str | None = "docker"
    """The group that the engine's socket is of, other than root's own; None where there is none."""
    group_may: bool = True
    """Whether the socket lets those of its group in."""
    hidden: bool = False
    """Whether the socket lies in a folder that this user may not look into."""
    chosen_by_host: bool = True
    """Whether DOCKER_HOST names the endpoint, not a context."""
    tls: bool = False
    """Whether DOCKER_TLS_VERIFY has the client take TLS, which no socket on this machine speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The engine answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start an engine of our own on that socket."""

    socket: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nothing may be started; what a person can do."""

    reason: str
    way_out: str


def choose(engine: Engine, around: Surroundings) -> Use | Start | Refuse:
    """Return what to do about the engine."""
    if engine.answers:
        return Use()
    if around.tls and engine.socket is not None:
        told = f"docker's client takes TLS to {engine.endpoint}, which speaks none"
        return Refuse(reason=told, way_out="unset DOCKER_TLS_VERIFY")
    if around.ours and engine.socket is not None:
        return Start(socket=engine.socket)  # it is coming up, or hangs
    way_out = _way_out(engine, around)
    if way_out is not None:
        told = f"no engine at {engine.endpoint}: {engine.detail or engine.reach.value}"
        return Refuse(reason=told, way_out=way_out)
    free = engine.reach in (Reach.ABSENT, Reach.REFUSED)
    taken = not free or (around.usual and around.foreign_engine)
    return Start(socket=around.own_socket if taken or engine.socket is None else engine.socket)


def _way_out(engine: Engine, around: Surroundings) -> str | None:
    """Return what a person has to do; None where an engine of our own may be started."""
    if engine.reach is Reach.DENIED:
        return _let_in(engine, around)
    if engine.socket is None or (not around.usual and engine.reach is Reach.FAILED):
        return _elsewhere(around)
    if around.service and around.usual:
        return "systemctl start docker" if around.root else "sudo systemctl start docker"
    if not around.packages:
        return _without_packages(around)
    return None


def _elsewhere(around: Surroundings) -> str:
    return "unset DOCKER_HOST" if around.chosen_by_host else "docker context use default"


def _let_in(engine: Engine, around: Surroundings) -> str:
    """Return what lets this user open the socket: by the group that it is of, where that is not root's."""
    if engine.socket is None or (around.hidden and not around.usual):
        return _elsewhere(around)
    group, socket = around.socket_group or "docker", quoted(engine.socket)
    steps = [] if around.socket_group else [f"sudo groupadd -f {group}", f"sudo chgrp {group} {socket}"]
    if not around.group_may:
        steps.append(f"sudo chmod g+rw {socket}")
    return " && ".join([*steps, f'sudo usermod -aG {group} "$USER"', f"newgrp {group}"])


def _without_packages(around: Surroundings) -> str:
    if around.distribution == "macos":
        return "open -a Docker"
    root = "" if around.root else "sudo "
    if around.distribution in ("debian", "ubuntu"):
        return f"{root}apt-get install docker.io"
    return f"curl -fsSL https://get.docker.com | {root}sh"  # Docker's own script, for all that it has packages for
