"""The flow behind container-push: untagged images, gates, signatures, and only then tags, of all services."""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import gates, ports, publishing
from .engine import git, records
from .engine.interrupts import ending
from .engine.retries import PassingError
from .errors import Interrupted, PushError, TaskError
from .plan import release as plan
from .plan import reuse
from .plan.failures import Kind
from .plan.freshness import Stored, Verdict
from .plan.record import dumps
from .plan.retrying import words_can_pass
from .plan.reuse import Unusable
from .report import release as report
from .report import style
from .report.release import Gate

if TYPE_CHECKING:
    from .decision import Run
    from .engine.distribution import Distribution, Manifest
    from .plan.outcomes import Outcome
    from .plan.targets import Target
    from .recording import Recording

STAGED = "staged.json"
"""What an unfinished release has in the registry already, by service: a further try does not do it again."""
_AT_ONCE = 8  # requests
_UNMOVED, _GOES_ON = "no tag has moved", "inv container-push goes on where this ended"


@dataclass(slots=True)
class Shipment:
    """One release on its way."""

    registry: "Distribution"
    gates: gates.Gates
    commit: str = ""
    _there: "dict[tuple[str, str], Manifest | None]" = field(default_factory=dict)
    """By service and tag or digest, what the registry has."""
    _held: "plan.Release | None" = None
    """The release of this name, where an earlier push has committed it."""

    def verdicts(
        self, run: "Run", targets: "Sequence[Target]", *, asked: Verdict | None = None
    ) -> Mapping[str, Verdict]:
        """Return for each service whether the registry has its image, or why it has to be built: as ``asked``, if so.

        Raises PushError where a tag of this release names something else already.
        """
        self.commit = git.head_in_full(run.repository.root)
        fixed, moving = _kinds(run)
        staged = records.read_file(run.settings.root, STAGED) or {}
        self._require_own_tags(run, fixed, moving)
        self._held = self._committed(run)
        known = self._known(run, moving)
        own = {target.service: _staged_digest(staged, run, target.service, self.commit) for target in targets}
        wanted = {
            target.service: [*fixed, *own[target.service], *known.get(target.service, ()), *moving]
            for target in targets
        }
        self._look((service, one) for service, references in wanted.items() for one in references)
        with ThreadPoolExecutor(_AT_ONCE) as pool:  # each may ask who has signed
            one = functools.partial(self._verdict, run, fixed=fixed, own=own)
            verdicts = pool.map(lambda target: asked or one(target, wanted[target.service]), targets)
            found = dict(zip((target.service for target in targets), verdicts, strict=True))
        self._require_free(targets, fixed, found)
        return found

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
        done = publishing.publish(self.registry, release, self.gates.sign_record, held=self._held)
        said |= report.answer(done.release, done.moved)
        records.remove_files(run.settings.root, STAGED)
        report.show(done.release, done.moved, run.settings.registry)

    def _verdict(
        self,
        run: "Run",
        target: "Target",
        references: Iterable[str],
        *,
        fixed: Collection[str],
        own: Mapping[str, Collection[str]],
    ) -> Verdict:
        fingerprints = run.draft.fingerprints(target.service)
        same_commit = self._held is not None and self._held.commit == self.commit
        because = ""
        for reference in references:
            manifest = self._there.get((target.service, reference))
            if manifest is None:
                continue
            try:
                place = f"{target.repository}{'@' if ':' in reference else ':'}{reference}"
                one = reuse.read(place, manifest.content, marked=bool(fingerprints))
                reuse.require_only(one, target.platforms)
                if fingerprints:
                    reuse.require(one, fingerprints, target.platforms)
                elif reference not in own[target.service] and not (same_commit and reference in fixed):
                    because = because or run.draft.marks[target.service].always
                    continue
            except Unusable as error:
                because = because or str(error)
            else:
                # What lies under a tag may be anybody's, and would be signed: only our own digests are taken unseen.
                mine = reference in own[target.service]
                why = "" if mine else self.gates.refusal(f"{target.repository}@{one.digest}")
                if not why:
                    return Verdict(image=Stored(one.digest, {}))
                because = because or why
        return Verdict(because=(because or "the registry has no image of it",))

    def _require_free(self, targets: "Sequence[Target]", fixed: Sequence[str], found: Mapping[str, Verdict]) -> None:
        for target in targets:
            image = found[target.service].image
            for tag in fixed:
                there = self._there.get((target.service, tag))
                if there is not None and (image is None or image.id != there.digest):
                    raise PushError(
                        f"{target.repository}:{tag} is released already, with other content ({there.digest[:19]}…): "
                        f"{'; '.join(found[target.service].because) or 'its tags name different images'}",
                        hint="raise VERSION: the tag of a release is never moved",
                    )

    def _require_own_tags(self, run: "Run", fixed: Sequence[str], moving: Sequence[str]) -> None:
        """See that no tag that moves is a release's own."""
        names = self.registry.tags(plan.REPOSITORY)
        for tag in moving:
            other = plan.owner(tag, names)
            if other is not None and other not in fixed:
                raise PushError(
                    f"{tag} is the tag of the release {other} in {run.settings.registry}, and is never moved",
                    hint=f"leave it out of --tags: VERSION is {run.settings.version}",
                )

    def _committed(self, run: "Run") -> "plan.Release | None":
        """Return the release of this name that is there; its record becomes a part of ours, and is signed with it."""
        fixed, _ = _kinds(run)
        held = publishing.read(self.registry, plan.name_of(fixed, run.settings.version, self.commit))
        if held is None:
            return None
        place = f"{run.settings.registry}/{plan.REPOSITORY}"
        why = self.gates.refusal(f"{place}@{held.digest}")
        if held.project != run.settings.project:
            why = f"it is of the project {held.project}, and not of {run.settings.project}"
        if why:
            raise PushError(
                f"{place}:{held.name} is released already: {why}", hint="raise VERSION, or choose another --registry"
            )
        return held

    def _known(self, run: "Run", moving: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the digests that records tell of each service: where no tag moves, nothing else tells of the last."""
        found = () if self._held is None else (self._held,)
        if not moving:
            own = [one for one in publishing.read_all(self.registry) if one.project == run.settings.project]
            found = (*found, *own[:1])
        return {
            service: [one.digests[service] for one in found if service in one.digests]
            for service in dict.fromkeys(service for one in found for service in one.digests)
        }

    def _look(self, asked: Iterable[tuple[str, str]]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            wanted = tuple(dict.fromkeys(asked))
            answers = pool.map(lambda one: self.registry.manifest(*one), wanted)
            self._there |= dict(zip(wanted, answers, strict=True))

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
        fixed, moving = _kinds(run)
        self._look((member.service, tag) for member in members for tag in moving)
        before = {tag: {member.service: self._digest(member.service, tag) for member in members} for tag in moving}
        return plan.Release(
            name=plan.name_of(fixed, run.settings.version, self.commit),
            project=run.settings.project,
            version=run.settings.version,
            commit=self.commit,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            platforms=tuple(map(str, run.outline.request.platforms)),
            members=members,
            fixed=fixed,
            moving=moving,
            before=before,
            checked=checked,
            signer=signer,
        )

    def _digest(self, service: str, tag: str) -> str | None:
        there = self._there.get((service, tag))
        return None if there is None else there.digest

    def hold(self, run: "Run", outcomes: "Iterable[Outcome]") -> dict[str, Any]:
        """Keep what is in the registry without a tag, for the next try; return that, with what was proved.

        Raises ConfigError where it cannot be kept.
        """
        before = records.read_file(run.settings.root, STAGED) or {}
        proved = before.get("proved")
        content = {
            "registry": run.settings.registry,
            "commit": self.commit,
            "digests": {one.service: one.digest for one in outcomes if one.ready and one.digest is not None},
            "proved": [one for one in proved if isinstance(one, str)] if isinstance(proved, list) else [],
        }
        records.write_file(run.settings.root, STAGED, dumps(content))
        return content


def _kinds(run: "Run") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags of a release that name it alone, and those that move; suffixes count as theirs."""
    tags = tuple(reference.rpartition(":")[2] for reference in run.outline.targets[0].references)
    return plan.kinds(tags, run.settings.version, suffix=run.outline.suffix)


def _staged_digest(staged: Mapping[str, Any], run: "Run", service: str, commit: str) -> list[str]:
    """Return the digest that an unfinished try of the same commit has left in the registry."""
    digests = staged.get("digests")
    if staged.get("registry") != run.settings.registry or not isinstance(digests, dict):
        return []
    known = bool(run.draft.fingerprints(service))
    digest = digests.get(service)
    return [digest] if isinstance(digest, str) and (known or staged.get("commit") == commit) else []


def _passing(outcomes: Mapping[str, "Outcome"]) -> dict[str, str]:
    """Return the services that were not pushed for a reason that can pass, with it."""
    kinds = {Kind.PUSH, Kind.ENGINE}
    return {
        service: outcome.failure.message
        for service, outcome in outcomes.items()
        if outcome.failure is not None and outcome.failure.kind in kinds and words_can_pass(outcome.failure.message)
    }
