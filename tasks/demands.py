"""See that what a run needs is there, before anything builds."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .engine.machine import disk
from .errors import ConfigError, EngineError
from .plan.targets import Output
from .report import style

if TYPE_CHECKING:
    from .engine.api import Engine
    from .plan.targets import Plan
    from .settings import Settings

LEAST_ROOM = 1_000_000_000  # bytes: below it, a build ends in half-written layers


def require_room(engine: "Engine") -> None:
    """See that the engine has room for images.

    Raises EngineError when there is too little.
    """
    root = engine.data_root()
    free = disk.free_bytes(Path(root))
    if free is not None and free < LEAST_ROOM:
        raise EngineError(
            f"only {style.megabytes(free)} are free where the engine keeps its images ({root})",
            hint="inv container-clean frees this project's share; docker system df shows the rest",
        )


def require_platforms(plan: "Plan", settings: "Settings", engine: "Engine | None") -> None:
    """See that several platforms have a place to go.

    Raises ConfigError where they have none, and for a builder that is not there.
    """
    named = settings.builder is not None or os.environ.get("BUILDX_BUILDER")
    if not named and (len(plan.request.platforms) == 1 or plan.request.output is Output.PUSH):
        return
    from .engine import buildx

    builder = buildx.inspect(settings.builder)
    if len(plan.request.platforms) == 1 or plan.request.output is Output.PUSH:
        return
    if engine is not None and not engine.holds_several_platforms():
        raise ConfigError(
            "this engine's image store cannot hold several platforms of one image",
            hint='build one platform at a time, or switch the store: {"features": {"containerd-snapshotter": true}}'
            " in daemon.json; to push both at once: inv container-setup --release-builder",
        )
    if builder.driver != "docker":
        raise ConfigError(
            f"the builder {builder.name} ({builder.driver}) cannot load several platforms of one image at once",
            hint="build one platform at a time, leave --builder out, or push: inv container-push",
        )
