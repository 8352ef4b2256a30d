"""container-plan: what would build, and why; nothing is built."""

from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

JSON = flags.Flag("json", False, "Print the plan as JSON, and nothing else.")
MATRIX = flags.Flag("matrix", False, "Print what would build as a matrix of GitHub Actions, and nothing else.")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-plan."""

    def body(c: Context, values: dict[str, Any]) -> None:
        run(c, repository, values)

    own = (flags.SERVICES, flags.PLATFORMS, flags.REGISTRY, flags.TAGS, JSON, MATRIX)
    doc = "Show what container-build would build, and why; build nothing."
    return [flags.make_task("container-plan", doc, own, body)]


def run(c: Context, repository: Repository, values: dict[str, Any]) -> None:
    """Read the settings, decide what would build, and show it."""
    from . import pipeline, settings
    from .errors import ConfigError
    from .report import preview as report

    if values["json"] and values["matrix"]:
        raise ConfigError("--json and --matrix are two outputs", hint="choose one")
    decided = pipeline.decide(settings.load(c, repository, values), repository)
    if values["json"]:
        report.as_json(decided)
    elif values["matrix"]:
        report.as_matrix(decided)
    else:
        report.show(decided)
