"""container-run and container-stop: the built images up, with their addresses and logs, and down again."""

from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

TAGS = flags.Flag("tags", None, "The first of them is what runs. [DOCKER_TAGS; latest]")
DETACH = flags.Flag("detach", False, "Leave them running once they are healthy; container-stop ends them.")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-run and container-stop."""
    return [_run(repository), _stop(repository)]


def _run(repository: Repository) -> Task[Any]:
    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        from . import running, settings
        from .engine import api
        from .engine.containers import Containers

        engine = api.connect()
        wanted = settings.load(c, repository, values, platforms=(engine.native(),))
        return running.run(wanted, repository, engine, Containers(api.client()), detach=bool(values["detach"]))

    doc = "Start the images, building what is missing; show addresses and logs; Ctrl-C stops all."
    return flags.make_task("container-run", doc, (flags.SERVICES, flags.REGISTRY, TAGS, flags.REUSE, DETACH), body)


def _stop(repository: Repository) -> Task[Any]:
    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        from . import running, settings
        from .engine import api
        from .engine.containers import Containers
        from .plan.names import split_list

        project = settings.project_of(c, repository)
        named = values["services"]
        services = () if named is None else split_list(named, source="--services")
        door = Containers(api.client())
        # A container may outlive its service's folder; any other name must be a service's.
        left = {container.service for container in door.found() if container.runs_for(project)}
        repository.select([name for name in services if name not in left], source="--services")
        return running.stop_all(project, services, door)

    doc = "Stop and remove what container-run has left running."
    return flags.make_task("container-stop", doc, (flags.SERVICES,), body)
