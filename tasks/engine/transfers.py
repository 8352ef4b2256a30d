"""Pull images by digest through the engine's API, side by side; a registry that stops sending is given up."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any

from ..errors import EngineError
from ..printable import masked
from . import api

if TYPE_CHECKING:
    from docker import APIClient

PATIENCE = 30.0
"""Seconds without anything new, after which a pull is given up."""
UNPACKING = 300.0
"""The same, once all has been loaded: then the engine alone is at work."""
LEAST = 256 * 1024
"""Bytes that count as something new."""
_AT_ONCE = 4
_TICK = 1.0  # seconds between two looks at pulls that say nothing
_LOADED = frozenset({"Download complete", "Pull complete", "Already exists", "Extracting"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One image to pull."""

    repository: str
    digest: str
    platform: str


@dataclass(slots=True)
class Progress:
    """What a pull has come to, as the engine tells it."""

    _states: dict[str, str] = field(default_factory=dict)
    _bytes: dict[str, int] = field(default_factory=dict)
    _counted: int = 0

    def moved(self, event: Mapping[str, Any]) -> bool:
        """Take one of the engine's events, and return whether it brings anything new."""
        layer, state = str(event.get("id", "")), str(event.get("status", ""))
        self._bytes[layer] = max(self._bytes.get(layer, 0), (event.get("progressDetail") or {}).get("current") or 0)
        loaded = sum(self._bytes.values())
        new = self._states.get(layer) != state or loaded >= self._counted + LEAST
        self._states[layer] = state
        if new:
            self._counted = loaded
        return new

    @property
    def patience(self) -> float:
        """Seconds to wait for something new."""
        layers = [state for layer, state in self._states.items() if layer and not state.startswith("Pulling from")]
        return UNPACKING if layers and _LOADED.issuperset(layers) else PATIENCE


@dataclass(frozen=True, slots=True)
class End:
    """How the pull of a service's images ended."""

    problem: str
    """Why it was not possible; empty where it was."""
    seconds: float


@dataclass(slots=True)
class _Pull:
    """The images of one service, while they are pulled."""

    images: Sequence[Wanted]
    problem: str = ""
    began: float = 0.0
    progress: Progress = field(default_factory=Progress)
    moved: float | None = None
    """When something new came last; None before it began."""

    def run(self, places: Semaphore) -> None:
        try:
            with places, contextlib.closing(api.client()) as client, api.translated():
                self.began = time.monotonic()
                for image in self.images:
                    self._pull(client, image)
        except EngineError as error:
            self.problem = str(error).partition("\n")[0].removeprefix("error: ")
        except Exception as error:  # noqa: BLE001 - whatever a credential helper does: a build goes without it
            self.problem = masked(str(error)) or type(error).__name__

    def _pull(self, client: "APIClient", image: Wanted) -> None:
        self.progress, self.moved = Progress(), time.monotonic()
        # A generator that is left before its end closes the connection, and the engine ends the pull.
        for event in client.pull(image.repository, image.digest, stream=True, decode=True, platform=image.platform):
            if "error" in event:
                raise EngineError(str(event["error"]))
            if self.progress.moved(event):
                self.moved = time.monotonic()
            elif self.stalled(time.monotonic()):
                raise EngineError(self.silence)

    def end(self) -> End:
        return End(self.problem, time.monotonic() - self.began)

    def stalled(self, now: float) -> bool:
        return self.moved is not None and now - self.moved > self.progress.patience

    @property
    def silence(self) -> str:
        return f"nothing came for {self.progress.patience:g} s"


def pull(wanted: Mapping[str, Sequence[Wanted]]) -> Mapping[str, End]:
    """Pull each service's images, and return by service how that ended.

    The engine logs in with what the docker client's file says.
    """
    places, ends = Semaphore(_AT_ONCE), SimpleQueue[str]()
    pulls = {service: _Pull(images) for service, images in wanted.items()}

    def run(service: str) -> None:
        pulls[service].run(places)
        ends.put(service)

    for service in pulls:
        # A daemon: an engine that never hangs up must not keep this process.
        Thread(target=run, args=(service,), daemon=True).start()
    found: dict[str, End] = {}
    while len(found) < len(pulls):
        with contextlib.suppress(Empty):
            service = ends.get(timeout=_TICK)
            found.setdefault(service, pulls[service].end())
        # The older image store says nothing while it waits: its pull is left to itself. The newer one goes on
        # saying the same, and its pull ends above: it holds locks that a build of the same layers waits for.
        for service, one in pulls.items():
            if service not in found and one.stalled(time.monotonic() - _TICK):
                found[service] = replace(one.end(), problem=one.silence)
                places.release()
    return {service: found[service] for service in pulls}
