"""The flow behind container-run and container-stop: decide, build what is missing, start, wait, follow, stop."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import TYPE_CHECKING, Any

from . import ahead, decision, pipeline
from .engine import api, claims, http, ports
from .engine.containers import Containers
from .engine.fleet import Broke, Ended, Fleet, stop
from .engine.interrupts import Interrupts
from .engine.machine import reach
from .errors import BuildError, ConfigError, Interrupted, TaskError, VerifyError
from .plan import running
from .plan.conditions import Health, Stand
from .plan.targets import Output
from .report import running as report
from .report import style

if TYPE_CHECKING:
    from .plan.conditions import Condition, Exit
    from .plan.freshness import Ages
    from .plan.running import Decision, Launch
    from .services import Repository, Service
    from .settings import Settings

POLL = 0.3  # seconds between two looks at containers that come up


@dataclass(slots=True)
class Age:
    """Whether images are older than their sources: found out beside a run, which waits for no answer."""

    settings: "Settings"
    repository: "Repository"
    found: "Ages | None" = field(default=None, init=False)
    """None as long as it is not known."""

    def __post_init__(self) -> None:
        """Begin to find out."""
        Thread(target=self._find, daemon=True).start()

    def _find(self) -> None:
        with suppress(TaskError, OSError):  # what a build would say of it is not a run's business
            self.found = decision.ages(self.settings, self.repository)


def run(
    settings: "Settings", repository: "Repository", engine: api.Engine, door: Containers, *, detach: bool
) -> Mapping[str, Any]:
    """Start the images, show where they answer, and follow them until they end or a person ends them.

    Return where each answers, for programs.

    Raises ConfigError for names and ports that others have, BuildError for an image that could
    not be built, VerifyError for a container that does not come up or fails, and Interrupted
    when a run was ended before all were up, or killed.
    """
    age = Age(settings, repository)
    launches = tuple(_launch(service, settings, repository) for service in settings.services)
    plan = _decide(launches, door)
    built = _build_missing(launches, settings, repository, engine)
    before, launches = launches, _placed(launches, settings, repository, engine)
    if built or launches != before:
        plan = _decide(launches, door)  # a build takes its time
    fleet, keep = Fleet(door), False
    found: Mapping[str, Any] = {"services": []}
    services = [launch.service for launch in launches]
    with claims.claimed(settings.project, services), Interrupts(fleet.wake) as interrupts:
        report.replaced(plan.replaced)
        stop(door, [container.id for container in plan.replaced], interrupts)
        try:
            conditions = _up(fleet, launches, interrupts)
            keep = detach
            report.show(launches, conditions)
            report.ages(age.found, settings.again)
            found = report.answer(launches, conditions, age.found)
            if detach:
                report.detached(launches)
                return found
            how_ended = _follow(fleet, interrupts)
        except BrokenPipeError:
            style.mute()
            return found
        finally:
            killed = False if keep else fleet.stop(interrupts)
    report.stopped(len(launches))
    _judge(how_ended, killed=killed)
    return found


def _launch(service: "Service", settings: "Settings", repository: "Repository") -> "Launch":
    return running.Launch(
        project=settings.project,
        service=service.name,
        image=f"{settings.registry}/{service.name}:{settings.tags[0]}",
        port=pipeline.port_of(service, repository),
        publish=service.publish,
        health=service.health,
        memory=service.memory,
        tmpfs=service.tmpfs,
        env=service.env,
    )


def _placed(
    launches: Sequence["Launch"], settings: "Settings", repository: "Repository", engine: api.Engine
) -> tuple["Launch", ...]:
    """Return the launches on the ports that their images have; one with several of them has none to publish."""
    found = []
    for launch, service in zip(launches, settings.services, strict=True):
        ports = pipeline.ports_of(service, repository, engine, launch.image)
        port = ports[0] if len(ports) == 1 else None
        setting = "health" if service.health is not None else "publish" if service.publish is not None else None
        if setting is not None and port is None:
            raise ConfigError(
                f"container.services.{service.name}.{setting}: there is no port that it could be at",
                hint=f"EXPOSE it in {service.dockerfile}, or set container.services.{service.name}.port",
            )
        if len(ports) > 1:
            report.several_ports(service.name, ports)
        found.append(replace(launch, port=port))
    return tuple(found)


def _engine_is_here() -> bool:
    return reach.endpoint().startswith(("unix://", "npipe://"))


def _decide(launches: Sequence["Launch"], door: Containers) -> "Decision":
    wanted = [launch.published for launch in launches if launch.published is not None]
    # Of the ports of another machine its engine knows no more than those of its containers.
    taken = ports.taken(wanted) if _engine_is_here() else {}
    followed = claims.elsewhere(launches[0].project, [launch.service for launch in launches])
    found = running.decide(launches, door.found(), taken, followed=followed)
    if found.conflicts:
        raise running.refusal(found.conflicts)
    return found


def _build_missing(
    launches: Sequence["Launch"], settings: "Settings", repository: "Repository", engine: api.Engine
) -> bool:
    there = engine.stored([launch.image for launch in launches])
    missing = [launch.service for launch in launches if launch.image not in there]
    if not missing:
        return False
    style.say(f"Not in the image store, so built first: {', '.join(missing)}")
    chosen = tuple(service for service in settings.services if service.name in missing)
    wanted = replace(settings, services=chosen)
    with ahead.alone(wanted) as asked:
        pipeline.run(wanted, repository, asked, output=Output.LOAD)
    there = engine.stored([launch.image for launch in launches])
    for launch in launches:
        if launch.image not in there:
            raise BuildError(
                f"{launch.image} was built, and the engine does not have it",
                hint="does the builder load into another engine? docker buildx ls shows them",
            )
    return True


def _up(fleet: Fleet, launches: Sequence["Launch"], interrupts: Interrupts) -> tuple["Condition", ...]:
    """Start the containers and wait until all are up."""
    with report.coming([launch.service for launch in launches]) as show:
        _require_patience(interrupts)
        fleet.start(launches)
        began = time.monotonic()
        while True:
            _require_patience(interrupts)
            seconds = time.monotonic() - began
            conditions = _asked(fleet.conditions(), launches, seconds)
            stands = {one.service: one.stand(seconds) for one in conditions}
            if Stand.COMING not in stands.values() or Stand.FAILED in stands.values():
                break
            show([service for service, stand in stands.items() if stand is Stand.COMING])
            fleet.next(POLL)
    failed = [one for one in conditions if stands[one.service] is Stand.FAILED]
    for one in failed:
        report.failure(one, fleet.last_lines(one.service, report.LAST_LINES))
    if failed:
        raise VerifyError(
            f"{len(failed)} of {len(conditions)} did not come up: {', '.join(one.service for one in failed)}",
            hint=f"above is the last that they wrote; again: inv container-run --services "
            f"{','.join(one.service for one in failed)}",
        )
    return conditions


def _asked(conditions: Sequence["Condition"], launches: Sequence["Launch"], seconds: float) -> tuple["Condition", ...]:
    """Ask the services whose images have no health check at their health paths."""
    if not _engine_is_here():  # its loopback is not this machine's
        return tuple(conditions)
    urls = {launch.service: launch.health_url for launch in launches if launch.health_url}
    unchecked = [one for one in conditions if one.health is Health.NONE and one.exit is None and one.service in urls]
    faults = http.faults(urls[one.service] for one in unchecked)
    return tuple(one.answered(faults[urls[one.service]], seconds) if one in unchecked else one for one in conditions)


def _require_patience(interrupts: Interrupts) -> None:
    if interrupts.count:
        raise Interrupted(f"stopped by {interrupts.word} before all services were up; nothing of this run is left")


def _follow(fleet: Fleet, interrupts: Interrupts) -> dict[str, "Exit"] | None:
    """Show what the services write; return how each ended, or None when a person ended the run."""
    log = report.Log(fleet.services)
    ended: dict[str, Exit] = {}
    report.following()
    fleet.follow(log.line)
    while len(ended) < len(fleet.services) and not interrupts.count:
        match fleet.next():
            case Ended(service, how):
                ended[service] = how
                log.ended(service, str(how), bad=how.bad, others=len(fleet.services) - len(ended))
            case Broke(error):
                raise error
    if not interrupts.count:
        return ended
    report.stopping(len(fleet.services) - len(ended), interrupts.word)
    return None


def _judge(how_ended: dict[str, "Exit"] | None, *, killed: bool) -> None:
    if killed:
        raise Interrupted("killed: what the services still had to do is lost")
    bad = [service for service, how in (how_ended or {}).items() if how.bad]
    if bad:
        raise VerifyError(
            f"every service has ended, by a fault of {', '.join(bad)}", hint="what they wrote last is above"
        )


def stop_all(project: str, services: Sequence[str], door: Containers) -> Mapping[str, Any]:
    """Stop and remove what container-run of a project has left running; say and return what that was."""
    mine = running.own(door.found(), project, services)
    if not mine:
        style.say(f"Nothing of {project} runs.")
        return {"stopped": []}
    with Interrupts(lambda: None) as interrupts:
        killed = stop(door, [container.id for container in mine], interrupts)
    for container in mine:
        style.say(f"{'killed' if killed else 'stopped'} {container.service} ({container.name})")
    return {"stopped": [{"name": one.service, "container": one.name, "killed": killed} for one in mine]}
