"""docker buildx: one ``bake <service>`` process a service, under our own supervisor.

python-on-whales finds the command line, the plugin and the builders. Its own ``bake`` is
not used for builds: it runs everything in one process, which cancels the healthy services
when one fails, and gives no handle for a clean Ctrl-C.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, EngineError
from ..plan.failures import Kind
from ..plan.outcomes import Outcome
from ..plan.targets import Plan, Target
from . import client_file, git, workspace
from .builds import Build, Listener
from .machine import plugin
from .process import run
from .stalls import Stalls
from .supervisor import Callbacks, Ended, Job, run_all

if TYPE_CHECKING:
    from python_on_whales import DockerClient
    from python_on_whales.components.buildx.models import BuilderInspectResult
    from python_on_whales.exceptions import DockerException


_ANSWER = 60.0  # seconds in which buildx reads a definition


def client() -> "DockerClient":
    """Return python-on-whales' client.

    Raises EngineError when there is no docker command line, or its own file is damaged.
    """
    _require_docker()
    from python_on_whales import DockerClient

    return DockerClient()


def command() -> tuple[str, ...]:
    """Return the words that begin every buildx command line; python-on-whales' are the same, and 0.2 s away.

    Raises EngineError when there is no docker command line, or its own file is damaged.
    """
    _require_docker()
    return ("docker", "buildx")


def quick_command() -> tuple[str, ...]:
    """Return the words that begin a build: the plugin itself, which docker would start twice to find it (70 ms)."""
    words = command()
    program = plugin.chosen()
    return words if program is None else (str(program),)


def _require_docker() -> None:
    from shutil import which

    if which("docker") is None:  # python-on-whales would download one
        raise EngineError(
            "docker is not on PATH", hint="inv container-setup, or https://docs.docker.com/engine/install/"
        )
    client_file.require()


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
        choice = f"choose from {names}" if names else "docker buildx ls shows them"
        chosen = None if builder is not None else os.environ.get("BUILDX_BUILDER")
        raise ConfigError(
            f"the builder {chosen or builder!r} cannot be used: {_said(error)}",
            hint=f"unset BUILDX_BUILDER, or {choice}" if chosen else choice,
        ) from error
    return found  # type: ignore[return-value]  # a Builder with the fields of the result


def _said(error: "DockerException") -> str:
    lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "no reason given"


def _require_plugin(docker: "DockerClient") -> None:
    from python_on_whales.exceptions import DockerException

    try:
        there = docker.buildx.is_installed()
    except DockerException:  # a plugin that is there, and does not know how to say its version
        there = True
    if not there:
        raise EngineError("docker has no buildx plugin", hint="inv container-setup brings one")


def check(definition: str, root: Path, builder: str | None) -> None:
    """See that this buildx reads the definition and can report its progress as JSON; builds nothing.

    Raises EngineError when buildx is missing or too old, ConfigError when it refuses the definition.
    """
    words = (*command(), "bake", *of_builder(builder))
    done = run(*words, "--print", "--progress=rawjson", "-f", "-", cwd=root, stdin=definition, timeout=_ANSWER)
    if done.ok:
        return
    _require_plugin(client())
    plain = run(*words, "--print", "--progress=plain", "-f", "-", cwd=root, stdin=definition, timeout=_ANSWER)
    if not plain.ok:
        lack = plugin.lacking()
        if lack is not None:
            raise EngineError(f"the buildx plugin lacks {lack}", hint="inv container-setup --latest-buildx")
        raise ConfigError(
            f"buildx refuses the definition: {done.last_line.removeprefix('ERROR: ')}",
            hint="inv container-build --print shows it",
        )
    raise EngineError(
        f"buildx is too old: it cannot report its progress as JSON ({done.last_line.removeprefix('ERROR: ')})",
        hint="inv container-setup --latest-buildx",
    )


def _environment(conduct: "Conduct", folder: Path) -> Mapping[str, str]:
    """Return what a build's process is given.

    buildx puts the name of a context that several targets share into a header, which takes ASCII letters
    alone (`header key "x-docker-expose-session-sharedkey" …`), so the root goes by such a name. Like every
    Go program it believes PWD, if that is the folder that it runs in.
    """
    found = dict(os.environ)
    if not conduct.root.name.isascii():
        link = folder / "root"
        if not link.is_symlink():
            link.symlink_to(conduct.root, target_is_directory=True)
        found["PWD"] = str(link)
    if not conduct.provenance:
        # buildx would ask git seven times what only a provenance says.
        found.setdefault("BUILDX_GIT_INFO", "false")
    elif not git.remotes_are_plain(conduct.root):  # buildx would write a token in its query into each provenance
        found["BUILDX_GIT_INFO"] = "false"
    return found


def of_builder(name: str | None) -> tuple[str, ...]:
    """Return the words that choose a builder."""
    return () if name is None else ("--builder", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a run goes about its builds."""

    root: Path
    builder: str | None
    jobs: int
    fail_fast: bool
    known: Callable[[], Mapping[str, str]] = dict
    """Tells the ids of the images that the store already had, by reference."""
    failed: Collection[str] = ()
    """The services that have failed already in this run."""
    provenance: bool = True
    """Whether the images get one."""
    patience: float = 600.0
    """Seconds without a word from the registry until a push counts as hung."""
    plain: str | None = None
    """The definition without caches, where there are any: what they spoil is tried again with it."""


def build(plan: Plan, definition: str, listener: Listener, conduct: Conduct) -> tuple[Outcome, ...]:
    """Build every target of a plan and return what came of each, in the plan's order.

    A build that ended only because another client's did is begun once more.

    Raises Interrupted when a signal ends the run; ``listener`` has then heard of every outcome.
    """
    outcomes = _build(plan, plan.targets, definition, listener, conduct)
    crossed = [target for target in plan.targets if _is_crossed(outcomes.get(target.name))]
    if crossed:
        outcomes |= _build(plan, crossed, definition, listener, conduct)
    return tuple(outcomes[target.name] for target in plan.targets if target.name in outcomes)


def _is_crossed(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.failure is not None and outcome.failure.kind is Kind.CROSSED


def _has_its_bases(name: str, plan: Plan, builds: Mapping[str, Build], conduct: Conduct) -> bool:
    """Whether no image of the run that a target stands on has failed: its own build would fail at the same step."""
    failed = {*conduct.failed, *(one.target.service for one in builds.values() if one.failed)}
    obstacle = next((service for service in plan.below(name) if service in failed), None)
    if obstacle is not None:
        builds[name].obstacle = f"it stands on {obstacle}, which failed"
    return obstacle is None


def _beside(plan: Plan, target: Target) -> dict[str, str]:
    """Return the services of the run that a target stands on, by the bake target under which it does."""
    mine, there = set(plan.below(target.name)), {one.service for one in plan.targets}
    return {one.name: one.service for one in plan.support if one.service in mine & there}


def _stalls(conduct: Conduct) -> Stalls | None:
    caches = conduct.plain is not None
    return Stalls(conduct.patience, caches) if conduct.provenance or caches else None


def _build(
    plan: Plan, targets: Sequence[Target], definition: str, listener: Listener, conduct: Conduct
) -> dict[str, Outcome]:
    words = (*quick_command(), "bake", *of_builder(conduct.builder), "--progress=rawjson", "-f", "-")
    with workspace.temporary(conduct.root) as folder:
        builds = {
            target.name: Build(
                target,
                folder / f"{target.name}.json",
                conduct.root,
                conduct.known,
                listener,
                plan.support,
                _beside(plan, target),
                _stalls(conduct),
            )
            for target in targets
        }
        jobs = {
            name: Job(
                key=name,
                argv=(*words, "--metadata-file", str(one.metadata), name),
                stdin=definition.encode(),
                cwd=conduct.root,
                env=_environment(conduct, folder),
                hopeless=one.hopeless if one.stalls else None,
            )
            for name, one in builds.items()
        }

        def again(name: str, ended: Ended) -> Job | None:
            if conduct.plain is None or not builds[name].again(ended):
                return None
            return replace(jobs[name], stdin=conduct.plain.encode(), hopeless=None)

        callbacks = Callbacks(
            wanted=lambda key: _has_its_bases(key, plan, builds, conduct),
            begun=lambda key: builds[key].begun(),
            wrote=lambda key, chunk: builds[key].wrote(chunk),
            ended=lambda key, ended: builds[key].ended(ended),
            again=again,
        )
        run_all(
            sorted(jobs.values(), key=lambda job: len(plan.below(job.key))),
            callbacks,
            limit=conduct.jobs,
            fail_fast=conduct.fail_fast,
        )
        bad = {*conduct.failed, *(one.target.service for one in builds.values() if one.failed)}
        for one in builds.values():
            if one.at_fault and one.at_fault not in bad:
                one.own_up()
        return {name: one.outcome for name, one in builds.items() if one.outcome is not None}
