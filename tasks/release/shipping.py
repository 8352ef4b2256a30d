"""The flow behind container-push: untagged images, gates, signatures, and only then tags, of all services."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import ports
from ..engine import records
from ..engine.interrupts import ending
from ..engine.retries import PassingError
from ..errors import Interrupted, PushError, TaskError
from ..plan import release as plan
from ..plan import reuse
from ..plan.failures import Kind
from ..plan.freshness import Verdict
from ..plan.record import dumps
from ..plan.retrying import words_can_pass
from ..plan.reuse import Unusable
from ..report import release as report
from ..report import style
from ..report.release import Gate
from . import publishing
from .gates import Gates
from .standing import STAGED, Standing, kinds

if TYPE_CHECKING:
    from ..decision import Run
    from ..engine.distribution import Distribution
    from ..plan.outcomes import Outcome
    from ..plan.targets import Target
    from ..recording import Recording

_UNMOVED, _GOES_ON = "no tag has moved", "inv container-push goes on where this ended"


@dataclass(slots=True)
class Shipment:
    """One release on its way."""

    registry: "Distribution"
    gates: Gates
    standing: Standing

    @classmethod
    def of(cls, registry: "Distribution", passed: Gates) -> "Shipment":
        """Return a release that has not begun."""
        return cls(registry, passed, Standing(registry, passed))

    def verdicts(
        self, run: "Run", targets: "Sequence[Target]", *, asked: Verdict | None = None
    ) -> Mapping[str, Verdict]:
        """Return for each service what ``Standing`` says of it; raises as that does."""
        return self.standing.verdicts(run, targets, asked=asked)

    def build_again(
        self,
        run: "Run",
        outcomes: Mapping[str, "Outcome"],
        build: "Callable[[Sequence[str]], Interrupted | None]",
    ) -> "Interrupted | None":
        """Push again what a registry refused for the moment, or what a builder that is gone had not pushed.

        Its steps are in the builder's cache, so it is a matter of the push. Returns who ended it, if somebody did.
        """
        ended: list[Interrupted] = []
        tries = 0

        def step() -> None:
            nonlocal tries
            left = _passing(outcomes)
            if tries and left:
                ports.with_builder(run.settings)  # one of our own that has died comes back
                error = build(list(left))
                ended.extend([error] if error else [])
                left = {} if ended else _passing(outcomes)
            tries += 1
            if left:
                service, words = next(iter(left.items()))
                raise PassingError(f"{service} was not pushed: {words}")

        with suppress(PassingError):  # the table and the error at the end say it
            self.registry.retries.call(f"the push of {', '.join(_passing(outcomes))}", step)
        return ended[0] if ended else None

    def finish(self, run: "Run", recording: "Recording", outcomes: "Sequence[Outcome]") -> None:
        """Prove, sign and tag what is in the registry, and say so; on any error before the tags no tag has moved.

        Raises a TaskError of the kind of the gate that failed, and PushError.
        """
        members = tuple(self._member(run, outcome) for outcome in outcomes)
        staged = self.hold(run, outcomes)
        said: dict[str, Any] = {"gates": []}
        recording.release = said

        def say(gate: Gate) -> None:
            said["gates"].append({"name": gate.name, "result": gate.result, "text": gate.text})
            report.say_gate(gate)

        style.say(f"Gates of {len(members)} image{'s' if len(members) > 1 else ''}, before any tag moves:")
        proved = set(staged["proved"])
        try:
            with ending(_UNMOVED, _GOES_ON):
                signer = self.gates.pass_all(run, members, say, proved)
                checked = {one["name"]: one["result"] for one in said["gates"]}
                release = self._release(run, members, signer, checked)
        except Interrupted:  # which says so itself
            raise
        except TaskError:
            style.note(f"{_UNMOVED}, and what is in the registry is not built again: {_GOES_ON}")
            raise
        finally:
            records.write_file(run.settings.root, STAGED, dumps({**staged, "proved": sorted(proved)}))
        done = publishing.publish(self.registry, release, self.gates.sign_record, held=self.standing.held)
        said |= report.answer(done.release, done.moved)
        records.remove_files(run.settings.root, STAGED)
        report.show(done.release, done.moved, run.settings.registry)

    def _member(self, run: "Run", outcome: "Outcome") -> plan.Member:
        """Return a service's image, as the registry itself shows it.

        Raises PushError where it does not have what was pushed.
        """
        target = next(one for one in run.outline.targets if one.service == outcome.service)
        manifest = None if outcome.digest is None else self.registry.manifest(outcome.service, outcome.digest)
        if manifest is None:
            raise PushError(
                f"{target.repository} does not have {outcome.digest or 'any image'}, though it was pushed",
                hint=f"inv container-push --force --services {outcome.service}",
            )
        known = run.draft.fingerprints(outcome.service)
        try:
            one = reuse.read(f"{target.repository}@{manifest.digest}", manifest.content, marked=bool(known))
            if known:
                reuse.require(one, known, target.platforms)
        except Unusable as error:
            raise PushError(
                str(error), hint="do two builds push to this registry? run the same command again"
            ) from None
        return plan.Member(service=outcome.service, digest=manifest.digest, fingerprint=one.fingerprint or None)

    def _release(
        self, run: "Run", members: tuple[plan.Member, ...], signer: str | None, checked: Mapping[str, str]
    ) -> plan.Release:
        fixed, moving = kinds(run)
        self.standing.look((member.service, tag) for member in members for tag in moving)
        before = {
            tag: {member.service: self.standing.digest(member.service, tag) for member in members} for tag in moving
        }
        return plan.Release(
            name=plan.name_of(fixed, run.settings.version, self.standing.commit),
            project=run.settings.project,
            version=run.settings.version,
            commit=self.standing.commit,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            platforms=tuple(map(str, run.outline.request.platforms)),
            members=members,
            fixed=fixed,
            moving=moving,
            before=before,
            checked=checked,
            signer=signer,
        )

    def hold(self, run: "Run", outcomes: "Iterable[Outcome]") -> dict[str, Any]:
        """Keep what is in the registry without a tag, for the next try; return that, with what was proved.

        Raises ConfigError where it cannot be kept.
        """
        before = records.read_file(run.settings.root, STAGED) or {}
        proved = before.get("proved")
        content = {
            "registry": run.settings.registry,
            "commit": self.standing.commit,
            "digests": {one.service: one.digest for one in outcomes if one.ready and one.digest is not None},
            "proved": [one for one in proved if isinstance(one, str)] if isinstance(proved, list) else [],
        }
        records.write_file(run.settings.root, STAGED, dumps(content))
        return content


def _passing(outcomes: Mapping[str, "Outcome"]) -> dict[str, str]:
    """Return the services that were not pushed for a reason that can pass, with it."""
    kinds = {Kind.PUSH, Kind.ENGINE}
    return {
        service: outcome.failure.message
        for service, outcome in outcomes.items()
        if outcome.failure is not None and outcome.failure.kind in kinds and words_can_pass(outcome.failure.message)
    }
