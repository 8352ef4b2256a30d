"""container-push: every image for the platforms asked for, under every tag, in the registry."""

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

if TYPE_CHECKING:
    from .settings import Settings


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-push."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        from . import again, pipeline, settings
        from .plan.targets import Output

        chosen = again.select(repository, values, "push") if values["failed"] else values
        if chosen is None:
            return None
        wanted = settings.load(c, repository, chosen)
        if not values["print"]:
            _require_clean_tree(repository)
            _require_registry(wanted)
        return pipeline.run(wanted, repository, output=Output.PUSH, print_only=bool(values["print"]))

    doc = "Build and push every image that the registry lacks; needs a clean work tree."
    return [flags.make_task("container-push", doc, (flags.SERVICES, *flags.BUILD, flags.FORCE, flags.FAILED), body)]


def _require_clean_tree(repository: Repository) -> None:
    from .engine import git
    from .errors import ConfigError

    changed = git.uncommitted(repository.root)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""  # noqa: PLR2004 - three names fit a line
        raise ConfigError(
            f"the work tree is not clean: {', '.join(changed[:3])}{more}",
            hint="commit or stash it: what is pushed must be what a commit says",
        )


def _require_registry(wanted: "Settings") -> None:
    from .engine import registry, trust

    registry.require(wanted.registry, trust.bundle(wanted.ca, wanted.root))
