"""Notice that a build waits for a cache in vain: BuildKit itself waits for ever.

Held against BuildKit of engine 26.1.5 and 0.32: a registry that takes the connection and never answers stops the
import, the load of a layer and the export, each without an end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..plan.steps import CACHE_EXPORT, CACHE_IMPORT

LOADING = 30.0
"""Seconds without news of what is read."""
WRITING = 120.0
"""The same of what is written: of a layer that goes up BuildKit says nothing until it is there."""
LEAST = 256 * 1024
"""Bytes that are news."""
_BLOB = "sha256:"
_PUSH = "pushing "


@dataclass(slots=True)
class _Wait:
    what: str
    patience: float
    since: float
    current: int = 0


def is_push(reason: str) -> bool:
    """Whether what is waited for in vain is a push."""
    return reason.startswith(_PUSH)


@dataclass(slots=True)
class Stalls:
    """What a build waits for, of all that may have to do with a cache or a push."""

    pushing: float = 600.0
    """Seconds without news of an image that is pushed: of a layer that goes up nothing is said until it is there."""
    caches: bool = True
    """Whether there are any: without them a base that comes slowly is waited for."""
    _waits: dict[tuple[str, str], _Wait] = field(default_factory=dict)
    """By vertex, and by the layer that it loads."""
    _seen: set[tuple[str, str, bool]] = field(default_factory=set)

    def hear(self, document: Mapping[str, Any], now: float) -> None:
        """Take one of BuildKit's events."""
        for vertex in document.get("vertexes") or ():
            self._vertex(vertex, now)
        for status in document.get("statuses") or ():
            self._status(status, now)

    def reason(self, now: float) -> str:
        """Return what it waits for in vain; empty where there is hope."""
        vain = (wait for wait in self._waits.values() if now - wait.since > wait.patience)
        return next((f"{wait.what}: nothing for {wait.patience:g} s" for wait in vain), "")

    def _vertex(self, vertex: Mapping[str, Any], now: float) -> None:
        digest, name = str(vertex.get("digest", "")), str(vertex.get("name", ""))
        if vertex.get("completed"):
            for key in [key for key in self._waits if key[0] == digest]:
                del self._waits[key]
        elif vertex.get("started") and name.startswith((CACHE_IMPORT, CACHE_EXPORT)):
            patience = LOADING if name.startswith(CACHE_IMPORT) else WRITING
            self._waits.setdefault((digest, ""), _Wait(name, patience, now))

    def _status(self, status: Mapping[str, Any], now: float) -> None:
        vertex, name = str(status.get("vertex", "")), str(status.get("id", ""))
        over = bool(status.get("completed"))
        if (vertex, name, over) not in self._seen:
            self._seen.add((vertex, name, over))
            if (vertex, "") in self._waits:
                self._waits[vertex, ""].since = now
        if name.startswith(_PUSH):
            self._waits[vertex, name] = _Wait(name, self.pushing, now)
        elif not self.caches or not name.startswith(_BLOB):
            return
        if over:
            self._waits.pop((vertex, name), None)
            return
        wait = self._waits.setdefault((vertex, name), _Wait(f"layer {name[:19]}", LOADING, now))
        current = status.get("current") or 0
        if current >= wait.current + LEAST:
            wait.current, wait.since = current, now
