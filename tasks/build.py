"""container-build, its two platforms and its services: what a person types to have images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .plan.names import RESERVED
from .services import Repository

if TYPE_CHECKING:
    from .plan.platforms import Platform
    from .settings import Settings


_OWN = (flags.FORCE, flags.REUSE)


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-build, one task a platform and one a service."""
    return [
        _build_all(repository),
        *(_build_platform(repository, arch) for arch in sorted(RESERVED)),
        *(_build_service(repository, service.name, service.task_name) for service in repository.services),
    ]


def _build_all(repository: Repository) -> Task[Any]:
    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        if not values["failed"]:
            return run(c, repository, values)
        from . import again

        chosen = again.select(repository, values)
        return None if chosen is None else run(c, repository, chosen)

    doc = "Build the images of all services, and load them into the local image store."
    return flags.make_task("container-build", doc, (flags.SERVICES, *flags.BUILD, *_OWN, flags.FAILED), body)


def _build_platform(repository: Repository, arch: str) -> Task[Any]:
    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        from .plan.platforms import of_machine

        return run(c, repository, values, platforms=(of_machine(arch),))

    doc = f"Build the images of all services for linux/{arch} alone."
    own = [flag for flag in flags.BUILD if flag is not flags.PLATFORMS]
    return flags.make_task(f"container-build-{arch}", doc, (flags.SERVICES, *own, *_OWN), body)


def _build_service(repository: Repository, service: str, task_name: str) -> Task[Any]:
    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(c, repository, {**values, "services": service, "chosen_by": "the task"})

    return flags.make_task(
        f"container-build-{task_name}", f"Build the image of {service}.", (*flags.BUILD, *_OWN), body
    )


def run(
    c: Context, repository: Repository, values: dict[str, Any], *, platforms: "Sequence[Platform]" = ()
) -> flags.Answer:
    """Read the settings, plan, build and report: the sentence that every build task is."""
    from . import ahead, settings

    wanted = settings.load(c, repository, values, platforms=tuple(platforms))
    if platforms:
        _say_ignored(wanted)
    if values["print"]:
        _print(wanted, repository)
        return None
    with ahead.alone(wanted) as asked:
        from . import pipeline
        from .plan.targets import Output

        return pipeline.run(wanted, repository, asked, output=Output.LOAD)


def _print(wanted: "Settings", repository: Repository) -> None:
    from . import pipeline
    from .plan.targets import Output

    pipeline.show_definition(wanted, repository, output=Output.LOAD)


def _say_ignored(wanted: "Settings") -> None:
    import os

    from .report import style

    if "BUILD_PLATFORMS" in os.environ:
        style.note(f"BUILD_PLATFORMS is ignored: this task builds for {wanted.platforms[0]} alone")
