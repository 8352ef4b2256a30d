"""Make the record of a run, and read it again: what happened, for programs; docs/record.md says what each key means.

Everything is JSON: text, numbers, lists and objects.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import TaskError
from ..printable import masked, spelled_in_json
from .outcomes import Content, Layer, Outcome, State

if TYPE_CHECKING:
    from .steps import Course, Step

SCHEMA = 1
LONGEST = 2000  # letters of a step's name, of its error and of a line that it wrote
_UNFINISHED = frozenset({State.FAILED.value, State.STOPPED.value})
_STOPPED = 130  # the exit code of a run that somebody ended
# Half a letter, as a file's name that is not UTF-8 leaves it; most readers of JSON refuse one. A pair is a letter.
_HALF = re.compile(r"\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(\\ud[89a-f][0-9a-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a task ended."""

    exit: int
    message: str = ""
    hint: str | None = None


def ending(error: BaseException | None) -> Ending:
    """Return how a task ends that an error ends, or nothing does."""
    if error is None:
        return Ending(exit=0)
    if isinstance(error, TaskError):
        return Ending(exit=error.exit_code, message=error.reason, hint=error.hint)
    return Ending(exit=1, message=f"a bug: {type(error).__name__}: {error}")


def dumps(record: Mapping[str, Any]) -> str:
    """Return a record as one line of letters that no terminal obeys and every reader of JSON takes."""
    text = json.dumps(record, ensure_ascii=True)
    if "\\ud" in text:
        text = _HALF.sub(lambda found: "\\ufffd" if found[1] else found[0], text)
    return spelled_in_json(text) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run is about."""

    task: str
    project: str
    version: str
    commit: str | None
    started: datetime
    began: float
    """The same moment on this machine's steady clock."""
    settings: Mapping[str, tuple[Any, str]]
    """Value and source, by key."""
    platforms: Sequence[str]
    output: str
    """``load`` or ``push``."""
    stand_ins: bool
    release: Mapping[str, Any] | None = None
    """What a push has made of the images, as far as it has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One service of a run."""

    outcome: Outcome
    references: Sequence[str]
    fingerprint: str | None
    budget: int | None


def frame(task: str, started: datetime, seconds: float, ending: Ending) -> dict[str, Any]:
    """Return what the record of any task begins with."""
    word = "ok" if ending.exit == 0 else "stopped" if ending.exit == _STOPPED else "failed"
    error = None if ending.exit == 0 else {"message": ending.message, "hint": ending.hint}
    return {
        "schema": SCHEMA,
        "task": task,
        "started": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": _rounded(seconds),
        "result": word,
        "exit": ending.exit,
        "error": error,
    }


def make(run: Run, parts: Sequence[Part], ending: Ending, *, seconds: float, before: object = None) -> dict[str, Any]:
    """Return the record of a run; ``before`` is the record of the last one, if there is any that can be used."""
    lags = [course.lag for part in parts if (course := part.outcome.course) is not None and course.lag is not None]
    clock = _Clock(run.began, seconds, min(lags, default=None))
    services = [_service(part, clock) for part in parts]
    return {
        **frame(run.task, run.started, seconds, ending),
        "project": run.project,
        "version": run.version,
        "commit": run.commit,
        "settings": {key: {"value": value, "source": source} for key, (value, source) in run.settings.items()},
        "platforms": list(run.platforms),
        "output": run.output,
        "stand_ins": run.stand_ins,
        "release": None if run.release is None else dict(run.release),
        "services": services,
        "unfinished": _unfinished(before, run.output, services),
    }


def unfinished(record: object, output: str) -> tuple[str, ...]:
    """Return the services that did not end well when they were last built for an output, as a record has it."""
    return tuple(one["name"] for one in _entries(record, "unfinished") if one["output"] == output)


def usable(record: object) -> bool:
    """Whether a record is one of these tasks, of the version that they read."""
    return isinstance(record, Mapping) and record.get("schema") == SCHEMA and isinstance(record.get("services"), list)


def _unfinished(before: object, output: str, services: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is left to do: of this run, and of earlier ones what this one did not touch."""
    now = list(services)
    mine = {one["name"] for one in now}
    left = [one for one in _entries(before, "unfinished") if one["output"] != output or one["name"] not in mine]
    return left + [
        {"name": one["name"], "output": output, "state": str(one["state"])}
        for one in now
        if one["state"] in _UNFINISHED
    ]


def _entries(record: object, key: str) -> list[dict[str, Any]]:
    """Return the entries of a list in a record that somebody may have edited; those that make sense."""
    if not usable(record) or not isinstance(record, Mapping) or not isinstance(record.get(key), list):
        return []
    return [
        {name: one[name] for name in ("name", "output", "state")}
        for one in record[key]
        if isinstance(one, Mapping) and all(isinstance(one.get(name), str) for name in ("name", "output", "state"))
    ]


@dataclass(frozen=True, slots=True)
class _Clock:
    """Turns moments of this machine and of the builder into seconds since the run began."""

    began: float
    seconds: float
    lag: float | None

    def own(self, moment: float) -> float:
        return self._within(moment - self.began, 0.0)

    def builders(self, moment: datetime | None, least: float) -> float | None:
        """Return a moment of the builder; a shared step may have begun before this build, and nothing ends later."""
        if moment is None or self.lag is None:
            return None
        return self._within(moment.timestamp() + self.lag - self.began, least)

    def _within(self, value: float, least: float) -> float:
        return _rounded(min(max(value, least), self.seconds))


def _service(part: Part, clock: _Clock) -> dict[str, Any]:
    outcome, course = part.outcome, part.outcome.course
    return {
        "name": outcome.service,
        "state": outcome.state.value,
        "because": [_text(reason) for reason in outcome.because],
        "references": list(part.references),
        "digest": outcome.digest,
        "fingerprint": part.fingerprint,
        "start": None if course is None else clock.own(course.began),
        "seconds": _rounded(outcome.seconds),
        "cached": None if outcome.cached is None else _rounded(outcome.cached),
        "budget": part.budget,
        **(content(outcome.content) or {"size": None, "layers": []}),
        "before": content(outcome.before),
        "steps": [] if course is None else _steps(course, clock),
        "failure": _failure(outcome),
        "log": outcome.log or None,
    }


def content(of: Content | None) -> dict[str, Any] | None:
    """Return what is in an image as a record has it."""
    if of is None:
        return None
    return {"size": of.size, "layers": [{"created_by": _text(by), "size": size} for by, size in of.layers]}


def content_of(record: Mapping[str, Any]) -> Content | None:
    """Return what was in an image, from a record that somebody may have edited; None where it does not say."""
    size, layers = record.get("size"), record.get("layers")
    if not isinstance(size, int) or not isinstance(layers, list):
        return None
    found = [(one.get("created_by"), one.get("size")) for one in layers if isinstance(one, Mapping)]
    return Content(size, tuple(Layer(by, size) for by, size in found if isinstance(by, str) and isinstance(size, int)))


def _steps(course: "Course", clock: _Clock) -> list[dict[str, Any]]:
    numbers = {step.digest: step.number for step in course.steps}
    least = clock.own(course.began)
    return [_step(step, clock, least, numbers) for step in course.steps]


def _step(step: "Step", clock: _Clock, least: float, numbers: Mapping[str, int]) -> dict[str, Any]:
    start, end = clock.builders(step.started, least), clock.builders(step.completed, least)
    return {
        "number": step.number,
        "name": _text(step.name),
        "start": start,
        "seconds": None if start is None or end is None else _rounded(max(end - start, 0.0)),
        "cached": step.cached,
        "error": _text(step.error),
        "internal": step.internal,
        "inputs": [numbers[digest] for digest in step.inputs if digest in numbers],
        "shared": step.digest,
    }


def _failure(outcome: Outcome) -> dict[str, Any] | None:
    failure = outcome.failure
    if failure is None:
        return None
    return {
        "kind": failure.kind.value,
        "step": _text(failure.step),
        "message": _text(failure.message),
        "lines": [_text(line) for line in failure.lines],
        "dockerfile": failure.dockerfile or None,
        "line": failure.line,
        "excerpt": [_text(line) for line in failure.excerpt],
        "hint": failure.hint or None,
    }


def _text(text: str) -> str:
    """Return text of a build without its credentials, and no longer than anybody reads."""
    said = masked(text)
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def _rounded(value: float) -> float:
    return round(value, 3)
