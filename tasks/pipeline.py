"""The one flow behind build and push: settings and services, plan, definition, engine, report."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import sources
from .engine import api, buildx, git, trust, workspace
from .engine.machine import disk
from .errors import BuildError, ConfigError, EngineError, Interrupted, PushError
from .plan import bake, dockerfile
from .plan.outcomes import failed, only_pushes_failed
from .plan.platforms import of_machine
from .plan.printable import spelled_in_json
from .plan.targets import Output, Request, make_plan
from .report import progress, style, table
from .services import read_dockerfile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .plan.outcomes import Outcome
    from .plan.platforms import Platform
    from .plan.targets import Plan
    from .services import Repository, Service
    from .settings import Settings

LEAST_ROOM = 1_000_000_000  # bytes: below it, a build ends in half-written layers


def run(settings: "Settings", repository: "Repository", *, output: Output, print_only: bool) -> None:
    """Build what the settings ask for, or only print the definition.

    Raises a TaskError of the kind that design and ``errors`` list when something does not end well.
    """
    bundle = trust.bundle(settings.ca, settings.root)
    engine = None if print_only else _engine(settings, output)
    plan = plan_for(settings, repository, bundle, native=_native(engine), output=output)
    definition = spelled_in_json(bake.dumps(bake.definition(plan)))
    if print_only:
        sys.stdout.write(definition)
        sys.stdout.flush()
        return
    buildx.check(definition, settings.root, settings.builder)
    if engine is not None:
        _require_room(engine)
    _require_platforms(plan, settings, engine)
    with workspace.alone(settings.root, lambda: style.note("another run builds in this checkout; waiting for it")):
        _build(plan, definition, settings, repository, engine)


def _engine(settings: "Settings", output: Output) -> api.Engine | None:
    try:
        return api.connect()
    except EngineError:
        if output is Output.PUSH and settings.builder is not None:
            return None  # a builder elsewhere pushes without an engine here
        raise


def _native(engine: api.Engine | None) -> "Platform":
    return of_machine() if engine is None else engine.native()


def plan_for(
    settings: "Settings", repository: "Repository", bundle: Path | None, *, native: "Platform", output: Output
) -> "Plan":
    """Read what the services say and decide what to build."""
    chosen, others = sources.gather(
        settings.services,
        repository,
        registry=settings.registry,
        mirror=settings.mirror,
        local=output is Output.LOAD,
    )
    return make_plan(
        chosen,
        Request(
            project=settings.project,
            registry=settings.registry,
            version=settings.version,
            tags=settings.tags,
            platforms=settings.platforms,
            native=native,
            output=output,
            ca=None if bundle is None else workspace.copy_bundle(settings.root, bundle),
            no_cache=settings.no_cache,
            pull=settings.pull,
        ),
        others=others,
    )


def _require_room(engine: api.Engine) -> None:
    root = engine.data_root()
    free = disk.free_bytes(Path(root))
    if free is not None and free < LEAST_ROOM:
        raise EngineError(
            f"only {style.megabytes(free)} are free where the engine keeps its images ({root})",
            hint="inv container-clean frees this project's share; docker system df shows the rest",
        )


def _require_platforms(plan: "Plan", settings: "Settings", engine: api.Engine | None) -> None:
    """See that several platforms have a place to go, before anything builds."""
    if settings.builder is None and (len(plan.request.platforms) == 1 or plan.request.output is Output.PUSH):
        return
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


def _build(
    plan: "Plan", definition: str, settings: "Settings", repository: "Repository", engine: api.Engine | None
) -> None:
    style.say(_headline(plan, settings, repository))
    if plan.stand_ins:
        style.say(
            style.paint(
                "On stand-in bases, for this machine only: no registry of the real ones is in reach.", style.WARN
            )
        )
    known = {} if engine is None or plan.request.output is Output.PUSH else engine.ids(plan.references)
    began = time.monotonic()
    with progress.display(settings.progress, [target.service for target in plan.targets]) as display:
        try:
            buildx.build(
                plan,
                definition,
                display,
                buildx.Conduct(
                    root=settings.root,
                    builder=settings.builder,
                    jobs=settings.jobs,
                    fail_fast=settings.fail_fast,
                    known=known,
                ),
            )
        except Interrupted as error:
            interrupted: Interrupted | None = error
        else:
            interrupted = None
    by_service = {outcome.service: outcome for outcome in display.outcomes}
    outcomes = [_measured(by_service[target.service], plan, engine) for target in plan.targets]
    table.show(outcomes, {service.name: service.budget for service in settings.services if service.budget})
    style.say(table.summary(outcomes, time.monotonic() - began))
    if interrupted is not None:
        raise interrupted
    _judge(outcomes, plan, settings.again)
    style.say(_next_command(plan, repository))


def _headline(plan: "Plan", settings: "Settings", repository: "Repository") -> str:
    commit = git.head(repository.root)
    count = len(plan.targets)
    return "  ".join(
        (
            style.paint(settings.project, style.STRONG),
            f"v{settings.version}" + (f" ({commit})" if commit else ""),
            ", ".join(plan.request.platforms),
            f"{count} service" + ("s" if count > 1 else ""),
        )
    )


def _measured(outcome: "Outcome", plan: "Plan", engine: api.Engine | None) -> "Outcome":
    if engine is None or not outcome.ready or plan.request.output is Output.PUSH:
        return outcome
    return replace(outcome, size=engine.unpacked_size(outcome.reference))


def _judge(outcomes: "Sequence[Outcome]", plan: "Plan", again: str) -> None:
    bad = failed(outcomes)
    if not bad:
        return
    kinds = ", ".join(f"{outcome.service} ({outcome.failure.kind})" for outcome in bad if outcome.failure)
    task = "container-push" if plan.request.output is Output.PUSH else "container-build"
    kind = PushError if only_pushes_failed(bad) else BuildError
    raise kind(
        f"{len(bad)} of {len(outcomes)} failed: {kinds}",
        hint=f"again only what failed: inv {task} --services {','.join(one.service for one in bad)}{again}",
    )


def port_of(service: "Service", repository: "Repository") -> int | None:
    """Return where a service listens: as invoke.yaml says, else as its Dockerfile does.

    Raises ConfigError for a Dockerfile that cannot be read.
    """
    return service.port or dockerfile.exposed_port(read_dockerfile(repository, service), service.stage)


def _next_command(plan: "Plan", repository: "Repository") -> str:
    if plan.request.output is Output.PUSH:
        return f"Next: docker pull {plan.targets[0].references[0]}"
    first = next((service for service in repository.services if service.name == plan.targets[0].service), None)
    port = None if first is None else port_of(first, repository)
    publish = "" if port is None else f" -p {port}:{port}"
    foreign = f" --platform {plan.request.platforms[0]}" if plan.suffix else ""
    emulation = "\n      which this machine runs only after inv container-setup --emulation" if plan.suffix else ""
    return f"Next: docker run --rm{foreign}{publish} {plan.targets[0].references[0]}{emulation}"
