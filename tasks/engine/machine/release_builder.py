"""A builder of our own for releases: the engine's own BuildKit cannot push by digest.

Its BuildKit runs in a container where its image can be had, else as a stand-alone daemon.
"""

import re
from pathlib import Path

from ...errors import ConfigError, EngineError
from ...plan.commands import tail
from .. import cache, process
from . import buildkitd, files, packages, private

_IN_CONTAINER = "docker-container"
_REMOTE = "remote"
_CREATE_SECONDS = 180.0  # the image of BuildKit is 100 MB
_ASK_SECONDS = 30.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def default_name(project: str) -> str:
    """Return what a project's release builder is called."""
    return f"{project}-release"


def ensure(name: str, *, project: str) -> tuple[str, bool]:
    """Make the builder ``name`` ready; return how it is driven, and whether anything had to be done.

    A builder of that name that somebody else made and that works is used as it is, and never removed by us.

    Raises ConfigError for a name that buildx refuses, EngineError when neither kind can be had.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be a builder's name", hint="use letters, digits, dots, dashes and underscores"
        )
    started = name in buildkitd.names() and buildkitd.ensure_started(name)
    driver = _driver(name)
    if driver is not None and _bootstraps(name):
        if name in buildkitd.names() and name not in _recorded():
            _record_owner(name, project)  # its daemon is ours: a removal at the same time took the record alone
        return driver, started
    if driver is not None and name not in _recorded():
        raise EngineError(
            f"the builder {name} does not answer, and is not one of ours",
            hint=f"docker buildx inspect --bootstrap {name}; or remove it: docker buildx rm {name}",
        )
    if driver is None and name in buildkitd.names():  # its daemon runs, and another docker configuration knows it
        _connect(name)
        _record_owner(name, project)
        return _REMOTE, True
    remove(name)
    _record_owner(name, project)
    refusal = _in_container(name)
    if refusal is None:
        return _IN_CONTAINER, True
    _stand_alone(name, refusal)
    return _REMOTE, True


def existing(project: str) -> tuple[str, ...]:
    """Return the builders that were made for a project. Quick: reads one file, asks nobody."""
    return tuple(sorted(name for name, owner in _recorded().items() if owner == project))


def remove(name: str) -> bool:
    """Remove a builder that was made here, with its daemon and cache; return whether there was anything.

    Raises EngineError when it cannot be removed whole.
    """
    recorded = _recorded()
    if name not in recorded:
        return False
    # Whatever buildx says of a builder that is gone already: the record and the daemon go as well.
    process.run("docker", "buildx", "rm", "--force", name, timeout=_CREATE_SECONDS)
    buildkitd.delete(name)
    files.write_json(_record(), {other: owner for other, owner in recorded.items() if other != name})
    return True


def revive() -> tuple[str, ...]:
    """Start stand-alone BuildKits again that were set up and have ended; return their builders' names.

    Raises EngineError when one does not get up.
    """
    return tuple(name for name in buildkitd.names() if buildkitd.ensure_started(name))


def stop() -> tuple[str, ...]:
    """Stop the stand-alone BuildKits; their caches stay. Return the names of the builders that ran."""
    return tuple(name for name in buildkitd.names() if buildkitd.stop(name))


def driver_of(told: str) -> str | None:
    """Return the driver from what ``docker buildx inspect`` prints; pure."""
    found = re.search(r"^Driver:\s+(\S+)", told, re.MULTILINE)
    return found.group(1) if found else None


def _driver(name: str) -> str | None:
    done = process.run("docker", "buildx", "inspect", name, timeout=_ASK_SECONDS)
    return driver_of(done.stdout) if done.ok else None


def _bootstraps(name: str) -> bool:
    try:
        return process.run("docker", "buildx", "inspect", "--bootstrap", name, timeout=_CREATE_SECONDS).ok
    except EngineError:  # out of time
        return False


def _in_container(name: str) -> str | None:
    """Create the builder in a container; return None when it runs, else why not, with nothing left behind."""
    # On the host's network a registry on the loopback is the same to builder and host.
    create = ("docker", "buildx", "create", "--name", name, "--driver", _IN_CONTAINER, "--driver-opt", "network=host")
    try:
        done = process.run(*create, "--bootstrap", timeout=_CREATE_SECONDS)
        reason = None if done.ok else done.last_line.removeprefix("ERROR: ")
    except EngineError as error:
        reason = error.args[0].partition("\n")[0].removeprefix("error: ")
    if reason is not None:
        process.run("docker", "buildx", "rm", "--force", name, timeout=_ASK_SECONDS)
    return reason


def _stand_alone(name: str, refusal: str) -> None:
    if not packages.can_install():
        raise EngineError(
            f"builder {name}: BuildKit's image cannot be had: {refusal}",
            hint="let the engine reach Docker Hub, or be root on Debian or Ubuntu, where BuildKit can be built",
        )
    buildkitd.ensure_started(name)
    _connect(name)


def _connect(name: str) -> None:
    """Let buildx know the stand-alone daemon of that name."""
    address = f"unix://{buildkitd.socket(name)}"
    process.check("docker", "buildx", "create", "--name", name, "--driver", _REMOTE, address, timeout=_ASK_SECONDS)
    if not _bootstraps(name):
        log = buildkitd.log(name)
        raise EngineError(f"builder {name} does not answer: {private.last_words(log)}", hint=tail(log))


def _recorded() -> dict[str, str]:
    return {name: str(owner) for name, owner in files.read_json(_record()).items()}


def _record_owner(name: str, project: str) -> None:
    files.write_json(_record(), {**_recorded(), name: project})


def _record() -> Path:
    return cache.home() / "builders.json"
