"""Read BuildKit's own event stream (``--progress=rawjson``) and keep account of a build's steps.

The stream is JSON documents one after the other, which older buildx prints over many
lines; after them buildx writes its last words as text.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..plan.steps import Step
from ..printable import masked

TAIL = 20  # lines of a step that are kept for the message
LONGEST = 16 * 1024
"""Bytes of a line; a longer one is several, so that no step can fill the memory."""
_TIME = re.compile(r"([^.]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Begun:
    """A step has begun."""

    step: Step


@dataclass(frozen=True, slots=True)
class Ended:
    """A step has ended, one way or the other."""

    step: Step


@dataclass(frozen=True, slots=True)
class Output:
    """A step has written a line."""

    step: Step
    line: str


@dataclass(frozen=True, slots=True)
class Warned:
    """BuildKit found something to say about a Dockerfile."""

    text: str


Event = Begun | Ended | Output | Warned


@dataclass(slots=True)
class Account:
    """The steps of one build and their last lines; feed it bytes and it answers with events."""

    steps: dict[str, Step] = field(default_factory=dict)
    tails: dict[str, list[str]] = field(default_factory=dict)
    words: str = ""
    """What buildx wrote after the events."""
    heard: Callable[[Mapping[str, Any]], None] = lambda _: None
    """Called with each document as it is."""
    _buffer: str = ""
    _ended: set[str] = field(default_factory=set)
    _partial: dict[str, bytes] = field(default_factory=dict)

    def feed(self, text: str) -> Iterator[Event]:
        """Take more of the stream and yield what it says."""
        self._buffer += text
        decoder = json.JSONDecoder()
        while True:
            self._buffer = self._buffer.lstrip()
            if not self._buffer.startswith("{"):
                # Words until the next line that could begin a document.
                head, brace, rest = self._buffer.partition("\n{")
                if not brace:
                    return
                self.words += head + "\n"
                self._buffer = "{" + rest
                continue
            try:
                document, end = decoder.raw_decode(self._buffer)
            except json.JSONDecodeError:
                return
            self._buffer = self._buffer[end:]
            yield from self._document(document)

    def close(self) -> Iterator[Event]:
        """Take the end of the stream: half a line is a line, the rest is words."""
        for vertex, rest in self._partial.items():
            if rest:
                yield self._line(vertex, rest)
        self._partial.clear()
        self.words += self._buffer
        self._buffer = ""

    @property
    def failing(self) -> Step | None:
        """The step that failed by itself, not because another was cancelled."""
        wrong = [step for step in self.steps.values() if step.error]
        return next((step for step in wrong if "context canceled" not in step.error), wrong[0] if wrong else None)

    @property
    def cached_share(self) -> float | None:
        """The share of the Dockerfile's steps that came from the cache, 0 to 1; a FROM is cached or not by chance."""
        own = [
            step
            for step in self.steps.values()
            if not step.internal and step.completed is not None and "] FROM " not in step.name
        ]
        return sum(step.cached for step in own) / len(own) if own else None

    def tail(self, step: Step) -> tuple[str, ...]:
        """Return the last lines of a step."""
        return tuple(
            line for key, lines in self.tails.items() if self.steps[key].number == step.number for line in lines
        )

    def _document(self, document: dict[str, Any]) -> Iterator[Event]:
        self.heard(document)
        for vertex in document.get("vertexes") or ():
            yield from self._vertex(vertex)
        for log in document.get("logs") or ():
            yield from self._log(log)
        for warning in document.get("warnings") or ():
            yield Warned(masked(base64.b64decode(warning.get("short") or "").decode("utf-8", "replace")))

    def _vertex(self, vertex: dict[str, Any]) -> Iterator[Event]:
        digest = vertex["digest"]
        before = self.steps.get(digest) or Step(number=len(self.steps) + 1, name=masked(vertex.get("name", "")))
        error = vertex.get("error", "")
        after = replace(
            before,
            name=before.name or masked(vertex.get("name", "")),
            started=_time(vertex.get("started")) or before.started,
            completed=_time(vertex.get("completed")),
            cached=bool(vertex.get("cached")) or before.cached,
            error="" if before.of_cache else masked(error),
            digest=digest,
            inputs=tuple(vertex.get("inputs") or ()) or before.inputs,
        )
        self.steps[digest] = after
        if after.started is not None and before.started is None:
            yield Begun(after)
        if after.completed is not None and before.completed is None and not self._is_known(after):
            if before.of_cache and error:  # the build goes on
                yield self._line(digest, error.encode())
            yield Ended(after)

    def _is_known(self, step: Step) -> bool:
        """Whether a step has ended before: BuildKit says so again for each cache in which it finds it."""
        known = step.cached and step.digest in self._ended
        self._ended.add(step.digest)
        return known

    def _log(self, log: dict[str, Any]) -> Iterator[Event]:
        vertex = log.get("vertex", "")
        if vertex not in self.steps:
            self.steps[vertex] = Step(number=len(self.steps) + 1, name="")
        # Bytes until the line is whole: an event may end in the middle of a character.
        data = self._partial.get(vertex, b"") + base64.b64decode(log.get("data") or "")
        *lines, rest = data.split(b"\n")
        whole = len(rest) // LONGEST * LONGEST
        self._partial[vertex] = rest[whole:]
        for line in (*lines, rest[:whole]) if whole else lines:
            for begin in range(0, max(len(line), 1), LONGEST):
                yield self._line(vertex, line[begin : begin + LONGEST])

    def _line(self, vertex: str, data: bytes) -> Output:
        line = masked(data.decode("utf-8", "replace").rstrip("\r"))
        kept = self.tails.setdefault(vertex, [])
        kept.append(line)
        del kept[:-TAIL]
        return Output(self.steps[vertex], line)


def _time(text: str | None) -> datetime | None:
    found = None if not text or text.startswith("0001-") else _TIME.fullmatch(text)
    if found is None:
        return None
    # BuildKit's own times are in UTC, those of buildx in the local zone; Go writes up to
    # nine decimals and leaves zeros out, Python 3.11 reads six.
    whole, decimals, zone = found.groups()
    return datetime.fromisoformat(f"{whole}.{(decimals or '')[:6].ljust(6, '0')}{'+00:00' if zone == 'Z' else zone}")
