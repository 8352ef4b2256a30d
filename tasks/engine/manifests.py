"""What a registry has, without a pull: buildx reads manifests and configurations, with everybody's login."""

import json
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..errors import EngineError
from ..plan.evidence import Base, Unknown
from . import buildx, process

if TYPE_CHECKING:
    from docker import APIClient

    from ..plan.platforms import Platform

_SECONDS = 15.0


class Manifests:
    """Images elsewhere, each asked for once."""

    def __init__(self, api: "APIClient", native: "Platform") -> None:
        """Take an open client of the engine, which may have the image itself, and its platform."""
        self._api, self._native = api, native
        self._known: dict[tuple[str, ...], Any] = {}
        self._lock = Lock()

    def base(self, reference: str, platform: "Platform", *, name: str) -> Base | Unknown:
        """Return what an image has for those that stand on it: from this engine's store, else from its registry."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        if platform == self._native:
            try:
                found = self._api.inspect_image(reference)  # type: ignore[no-untyped-call]
                if found.get("Architecture") == platform.arch:
                    return Base(name=name, layers=tuple(found["RootFS"]["Layers"]), ports=_ports(found.get("Config")))
            except (DockerException, RequestException, KeyError):
                pass
        image = self._asked("--format", "{{json .Image}}", reference)
        if isinstance(image, Unknown):
            return image
        one = image.get(str(platform)) or image
        if one.get("architecture") != platform.arch:
            return Unknown(reason=f"{reference} is not for {platform}")
        layers = tuple(str(digest) for digest in one.get("rootfs", {}).get("diff_ids") or ())
        return Base(name=name, layers=layers, ports=_ports(one.get("config")))

    def sizes(self, reference: str, platform: "Platform") -> tuple[int, ...] | Unknown:
        """Return the bytes of an image's layers as its registry has them."""
        manifest = self._asked("--raw", reference)
        if isinstance(manifest, Unknown):
            return manifest
        if "manifests" in manifest:
            digest = _of_platform(manifest, platform)
            if digest is None:
                return Unknown(reason=f"{reference} is published, and not for {platform}")
            manifest = self._asked("--raw", f"{reference.rpartition(':')[0]}@{digest}")
            if isinstance(manifest, Unknown):
                return manifest
        return tuple(int(layer["size"]) for layer in manifest.get("layers") or ())

    def _asked(self, *words: str) -> Any:  # noqa: ANN401 - JSON, or Unknown
        with self._lock:  # services share their bases: one asks, the others wait for the answer
            if words not in self._known:
                self._known[words] = _ask(*words)
            return self._known[words]


def _ports(configuration: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple((configuration or {}).get("ExposedPorts") or ())


def _ask(*words: str) -> Mapping[str, Any] | Unknown:
    reference = words[-1]
    try:
        done = process.run(*buildx.command(), "imagetools", "inspect", *words, timeout=_SECONDS)
    except EngineError as error:
        return Unknown(reason=f"{reference} cannot be looked up: {str(error).removeprefix('error: ').splitlines()[0]}")
    if not done.ok:
        host, why = reference.partition("/")[0], done.last_line.rpartition(": ")[2]
        return Unknown(reason=f"{host} does not show it: {why}")
    try:
        content = json.loads(done.stdout)
    except ValueError:
        content = None
    return content if isinstance(content, dict) else Unknown(reason=f"the registry's answer for {reference} is no JSON")


def _of_platform(index: Mapping[str, Any], platform: "Platform") -> str | None:
    for descriptor in index["manifests"]:
        place = descriptor.get("platform") or {}
        if f"{place.get('os')}/{place.get('architecture')}" == platform:
            return str(descriptor["digest"])
    return None
