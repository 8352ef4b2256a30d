"""The caches of a run beside the builder's own: tried before, kept afterwards, and left out where they are at fault."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .plan.caches import Cache, scope, scopes
from .report import style

if TYPE_CHECKING:
    from .plan.outcomes import Outcome
    from .plan.targets import Plan
    from .settings import Settings


@dataclass(frozen=True, slots=True)
class Shelf:
    """A plan with the caches that can be used, and what becomes of them."""

    settings: "Settings"
    plan: "Plan"

    @property
    def caches(self) -> tuple[Cache, ...]:
        """Those that can be used."""
        return self.plan.request.caches

    @property
    def plain(self) -> "Plan":
        """The same plan without them."""
        return replace(self.plan, request=replace(self.plan.request, caches=()))

    def put(self, outcomes: "Sequence[Outcome]") -> None:
        """Keep what the builds have written, and forget and name what has spoilt one."""
        if not self.caches:
            return
        from .engine import caches

        root, platforms = self.settings.root, self.plan.request.platforms
        for one in outcomes:
            if one.spoilt:
                caches.forget(self.caches, scopes(one.service, platforms), root)
            elif one.ready:
                caches.keep(self.caches, scope(one.service, platforms), root)
            if one.spoilt and one.ready:
                style.note(f"{one.service} was built without its caches: {style.safe(one.spoilt)}")


def shelve(settings: "Settings", plan: "Plan") -> Shelf:
    """Return a plan with those of its caches that can be used; why one cannot is noted, and is no error."""
    if not plan.request.caches:
        return Shelf(settings, plan)
    from .engine import caches, trust

    targets = (*plan.targets, *plan.support)
    names = dict.fromkeys(name for target in targets for name in scopes(target.service, target.platforms))
    asking = caches.Asking(
        bundle=trust.bundle(settings.ca, settings.root), builder=settings.builder, limit=settings.jobs
    )
    found, problems = caches.usable(plan.request.caches, tuple(names), settings.root, asking)
    for problem in problems:
        style.note(style.safe(problem))
    if plan.request.classic and found:
        style.note("this engine's image store reads caches and writes none: the containerd image store does both")
    return Shelf(settings, replace(plan, request=replace(plan.request, caches=found)))
