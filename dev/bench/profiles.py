"""What the incremental profile of local builds costs: the binary's size, and processor time a request."""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .ground import RUST_SERVICE, Ground
from .ways import built

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

REQUESTS = 20_000
WARM_UP = 1_000
ROUNDS = 3
PATH = "/metrics"  # which the service computes and writes out anew for each request
_PORT = 9001
_BINARY = f"/usr/local/bin/{RUST_SERVICE}"


@dataclass(frozen=True, slots=True)
class Cost:
    """One profile's binary."""

    profile: str
    size: int
    """Bytes of the binary."""
    microseconds: float
    """Processor time of the service a request, the least of the rounds."""


def costs(place: Ground) -> list[Cost]:
    """Build the service in each profile, ask it thousands of times, and return what that cost.

    Raises BenchError when a build fails.
    """
    import docker

    client = docker.from_env()
    found = []
    for profile in ("release", "local"):
        image = built(place, RUST_SERVICE, {"PROFILE": profile})
        with _running(client, image) as container:
            # Rounds: whatever else the machine does can only add.
            times = [_round(container) for _ in range(ROUNDS)]
            found.append(Cost(profile, _size(container), min(times)))
    return found


@contextmanager
def _running(client: "DockerClient", image: str) -> Iterator["Container"]:
    container = client.containers.run(image, detach=True, ports={f"{_PORT}/tcp": ("127.0.0.1", 0)})
    try:
        container.reload()
        _ask(container, WARM_UP)
        yield container
    finally:
        container.remove(force=True)


def _round(container: "Container") -> float:
    before = _processor_time(container)
    _ask(container, REQUESTS)
    return (_processor_time(container) - before) / 1000 / REQUESTS


def _processor_time(container: "Container") -> int:
    """Return nanoseconds of all its processes, as the engine counts them."""
    told: Any = container.stats(stream=False)
    return int(told["cpu_stats"]["cpu_usage"]["total_usage"])


def _size(container: "Container") -> int:
    status: Any = container.get_archive(_BINARY)[1]
    return int(status["size"])


def _ask(container: "Container", count: int) -> None:
    ports: Any = container.ports
    port = int(ports[f"{_PORT}/tcp"][0]["HostPort"])
    end = time.monotonic() + 30
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            for _ in range(count):
                connection.request("GET", PATH)
                connection.getresponse().read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            connection.close()
            return
