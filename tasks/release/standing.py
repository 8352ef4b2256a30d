"""What a registry has already of a release that is on its way: so that nothing is built, tagged or signed twice."""

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..engine import git, records
from ..errors import PushError
from ..plan import release as plan
from ..plan import reuse
from ..plan.freshness import Stored, Verdict
from ..plan.reuse import Unusable
from ..report import style
from . import ledger
from .gates import Gates

if TYPE_CHECKING:
    from ..decision import Run
    from ..engine.distribution import Distribution, Manifest
    from ..plan.targets import Target

STAGED = "staged.json"
"""What an unfinished release has in the registry already, by service: a further try does not do it again."""
_AT_ONCE = 8  # requests


@dataclass(slots=True)
class Standing:
    """What a registry has, as far as it has been asked."""

    registry: "Distribution"
    gates: Gates
    commit: str = ""
    held: "plan.Release | None" = None
    """The release of this name, where an earlier push has committed it."""
    _there: "dict[tuple[str, str], Manifest | None]" = field(default_factory=dict)
    """By service and tag or digest."""

    def verdicts(
        self, run: "Run", targets: "Sequence[Target]", *, asked: Verdict | None = None
    ) -> Mapping[str, Verdict]:
        """Return for each service whether the registry has its image, or why it has to be built: as ``asked``, if so.

        Raises PushError where a tag of this release names something else already.
        """
        self.commit = git.head_in_full(run.repository.root)
        fixed, moving = kinds(run)
        staged = records.read_file(run.settings.root, STAGED) or {}
        names = self.registry.tags(plan.REPOSITORY)
        self._require_own_tags(run, names, fixed, moving)
        self._say_backwards(run, names, moving)
        self.held = self._committed(run)
        known = self._known(run, names, moving)
        own = {target.service: _staged_digest(staged, run, target.service, self.commit) for target in targets}
        wanted = {
            target.service: [*fixed, *own[target.service], *known.get(target.service, ()), *moving]
            for target in targets
        }
        self.look((service, one) for service, references in wanted.items() for one in references)
        with ThreadPoolExecutor(_AT_ONCE) as pool:  # each may ask who has signed
            one = functools.partial(self._verdict, run, fixed=fixed, own=own)
            verdicts = pool.map(lambda target: asked or one(target, wanted[target.service]), targets)
            found = dict(zip((target.service for target in targets), verdicts, strict=True))
        self._require_free(targets, fixed, found)
        return found

    def look(self, asked: Iterable[tuple[str, str]]) -> None:
        """Ask for tags and digests, each given with its service.

        Raises PushError where the registry does not say.
        """
        self._there |= self.registry.manifests(asked)

    def digest(self, service: str, tag: str) -> str | None:
        """Return what a tag that was asked for names; None where there is no such tag."""
        there = self._there.get((service, tag))
        return None if there is None else there.digest

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
        same_commit = self.held is not None and self.held.commit == self.commit
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

    def _require_own_tags(self, run: "Run", names: Sequence[str], fixed: Sequence[str], moving: Sequence[str]) -> None:
        """See that no tag that moves is a release's own."""
        for tag in moving:
            other = plan.owner(tag, names)
            if other is not None and other not in fixed:
                raise PushError(
                    f"{tag} is the tag of the release {other} in {run.settings.registry}, and is never moved",
                    hint=f"leave it out of --tags: VERSION is {run.settings.version}",
                )

    def _say_backwards(self, run: "Run", names: Sequence[str], moving: Sequence[str]) -> None:
        """Say where the tags that people follow will name an older version than there is."""
        name = plan.later(run.settings.version, names) if moving else None
        with suppress(plan.DamagedError):  # which container-releases tells
            other = None if name is None else ledger.read(self.registry, name)
            if other is None or other.project != run.settings.project or not set(other.moving) & set(moving):
                return
            again = ", ".join(tag for tag in moving if tag in other.moving)
            style.note(
                f"{other.name} was released before, and {again} will name {run.settings.version} from now on: "
                "where that is not meant, leave it out of --tags"
            )

    def _committed(self, run: "Run") -> "plan.Release | None":
        """Return the release of this name that is there; its record becomes a part of ours, and is signed with it."""
        fixed, _ = kinds(run)
        held = ledger.read(self.registry, plan.name_of(fixed, run.settings.version, self.commit))
        if held is None:
            return None
        place = f"{run.settings.registry}/{plan.REPOSITORY}"
        why = self.gates.refusal(f"{place}@{held.digest}")
        if held.project != run.settings.project:
            why = f"it is of the project {held.project}, and not of {run.settings.project}"
        if held.signer is not None and self.gates.signers is None:
            why = f"it is signed by {held.signer}, and what this adds would not be"
        if why:
            raise PushError(
                f"{place}:{held.name} is released already: {why}", hint="raise VERSION, or choose another --registry"
            )
        return held

    def _known(self, run: "Run", names: Sequence[str], moving: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the digests that records tell of each service: of what was rolled back, no tag that moves does."""
        found = [] if self.held is None else [self.held]
        last = plan.highest(names)
        with suppress(plan.DamagedError):  # which container-releases tells
            others: Sequence[plan.Release | None] = ()
            if not moving:
                others = ledger.read_all(self.registry)
            elif last is not None:
                others = [ledger.read(self.registry, last)]
            found += [one for one in others if one is not None and one.project == run.settings.project][:1]
        return {
            service: [one.digests[service] for one in found if service in one.digests]
            for service in dict.fromkeys(service for one in found for service in one.digests)
        }


def kinds(run: "Run") -> tuple[tuple[str, ...], tuple[str, ...]]:
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
