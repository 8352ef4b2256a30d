"""One service's build while it goes on: its events, its log, its outcome."""

import codecs
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from ..errors import EngineError
from ..plan.caches import at_fault
from ..plan.failures import Failure, Kind, diagnose
from ..plan.outcomes import Outcome, State
from ..plan.steps import Course, Step
from ..plan.targets import Target
from ..printable import masked
from . import excerpt, workspace
from .events import Account, Begun, Ended, Event, Output, Warned
from .stalls import Stalls, is_push
from .supervisor import Ended as Exit

LONGEST_LOG = 64 * 1024 * 1024
"""Characters of a log that are kept: no step can fill the disk."""


class Listener(Protocol):
    """What wants to know how a run goes on; the report's displays do."""

    def begun(self, service: str) -> None:
        """Hear that a service's build has begun."""

    def event(self, service: str, event: Event) -> None:
        """Hear what happens in it."""

    def ended(self, outcome: Outcome) -> None:
        """Hear how it ended."""


@dataclass(slots=True)
class Build:
    """One service's build while it goes on: its events, its log, its outcome."""

    target: Target
    metadata: Path
    root: Path
    known: Callable[[], Mapping[str, str]]
    """Tells the ids of the images that the store already had, by reference."""
    listener: Listener
    support: Sequence[Target] = ()
    """Images that others of the run stand on."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """The services that it stands on and that are built in the same run, by the bake target under which it does."""
    stalls: Stalls | None = None
    """What it waits for, where it has caches that it can be tried without."""
    spoilt: str = ""
    """Why it was tried again without its caches, where it was."""
    account: Account = field(default_factory=Account)
    outcome: Outcome | None = None
    obstacle: str = ""
    """Why it was not begun, or not ended, where something was in its way."""
    at_fault: str = ""
    """The service that it stands on whose step has failed in its own build."""
    _log: TextIO | None = None
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _written: int = 0
    _began: float = 0.0
    _lag: float | None = None
    _own: Outcome | None = None
    """What came of it by its own words, where that was left to another service."""
    _vain: str = ""
    """What it was ended for waiting for: its last words no longer tell."""

    @property
    def failed(self) -> bool:
        """Whether it has failed by itself."""
        return self.outcome is not None and self.outcome.state is State.FAILED

    def begun(self) -> None:
        """Open the log and tell the listener.

        Raises EngineError when the log cannot be written.
        """
        self._began = time.monotonic()
        if self.stalls is not None:
            self.account.heard = self._hear
        try:
            file = workspace.fresh(self.root / workspace.log_path(self.target.service))
            self._log = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise EngineError(
                f"the log of {self.target.service} cannot be written: {error.strerror}", hint=workspace.WAY_OUT
            ) from error
        self.listener.begun(self.target.service)

    def wrote(self, chunk: bytes) -> None:
        """Take more of what buildx writes."""
        now = time.monotonic()
        for event in self.account.feed(self._decoder.decode(chunk)):
            self._time(event, now)
            self._tell(event)
        if self._log is not None:
            self._put("", flush=True)  # once for all lines: a step that writes fast is read as fast

    def _hear(self, document: Mapping[str, Any]) -> None:
        if self.stalls is not None:
            self.stalls.hear(document, time.monotonic())

    def _time(self, event: Event, now: float) -> None:
        """Learn how far the builder's clock is from this machine's steady one."""
        match event:
            case Begun(Step(started=datetime() as told)) | Ended(Step(completed=datetime() as told)):
                lag = now - told.timestamp()
                self._lag = lag if self._lag is None else min(self._lag, lag)

    def _tell(self, event: Event) -> None:
        self._write(_log_line(event, time.monotonic() - self._began))
        self.listener.event(self.target.service, event)

    def _write(self, text: str) -> None:
        if self._log is None or not text:
            return
        room = max(LONGEST_LOG - self._written, 0)
        self._written += len(text)
        self._put(text[:room])

    def _write_last(self, words: str) -> None:
        """Write how it ended, after what was too long to keep."""
        if self._log is None:
            return
        if self._written > LONGEST_LOG:
            self._put(f"\n… {self._written - LONGEST_LOG} characters more, which are not kept\n")
        self._put(words, flush=True)
        self._log.close()

    def _put(self, text: str, *, flush: bool = False) -> None:
        if self._log is None:
            return
        try:
            self._log.write(text)
            if flush:
                self._log.flush()
        except OSError as error:
            raise EngineError(
                f"the log of {self.target.service} cannot be written: {error.strerror}",
                hint="inv container-clean frees this project's share of the disk",
            ) from error

    def hopeless(self, _seconds: float) -> bool:
        """Whether it waits for a cache or a push in vain."""
        if self.stalls is not None and not self._vain:
            self._vain = self.stalls.reason(time.monotonic())
        return bool(self._vain)

    def again(self, ended: Exit) -> bool:
        """Whether it has to be tried again without its caches, which may have spoilt it; then forget the first try."""
        if self.stalls is None or ended.code == 0 or is_push(self._vain):
            return False
        for event in self.account.close():
            self._tell(event)
        self.spoilt = self._vain or self._fault()
        if not self.spoilt:
            return False
        self._write(f"{masked(self.account.words)}\nagain without its caches: {self.spoilt}\n\n")
        for step in self.account.steps.values():
            if step.started is not None and step.completed is None:
                self.listener.event(self.target.service, Ended(step))
        self.account, self.stalls, self._vain = Account(), None, ""
        return True

    def _fault(self) -> str:
        failure = self._failure(1)
        step = self.account.failing
        return failure.message if at_fault(failure.kind, step.error if step else failure.message) else ""

    def ended(self, ended: Exit) -> None:
        """Close the log, decide the outcome and tell the listener."""
        for event in self.account.close():
            self._tell(event)
        self._write_last(masked(self.account.words))
        self.outcome = self._outcome(ended)
        self._blame(ended, self.outcome)
        self.listener.ended(self.outcome)

    def _blame(self, ended: Exit, outcome: Outcome) -> None:
        """Leave a failure to the service whose step it was: the builder ran it once, for both."""
        step = self.account.failing
        named = None if step is None else excerpt.OF_TARGET.match(step.name)
        if outcome.failure is None or outcome.failure.kind is Kind.CROSSED or named is None:
            return
        if (service := self.beside.get(named[1])) is not None:
            self.at_fault, self.obstacle = service, f"it stands on {service}, which failed"
            self.outcome, self._own = self._outcome(ended), outcome

    def own_up(self) -> None:
        """Take a failure back that was left to another service, which has not failed."""
        if self._own is not None:
            self.at_fault, self.outcome = "", self._own

    def _outcome(self, ended: Exit) -> Outcome:
        result = _read(self.metadata, self.target.name) if ended.code == 0 else {}
        # Told to end, buildx may still come to an exit code, and says that it was cancelled.
        hung = self._vain if ended.code != 0 and is_push(self._vain) else ""
        if hung:
            hung = f"failed to push {self.target.repository}: {hung}"
        if ended.code == 0:
            state = State.UNCHANGED if self._is_known(result) else State.BUILT
        else:
            stopped = self.at_fault or (ended.code is None and not hung)
            state = State.STOPPED if stopped else State.FAILED
        return Outcome(
            service=self.target.service,
            state=state,
            seconds=ended.seconds,
            cached=self.account.cached_share,
            reference=self.target.references[0],
            digest=result.get("containerimage.digest"),
            failure=self._failure(ended.code, hung) if state is State.FAILED else None,
            log=workspace.log_path(self.target.service) if self._log is not None else "",
            because=(self.obstacle,) if self.obstacle else (),
            course=self._course() if self._began else None,
            spoilt=self.spoilt,
        )

    def _course(self) -> Course:
        return Course(began=self._began, steps=tuple(self.account.steps.values()), lag=self._lag)

    def _failure(self, code: int | None, hung: str = "") -> Failure:
        words = [line for line in self.account.words.splitlines() if line.strip()]
        last = masked(words[-1].removeprefix("ERROR: ")) if words else f"buildx ended with {code}"
        step = self.account.failing
        name = step.name if step else ""
        return diagnose(
            step=name,
            error=hung or (step.error if step else last),
            lines=self.account.tail(step) if step else (),
            excerpt=excerpt.find(words, name, self.root, self.target, self.support),
        )

    def _is_known(self, result: Mapping[str, str]) -> bool:
        # An image's id is its manifest's digest in the containerd store, its configuration's in the older one.
        ids = {result.get("containerimage.digest"), result.get("containerimage.config.digest")}
        known = self.known()
        return all(reference in known and known[reference] in ids for reference in self.target.references)


def _log_line(event: Event, seconds: float) -> str:
    match event:
        case Begun(step):
            return f"#{step.number} {step.name}\n"
        case Output(step, line):
            return f"#{step.number} {seconds:.3f} {line}\n"
        case Ended(step):
            if step.error:
                return f"#{step.number} ERROR: {step.error}\n"
            return f"#{step.number} {'CACHED' if step.cached else f'DONE {step.seconds or 0.0:.1f}s'}\n"
        case Warned(text):
            return f"WARNING: {text}\n"


def _read(metadata: Path, target: str) -> Mapping[str, str]:
    """Return what buildx says of the image it made; nothing where it wrote nothing."""
    try:
        content: Mapping[str, Mapping[str, str]] = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content.get(target, {})
