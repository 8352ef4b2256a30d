"""container-plan: what would build, and why; nothing is built."""

from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

MATRIX = flags.Flag("matrix", False, "Print what would build as a matrix of GitHub Actions, and nothing else.", True)
CHANGED_SINCE = flags.Flag(
    "changed_since",
    None,
    "Show instead whose builds read what the work tree has changed since HEAD left this branch, tag or commit, "
    "as git diff REF... does; asks no engine.",
)


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-plan."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(c, repository, values)

    own = (flags.SERVICES, flags.PLATFORMS, flags.REGISTRY, flags.TAGS, flags.REUSE, CHANGED_SINCE, MATRIX)
    doc = "Show what container-build would build, and why; build nothing."
    return [flags.make_task("container-plan", doc, own, body)]


def run(c: Context, repository: Repository, values: dict[str, Any]) -> flags.Answer:
    """Read the settings, decide what would build, and show it."""
    from . import settings
    from .report import preview as report

    wanted = settings.load(c, repository, values)
    if values["changed_since"] is None:
        from . import ahead

        asked = ahead.ask(wanted)
        from . import decision  # while the engine is asked

        verdicts = decision.decide(wanted, repository, asked)
        found = report.Decided(verdicts, pulled=[service for service, one in verdicts.items() if one.published])
    else:
        from . import changes

        since = changes.since(wanted, repository, values["changed_since"])
        found = report.Decided(since.services, since)
    if values["matrix"]:
        report.as_matrix(found)
    elif not values["json"]:
        report.show(found)
    return report.answer(found)
