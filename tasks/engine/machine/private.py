"""A docker engine of our own, from distribution packages unpacked under the cache folder (Linux, root).

Nothing is installed over the machine's own: binaries, images, state, pidfile and bridge are ours. It comes
back over whatever a kill -9 or a restart of the machine left behind.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import EngineError
from ...plan.commands import tail
from .. import cache, process
from . import bridge, files, mounts, packages, processes, reach

_START_SECONDS = 60.0
_PAUSE = 0.1
_FORK_SECONDS = 2.0  # after which its process must be seen
_DEEPEST = "containerd/containerd.sock.ttrpc"  # the longest socket path below the engine's run folder
_LOG_BYTES = 20_000_000  # above which a log is set aside at a start
# Programs of the machine's own release: they fit its kernel and C library.
_PROGRAMS = {"runc": "runc", "iptables": "iptables", "ip": "iproute2", "setsid": "util-linux"}
# Step logs are cut at 2 MiB and 200 kB/s otherwise, which is where the reason of a failure stands.
WHOLE_LOGS = {"BUILDKIT_STEP_LOG_MAX_SIZE": "-1", "BUILDKIT_STEP_LOG_MAX_SPEED": "-1"}
# A client's settings, and a socket of systemd's for this process, are not for a daemon.
FOREIGN = ("DOCKER_", "BUILDX_", "BUILDKIT_", "NOTIFY_SOCKET", "LISTEN_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything of the engine lies."""

    folder: Path
    run: Path
    bridge: str

    @property
    def config(self) -> Path:
        """Also the word that tells its process from other engines'."""
        return self.folder / "daemon.json"

    @property
    def pidfile(self) -> Path:
        """Of dockerd."""
        return self.run / "dockerd.pid"

    @property
    def log(self) -> Path:
        """Of dockerd and its containerd."""
        return self.folder / "dockerd.log"

    @property
    def socket(self) -> Path:
        """Where it listens when the usual socket is taken."""
        return files.short_socket(self.folder / "docker.sock")

    @property
    def engine(self) -> processes.Mark:
        """What tells its dockerd."""
        return processes.Mark(program="dockerd", word=str(self.config))

    @property
    def containerd(self) -> processes.Mark:
        """What tells its containerd."""
        return processes.Mark(program="containerd", word=str(self.run / "containerd" / "containerd.toml"))

    @property
    def shims(self) -> processes.Mark:
        """What tells the keepers of its containers."""
        return processes.Mark(program="containerd-shim-runc-v2", word=str(self.run / "containerd" / "containerd.sock"))


def layout() -> Layout:
    """Return where the private engine of this cache folder lies, whether or not it is there."""
    home = cache.home()
    run = home / "engine" / "run"
    if not files.fits_sockets(run, below=_DEEPEST):
        run = files.short_folder(run)
    return Layout(folder=home / "engine", run=run, bridge=f"ct-{files.digest_of(home)}")


def recorded_socket() -> Path | None:
    """Return the socket that the private engine was last started on."""
    hosts = files.read_json(layout().config).get("hosts")
    return Path(str(hosts[0]).removeprefix("unix://")) if isinstance(hosts, list) and hosts else None


def is_private(pid: int) -> bool:
    """Return whether a dockerd is a private engine, of this or another cache folder: none minds its neighbours."""
    ending = "/".join(layout().config.parts[-3:])
    return any(word.endswith(f"/{ending}") for word in processes.command_line(pid))


def running() -> bool:
    """Return whether the private engine's process is there."""
    return bool(processes.find(layout().engine))


def ensure_started(socket: Path) -> reach.Engine:
    """Start the private engine on that socket and return it once it answers; one that already does is left alone.

    Raises EngineError: a package could not be had, or the engine did not get up (with its own last words).
    """
    _require_socket_place(socket)
    place = layout()
    root = packages.unpacked(packages.ENGINE)
    packages.ensure_installed(_PROGRAMS)
    if running():
        elsewhere = recorded_socket()
        if elsewhere is not None and elsewhere != socket and reach.look(elsewhere).answers:
            raise EngineError(
                f"the private engine runs on {elsewhere}, and is not moved to {socket}",
                hint="unset DOCKER_HOST, or stop it first: inv container-setup --down",
            )
        found = _wait(socket) if elsewhere == socket else None
        if found is not None:
            return found
        processes.stop(place.engine)  # it hangs
    _clear(place, socket)
    bridge.ensure(place.bridge)
    files.write_json(place.config, configuration(place, socket))
    set_aside(place.log)
    search = os.pathsep.join(
        [str(root / "usr/sbin"), str(root / "usr/bin"), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]
    )
    process.spawn_daemon(
        root / "usr/sbin/dockerd",
        "--config-file",
        place.config,
        log=place.log,
        env={"PATH": search, **WHOLE_LOGS},
        drop=FOREIGN,
    )
    found = _wait(socket)
    if found is None:
        raise EngineError(f"the private engine did not get up: {last_words(place.log)}", hint=tail(place.log))
    return found


def configuration(place: Layout, socket: Path) -> dict[str, object]:
    """Return dockerd's configuration; pure."""
    return {
        "bridge": place.bridge,
        # Room for the compilers' caches; the engine's own default is a tenth of the disk.
        "builder": {"gc": {"enabled": True, "defaultKeepStorage": "20GB"}},
        "data-root": str(place.folder / "data"),
        "exec-root": str(place.run),
        "features": {"containerd-snapshotter": True},
        "hosts": [f"unix://{socket}"],
        "pidfile": str(place.pidfile),
    }


def stop() -> bool:
    """Stop the private engine and all that it runs; its images stay. Return whether anything ran."""
    place = layout()
    ran = processes.stop(place.engine)
    # After a kill -9 of dockerd its containerd and containers are still there.
    ran += processes.stop(place.containerd)
    ran += processes.kill_with_children(place.shims)
    for folder in (place.folder, place.run):
        mounts.unmount_below(folder)  # dockerd mounts its data folder on itself, and leaves it so when killed
    bridge.remove(place.bridge)
    return ran > 0


def set_aside(log: Path) -> None:
    """Keep a daemon's log from growing for ever: move a long one out of the way."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))


def last_words(log: Path) -> str:
    """Return the last line of a daemon's log that tells of an error, else the last one."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-50:]
    except OSError:
        return "it said nothing"
    telling = [line for line in lines if "level=error" in line or "level=fatal" in line or "failed" in line]
    return (telling or lines or ["it said nothing"])[-1].strip()


def _require_socket_place(socket: Path) -> None:
    """Refuse a path that something else than a socket has, before anything is started for it."""
    if socket.exists() and not socket.is_socket():
        raise EngineError(
            f"{socket} is no socket, so no engine can listen there",
            hint="unset DOCKER_HOST, or name a path that is free",
        )


def _clear(place: Layout, socket: Path) -> None:
    """Take away what an engine that was killed left behind."""
    processes.forget_stale(place.pidfile, place.engine)
    containerd = place.run / "containerd"
    processes.forget_stale(containerd / "containerd.pid", place.containerd)
    if not processes.find(place.containerd):
        for left in containerd.glob("*.sock*"):
            left.unlink(missing_ok=True)
    if socket.is_socket() and reach.look(socket).reach is reach.Reach.REFUSED:
        socket.unlink(missing_ok=True)
    socket.parent.mkdir(parents=True, exist_ok=True)


def _wait(socket: Path) -> reach.Engine | None:
    """Return the engine once it answers; None when its process is gone, or its time is over."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < _START_SECONDS:
        found = reach.look(socket)
        if found.answers:
            return found
        if waited > _FORK_SECONDS and not running():
            return None
        time.sleep(_PAUSE)
    return None
