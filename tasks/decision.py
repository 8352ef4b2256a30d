"""What has to be built, and why: what the builds read, held against what the engine has and the last builds read."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from . import ahead
from .draft import draft
from .engine import git, made, records
from .plan.freshness import Ages, Verdict, as_for, changed, judge, made_of
from .plan.targets import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from .ahead import Ahead
    from .draft import Draft
    from .engine.api import Engine
    from .errors import Interrupted
    from .plan.fingerprint import Mark
    from .plan.freshness import Stored
    from .plan.outcomes import Outcome
    from .plan.targets import Plan, Target
    from .recording import Recording
    from .reusing import Pulled, Registry
    from .services import Repository
    from .settings import Settings


class Further(Protocol):
    """What takes the images of a run further, when they lie in a registry without a tag: a release."""

    def verdicts(
        self, run: "Run", targets: "Sequence[Target]", *, asked: Verdict | None = None
    ) -> "Mapping[str, Verdict]":
        """Return for each service whether the registry has its image, or why it has to be built: ``asked``, if so."""

    def build_again(
        self, run: "Run", outcomes: "Mapping[str, Outcome]", build: "Callable[[Sequence[str]], Interrupted | None]"
    ) -> "Interrupted | None":
        """Build again what did not reach the registry for a reason that passes; return who ended it, if any did."""

    def hold(self, run: "Run", outcomes: "Iterable[Outcome]") -> "Mapping[str, Any]":
        """Keep what has reached the registry, for the next try."""

    def finish(self, run: "Run", recording: "Recording", outcomes: "Sequence[Outcome]") -> None:
        """Do what is left to do with the images of all services."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run, all that it is about."""

    settings: "Settings"
    repository: "Repository"
    draft: "Draft"
    outline: "Plan"
    asked: "Ahead"
    engine: "Engine | None"
    shipment: "Further | None" = None
    """The release that it is for, where it is for one."""

    @property
    def store(self) -> "Engine | None":
        """The engine whose image store the images go to, where they do."""
        return None if self.outline.request.output is Output.PUSH else self.engine


@dataclass(frozen=True, slots=True)
class Seen:
    """What there was before anything was built."""

    stored: "Future[Mapping[str, Stored]]"
    commit: "Future[str | None]"
    """The short name of the commit checked out."""


def look(run: Run) -> tuple[Run, Seen]:
    """Fingerprint what the builds read, while engine and git answer."""
    store = run.store
    pool = ThreadPoolExecutor()
    seen = Seen(
        stored=pool.submit(lambda: {} if store is None else run.asked.stored(run.outline.references)),
        commit=pool.submit(git.head, run.repository.root),
    )
    pool.shutdown(wait=False)
    return replace(run, draft=run.draft.marked()), seen


def decide(settings: "Settings", repository: "Repository", asked: "Ahead") -> "Mapping[str, Verdict]":
    """Return what a build would build, or pull, and why, by service; nothing is built.

    Raises ConfigError for what cannot be read, and EngineError without an engine.
    """
    engine = asked.engine()
    drawn = draft(settings, repository, None, native=engine.native(), output=Output.LOAD)
    run, seen = look(Run(settings, repository, drawn, drawn.outline(), asked, engine))
    verdicts = _verdicts(run, run.outline.targets, seen.stored.result())
    if not settings.reuse or all(verdict.current for verdict in verdicts.values()):
        return verdicts
    from . import reusing

    return reusing.foreseen(_registry(run), verdicts)


def ages(settings: "Settings", repository: "Repository") -> Ages:
    """Return how the images stand to their sources, under the first tag; what is not there has no age.

    Nothing is built. An image for several platforms is as good as one.

    Raises ConfigError for what cannot be read, and EngineError without an engine.
    """
    only = replace(settings, tags=settings.tags[:1])
    asked = ahead.ask(only)
    engine = asked.engine()
    drawn = draft(only, repository, None, native=engine.native(), output=Output.LOAD)
    outline = drawn.outline()
    stored = asked.stored(outline.references)
    run = Run(only, repository, drawn.marked(), outline, asked, engine)
    there = [target for target in outline.targets if any(name in stored for name in target.references)]
    verdicts = {target.service: _verdict(run, target, as_for(target, stored)) for target in there}
    unsure = {name for name, one in verdicts.items() if one.unknown or run.draft.marks[name].inputs is None}
    return Ages(
        outdated=tuple(name for name, one in verdicts.items() if not one.current and name not in unsure),
        unsure=tuple(name for name in verdicts if name in unsure),
    )


def decided(run: Run, seen: Seen) -> "Iterator[Mapping[str, Verdict]]":
    """Decide what has to be built: while the store is still asked, first what its answer would not change."""
    certain = {} if seen.stored.done() else _certain(run)
    if certain:
        yield certain
    rest = [target for target in run.outline.targets if target.service not in certain]
    if rest:
        yield _verdicts(run, rest, seen.stored.result())


def _certain(run: Run) -> "Mapping[str, Verdict]":
    """Return what has to be built whatever the store has: what is asked for, and what differs from the last build."""
    found = {}
    if run.settings.reuse or run.store is None:  # then another image may do, and the record does not know of it
        return {}
    for target in run.outline.targets:
        asked = _asked_for(run)
        before = None if asked is not None else records.read(run.settings.root, target.service)
        verdict = asked or changed(run.draft.marks[target.service], before)
        if verdict is not None:
            found[target.service] = verdict
    return found


def _asked_for(run: Run) -> Verdict | None:
    """Return why everything is built, where somebody has asked for that in so many words."""
    settings = run.settings
    return Verdict(because=("asked for",)) if settings.force or settings.no_cache or settings.pull else None


def _verdicts(run: Run, targets: "Sequence[Target]", stored: "Mapping[str, Stored]") -> "Mapping[str, Verdict]":
    """Decide what has to be built."""
    asked = _asked_for(run)
    if run.shipment is not None:
        return run.shipment.verdicts(run, targets, asked=asked)
    if asked is not None:
        return {target.service: asked for target in targets}
    return {target.service: _verdict(run, target, stored) for target in targets}


def _verdict(run: Run, target: "Target", stored: "Mapping[str, Stored]") -> Verdict:
    before = records.read(run.settings.root, target.service)
    mark, released = run.draft.marks[target.service], run.draft.released[target.service]
    verdict = judge(target, mark, stored, before, _made(target, mark, stored, before))
    if verdict.current or released is mark:
        return verdict
    pushed = judge(target, released, stored, before, _made(target, released, stored, before))
    return pushed if pushed.current else verdict


def _made(
    target: "Target", mark: "Mark", stored: "Mapping[str, Stored]", before: "Mapping[str, Any] | None"
) -> frozenset[str]:
    """Return what this machine knows to have been made of it, where this checkout's own record does not say enough."""
    there = {stored[name].id for name in target.references if name in stored}
    if mark.inputs is None or not there or there <= made_of(mark.inputs.fingerprint, before):
        return frozenset()
    return made.of(mark.inputs.fingerprint)


def _registry(run: Run) -> "Registry":
    from .reusing import Registry

    return Registry(run.settings, run.draft, run.outline)


def pulled(run: Run, stale: "Sequence[str]") -> "Mapping[str, Pulled]":
    """Pull what the registry has of the services that have to be built, where that is asked for, and return it."""
    if not stale or not run.settings.reuse or run.store is None or _asked_for(run) is not None:
        return {}
    from . import reusing

    return reusing.pull(_registry(run), stale, run.store)
