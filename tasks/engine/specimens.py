"""Containers for a verification: shut in as strictly as a cluster can, in a network that has only its loopback.

The network belongs to a container of its own, as in a pod: it stays while the image under
test is killed and started again, and its program carries requests in. It needs an image of
this store that has ``sleep`` and a cable (see ``relay``); nothing is pulled for it.
"""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..errors import EngineError
from ..plan.conditions import Health
from ..plan.evidence import Image, Subject
from .api import translated
from .relay import CABLES, Relay

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types import HostConfig

    from ..plan.platforms import Platform

VERIFY_LABEL = "container-tasks.verify"
"""On the containers alone, with the checkout as its value."""
MEMORY = 64_000_000  # bytes, where a service says nothing else
_LONGEST = 300  # letters of a line that are told: a whole log may be one
_SECOND = 1_000_000_000  # in the engine's words
_LOOK = 300_000_000
_PROBE = 5 * _SECOND  # what one look at its health may take
_LIFE = 900  # seconds after which a network that nobody ended goes away by itself
_ALONE = "none"
_LOW_PORTS = "net.ipv4.ip_unprivileged_port_start"
_MOST = 12  # images that are tried for a cable
_LIKELY = ("busybox", "alpine", "debian", "ubuntu")


def mark_of(project: str, root: Path) -> str:
    """Return what tells a checkout's containers from those of others; pure."""
    return f"{project}-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a specimen is at one moment."""

    running: bool
    code: int | None = None
    out_of_memory: bool = False
    health: Health = Health.NONE
    probe: str = ""


class Specimens:
    """Every container of one verification; none outlives it."""

    def __init__(self, api: "APIClient", mark: str, native: "Platform") -> None:
        """``mark`` tells the containers of this checkout from those of others."""
        self.api, self.mark, self._native = api, mark, native
        self._ids: list[str] = []
        self._over = False
        self._lock = Lock()
        self._choosing = Lock()
        self._cable: tuple[str, tuple[str, ...], str | None] | None = None
        self._chosen = False

    def clear(self) -> None:
        """Remove what a run that was killed has left."""
        with translated():
            for one in self.api.containers(all=True, filters={"label": f"{VERIFY_LABEL}={self.mark}"}):
                self.remove(one["Id"])

    def close(self) -> None:
        """Remove all containers, and make no more."""
        with self._lock:
            self._over, ids = True, list(self._ids)
        if ids:
            with ThreadPoolExecutor(len(ids)) as pool:
                list(pool.map(self.remove, ids))

    def network(self, images: Sequence[str]) -> "Network":
        """Return a new network; the first of ``images`` or of the whole store that can, carries requests into it."""
        with self._choosing:
            if not self._chosen:
                self._cable, self._chosen = self._choose(images), True
            elif self._cable is not None:
                self._cable = self._cable[0], self._cable[1], self._hold(self._cable[0])
            cable = self._cable
        if cable is None:
            return Network(self, _ALONE, None)
        image, words, holder = cable
        if holder is None:
            raise EngineError(f"{image} does not start any more", hint="docker info; docker ps -a")
        return Network(self, f"container:{holder}", Relay(self.api, holder, words))

    def _choose(self, images: Sequence[str]) -> tuple[str, tuple[str, ...], str] | None:
        """Return an image with a cable, the cable, and a container of it that runs."""
        with translated():
            stored = [tag for image in self.api.images() for tag in image.get("RepoTags") or ()]
        likely = [tag for tag in stored if any(word in tag for word in _LIKELY)]
        candidates = dict.fromkeys([*images, *likely, *(tag for tag in stored if "<none>" not in tag)])
        for image in list(candidates)[:_MOST]:
            holder = self._hold(image)
            for words in CABLES if holder is not None else ():
                if holder is not None and Relay(self.api, holder, words).works():
                    return image, words, holder
        return None

    def _hold(self, image: str) -> str | None:
        """Start a container that does nothing in a network of its own; None where the image cannot."""
        from docker.errors import APIError, ImageNotFound, NotFound

        with translated():
            host = self.host(network=_ALONE, memory=MEMORY, tmpfs=(), passing=True)
            config = self.api.create_container_config(
                image,
                [str(_LIFE)],
                entrypoint=["sleep"],
                labels={VERIFY_LABEL: self.mark},
                user="65534:65534",
                host_config=host,
            )
            config["Healthcheck"] = {"Test": ["NONE"]}
            try:
                holder = self.create(config, self._native)
                self.api.start(holder)
            except (ImageNotFound, NotFound):  # not for this platform, or gone meanwhile
                return None
            except APIError as error:
                if error.is_client_error() or "OCI runtime" in str(error.explanation):
                    return None  # it has no sleep
                raise
        return holder

    def host(
        self,
        *,
        network: str,
        memory: int,
        tmpfs: Sequence[str],
        passing: bool = False,
        volumes_from: Sequence[str] = (),
    ) -> "HostConfig":
        """Return how a container is shut in, in the engine's words."""
        return self.api.create_host_config(
            read_only=True,
            tmpfs=dict.fromkeys(tmpfs, "mode=1777"),
            mem_limit=memory,
            memswap_limit=memory,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            network_mode=network,
            auto_remove=passing,
            volumes_from=list(volumes_from),
            # An engine lets anybody listen below 1024; a cluster asks for a capability.
            sysctls={_LOW_PORTS: "1024"} if network == _ALONE else None,
            log_config={"type": "json-file", "config": {"max-size": "1m", "max-file": "2"}},  # type: ignore[arg-type]
        )

    def create(self, config: Mapping[str, Any], platform: "Platform") -> str:
        """Make a container and return its id.

        Raises EngineError once all have been removed.
        """
        with self._lock:  # nothing is made once all has been removed
            if self._over:
                raise EngineError("the verification is over")
            made = self.api.create_container_from_config(config, None, str(platform))  # type: ignore[no-untyped-call]
            container = str(made["Id"])
            self._ids.append(container)
        return container

    def remove(self, container: str) -> None:
        """End a container and remove it with what is its own; nothing when it is gone."""
        from docker.errors import APIError, NotFound

        with translated(), contextlib.suppress(NotFound):
            try:
                self.api.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code != 409:  # noqa: PLR2004 - "removal … is already in progress"
                    raise
        with self._lock, contextlib.suppress(ValueError):
            self._ids.remove(container)


class Network:
    """A loopback that specimens share, one after the other."""

    def __init__(self, specimens: Specimens, mode: str, relay: Relay | None) -> None:
        """Take the engine's words for it, and what carries requests in."""
        self._specimens, self._mode = specimens, mode
        self.relay = relay

    def specimen(self, subject: Subject, image: Image, user: str, *, after: "Specimen | None" = None) -> "Specimen":
        """Make a container of an image, as a cluster would; it does not run yet.

        ``after``: another one whose volumes it gets, as a pod's container that is started again.
        """
        return Specimen(self._specimens, subject, image, user, self._mode, after)


class Specimen:
    """One container of an image under test."""

    def __init__(  # noqa: PLR0913, PLR0917 - made by Network alone
        self,
        specimens: Specimens,
        subject: Subject,
        image: Image,
        user: str,
        network: str,
        after: "Specimen | None",
    ) -> None:
        """Create it."""
        from docker.errors import APIError

        self._api = specimens.api
        self.id, self._refused = "", ""
        with translated():
            config: dict[str, Any] = self._api.create_container_config(
                subject.reference,
                None,  # type: ignore[arg-type]  # the image's own command
                environment=dict(subject.env),
                labels={VERIFY_LABEL: specimens.mark},
                user=user,
                host_config=specimens.host(
                    network=network,
                    memory=subject.memory or MEMORY,
                    tmpfs=tuple(dict.fromkeys(["/tmp", *subject.tmpfs])),  # noqa: S108 - the container's own
                    volumes_from=[after.id] if after is not None and after.id else [],
                ),
            )
            if image.health_test:
                config["Healthcheck"] = {
                    "Interval": _SECOND,
                    "Timeout": _PROBE,
                    "StartPeriod": 3600 * _SECOND,  # until it is healthy for the first time
                    "StartInterval": _LOOK,
                    "Retries": 1,
                }
            try:
                self.id = specimens.create(config, subject.platform)
            except APIError as error:  # an image without any command, for one
                if not error.is_client_error():
                    raise
                self._refused = str(error.explanation or error)

    def start(self) -> str:
        """Start it, and return why the engine could not; empty text when it could."""
        from docker.errors import APIError

        if self._refused:
            return f"does not start: {self._refused}"
        with translated():
            try:
                self._api.start(self.id)
            except APIError as error:
                reason = str(error.explanation or error)
                if error.is_client_error() or "OCI runtime" in reason:
                    return f"does not start: {reason}"
                raise
        return ""

    def started(self) -> int:
        """Return how many processes its first one has started that still run; 0 where the engine cannot tell."""
        from docker.errors import DockerException

        try:
            first = str(self._api.inspect_container(self.id)["State"]["Pid"])
            told = self._api.top(self.id, "-eo pid,ppid")
            return sum(row[1] == first for row in told["Processes"] or ())
        except (DockerException, OSError, LookupError, TypeError):
            return 0

    def seen(self) -> Seen:
        """Return how it is."""
        with translated():
            state: Mapping[str, Any] = self._api.inspect_container(self.id)["State"]
        health = state.get("Health") or {}
        log = health.get("Log") or ()
        return Seen(
            running=bool(state.get("Running")),
            code=state.get("ExitCode"),
            out_of_memory=bool(state.get("OOMKilled")),
            health=Health(health.get("Status") or Health.NONE),
            probe=" ".join(str(log[-1].get("Output") or "").split()) if log else "",
        )

    def signal(self, name: str) -> None:
        """Send a signal to its first process; nothing when it does not run."""
        from docker.errors import APIError

        if self._refused:
            return
        with translated():
            try:
                self._api.kill(self.id, name)
            except APIError as error:
                if error.status_code != 409:  # noqa: PLR2004 - "is not running"
                    raise

    def last_lines(self, count: int) -> tuple[str, ...]:
        """Return the last that it wrote."""
        from ..plan.loglines import lines

        with translated():
            written = lines([self._api.logs(self.id, tail=count)])
            return tuple(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in written)
