"""A registry of our own on this machine's loopback, which holds the stand-in bases (Debian's docker-registry)."""

import http.client
import shutil
import socket
import time
from contextlib import closing
from pathlib import Path

from ...errors import EngineError
from ...plan.commands import tail
from .. import cache, process
from . import files, packages, private, processes

HOST = "127.0.0.1"
_USUAL_PORT = 5000
_SECONDS = 1.0  # an answer from this machine itself
_START_SECONDS = 15.0
_PAUSE = 0.05
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)


def folder() -> Path:
    """Return where its configuration, images and log lie."""
    return cache.home() / "registry"


def mark() -> processes.Mark:
    """Return what tells its process from other registries."""
    return processes.Mark(program="docker-registry", word=str(folder() / "config.yml"))


def port() -> int | None:
    """Return the port it was last started on."""
    found = files.read_json(folder() / "port.json").get("port")
    return found if isinstance(found, int) else None


def answers(number: int) -> bool:
    """Return whether a registry answers on that port of the loopback."""
    return _get("GET", number, "/v2/") == http.client.OK


def holds(number: int, name: str, digest: str) -> bool:
    """Return whether the registry on that port has the manifest ``digest`` of repository ``name``."""
    return _get("HEAD", number, f"/v2/{name}/manifests/{digest}") == http.client.OK


def ensure_started() -> tuple[int, bool]:
    """Start the registry and return its port, and whether it had to be started.

    Raises EngineError: its package could not be had, or it did not get up.
    """
    recorded = port()
    if processes.find(mark()):
        if recorded is not None and _wait(recorded):
            return recorded, False
        processes.stop(mark(), grace=5.0)
    root = packages.unpacked(packages.REGISTRY)
    number = recorded if recorded is not None and is_free(recorded) else _free_port()
    place = folder()
    # The file is YAML, of which JSON is a part.
    files.write_json(place / "config.yml", configuration(place, number))
    files.write_json(place / "port.json", {"port": number})
    log = place / "registry.log"
    private.set_aside(log)
    process.spawn_daemon(
        root / "usr/bin/docker-registry", "serve", place / "config.yml", log=log, drop=("REGISTRY_", "OTEL_")
    )
    if not _wait(number):
        raise EngineError(f"the loopback registry did not get up: {private.last_words(log)}", hint=tail(log))
    return number, True


def configuration(place: Path, number: int) -> dict[str, object]:
    """Return the registry's configuration; pure."""
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(place / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"{HOST}:{number}"},
    }


def stop() -> bool:
    """Stop it; what it holds stays. Return whether it ran."""
    return processes.stop(mark(), grace=5.0) > 0


def empty() -> None:
    """Stop it and delete all that it holds."""
    stop()
    shutil.rmtree(folder() / "data", ignore_errors=True)


def is_free(number: int) -> bool:
    """Return whether nobody listens on that port of the loopback."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError:
            return False
    return True


def _free_port() -> int:
    if is_free(_USUAL_PORT):
        return _USUAL_PORT
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(number: int) -> bool:
    begun = time.monotonic()
    while time.monotonic() - begun < _START_SECONDS:
        if answers(number):
            return True
        if not processes.find(mark()) and time.monotonic() - begun > 1:
            return False
        time.sleep(_PAUSE)
    return False


def _get(method: str, number: int, path: str) -> int | None:
    """Return the status of a request to the loopback, which no proxy is asked for."""
    with closing(http.client.HTTPConnection(HOST, number, timeout=_SECONDS)) as connection:
        try:
            connection.request(method, path, headers={"Accept": _MANIFESTS})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
