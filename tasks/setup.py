"""container-setup: make this machine able to build, and say what was done."""

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

if TYPE_CHECKING:
    from .engine.machine.findings import Finding

DOWN = flags.Flag("down", False, "Stop the private engine, its registry and BuildKit; what they hold stays.")
LATEST_BUILDX = flags.Flag("latest_buildx", False, "Build a newer buildx than the packaged one, and use it.")
RELEASE_BUILDER = flags.Flag("release_builder", False, "Make a builder that can push by digest, as releases need it.")
EMULATION = flags.Flag("emulation", False, "Register what runs images of the other architecture.")
SIGNING = flags.Flag("signing", False, "Have cosign, which signs what is pushed and sees who has signed.")
SCANNER = flags.Flag("scanner", False, "Build Trivy, which scans images, where it is not on PATH.")
NAME = flags.Flag("builder", None, "The release builder's name. [<project>-release]")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-setup."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(c, repository, values)

    doc = "Make this machine able to build: engine, buildx, bases; says what it changed."
    own = (DOWN, LATEST_BUILDX, RELEASE_BUILDER, EMULATION, SIGNING, SCANNER, NAME)
    return [flags.make_task("container-setup", doc, own, body)]


def run(c: Context, repository: Repository, values: dict[str, Any]) -> flags.Answer:
    """Look at the machine and mend it; every finding is a line, and is returned.

    Raises EngineError when the machine cannot be made ready.
    """
    from . import settings, sources
    from .engine.machine.prepare import Options, prepare
    from .errors import TaskError
    from .report import findings as report

    wanted = Options(
        down=bool(values["down"]),
        latest_buildx=bool(values["latest_buildx"]),
        release_builder=bool(values["release_builder"]),
        emulation=bool(values["emulation"]),
        signing=bool(values["signing"]),
        scanner=bool(values["scanner"]),
        builder=values["builder"],
    )
    # A repository that has no service yet can be set up, and a machine taken down from anywhere.
    plain = wanted.down or not repository.services
    decided = None if plain else settings.load(c, repository, {})
    mirror = decided.mirror if decided else None
    bases = sources.outside(repository, registry=decided.registry) if decided else ()
    project = settings.project_of(c, repository)
    found: list[Finding] = []

    def say(finding: "Finding") -> None:
        found.append(finding)
        report.say(finding)

    try:
        prepare(wanted, project=project, mirror=mirror, bases=bases, say=say)
    except TaskError as error:
        error.record = report.answer(found)
        raise
    return report.answer(found)
