"""container-push: all services in the registry, proved, then tagged as one release; or nothing."""

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

if TYPE_CHECKING:
    from .settings import Settings

SKIP = flags.Flag("skip", None, "Gates to leave out, comma-separated: verify, scan, sign.")
REQUIRE = flags.Flag("require", False, "A platform that cannot run here is a failure of verify.")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-push."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        from . import settings

        wanted = settings.load(c, repository, values)
        if values["print"]:
            _print(wanted, repository)
            return None
        return _release(wanted, repository, values)

    own = (flags.SERVICES, *flags.BUILD, flags.FORCE, SKIP, REQUIRE)
    doc = "Release all services at once: build what changed, verify, scan, sign, and only then tag."
    return [flags.make_task("container-push", doc, own, body)]


def _print(wanted: "Settings", repository: Repository) -> None:
    from . import pipeline
    from .plan.targets import Output

    pipeline.show_definition(wanted, repository, output=Output.PUSH)


def _release(wanted: "Settings", repository: Repository, values: dict[str, Any]) -> flags.Answer:
    from . import ahead, pipeline, ports
    from .plan.names import split_list
    from .plan.targets import Output
    from .release import gates, shipping

    skipped = () if values["skip"] is None else split_list(values["skip"], source="--skip")
    ports.require_tags(wanted)
    ports.require_clean(repository.root)
    ports.require_room_for_records(wanted)
    ports.require_registry(wanted)
    with ports.alone(wanted):
        passed = gates.prepare(wanted, skipped, require=bool(values["require"]), source="--skip")
        shipment = shipping.Shipment.of(ports.registry(wanted), passed)
        chosen = ports.with_builder(wanted)
        with ahead.alone(chosen, images=False) as asked:
            return pipeline.run(chosen, repository, asked, output=Output.PUSH, shipment=shipment)
