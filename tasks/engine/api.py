"""The engine's API, through the docker SDK: what it is, what it holds, what may go."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import EngineError
from ..plan.fingerprint import FINGERPRINT_LABEL
from ..plan.freshness import Stored
from ..plan.outcomes import Content, Layer
from ..plan.platforms import Platform, of_machine
from ..plan.targets import PLATFORMS_LABEL
from . import client_file, quick
from .machine import reach

if TYPE_CHECKING:
    from docker import APIClient

    from ..plan.cleaning import CacheRecord, Image

_MOUNT_ID = 'with id "/'
_TIMEOUT = 120  # seconds


class Engine:
    """A connection to the engine that the docker command line would use."""

    def __init__(self, api: "APIClient | None" = None, arch: str = "", socket: quick.Socket | None = None) -> None:
        """Take an open client, or the socket that answers until one is needed, and the processor that it named."""
        self._client = api
        self._arch = arch
        self._socket = socket
        self._told: Mapping[str, Any] | None = None

    @property
    def _api(self) -> "APIClient":
        if self._client is None:
            self._client = client()
        return self._client

    def native(self) -> Platform:
        """Return the platform that runs there without emulation."""
        return of_machine(self._arch)

    def holds_several_platforms(self) -> bool:
        """Whether its image store keeps an image's platforms apart: the containerd store does."""
        status = self._info().get("DriverStatus") or []
        return any("io.containerd.snapshotter" in str(value) for _, value in status)

    def data_root(self) -> str:
        """Return the folder that it keeps everything in, on its own machine."""
        return str(self._info().get("DockerRootDir", ""))

    def _info(self) -> Mapping[str, Any]:
        if self._told is None and self._socket is not None:
            with contextlib.suppress(quick.UnansweredError):
                self._told = self._socket.info()
        if self._told is None:
            with translated():
                self._told = self._api.info()
        return self._told

    def content(self, reference: str) -> Content | None:
        """Return what is in an image; None when it is not there.

        Unpacked, layer by layer, for the engine's own platform; of another one alone only its size, as it is stored.
        """
        history = self._history(reference)
        if history is None:
            found = self._images([reference])
            return Content(int(found[0]["Size"])) if found else None
        layers = tuple(Layer(str(one.get("CreatedBy") or ""), int(one["Size"])) for one in reversed(history))
        return Content(sum(layer.size for layer in layers), tuple(layer for layer in layers if layer.size))

    def _history(self, reference: str) -> Sequence[Mapping[str, Any]] | None:
        if self._socket is not None:
            with contextlib.suppress(quick.UnansweredError):
                return self._socket.history(reference)
        from docker.errors import NotFound

        with translated(), contextlib.suppress(NotFound):
            found: Sequence[Mapping[str, Any]] = self._api.history(reference)  # type: ignore[no-untyped-call]
            return found
        return None

    def _image(self, reference: str) -> Mapping[str, Any] | None:
        """Return what the engine says of an image; None when it is not there."""
        if self._socket is not None:
            with contextlib.suppress(quick.UnansweredError):
                return self._socket.image(reference)
        from docker.errors import NotFound

        with translated(), contextlib.suppress(NotFound):
            found: Mapping[str, Any] = self._api.inspect_image(reference)  # type: ignore[no-untyped-call]
            return found
        return None

    def stored(self, references: Sequence[str]) -> Mapping[str, Stored]:
        """Return the images that are there, by reference: one call, exact references.

        One more for each image that says by its fingerprint who made it, and not for which
        platforms: it was pushed or pulled, and of an index the engine may have one platform alone.
        """
        if not references:  # no filter is all images
            return {}
        return {
            reference: stored
            for image in self._images(references)
            for stored in [self._stored(image["Id"], image.get("Labels") or {})]
            for reference in image.get("RepoTags") or ()
            if reference in references
        }

    def _images(self, references: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        if self._socket is not None:
            with contextlib.suppress(quick.UnansweredError):
                return self._socket.images(references)
        with translated():
            found: Sequence[Mapping[str, Any]] = self._api.images(filters={"reference": list(references)})
        return found

    def _stored(self, image: str, labels: Mapping[str, str]) -> Stored:
        platforms = labels.get(PLATFORMS_LABEL)
        if platforms is None and FINGERPRINT_LABEL in labels:
            there = self.inspected(image)
            return Stored(image, labels) if there is None else there
        return Stored(image, labels, platforms)

    def inspected(self, reference: str) -> Stored | None:
        """Return an image with the one platform that the engine would run of it; None when it is not there."""
        found = self._image(reference)
        if found is None:
            return None
        labels = (found.get("Config") or {}).get("Labels") or {}
        return Stored(found["Id"], labels, f"{found.get('Os')}/{found.get('Architecture')}")

    def tcp_ports(self, reference: str) -> tuple[int, ...]:
        """Return the TCP ports that an image says it listens on, in order; none when it is not there."""
        found = self._image(reference) or {}
        exposed = (one.partition("/") for one in (found.get("Config") or {}).get("ExposedPorts") or ())
        return tuple(sorted(int(port) for port, _, protocol in exposed if protocol in {"", "tcp"} and port.isdecimal()))

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more reference."""
        repository, _, tag = reference.rpartition(":")
        with translated():
            self._api.tag(image, repository, tag)

    def images_labelled(self, label: str, value: str) -> "tuple[Image, ...]":
        """Return the images that carry a label, untagged ones too, with the containers that use them."""
        from ..plan.cleaning import Image

        users: dict[str, list[str]] = {}
        with translated():
            found = self._api.images(filters={"label": [f"{label}={value}"]})
            for container in self._api.containers(all=True) if found else ():
                name = (container.get("Names") or ["?"])[0].lstrip("/")
                users.setdefault(container["ImageID"], []).append(name)
        return tuple(
            Image(
                id=image["Id"],
                references=tuple(image.get("RepoTags") or ()),
                size=image["Size"],
                labels=image.get("Labels") or {},
                used_by=tuple(users.get(image["Id"], ())),
            )
            for image in found
        )

    def remove_image(self, reference: str) -> None:
        """Remove a tag, and the image with its last one; nothing when it is gone already."""
        from docker.errors import NotFound

        with translated(), contextlib.suppress(NotFound):
            self._api.remove_image(reference, noprune=False)

    def forget(self, reference: str) -> None:
        """Remove an image that was only pulled to be looked at; nothing where it is not there, or is in use."""
        from docker.errors import APIError

        with contextlib.suppress(APIError):
            self._api.remove_image(reference)

    def cache_records(self) -> "tuple[CacheRecord, ...]":
        """Return the records of the engine's own build cache."""
        from ..plan.cleaning import CacheRecord

        return tuple(
            CacheRecord(
                id=record["ID"],
                size=record["Size"],
                mount_id=_mount_id(record),
                in_use=record["InUse"],
            )
            for record in self._build_cache()
        )

    def _build_cache(self) -> Sequence[Mapping[str, Any]]:
        """Return what GET /system/df says of it alone: to add up what images share takes the engine seconds."""
        with translated():
            api = self._api
            place = f"{api.base_url}/v{api.api_version}/system/df"  # the SDK's own call knows no type
            answer = api.get(place, params={"type": "build-cache"}, timeout=_TIMEOUT)
            told = answer.json() if answer.ok else api.df()
        return told.get("BuildCache") or ()

    def forget_steps(self, word: str) -> None:
        """Remove the records of steps of the engine's own builder that have a word in them."""
        # A step's result may stand on another's: those that came later go first.
        told = [record for record in self._build_cache() if word in str(record.get("Description", ""))]
        told.sort(key=lambda record: str(record.get("CreatedAt", "")), reverse=True)
        self.remove_cache([record["ID"] for record in told])

    def remove_cache(self, ids: Sequence[str]) -> int:
        """Remove cache records by id, each alone, and return the bytes that came free."""
        freed = 0
        with translated():
            for one in ids:
                # The SDK's stubs know neither the filter nor the answer of POST /build/prune.
                answer: Any = self._api.prune_builds(filters={"id": [one]}, all=True)  # type: ignore[arg-type]
                freed += answer.get("SpaceReclaimed") or 0
        return freed


def _mount_id(record: Mapping[str, Any]) -> str | None:
    if record.get("Type") != "exec.cachemount":
        return None
    # The API gives the id in the description alone: `… with id "/name"`.
    tail = str(record.get("Description", "")).rpartition(_MOUNT_ID)[2]
    return tail.rstrip('"')


def connect() -> Engine:
    """Return the engine that the docker command line would use: DOCKER_HOST, context or the usual socket.

    Raises EngineError when it is out of reach, with the reason.
    """
    socket = quick.engine(client_file.require())
    if socket is not None:
        with contextlib.suppress(quick.UnansweredError):
            return Engine(None, str(socket.version().get("Arch", "")), socket)
    api, version = _open()
    return Engine(api, str(version["Arch"]))


def client() -> "APIClient":
    """Return an open client of that engine, for a door that needs more of it.

    Raises EngineError when it is out of reach, with the reason.
    """
    return _open()[0]


def _open() -> "tuple[APIClient, Mapping[str, Any]]":
    import docker
    from docker.errors import DockerException

    client_file.require()
    try:
        api = docker.from_env(timeout=_TIMEOUT).api
        version: Mapping[str, Any] = api.version()
    except (DockerException, OSError) as error:
        raise _unreachable(error) from error
    except ValueError as error:
        host = client_file.unreadable_login()
        if host is not None:  # the SDK's own words name nothing
            raise EngineError(
                f"the docker client's file {client_file.path()} has a login for {host} that cannot be read",
                hint=f"docker logout {host}; then docker login {host}, if it is needed",
            ) from error
        raise _unreachable(error) from error
    return api, version


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what the docker SDK raises into EngineError, with what mends it."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise EngineError(
            f"the engine refused: {error.explanation or error}",
            hint="those are its own words; docker info shows whether it is well",
        ) from error
    except (DockerException, RequestException) as error:
        raise _unreachable(error) from error


def _unreachable(error: BaseException) -> EngineError:
    reached, detail = reach.classify(error)
    place = reach.endpoint()
    if reached is reach.Reach.DENIED:
        return EngineError(
            f"this user may not open the engine's socket ({place})",
            hint="inv container-doctor has the commands that let you in",
        )
    return EngineError(f"no engine answers at {place}: {detail}", hint="inv container-setup, or start Docker")
