"""The engine's containers, through the docker SDK: make, watch, listen to and remove them."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, VerifyError
from ..plan.conditions import Condition, Exit, Health, probing
from ..plan.loglines import lines
from ..plan.running import HOST, RUN_LABEL, Container, Launch
from ..plan.targets import PROJECT_LABEL, SERVICE_LABEL
from .api import translated

if TYPE_CHECKING:
    from docker import APIClient

GRACE = 10  # seconds that a container has to end by itself
# What a developer's log may take on the engine's disk, and a driver that every engine can read back.
_LOG = {"type": "json-file", "config": {"max-size": "10m", "max-file": "3"}}
_CONFLICT = 409
_PORT_TAKEN = ("already allocated", "address already in use")


class Containers:
    """The containers of one engine."""

    def __init__(self, api: "APIClient") -> None:
        """Take an open client; ``api.client`` makes one."""
        self._api = api

    def found(self) -> tuple[Container, ...]:
        """Return every container, whoever made it, running or not."""
        with translated():
            listed = self._api.containers(all=True)
        return tuple(_container(entry) for entry in listed)

    def create(self, launch: Launch) -> str:
        """Make a container, shut in as far as a service can be, and return its id.

        Nothing can be written but what is mounted or in memory, no capability is left and none can be had
        back, the engine does not start it again, and its port is open to this machine alone.

        Raises ConfigError when its name has been taken meanwhile.
        """
        from docker.errors import APIError

        config = self._config(launch)
        with translated():
            try:
                made = self._api.create_container_from_config(config, launch.name)  # type: ignore[no-untyped-call]
            except APIError as error:
                if error.status_code == _CONFLICT:
                    raise ConfigError(
                        f"{launch.service}: the name {launch.name} was taken while this run began",
                        hint="does another container-run start? inv container-stop ends it",
                    ) from error
                raise
        return str(made["Id"])

    def _config(self, launch: Launch) -> dict[str, Any]:
        port = launch.port
        with translated():
            image = self._api.inspect_image(launch.image)  # type: ignore[no-untyped-call]
            host = self._api.create_host_config(
                read_only=True,
                # Whoever the service runs as may write there; what the image has in the folder is hidden.
                tmpfs=dict.fromkeys(launch.tmpfs, "mode=1777"),
                mem_limit=launch.memory,
                memswap_limit=launch.memory,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                port_bindings=None if port is None else {port: (HOST, launch.published)},
                log_config=_LOG,  # type: ignore[arg-type]  # the SDK takes its own words as a dict, too
            )
            config: dict[str, Any] = self._api.create_container_config(
                launch.image,
                None,  # type: ignore[arg-type]  # the image's own command
                ports=None if port is None else [port],
                environment=dict(launch.env),
                labels={PROJECT_LABEL: launch.project, SERVICE_LABEL: launch.service, RUN_LABEL: launch.project},
                host_config=host,
            )
        # The SDK's own words for a health check have no interval for the start.
        config["Healthcheck"] = probing((image.get("Config") or {}).get("Healthcheck"))
        return config

    def start(self, launch: Launch, container: str) -> None:
        """Start a container.

        Raises ConfigError when its port has been taken, and VerifyError when it cannot run.
        """
        from docker.errors import APIError

        with translated():
            try:
                self._api.start(container)
            except APIError as error:
                reason = str(error.explanation or error)
                if any(words in reason for words in _PORT_TAKEN):
                    raise ConfigError(
                        f"{launch.service}: port {launch.published} of the engine's machine is taken",
                        hint="docker ps shows which container has it; on a remote engine, look there",
                    ) from error
                if error.is_client_error() or "OCI runtime" in reason:
                    raise VerifyError(
                        f"{launch.service} does not start: {reason}",
                        hint=f"see CMD and ENTRYPOINT of its Dockerfile; the image is {launch.image}",
                    ) from error
                raise

    def condition(self, service: str, container: str) -> Condition:
        """Return how a container is."""
        from docker.errors import NotFound

        with translated():
            try:
                state: Mapping[str, Any] = self._api.inspect_container(container)["State"]
            except NotFound:
                return Condition(service=service, exit=Exit(code=None))
        return _condition(service, state)

    def output(self, container: str) -> Iterator[str]:
        """Yield the lines that a container has written and writes, until it ends or the engine hangs up."""
        import struct

        from docker.errors import NotFound
        from urllib3.exceptions import HTTPError

        # What breaks inside the stream comes as it is, from below the SDK; why, the next question to the engine tells.
        with translated(), contextlib.suppress(NotFound, HTTPError, struct.error):
            yield from lines(self._api.logs(container, stream=True, follow=True))

    def last_lines(self, container: str, count: int) -> tuple[str, ...]:
        """Return the last lines that a container has written."""
        from docker.errors import NotFound

        with translated():
            try:
                return tuple(lines([self._api.logs(container, tail=count)]))
            except NotFound:
                return ()

    def wait(self, container: str) -> None:
        """Wait until a container does not run any more."""
        from docker.errors import NotFound

        with translated(), contextlib.suppress(NotFound):
            self._api.wait(container)

    def stop(self, container: str) -> None:
        """Ask a container to end, give it GRACE, then remove it with what is its own; nothing when it is gone."""
        from docker.errors import NotFound

        with translated(), contextlib.suppress(NotFound):
            self._api.stop(container, timeout=GRACE)
        self.remove(container)

    def kill(self, container: str) -> None:
        """End a container at once; nothing when it does not run."""
        from docker.errors import APIError

        with translated(), contextlib.suppress(APIError):
            self._api.kill(container)

    def remove(self, container: str) -> None:
        """Remove a container and its nameless volumes; nothing when it is gone or about to go."""
        from docker.errors import APIError, NotFound

        with translated(), contextlib.suppress(NotFound):
            try:
                self._api.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code != _CONFLICT:  # "removal … is already in progress"
                    raise


def _container(entry: Mapping[str, Any]) -> Container:
    return Container(
        id=entry["Id"],
        name=(entry.get("Names") or ["/?"])[0].lstrip("/"),
        image=entry.get("Image") or "?",
        labels=entry.get("Labels") or {},
        published=tuple(
            (port.get("IP") or "", int(port["PublicPort"]))
            for port in entry.get("Ports") or ()
            if port.get("PublicPort") and port.get("Type") == "tcp"
        ),
        ended=entry.get("State") in {"exited", "dead"},
    )


def _condition(service: str, state: Mapping[str, Any]) -> Condition:
    health = state.get("Health") or {}
    log = health.get("Log") or ()
    return Condition(
        service=service,
        health=Health(health.get("Status") or Health.NONE),
        exit=_exit(state),
        probe=" ".join(str(log[-1].get("Output") or "").split()) if log else "",
    )


def _exit(state: Mapping[str, Any]) -> Exit | None:
    match state.get("Status"):
        case "removing":
            return Exit(code=None)
        case "exited" | "dead":
            return Exit(code=int(state["ExitCode"]), out_of_memory=bool(state.get("OOMKilled")))
        case _:
            return None
