"""docker buildx: one ``bake <service>`` process a service, under our own supervisor.

python-on-whales finds the command line, the plugin and the builders. Its own ``bake`` is
not used for builds: it runs everything in one process, which cancels the healthy services
when one fails, and gives no handle for a clean Ctrl-C.
"""

import codecs
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol, TextIO

from ..errors import ConfigError, EngineError
from ..plan.failures import Failure, diagnose
from ..plan.outcomes import Outcome, State
from ..plan.targets import Plan, Target
from . import workspace
from .events import Account, Begun, Ended, Event, Output, Warned
from .process import run
from .supervisor import Callbacks, Job, run_all
from .supervisor import Ended as JobEnded

if TYPE_CHECKING:
    from python_on_whales import DockerClient
    from python_on_whales.components.buildx.models import BuilderInspectResult
    from python_on_whales.exceptions import DockerException


class Listener(Protocol):
    """What wants to know how a run goes on; the report's displays do."""

    def begun(self, service: str) -> None:
        """Hear that a service's build has begun."""

    def event(self, service: str, event: Event) -> None:
        """Hear what happens in it."""

    def ended(self, outcome: Outcome) -> None:
        """Hear how it ended."""


def client() -> "DockerClient":
    """Return python-on-whales' client.

    Raises EngineError when there is no docker command line or no buildx.
    """
    from shutil import which

    if which("docker") is None:  # python-on-whales would download one
        raise EngineError(
            "docker is not on PATH", hint="inv container-setup, or https://docs.docker.com/engine/install/"
        )
    from python_on_whales import DockerClient

    return DockerClient()


def command() -> tuple[str, ...]:
    """Return the words that begin every buildx command line."""
    return (*map(str, client().client_config.docker_cmd), "buildx")


def inspect(builder: str | None) -> "BuilderInspectResult":
    """Return what buildx knows of a builder, by default of the one in use.

    Raises ConfigError for an unknown one, with those that there are, and EngineError without buildx.
    """
    from python_on_whales.exceptions import DockerException

    docker = client()
    try:
        found = docker.buildx.inspect(builder)
    except DockerException as error:
        _require_plugin(docker)
        try:
            names = ", ".join(sorted(str(known.name) for known in docker.buildx.list()))
        except (DockerException, ValueError):
            names = ""
        raise ConfigError(
            f"the builder {builder!r} cannot be used: {_said(error)}",
            hint=f"choose from {names}" if names else "docker buildx ls shows them",
        ) from error
    return found  # type: ignore[return-value]  # a Builder with the fields of the result


def _said(error: "DockerException") -> str:
    lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "no reason given"


def _require_plugin(docker: "DockerClient") -> None:
    if not docker.buildx.is_installed():
        raise EngineError("docker has no buildx plugin", hint="inv container-setup brings one")


def check(definition: str, root: Path, builder: str | None) -> None:
    """See that this buildx reads the definition and can report its progress as JSON; builds nothing.

    Raises EngineError when buildx is missing or too old, ConfigError when it refuses the definition.
    """
    words = (*command(), "bake", *_builder(builder))
    done = run(*words, "--print", "--progress=rawjson", "-f", "-", cwd=root, stdin=definition)
    if done.ok:
        return
    _require_plugin(client())
    if not run(*words, "--print", "--progress=plain", "-f", "-", cwd=root, stdin=definition).ok:
        raise ConfigError(f"buildx refuses the definition: {done.last_line.removeprefix('ERROR: ')}")
    raise EngineError(
        f"buildx is too old: it cannot report its progress as JSON ({done.last_line.removeprefix('ERROR: ')})",
        hint="inv container-setup --latest-buildx",
    )


def _builder(name: str | None) -> tuple[str, ...]:
    return () if name is None else ("--builder", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a run goes about its builds."""

    root: Path
    builder: str | None
    jobs: int
    fail_fast: bool
    known: Mapping[str, str] = field(default_factory=dict)
    """The ids of the images that the store already has, by reference."""


def build(plan: Plan, definition: str, listener: Listener, conduct: Conduct) -> tuple[Outcome, ...]:
    """Build every target of a plan and return what came of each, in the plan's order.

    Raises Interrupted when a signal ends the run; ``listener`` has then heard of every outcome.
    """
    words = (*command(), "bake", *_builder(conduct.builder), "--progress=rawjson", "-f", "-")
    with TemporaryDirectory(prefix="container-tasks-") as folder:
        builds = {
            target.name: _Build(target, Path(folder, f"{target.name}.json"), conduct, listener)
            for target in plan.targets
        }
        callbacks = Callbacks(
            begun=lambda key: builds[key].begun(),
            wrote=lambda key, chunk: builds[key].wrote(chunk),
            ended=lambda key, ended: builds[key].ended(ended),
        )
        run_all(
            [
                Job(
                    key=name,
                    argv=(*words, "--metadata-file", str(one.metadata), name),
                    stdin=definition.encode(),
                    cwd=conduct.root,
                )
                for name, one in builds.items()
            ],
            callbacks,
            limit=conduct.jobs,
            fail_fast=conduct.fail_fast,
        )
        return tuple(one.outcome for one in builds.values() if one.outcome is not None)


@dataclass(slots=True)
class _Build:
    """One service's build while it goes on: its events, its log, its outcome."""

    target: Target
    metadata: Path
    conduct: Conduct
    listener: Listener
    account: Account = field(default_factory=Account)
    outcome: Outcome | None = None
    _log: TextIO | None = None
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _began: float = 0.0

    def begun(self) -> None:
        self._began = time.monotonic()
        try:
            self._log = (self.conduct.root / workspace.log_path(self.target.service)).open("w", encoding="utf-8")
        except OSError as error:
            raise EngineError(f"the log of {self.target.service} cannot be written: {error.strerror}") from error
        self.listener.begun(self.target.service)

    def wrote(self, chunk: bytes) -> None:
        for event in self.account.feed(self._decoder.decode(chunk)):
            self._tell(event)

    def _tell(self, event: Event) -> None:
        self._write(_log_line(event, time.monotonic() - self._began))
        self.listener.event(self.target.service, event)

    def _write(self, text: str) -> None:
        if self._log is not None and text:
            try:
                self._log.write(text)
                self._log.flush()
            except OSError as error:
                raise EngineError(
                    f"the log of {self.target.service} cannot be written: {error.strerror}",
                    hint="inv container-clean frees this project's share of the disk",
                ) from error

    def ended(self, ended: JobEnded) -> None:
        for event in self.account.close():
            self._tell(event)
        self._write(self.account.words)
        if self._log is not None:
            self._log.close()
        self.outcome = self._outcome(ended)
        self.listener.ended(self.outcome)

    def _outcome(self, ended: JobEnded) -> Outcome:
        result = _read(self.metadata, self.target.name) if ended.code == 0 else {}
        if ended.code == 0:
            state = State.UNCHANGED if self._is_known(result) else State.BUILT
        else:
            state = State.STOPPED if ended.code is None else State.FAILED
        return Outcome(
            service=self.target.service,
            state=state,
            seconds=ended.seconds,
            cached=self.account.cached_share,
            reference=self.target.references[0],
            digest=result.get("containerimage.digest"),
            failure=_failure(self.account, ended.code, self.target) if state is State.FAILED else None,
            log=workspace.log_path(self.target.service) if self._log is not None else "",
        )

    def _is_known(self, result: Mapping[str, str]) -> bool:
        # An image's id is its manifest's digest in the containerd store, its configuration's in the older one.
        ids = {result.get("containerimage.digest"), result.get("containerimage.config.digest")}
        known = self.conduct.known
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


def _failure(account: Account, code: int | None, target: Target) -> Failure:
    words = [line for line in account.words.splitlines() if line.strip()]
    last = words[-1].removeprefix("ERROR: ") if words else f"buildx ended with {code}"
    step = account.failing
    return diagnose(
        step=step.name if step else "",
        error=step.error if step else last,
        lines=account.tail(step) if step else (),
        excerpt=_excerpt(words, target.dockerfile),
    )


def _excerpt(words: Sequence[str], dockerfile: str) -> tuple[str, ...]:
    """Return the Dockerfile's place and lines, which buildx prints between two rules."""
    rules = [number for number, line in enumerate(words) if line and set(line) == {"-"}]
    if len(rules) < 2 or rules[0] == 0:  # noqa: PLR2004 - a rule above and one below
        return ()
    _, _, line = words[rules[-2] - 1].rpartition(":")
    return (f"{dockerfile}:{line}", *words[rules[-2] + 1 : rules[-1]])
