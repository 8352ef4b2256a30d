"""container-verify: every image started as a strict cluster would, asked, stopped, and read layer by layer."""

from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

TAGS = flags.Flag("tags", None, "The first of them is what is verified. [DOCKER_TAGS; latest]")
IMAGE = flags.Flag("image", None, "Any image instead, also by digest; pulled where it is not here.")
REQUIRE = flags.Flag("require", False, "A platform that cannot run here is a failure.")
SKIP = flags.Flag("skip", None, "Checks to leave out, comma-separated.")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-verify."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        from . import settings, verifying
        from .entries import check_names
        from .errors import ConfigError
        from .plan.names import split_list

        if values["image"] is not None and values["services"] is not None:
            raise ConfigError("--image and --services are two choices", hint="leave one out")
        if values["image"] is not None and not values["image"].strip():
            raise ConfigError("--image is empty", hint="for example --image ghcr.io/acme/shop:latest")
        skip = () if values["skip"] is None else split_list(values["skip"], source="--skip")
        wish = verifying.Wish(
            image=values["image"],
            require=bool(values["require"]),
            skip=frozenset(check_names(skip, "--skip")),
        )
        return verifying.run(settings.load(c, repository, values), repository, wish)

    own = (flags.SERVICES, flags.PLATFORMS, flags.REGISTRY, TAGS, IMAGE, REQUIRE, SKIP)
    doc = "Prove that the images run as a strict cluster runs them, and hold nothing that they should not."
    return [flags.make_task("container-verify", doc, own, body)]
