"""container-plan: what would build, and why; nothing is built."""

from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

MATRIX = flags.Flag("matrix", False, "Print what would build as a matrix of GitHub Actions, and nothing else.", True)


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-plan."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(c, repository, values)

    own = (flags.SERVICES, flags.PLATFORMS, flags.REGISTRY, flags.TAGS, MATRIX)
    doc = "Show what container-build would build, and why; build nothing."
    return [flags.make_task("container-plan", doc, own, body)]


def run(c: Context, repository: Repository, values: dict[str, Any]) -> flags.Answer:
    """Read the settings, decide what would build, and show it."""
    from . import decision, settings
    from .report import preview as report

    decided = decision.decide(settings.load(c, repository, values), repository)
    if values["matrix"]:
        report.as_matrix(decided)
    elif not values["json"]:
        report.show(decided)
    return report.answer(decided)
