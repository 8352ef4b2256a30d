"""container-releases and container-rollback: what was released together, and the way back to it."""

from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

TO = flags.Flag("to", None, "The release to go back to: its name or version. [the one before]")
MOST = flags.Flag("most", None, "How many are listed. [20]")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-releases and container-rollback."""

    def releases(c: Context, values: dict[str, Any]) -> flags.Answer:
        from . import settings
        from .release import rollback

        return rollback.show(settings.load(c, repository, values), values["most"])

    def back(c: Context, values: dict[str, Any]) -> flags.Answer:
        from . import settings
        from .plan.names import split_list
        from .release import rollback

        chosen = None if values["services"] is None else split_list(values["services"], source="--services")
        return rollback.run(settings.load(c, repository, {**values, "services": None}), values["to"], chosen=chosen)

    return [
        flags.make_task(
            "container-releases",
            "List what was released together: version, digests, date, signer, and which of them is current.",
            (flags.REGISTRY, MOST),
            releases,
        ),
        flags.make_task(
            "container-rollback",
            "Move the tags that people follow back to an earlier release; nothing is built or pulled.",
            (flags.SERVICES, flags.REGISTRY, TO),
            back,
        ),
    ]
