"""What a run would build, before it is decided what has to be: sources with their marks, and the plans made of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import sources
from .engine import workspace
from .engine.digests import Digests
from .marks import Marks, on_disk
from .plan import caches
from .plan.bases import Origin
from .plan.targets import Output, Plan, Request, Source, make_plan, support_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine.walk import Walks
    from .plan.fingerprint import Inputs, Mark
    from .plan.platforms import Platform
    from .services import Repository
    from .settings import Settings


@dataclass(frozen=True, slots=True)
class Draft:
    """The services of a run, those that they stand on, and what is asked of all."""

    repository: "Repository"
    chosen: tuple[Source, ...]
    others: tuple[Source, ...]
    request: Request
    pushed: tuple[Source, ...] = ()
    """All of them as a push would have them, where an image like that is as good as a local one, and differs."""
    marks: Mapping[str, "Mark"] = field(default_factory=dict)
    """By service, once the files have been read."""
    released: Mapping[str, "Mark"] = field(default_factory=dict)
    """The same of ``pushed``, or of all where nothing differs."""
    reader: Marks | None = None
    """What has read them."""

    def marked(self) -> "Draft":
        """Return it with the fingerprint of what each build reads.

        Raises ConfigError for what cannot be read.
        """
        digests = Digests(self.repository.root)
        walks = on_disk(self.repository.root, digests)
        marks, found = self._marks((*self.chosen, *self.others), walks)
        released = self._marks(self.pushed, walks)[1] if self.pushed else found
        digests.keep()

        def whole(source: Source) -> Source:
            return replace(source, fingerprint=found[source.service].fingerprint)

        chosen, others = tuple(map(whole, self.chosen)), tuple(map(whole, self.others))
        return replace(self, chosen=chosen, others=others, marks=found, released=released, reader=marks)

    def moved(self, services: Collection[str]) -> tuple[str, ...]:
        """Return those of the services whose builds read something else now than when they were marked.

        Raises ConfigError for what can no longer be read.
        """
        walks = on_disk(self.repository.root, Digests(self.repository.root))
        now = [replace(source, text=None) for source in (*self.chosen, *self.others)]
        by_name = {support_name(source.target): source for source in now}
        marks = Marks(self.repository, by_name, self.request.platforms, self.request.native, walks)
        return tuple(
            one.service
            for one in now[: len(self.chosen)]
            if one.service in services and marks.of(one).fingerprint != self.marks[one.service].fingerprint
        )

    def _marks(
        self, of: Collection[Source], walks: "Callable[[str], Walks[Any]]"
    ) -> "tuple[Marks, Mapping[str, Mark]]":
        by_name = {support_name(source.target): source for source in of}
        marks = Marks(self.repository, by_name, self.request.platforms, self.request.native, walks)
        return marks, {source.service: marks.of(source) for source in by_name.values()}

    def fingerprints(self, service: str) -> tuple[str, ...]:
        """Return the fingerprints that an image may have to be up to date: none where that cannot be told."""
        marks = (self.marks[service], self.released[service])
        return tuple(dict.fromkeys(mark.fingerprint for mark in marks if mark.fingerprint is not None))

    def inputs(self, service: str, fingerprint: str | None) -> "Inputs | None":
        """Return what the build reads that has this fingerprint; None where no build has it."""
        marks = (self.marks[service], self.released[service])
        return next((mark.inputs for mark in marks if mark.fingerprint == fingerprint), None)

    def on_classic(self) -> "Draft":
        """Return the same for an engine with its older image store."""
        return replace(self, request=replace(self.request, classic=True))

    def outline(self) -> Plan:
        """Return the plan for all, without what only git knows; it is not for building."""
        return make_plan(self.chosen, self.request, others=self.others)

    def plan(self, services: Collection[str]) -> Plan:
        """Return the plan that builds some of the services."""
        wanted = [source for source in self.chosen if source.service in services]
        others = [source for source in (*self.chosen, *self.others) if source.service not in services]
        below = others if any(base.origin is Origin.OWN for source in wanted for base in source.bases) else []
        scopes = {} if self.reader is None else {one.service: self.reader.scope(one) for one in (*wanted, *below)}
        told = {one.service: one for one in sources.with_history([*wanted, *below], self.repository, scopes)}
        return make_plan(
            [told[one.service] for one in wanted], self.request, others=[told.get(one.service, one) for one in others]
        )


def draft(
    settings: "Settings", repository: "Repository", bundle: Path | None, *, native: "Platform", output: Output
) -> Draft:
    """Read what the services say; what their builds read is read by ``marked``.

    Raises ConfigError for what cannot be read.
    """
    local = output is Output.LOAD
    chosen, others = _gathered(settings, repository, local=local)
    differ = local and settings.reuse and any(service.local_args for service in repository.services)
    return Draft(
        repository,
        chosen,
        others,
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
            provenance=settings.provenance,
            caches=caches.parse(settings.cache, registry=settings.registry, source="cache"),
        ),
        pushed=tuple(chain(*_gathered(settings, repository, local=False))) if differ else (),
    )


def _gathered(
    settings: "Settings", repository: "Repository", *, local: bool
) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    return sources.gather(
        settings.services, repository, registry=settings.registry, mirror=settings.mirror, local=local
    )
