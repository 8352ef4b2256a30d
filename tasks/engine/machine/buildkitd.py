"""Stand-alone BuildKit: a daemon of ours for each release builder that needs one (Linux, root)."""

import os
import shutil
import time
from pathlib import Path

from ...errors import EngineError
from ...plan.commands import tail
from .. import cache, process
from . import files, gobuild, mounts, packages, private, processes

VERSION = "v0.32.2"
"""Of BuildKit; built from its Go module."""

_MODULE = "github.com/moby/buildkit"
_PROGRAMS = ("buildkitd", "buildctl")
_ASK_SECONDS = 15.0
_START_SECONDS = 30.0
_DELETE_SECONDS = 3.0  # to end in order, when all it keeps goes anyhow
_PAUSE = 0.1
_KEEP_MEGABYTES = 20_000  # that its cache may hold


def socket(name: str) -> Path:
    """Return where the daemon of that builder listens."""
    return files.short_socket(_folder(name) / "buildkitd.sock")


def log(name: str) -> Path:
    """Return where the daemon of that builder writes."""
    return cache.home() / "logs" / f"buildkitd-{name}.log"


def ensure_started(name: str) -> bool:
    """Start the daemon of that builder where it does not run; return whether it had to be.

    Raises EngineError: it could not be built, or did not get up.
    """
    programs = cache.home() / "buildkit" / VERSION
    if not (programs / _PROGRAMS[0]).is_file():
        gobuild.build(_MODULE, VERSION, _PROGRAMS, programs)
    if processes.find(mark(name)):
        if _wait(name, programs):
            return False
        processes.stop(mark(name))
    packages.ensure_installed({"runc": "runc", "setsid": "util-linux"})
    socket(name).parent.mkdir(parents=True, exist_ok=True)
    socket(name).unlink(missing_ok=True)
    private.set_aside(log(name))
    process.spawn_daemon(
        programs / "buildkitd",
        *("--root", _root(name)),
        *("--addr", f"unix://{socket(name)}"),
        *("--oci-worker=true", "--containerd-worker=false"),
        *("--oci-worker-gc", f"--oci-worker-gc-keepstorage={_KEEP_MEGABYTES}"),
        log=log(name),
        env={"PATH": os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]), **private.WHOLE_LOGS},
        drop=private.FOREIGN,
    )
    if not _wait(name, programs):
        raise EngineError(
            f"the stand-alone BuildKit did not get up: {private.last_words(log(name))}", hint=tail(log(name))
        )
    return True


def names() -> tuple[str, ...]:
    """Return the builders that have a daemon here, whether or not it runs."""
    folder = _folders()
    return tuple(sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else ()


def stop(name: str) -> bool:
    """Stop the daemon of that builder; its cache stays. Return whether it ran."""
    return processes.stop(mark(name)) > 0


def delete(name: str) -> bool:
    """Stop the daemon of that builder and delete its cache; return whether there was one.

    Raises EngineError when something is still mounted below its folder.
    """
    processes.stop(mark(name), grace=_DELETE_SECONDS)
    folder = _folder(name)
    if not folder.is_dir():
        return False
    mounts.unmount_below(folder)
    shutil.rmtree(folder)
    log(name).unlink(missing_ok=True)
    return True


def _wait(name: str, programs: Path) -> bool:
    """Return whether the daemon answers before its time is over or its process is gone."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < _START_SECONDS:
        ask = (programs / "buildctl", "--addr", f"unix://{socket(name)}", "debug", "workers")
        if process.run(*ask, timeout=_ASK_SECONDS).ok:
            return True
        if waited > 1 and not processes.find(mark(name)):
            return False
        time.sleep(_PAUSE)
    return False


def _folders() -> Path:
    return cache.home() / "buildkit" / "builders"


def _folder(name: str) -> Path:
    return _folders() / name


def _root(name: str) -> Path:
    return _folder(name) / "root"


def mark(name: str) -> processes.Mark:
    """Return what tells the daemon of that builder from other processes."""
    return processes.Mark(program="buildkitd", word=str(_root(name)))
