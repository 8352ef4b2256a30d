"""Whether the engine that ``docker`` would talk to answers, and what it is."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

USUAL_SOCKET = Path("/var/run/docker.sock")
_SECONDS = 5.0
_NO_IMAGE = "container-tasks/none"  # asked for by its exact name, which is quick in a store of any size
_SNAPSHOTTER = "io.containerd.snapshotter.v1"  # in `docker info`, with the containerd image store


class Reach(StrEnum):
    """How far a look got."""

    ANSWERS = "answers"
    ABSENT = "there is no socket"
    REFUSED = "nobody listens on the socket"
    DENIED = "permission denied"
    FAILED = "it does not answer as an engine does"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What a look at an engine found."""

    endpoint: str
    reach: Reach
    detail: str = ""
    version: str = ""
    data: Path | None = None
    """Where it keeps images, on its own machine."""
    containerd_store: bool = False
    """Whether its image store holds images of several platforms."""
    id: str = ""
    ahead: float = 0.0
    """Seconds by which its clock is ahead of this machine's."""

    @property
    def socket(self) -> Path | None:
        """The unix socket it is asked on, if it is one."""
        return Path(self.endpoint.removeprefix("unix://")) if self.endpoint.startswith("unix://") else None

    @property
    def answers(self) -> bool:
        """Whether it can be used."""
        return self.reach is Reach.ANSWERS


def look(socket: Path | None = None) -> Engine:
    """Ask the engine on ``socket``, or the one that DOCKER_HOST or the current context names."""
    import docker
    from docker.errors import DockerException

    place = f"unix://{socket}" if socket else endpoint()
    try:
        client = (
            docker.DockerClient(base_url=place, timeout=int(_SECONDS))
            if socket
            else docker.from_env(timeout=int(_SECONDS))
        )
        with closing(client):
            about, asked = client.info(), datetime.now(UTC)
            # An engine whose containerd is gone still tells of itself; it cannot tell of images.
            client.api.images(filters={"reference": [_NO_IMAGE]})
    except (DockerException, OSError, ValueError) as error:
        reach, detail = classify(error)
        return Engine(endpoint=place, reach=reach, detail=detail)
    return described(place, about, asked)


def endpoint() -> str:
    """Return the address that docker's client uses here: DOCKER_HOST, else the current context's."""
    host = os.environ.get("DOCKER_HOST")
    if host:
        return host
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        found = ContextAPI.get_current_context().Host
    except (DockerException, OSError, ValueError, AttributeError):
        found = None
    return str(found or f"unix://{USUAL_SOCKET}").replace("http+docker://localhost", f"unix://{USUAL_SOCKET}")


def described(place: str, about: dict[str, Any], asked: datetime | None = None) -> Engine:
    """Read what an engine says of itself (``GET /info``); ``asked`` is when."""
    status = about.get("DriverStatus") or []
    root = about.get("DockerRootDir")
    return Engine(
        endpoint=place,
        reach=Reach.ANSWERS,
        version=str(about.get("ServerVersion", "")),
        data=Path(root) if root else None,
        containerd_store=any(_SNAPSHOTTER in pair for pair in status),
        id=str(about.get("ID", "")),
        ahead=0.0 if asked is None else _ahead(str(about.get("SystemTime", "")), asked),
    )


def _ahead(told: str, asked: datetime) -> float:
    try:
        return (datetime.fromisoformat(told) - asked).total_seconds()
    except (ValueError, TypeError):  # no time, or none with a zone
        return 0.0


def classify(error: BaseException) -> tuple[Reach, str]:
    """Return what kept an engine from answering, from an exception of the docker SDK and what is inside it."""
    for inner in _inside(error):
        if isinstance(inner, OSError) and isinstance(inner.errno, int):
            text = os.strerror(inner.errno) if inner.errno > 0 else str(inner)
            match inner.errno:
                case errno.ENOENT:
                    return Reach.ABSENT, text
                case errno.ECONNREFUSED:
                    return Reach.REFUSED, text
                case errno.EACCES | errno.EPERM:
                    return Reach.DENIED, text
                case _:
                    return Reach.FAILED, text
    return Reach.FAILED, str(error).splitlines()[0] if str(error) else type(error).__name__


def _inside(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all it wraps, outermost first: urllib3 hides the cause among the arguments."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [item for item in current.args if isinstance(item, BaseException)]
        waiting += [item for item in (current.__cause__, current.__context__) if item is not None]
