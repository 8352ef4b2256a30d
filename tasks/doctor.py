"""container-doctor: look at everything that a build needs, and name what mends each thing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

if TYPE_CHECKING:
    from .engine.machine.check import Site
    from .engine.machine.findings import Finding
    from .errors import ConfigError

NAME = "container-doctor"
FIX = flags.Flag("fix", False, "Mend what can be mended safely, as container-setup does.")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-doctor."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(c, repository, fix=bool(values["fix"]))

    doc = "Say what is wrong with engine, builders, registries, network or checkout, each with what mends it."
    return [flags.make_task(NAME, doc, (FIX,), body)]


def alone(words: Sequence[str]) -> bool:
    """Whether no task is asked for but this one: it says what is wrong with a repository that no other can use."""
    from .elsewhere import core

    said = core(words)
    return said is not None and {word for word in said.unparsed if not word.startswith("-")} == {NAME}


def instead(root: Path, error: "ConfigError", words: Sequence[str]) -> None:
    """Look at the rest where settings are refused that Invoke is about to read, when that is all that is asked for.

    Raises what container-doctor raises: settings that are refused are in the way of any build.
    """
    if alone(words) and not {"--help", "-h", "--list", "-l"}.intersection(words):
        task = tasks(Repository(root, (), refused=error))[0]
        task(Context(), fix="--fix" in words, json="--json" in words)


def run(c: Context, repository: Repository, *, fix: bool) -> flags.Answer:
    """Look, say and mend; every finding is a line, and is returned.

    Raises the kind of error that a build would meet, when something is in the way of one.
    """
    from .engine.machine.examine import examine
    from .engine.machine.findings import State
    from .errors import ConfigError
    from .report import findings as report

    found: list[Finding] = []

    def say(finding: "Finding") -> None:
        found.append(finding)
        report.say(finding)

    site, wrong = _site(c, repository)
    for finding in wrong:
        say(finding)
    told = examine(site, fix=fix, say=say)
    refused = [finding.subject for finding in wrong if finding.state is State.CANNOT]
    kind = ConfigError if refused else told.error
    if kind is None:
        return report.answer(found)
    subjects = dict.fromkeys([*refused, *told.in_the_way])
    ways = "see the lines that begin with 'cannot'"
    if told.mendable and not fix:
        ways += "; inv container-doctor --fix mends what it safely can"
    error = kind(f"in the way of a build: {', '.join(subjects)}", hint=ways)
    error.record = report.answer(found)
    raise error


def _site(c: Context, repository: Repository) -> "tuple[Site, list[Finding]]":
    """Return what there is to look at, and what is wrong with the settings: the rest is looked at all the same."""
    from . import settings, signers, sources
    from .engine.machine import refusals
    from .engine.machine.check import Site
    from .engine.machine.findings import refused, warning
    from .errors import ConfigError
    from .plan.commands import edit, quoted

    root = repository.root
    if repository.refused is not None:
        return Site(project="", root=root), [
            refused("settings", repository.refused, way_out=refusals.of_error(repository.refused, root))
        ]
    try:
        project = settings.project_of(c, repository)
        if not repository.services:
            above = repository.folders[0].partition("*")[0].strip("/") or "."
            told = f"there is no service to build: {above}/<name>/Dockerfile makes one"
            way_out = f"mkdir -p {quoted(f'{above}/app')} && {edit(f'{above}/app/Dockerfile')}"
            return Site(project=project, root=root), [warning("settings", told, way_out=way_out)]
        decided = settings.load(c, repository, {})
        bases = sources.outside(repository, registry=decided.registry)
    except ConfigError as error:
        return Site(project="", root=root), [refused("settings", error, way_out=refusals.of_error(error, root))]
    site = Site(
        project=project,
        root=root,
        bases=bases,
        mirror=decided.mirror,
        registry=decided.registry,
        services=tuple(service.name for service in decided.services),
        builder=decided.builder,
        platforms=decided.platforms,
        ca=decided.ca,
        sources=decided.sources,
        dockerfiles=tuple(service.dockerfile for service in decided.services),
        signing=lambda: signers.signing(decided),
    )
    return site, []
