"""The one flow behind build and push: settings and services, plan, definition, engine, report."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from . import keeping
from .decision import Run, Seen, decided, look, pulled
from .draft import draft
from .engine import records, trust
from .engine.interrupts import ending
from .errors import BuildError, ConfigError, EngineError, Interrupted, PushError
from .plan import bake, dockerfile, record
from .plan.fingerprint import FINGERPRINT_LABEL
from .plan.freshness import Verdict
from .plan.history import DIRTY, SHALLOW
from .plan.outcomes import Outcome, State, failed, none_began, only_pushes_failed
from .plan.platforms import of_machine
from .plan.targets import REVISION_LABEL, Output
from .printable import spelled_in_json
from .recording import Recording, recorded
from .report import style, table
from .services import read_dockerfile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from .ahead import Ahead
    from .decision import Further
    from .draft import Draft
    from .engine import api
    from .plan.targets import Plan, Target
    from .services import Repository, Service
    from .settings import Settings


def run(
    settings: "Settings",
    repository: "Repository",
    asked: "Ahead",
    *,
    output: Output,
    shipment: "Further | None" = None,
) -> "Mapping[str, Any]":
    """Build what is asked for and is not up to date, and return the record; nobody else builds in the checkout.

    ``asked`` is what the engine has been asked for. A shipment takes the images further: to a release.

    Raises a TaskError of the kind that design and ``errors`` list when something does not end well.
    """
    bundle = trust.bundle(settings.ca, settings.root)
    engine = _engine(asked, settings, output)
    native = of_machine() if engine is None else engine.native()
    drawn = draft(settings, repository, bundle, native=native, output=output)
    if engine is not None and _is_engine(settings, output) and not engine.holds_several_platforms():
        drawn = drawn.on_classic()
    outline = drawn.outline()
    with recorded(Recording(settings, outline)) as recording, _stoppable(shipment):
        _run(Run(settings, repository, drawn, outline, asked, engine, shipment), recording)
    return recording.content


def show_definition(settings: "Settings", repository: "Repository", *, output: Output) -> None:
    """Print bake's definition of all services, and nothing else; it needs no engine.

    Raises ConfigError for what cannot be read.
    """
    bundle = trust.bundle(settings.ca, settings.root)
    drawn = draft(settings, repository, bundle, native=of_machine(), output=output).marked()
    sys.stdout.write(_definition(_plan(drawn, drawn.outline().services)))
    sys.stdout.flush()


def _stoppable(shipment: "Further | None") -> "AbstractContextManager[None]":
    """Let a release say how to go on, whatever ends it: it waits for registries where a build would not."""
    if shipment is None:
        return nullcontext()
    return ending("inv container-releases shows how far it came", "inv container-push goes on where this ended")


def _is_engine(settings: "Settings", output: Output) -> bool:
    """Whether it is the engine itself that builds; asked only where it matters."""
    if output is not Output.LOAD or not settings.cache:
        return False
    from .engine import buildx

    return buildx.inspect(settings.builder).driver == "docker"


def _definition(plan: "Plan") -> str:
    return spelled_in_json(bake.dumps(bake.definition(plan)))


def _engine(asked: "Ahead", settings: "Settings", output: Output) -> "api.Engine | None":
    try:
        return asked.engine()
    except EngineError:
        if output is Output.PUSH and settings.builder is not None:
            return None  # a builder elsewhere pushes without an engine here
        raise


def _run(run: Run, recording: Recording) -> None:
    run, seen = look(run)
    recording.commit = seen.commit.result()
    recording.fingerprints = {source.service: source.fingerprint for source in run.draft.chosen}
    style.say(_headline(run, recording.commit))
    if run.outline.stand_ins:
        style.say(
            style.paint(
                "On stand-in bases, for this machine only: no registry of the real ones is in reach.", style.WARN
            )
        )
    outcomes = recording.outcomes
    outcomes |= {target.service: _waiting(target) for target in run.outline.targets}
    interrupted = None
    moved: list[str] = []
    for verdicts in decided(run, seen):
        outcomes |= {target.service: _current(run, target, verdicts) for target in _among(run, verdicts)}
        stale = [service for service, verdict in verdicts.items() if not verdict.current]
        for service, one in pulled(run, stale).items():
            outcome = replace(one.outcome, because=verdicts[service].because)
            outcomes[service] = keeping.with_content(run, outcome, one.image)
            recording.fingerprints = {**recording.fingerprints, service: one.image.labels[FINGERPRINT_LABEL]}
            stale.remove(service)
        if stale and interrupted is None and not (run.settings.fail_fast and failed(list(outcomes.values()))):
            room = _room(run)
            plan = _plan(run.draft, stale, released=run.shipment is not None)
            room.result()
            interrupted = _build(run, plan, seen, outcomes)
            if run.shipment is not None and interrupted is None:
                interrupted = run.shipment.build_again(run, outcomes, lambda left: _rebuild(run, left, seen, recording))
            moved += keeping.moved(run, stale)
            for target in plan.targets:
                service = target.service
                outcomes[service] = keeping.kept(run, target, outcomes[service], moved=service in moved)
    ordered = list(outcomes.values())
    table.show(ordered, {service.name: service.budget for service in run.settings.services if service.budget})
    style.say(table.summary(ordered, recording.seconds))
    if run.shipment is not None:  # what a file has changed under may hold anything
        run.shipment.hold(run, [one for one in ordered if one.service not in moved])
    if interrupted is not None:
        raise Interrupted(interrupted.reason, hint=_again(run))
    _raise_failed(ordered, run)
    if run.shipment is not None:
        _raise_moved(moved)
        run.shipment.finish(run, recording, ordered)
    _say_next(run, recording)


def _room(run: Run) -> "Future[None]":
    """See that the engine has room to build, while git tells what has changed; the answer raises EngineError."""
    from . import demands

    pool = ThreadPoolExecutor(1)
    answer = pool.submit(lambda: None if run.engine is None else demands.require_room(run.engine))
    pool.shutdown(wait=False)
    return answer


def _raise_moved(moved: "Sequence[str]") -> None:
    if moved:
        raise PushError(
            f"files of {', '.join(moved)} changed while it was pushed: its image may hold either state, so no tag "
            "has moved",
            hint=f"inv container-push --no-cache --services {','.join(moved)}",
        )


def _plan(drawn: "Draft", services: "Collection[str]", *, released: bool = False) -> "Plan":
    plan = drawn.plan(services)
    if released:
        _require_committed(plan)
    if any(SHALLOW in target.labels.get(REVISION_LABEL, "") for target in plan.targets):
        _say_shallow()
    return plan


def _require_committed(plan: "Plan") -> None:
    """See that a commit has all that the builds of a release read: git may have been told not to look at a file."""
    loose = [target.service for target in plan.targets if DIRTY in target.labels.get(REVISION_LABEL, "")]
    if loose:
        raise ConfigError(
            f"{', '.join(loose)} would be built from files that no commit has",
            hint="git status --ignored and git ls-files -v show them: commit them, or keep them out with .dockerignore",
        )


@cache  # once is enough
def _say_shallow() -> None:
    style.note(
        "this clone is shallow: git does not know which commits last changed the services, and the labels of "
        f"their images say {SHALLOW}. git fetch --unshallow mends it (actions/checkout: fetch-depth: 0)"
    )


def _among(run: Run, verdicts: "Mapping[str, Verdict]") -> "Iterator[Target]":
    return (target for target in run.outline.targets if target.service in verdicts)


def _waiting(target: "Target") -> Outcome:
    return Outcome(service=target.service, state=State.STOPPED, reference=target.references[0])


def _current(run: Run, target: "Target", verdicts: "Mapping[str, Verdict]") -> Outcome:
    """Return the outcome of a service that is up to date, its missing tags made; of another one, that it waits."""
    verdict = verdicts[target.service]
    outcome = replace(_waiting(target), because=verdict.because)
    if verdict.image is None:
        return outcome
    if run.store is None:
        return replace(outcome, state=State.CURRENT, digest=verdict.image.id)
    for reference in verdict.untagged:
        run.store.tag(verdict.image.id, reference)
    kept = records.read(run.settings.root, target.service) or {}
    content = record.content_of(kept) if kept.get("image") == verdict.image.id else None
    if content is None:
        content = run.store.content(target.references[0])
        keeping.keep(run, target.service, verdict.image, content)
    return replace(outcome, state=State.CURRENT, digest=verdict.image.id, content=content)


def _build(run: Run, plan: "Plan", seen: Seen, outcomes: dict[str, Outcome]) -> "Interrupted | None":
    """Build, put into ``outcomes`` what comes of it, and return who ended it, if somebody did."""
    from . import demands
    from .engine import buildx
    from .report import progress
    from .shelf import shelve

    settings = run.settings
    demands.require_platforms(plan, settings, run.engine)
    shelf = shelve(settings, plan)
    definition = _definition(shelf.plan)
    with progress.display(settings.progress, plan.services) as display, table.at_hand():
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
                    known=lambda: {reference: image.id for reference, image in seen.stored.result().items()},
                    failed=[one.service for one in failed(list(outcomes.values()))],
                    provenance=run.store is None,
                    patience=float(settings.registry_timeout),
                    plain=_definition(shelf.plain) if shelf.caches else None,
                ),
            )
        except Interrupted as error:
            return error
        finally:
            shelf.put(display.outcomes)
            for one in display.outcomes:
                outcomes[one.service] = replace(one, because=one.because or outcomes[one.service].because)
    if none_began(display.outcomes):
        buildx.check(definition, settings.root, settings.builder)  # which says it better than a failed build
    return None


def _rebuild(run: Run, services: "Sequence[str]", seen: Seen, recording: Recording) -> "Interrupted | None":
    return _build(run, _plan(run.draft, services, released=run.shipment is not None), seen, recording.outcomes)


def _headline(run: Run, commit: str | None) -> str:
    count = len(run.outline.targets)
    return "  ".join(
        (
            style.paint(run.settings.project, style.STRONG),
            f"v{run.settings.version}" + (f" ({commit})" if commit else ""),
            ", ".join(run.outline.request.platforms),
            f"{count} service" + ("s" if count > 1 else ""),
        )
    )


def _raise_failed(outcomes: "Sequence[Outcome]", run: Run) -> None:
    bad = failed(outcomes)
    if not bad:
        return
    kinds = ", ".join(f"{outcome.service} ({outcome.failure.kind})" for outcome in bad if outcome.failure)
    kind = PushError if only_pushes_failed(bad) else BuildError
    raise kind(f"{len(bad)} of {len(outcomes)} failed: {kinds}", hint=_again(run))


def _again(run: Run) -> str:
    if run.outline.request.output is Output.LOAD:
        return f"again only what failed: inv container-build --failed{run.settings.again}"
    # A release is of all its services; what is in the registry already is not built again.
    typed = run.settings.sources.get("services") == "--services"
    some = f" --services {','.join(target.service for target in run.outline.targets)}" if typed else ""
    return f"what is done is not done again: inv container-push{some}{run.settings.again}"


def ports_of(service: "Service", repository: "Repository", engine: "api.Engine", reference: str) -> tuple[int, ...]:
    """Return where a service listens; where nothing here says it plainly, all the TCP ports of its image.

    Raises ConfigError for a Dockerfile that cannot be read.
    """
    port = port_of(service, repository)
    return engine.tcp_ports(reference) if port is None else (port,)


def port_of(service: "Service", repository: "Repository") -> int | None:
    """Return where a service listens: as invoke.yaml says, else as its Dockerfile does; None where neither does.

    Raises ConfigError for a Dockerfile that cannot be read.
    """
    return service.port or dockerfile.exposed_port(read_dockerfile(repository, service), service.stage)


def _lacks_emulation(plan: "Plan") -> bool:
    """Whether the images are for a platform that this machine does not run as it is."""
    if not plan.suffix:
        return False
    from .engine.machine import emulation

    return emulation.registered(emulation.foreign()) is None


def _say_next(run: Run, recording: Recording) -> None:
    if run.settings.task != "container-run":  # that goes on by itself
        style.say(_after_push(recording) if run.outline.request.output is Output.PUSH else _next_command(run))


def _after_push(recording: Recording) -> str:
    before = (recording.release or {}).get("before") or {}
    first = not any(old for tags in before.values() for old in tags.values())
    back = "" if first else "; inv container-rollback takes it back"
    return f"Next: inv container-releases shows it among the others{back}"


def _same_place(settings: "Settings") -> str:
    """Return the flags by which a run finds the images that a build with flags has made."""
    from shlex import quote

    typed = {"registry": settings.registry, "tags": settings.tags[0]}
    return "".join(f" --{key} {quote(text)}" for key, text in typed.items() if settings.sources[key] == f"--{key}")


def _next_command(run: Run) -> str:
    plan, repository = run.outline, run.repository
    if not plan.suffix:
        chosen = [target.service for target in plan.targets]
        some = f" --services {','.join(chosen)}" if len(chosen) < len(repository.services) else ""
        return f"Next: inv container-run{some}{_same_place(run.settings)}"
    first = next((service for service in repository.services if service.name == plan.targets[0].service), None)
    port = None if first is None else port_of(first, repository)
    publish = "" if first is None or port is None else f" -p {first.publish or port}:{port}"
    emulation = (
        "\n      which this machine runs only after inv container-setup --emulation" if _lacks_emulation(plan) else ""
    )
    platform, image = plan.request.platforms[0], plan.targets[0].references[0]
    return f"Next: docker run --rm --platform {platform}{publish} {image}{emulation}"
