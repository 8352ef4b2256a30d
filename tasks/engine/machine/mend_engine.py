"""Steps of the set-up: an engine that answers, docker and buildx, room on the disks."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from ...errors import EngineError
from ...plan.commands import edit, quoted
from .. import cache
from . import choice, disk, mending, packages, plugin, private, processes, reach, records
from .findings import Finding, Say, State, cannot, changed, doing, ok, told, warning

_SYSTEMD = Path("/run/systemd/system")  # there when systemd runs (man sd_booted)
_SERVICE_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_HAS_ALL = "bake, imagetools and rawjson are there"
_DAEMON = Path("/etc/docker/daemon.json")
_GROUP_MAY = stat.S_IRGRP | stat.S_IWGRP
_TLS = "DOCKER_TLS_VERIFY"
_NOBODYS = frozenset({"nogroup", "nobody"})
_STORE = '"features": {"containerd-snapshotter": true}'


def look(found: reach.Engine) -> Iterator[Finding]:
    """Say what a look at the engine found, and what would be done about it."""
    ours = _our_own() if not found.answers and _is_usual(found) else None
    match _choice(found):
        case choice.Use():
            yield _described(found)
        case _ if ours is not None and ours.socket is not None:
            text = f"none answers at {found.endpoint}; the private one does at {ours.socket}"
            yield cannot("engine", text, way_out=_export(ours.socket))
        case choice.Refuse(reason=reason, way_out=way_out):
            yield cannot("engine", reason, way_out=way_out)
        case choice.Start():
            text = f"no engine answers at {found.endpoint}: {found.detail or found.reach.value}"
            yield cannot("engine", text, way_out="inv container-setup")


def engine(say: Say) -> reach.Engine:
    """Return the engine that docker talks to from now on, started where none answered.

    Raises EngineError with what a person can do where none can be started.
    """
    found = reach.look()
    if not found.answers and _is_usual(found):
        ours = _our_own()
        if ours is not None and ours.socket is not None:
            _use(ours.socket)
            found = ours
    match _choice(found):
        case choice.Refuse(reason=reason, way_out=way_out):
            raise EngineError(reason, hint=way_out)
        case choice.Start(socket=socket):
            say(doing("engine", f"none answers at {found.endpoint}: starting a private one"))
            started = _started(socket, say)
            elsewhere = socket != found.socket
            if elsewhere:
                _use(socket)
            text = f"private engine {started.version} started on {socket}"
            say(changed("engine", text, way_out=_export(socket) if elsewhere else None))
            return started
        case choice.Use():
            say(_described(found))
            if not found.containerd_store:
                say(store(found))
            return found


def _is_usual(found: reach.Engine) -> bool:
    return found.socket in (reach.USUAL_SOCKET, Path("/run/docker.sock"))


def _choice(found: reach.Engine) -> choice.Use | choice.Start | choice.Refuse:
    return choice.choose(found, _surroundings(found.socket, usual=_is_usual(found)))


def _started(socket: Path, say: Say) -> reach.Engine:
    """Start the private engine; where its builder has more records than it can read, once more without them."""
    place = private.layout()
    try:
        return private.ensure_started(socket)
    except EngineError:
        if private.running() or not records.are_too_many(place.log):
            raise
    say(doing("engine", "its builder kept more cached steps than it can read at a start: they go, images stay"))
    records.drop(place)
    started = private.ensure_started(socket)
    try:
        records.release(place)
    except EngineError as error:  # the engine is well; what is left only takes room
        text, way_out = told(error, "inv container-setup")
        say(warning("engine", f"what those steps kept stays on the disk: {text}", way_out=way_out))
    return started


def look_client() -> Iterator[Finding]:
    """Say whether docker and its buildx plugin can what builds here need."""
    if packages.which("docker") is None:
        yield cannot("docker", "it is not on PATH", way_out="inv container-setup")
        return
    if not plugin.is_there():
        yield cannot("buildx", "docker has no such plugin", way_out="inv container-setup")
        return
    lack = plugin.lacking()
    if lack is None:
        yield ok("buildx", _HAS_ALL)
    else:
        yield cannot("buildx", f"the plugin lacks {lack}", way_out="inv container-setup --latest-buildx")


def client(say: Say) -> bool:
    """Have docker and its buildx plugin there; return whether either had to be put there.

    Raises EngineError that names what is missing.
    """
    program = plugin.ensure_client()
    if program is not None:
        say(changed("docker", f"linked as {program}"))
    link = plugin.ensure_plugin()
    if link is not None:
        say(changed("buildx", f"linked as {link}"))
    else:
        say(ok("buildx", _HAS_ALL))
    return program is not None or link is not None


def latest_buildx(say: Say) -> None:
    """Have the pinned buildx built and linked.

    Raises EngineError when it cannot be built, or somebody else's plugin is in the way.
    """
    if not plugin.latest_is_built():
        say(doing("buildx", f"building {plugin.LATEST} from its Go module, about 2 minutes"))
    link, done = plugin.ensure_latest()
    say((changed if done else ok)("buildx", f"{plugin.LATEST} linked as {link}"))


def room(found: reach.Engine, say: Say) -> None:
    """Warn of a disk that the next builds would fill."""
    # An engine that is not asked on a unix socket keeps its data on another machine.
    places = {"engine's data": found.data if found.socket else None, "cache": cache.home()}
    for name, path in places.items():
        free = disk.free_bytes(path) if path is not None else None
        if free is None:
            continue
        text = f"{free / disk.GIGABYTE:.0f} GB free for the {name} ({path})"
        way_out = mending.room(cache.home()) if name == "cache" else "inv container-clean; docker system df"
        if free < disk.NOTHING:
            say(cannot("disk", f"nothing can be built: {text}", way_out=way_out))
        elif free < disk.MINIMUM:
            say(warning("disk", text, way_out=way_out))
        else:
            say(ok("disk", text))


def _our_own() -> reach.Engine | None:
    """Return the private engine where it runs on a socket of its own, and the client speaks as that does."""
    socket = None if os.environ.get(_TLS) else private.recorded_socket()
    if socket is None or not private.running():
        return None
    found = reach.look(socket)
    return found if found.answers else None


def _described(found: reach.Engine) -> Finding:
    text = f"{found.version} at {found.endpoint}"
    if found.socket is not None and found.socket == private.layout().socket:
        return Finding(state=State.OK, subject="engine", text=text, way_out=_export(found.socket))
    return ok("engine", text)


def store(found: reach.Engine) -> Finding:
    """Say what the image store of an engine can."""
    if found.containerd_store:
        return ok("store", "containerd's: it holds several platforms of an image")
    text = f"the older one: it holds one platform an image; {_STORE} in the engine's {_DAEMON.name} has it change"
    if _DAEMON.exists():
        return warning("store", text, way_out=mending.as_root(edit(_DAEMON)))
    switch = f"echo '{{{_STORE}}}' | {mending.as_root(f'tee {_DAEMON}')}"
    return warning("store", text, way_out=f"{switch} && {mending.as_root('systemctl restart docker')}")


def _export(socket: Path) -> str:
    return f"export DOCKER_HOST={quoted(f'unix://{socket}')}"


def _use(socket: Path) -> None:
    """Have every docker that this process starts talk to that engine."""
    os.environ["DOCKER_HOST"] = f"unix://{socket}"


def _surroundings(socket: Path | None, *, usual: bool) -> choice.Surroundings:
    place = private.layout()
    group, may, hidden = _rights(socket)
    return choice.Surroundings(
        root=packages.is_root(),
        packages=packages.can_install(),
        service=_SYSTEMD.is_dir() and any((Path(folder) / "docker.service").exists() for folder in _SERVICE_FOLDERS),
        foreign_engine=any(not private.is_private(pid) for pid in processes.named("dockerd")),
        ours=private.running() and private.recorded_socket() == socket,
        usual=usual,
        own_socket=place.socket,
        distribution="macos" if sys.platform == "darwin" else packages.distribution().name,
        socket_group=group,
        group_may=may,
        hidden=hidden,
        chosen_by_host=bool(os.environ.get("DOCKER_HOST")),
        tls=bool(os.environ.get(_TLS)),
    )


def _rights(socket: Path | None) -> tuple[str | None, bool, bool]:
    """Return the group of a socket where that is not root's, whether its mode lets it in, and whether it is hidden."""
    try:
        told = None if socket is None else socket.stat()
    except PermissionError:
        return None, False, True
    except OSError:
        told = None
    if socket is None or told is None:
        return None, False, False
    try:
        group = socket.group() if told.st_gid else None
    except (OSError, KeyError, NotImplementedError):
        group = None
    return None if group in _NOBODYS else group, told.st_mode & _GROUP_MAY == _GROUP_MAY, False
