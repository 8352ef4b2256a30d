"""The flow behind --reuse and an up-to-date push: ask the registry, decide, and pull what can stand in for a build."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .engine import api, published, transfers
from .errors import EngineError, TaskError
from .plan import reuse
from .plan.freshness import Stored, Verdict
from .plan.outcomes import Outcome, State
from .plan.reuse import Published, Unusable
from .report import style

if TYPE_CHECKING:
    from .draft import Draft
    from .plan.targets import Plan, Target
    from .settings import Settings

_NOTES = 5  # services that are named one by one
Found = Mapping[str, Published | Unusable]


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that was pulled instead of built."""

    outcome: Outcome
    image: Stored


@dataclass(frozen=True, slots=True)
class Registry:
    """What one run knows of what its registry has published."""

    settings: "Settings"
    draft: "Draft"
    outline: "Plan"

    def usable(self, targets: Iterable["Target"]) -> Found:
        """Return for each service the first of its references that can stand in for a build, or why none can.

        Services of which no fingerprint is known are left out. Raises Interrupted when a signal ends the run.
        """
        found: dict[str, Published | Unusable] = {}
        wanted = {}
        for target in targets:
            why = reuse.refused(target, self.outline)
            if why:
                found[target.service] = Unusable(why)
            elif self.draft.fingerprints(target.service):
                wanted[target.service] = reuse.candidates(target, self.outline)
        for service, looked in self._look(wanted, enough=lambda one: isinstance(one, Published)).items():
            found[service] = looked[-1]
        return found

    def _look(
        self, wanted: Mapping[str, Sequence[str]], *, enough: Callable[[Published | Unusable], bool]
    ) -> Mapping[str, Sequence[Published | Unusable]]:
        """Ask for each service's references one after the other, all services at once, until it is enough.

        Of a registry that does not answer in time nothing more is asked.
        """
        found: dict[str, list[Published | Unusable]] = {service: [] for service in wanted}
        waiting = {service: list(references) for service, references in wanted.items()}
        while waiting:
            asked = {service: references.pop(0) for service, references in waiting.items()}
            answers = published.ask(
                tuple(asked.values()),
                root=self.settings.root,
                builder=self.settings.builder,
                limit=self.settings.jobs,
                longest=reuse.LONGEST,
            )
            for service, reference in asked.items():
                answer = answers[reference]
                one = self._judged(service, reference, answer)
                found[service].append(one)
                if enough(one) or answer.silent or not waiting[service]:
                    del waiting[service]
        return found

    def _judged(self, service: str, reference: str, answer: published.Answer) -> Published | Unusable:
        if answer.content is None:
            return Unusable(answer.problem)
        try:
            one = reuse.read(reference, answer.content)
            reuse.require(one, self.draft.fingerprints(service), self.outline.request.platforms)
        except Unusable as error:
            return error
        return one


def foreseen(registry: Registry, verdicts: Mapping[str, Verdict]) -> Mapping[str, Verdict]:
    """Return the verdicts with what would be pulled; nothing is pulled.

    Raises Interrupted when a signal ends the run.
    """
    looked = registry.usable(target for target in registry.outline.targets if not verdicts[target.service].current)
    found = {service: one.reference for service, one in looked.items() if isinstance(one, Published)}
    return {service: replace(verdict, published=found.get(service, "")) for service, verdict in verdicts.items()}


def pull(registry: Registry, services: Collection[str], store: api.Engine) -> Mapping[str, Pulled]:
    """Pull what can stand in for a build of these services, tag it, and return it by service.

    What cannot is left to the build, with a note that says why: no fault of a registry is an error.
    Raises Interrupted when a signal ends the run.
    """
    targets = {target.service: target for target in registry.outline.targets if target.service in services}
    looked = registry.usable(targets.values())
    found = {service: one for service, one in looked.items() if isinstance(one, Published)}
    lost = {service: str(one) for service, one in looked.items() if isinstance(one, Unusable)}
    for service, why in _unsigned(registry.settings, targets, found).items():
        lost[service] = why
        del found[service]
    if found:
        style.say(f"Pulls {', '.join(found)} from {registry.settings.registry}")
    ends = transfers.pull({service: _wanted(targets[service], one) for service, one in found.items()})
    outcomes = {}
    for service, one in found.items():
        try:
            image = _taken(targets[service], one, ends[service], store)
        except (Unusable, EngineError) as error:
            lost[service] = str(error).partition("\n")[0].removeprefix("error: ")
        else:
            outcome = Outcome(
                service=service,
                state=State.PULLED,
                seconds=ends[service].seconds,
                reference=targets[service].references[0],
                digest=image.id,
            )
            outcomes[service] = Pulled(outcome, image)
    _say_lost(lost)
    return outcomes


def _unsigned(
    settings: "Settings", targets: "Mapping[str, Target]", found: Mapping[str, Published]
) -> Mapping[str, str]:
    """Return the services whose image is not signed by who is trusted, and why; none where nobody has to sign."""
    from . import signers

    if not found or not signers.is_expected(settings):
        return {}
    refused = {}
    for service, one in found.items():
        try:
            signers.verified(settings, [f"{targets[service].repository}@{one.digest}"])
        except TaskError as error:
            refused[service] = error.reason
    return refused


def _wanted(target: "Target", one: Published) -> Sequence[transfers.Wanted]:
    digests = one.digests(target.platforms)
    pairs = zip(digests, target.platforms, strict=True)
    return [transfers.Wanted(target.repository, digest, platform) for digest, platform in pairs]


def _taken(target: "Target", one: Published, end: transfers.End, store: api.Engine) -> Stored:
    """Give the image that was pulled every reference of its target, and return it."""
    if end.problem:
        raise Unusable(end.problem)
    image = reuse.pulled(store.inspected(f"{target.repository}@{one.digests(target.platforms)[0]}"), one, target)
    for reference in target.references:
        store.tag(image.id, reference)
    return image


def _say_lost(lost: Mapping[str, str]) -> None:
    for service, why in list(lost.items())[:_NOTES]:
        style.note(f"{service} is built, not pulled: {style.safe(why)}")
    if len(lost) > _NOTES:
        style.note(f"{len(lost) - _NOTES} more are built, not pulled")
