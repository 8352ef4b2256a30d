"""The flow behind container-releases and container-rollback: read the records, choose one, move its tags."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import ports
from ..engine.interrupts import ending
from ..errors import ConfigError, PushError, SignError
from ..plan import release as plan
from ..report import release as report
from . import gates, ledger, publishing

if TYPE_CHECKING:
    from ..engine.distribution import Distribution
    from ..settings import Settings

_MOST = "20"
_AT_ONCE = 8  # signatures


def show(settings: "Settings", most: str | None) -> Mapping[str, Any]:
    """List the releases, and return them for programs.

    Raises PushError where the registry does not say.
    """
    from ..plan.values import whole_number

    count = whole_number(most or _MOST, "--most", hint="for example --most 5")
    ports.require_registry(settings)
    registry = ports.registry(settings)
    listed = _judged(settings, _listed(registry, _own(registry, settings)[:count]))
    report.show_list(listed, settings.registry)
    _say_moved(registry, [one.release for one in listed if one.current])
    return report.list_answer(listed)


def run(settings: "Settings", wanted: str | None, *, chosen: Sequence[str] | None) -> Mapping[str, Any]:
    """Move the tags that people follow to an earlier release, of all its services or of those that are chosen.

    A service that this repository no longer has can be chosen, too: the release has it.

    Raises ConfigError where there is no such release, SignError where its record is not signed as it has to be, and
    PushError when the tags could not be moved; then they are where they were, or the error names those that are not.
    """
    began = time.monotonic()
    ports.require_registry(settings)
    registry = ports.registry(settings)
    with ports.alone(settings):
        releases = _own(registry, settings)
        release = plan.select(releases, wanted) if wanted is not None else _before(_listed(registry, releases))
        if chosen is not None:
            release = plan.only(release, chosen)
        if not release.moving:
            raise ConfigError(
                f"the release {release.name} has no tag that moves: nobody follows one",
                hint="container.tags gives images a tag such as latest",
            )
        mend = f"inv container-rollback --to {release.name}"
        with ending("no tag has moved", mend):
            gates.require_signed(settings, release, f"{settings.registry}/{plan.REPOSITORY}")
            there = publishing.look(registry, release.digests, release.moving)
            left = () if chosen is not None else _left(registry, releases, release)
            moves = [move for move in plan.moves(release.digests, release.moving, there) if move.needed]
            _require_there(registry, release, moves)
        with publishing.heeding(registry) as interrupts:
            publishing.move_all(registry, moves, interrupts, mend=mend)
            publishing.read_back(registry, moves, mend=mend)
    report.show_rollback(release, moves, settings.registry, time.monotonic() - began, left)
    return report.rollback_answer(release, moves, left)


def _left(
    registry: "Distribution", releases: Sequence[plan.Release], release: plan.Release
) -> tuple[tuple[str, str, str], ...]:
    """Return service, tag and digest of what later releases have brought and this one has nothing for."""
    later = [one for one in releases if plan.age(one) > plan.age(release)]
    services = dict.fromkeys(service for one in later for service in one.digests if service not in release.digests)
    there = publishing.look(registry, services, release.moving)
    return tuple((service, tag, digest) for (service, tag), digest in there.items() if digest is not None)


def _require_there(registry: "Distribution", release: plan.Release, moves: Sequence[plan.Move]) -> None:
    """Raise PushError unless the registry still has all that tags are to name: registries forget what is old."""
    found = registry.manifests((move.service, move.new) for move in moves)
    gone = [f"{registry.registry}/{service}@{digest}" for (service, digest), one in found.items() if one is None]
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise PushError(
            f"the release {release.name} is not whole any more: the registry does not have {gone[0]}{more}",
            hint="go back to another: inv container-releases lists them, and --to names it",
        )


def _own(registry: "Distribution", settings: "Settings") -> tuple[plan.Release, ...]:
    """Return the releases of this project: others may have theirs at the same place."""
    return tuple(one for one in ledger.read_all(registry) if one.project == settings.project)


def _say_moved(registry: "Distribution", releases: Sequence[plan.Release]) -> None:
    """Say which tags of versions no longer name what their release has: somebody has moved them."""
    from ..report import style

    for release in releases:
        there = publishing.look(registry, release.digests, release.fixed)
        for move in plan.moves(release.digests, release.fixed, there):
            if move.needed:
                place = f"{registry.registry}/{move.service}:{move.tag}"
                style.note(f"{place} has moved: it is {move.old or 'gone'}, and {release.name} has {move.new}")


def _listed(registry: "Distribution", releases: Sequence[plan.Release]) -> tuple[report.Listed, ...]:
    services = dict.fromkeys(service for release in releases for service in release.digests)
    tags = dict.fromkeys(tag for release in releases for tag in release.moving)
    there = publishing.look(registry, services, tags)
    return tuple(report.Listed(release, *plan.current(release, there)) for release in releases)


def _judged(settings: "Settings", listed: Sequence[report.Listed]) -> tuple[report.Listed, ...]:
    """Return the releases with what their signatures are worth: anybody can write a record that names a signer."""
    from .. import signers
    from ..report import style

    try:
        verifier = signers.verifier(settings)
    except SignError as error:
        style.note("; ".join(filter(None, (f"no signature is checked: {error.reason}", error.hint))))
        return tuple(listed)
    if verifier is None:
        return tuple(listed)

    def one(entry: report.Listed) -> report.Listed:
        if entry.release.signer is None:
            return entry
        try:
            verifier.verify([f"{settings.registry}/{plan.REPOSITORY}@{entry.release.digest}"])
        except SignError:
            return replace(entry, trusted=False)
        return replace(entry, trusted=True)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(one, listed))


def _before(listed: Sequence[report.Listed]) -> plan.Release:
    """Return the release before the current one, among those with a tag in common: others are of another channel.

    Raises ConfigError where there is none, or none is current as a whole.
    """
    if not listed:
        raise ConfigError("there is no release to go back to", hint="inv container-push makes one; check --registry")
    current = next((number for number, one in enumerate(listed) if one.current), None)
    if current is None:
        raise ConfigError(
            "no release is current as a whole, so none is the one before",
            hint=f"name one: --to {listed[0].release.name}; inv container-releases lists them",
        )
    now = listed[current].release
    earlier = listed[current + 1 :]
    others = [one for one in earlier if one.release.name != now.name and set(one.release.moving) & set(now.moving)]
    # What its tags named before it: a release that was taken back is not what to go back to.
    remembered = next((one.release for one in others if plan.stood_before(now, one.release)), None)
    if remembered is not None:
        return remembered
    older = [one.release for one in others if not one.current]
    if not older:
        raise ConfigError(
            f"{now.name} is the first release: there is none before it",
            hint="inv container-releases lists them",
        )
    return older[0]
