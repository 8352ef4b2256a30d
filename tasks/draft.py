"""What a run would build, before it is decided what has to be: sources with their marks, and the plans made of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import sources
from .engine import workspace
from .engine.digests import Digests
from .marks import Marks, on_disk
from .plan.bases import Origin
from .plan.targets import Output, Plan, Request, Source, make_plan, support_name

if TYPE_CHECKING:
    from .plan.fingerprint import Mark
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
    marks: Mapping[str, "Mark"] = field(default_factory=dict)
    """By service, once the files have been read."""
    reader: Marks | None = None
    """What has read them."""

    def marked(self) -> "Draft":
        """Return it with the fingerprint of what each build reads.

        Raises ConfigError for what cannot be read.
        """
        by_name = {support_name(source.target): source for source in (*self.chosen, *self.others)}
        digests = Digests(self.repository.root)
        walks = on_disk(self.repository.root, digests)
        marks = Marks(self.repository, by_name, self.request.platforms, self.request.native, walks)
        found = {source.service: marks.of(source) for source in by_name.values()}
        digests.keep()

        def whole(source: Source) -> Source:
            return replace(source, fingerprint=found[source.service].fingerprint)

        chosen, others = tuple(map(whole, self.chosen)), tuple(map(whole, self.others))
        return replace(self, chosen=chosen, others=others, marks=found, reader=marks)

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
    chosen, others = sources.gather(
        settings.services,
        repository,
        registry=settings.registry,
        mirror=settings.mirror,
        local=output is Output.LOAD,
    )
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
        ),
    )
