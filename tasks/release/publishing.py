"""Tags of many services as one: version tags, the record that commits the release, then the tags people follow.

The same moves take a release back. When one cannot be made, those that were are taken back; what cannot be is
named, with the command that mends it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..engine.interrupts import Interrupts
from ..engine.retries import PassingError
from ..errors import Interrupted, PushError, TaskError
from ..plan import release as plan
from ..plan.release import Move, Release
from . import ledger

if TYPE_CHECKING:
    from ..engine.distribution import Distribution

_AT_ONCE = 8  # requests
_NAMED = 5  # tags that an error names one by one
_UNMOVED = "no tag that anybody follows has moved"


@dataclass(frozen=True, slots=True)
class Published:
    """A release as the registry has it now, and the tags that were moved for it."""

    release: Release
    moved: tuple[Move, ...]


def publish(
    registry: "Distribution", release: Release, sign: Callable[[str], object], *, held: Release | None
) -> Published:
    """Tag all of a release, and return what was done; ``sign`` signs its record, by the record's whole reference.

    ``held`` is the record of the same name that is there already: its services stay in it.

    Raises PushError where a tag could not be set or names something else afterwards, and Interrupted.
    """
    with heeding(registry) as interrupts:
        fixed = plan.moves(release.digests, release.fixed, look(registry, release.digests, release.fixed))
        _require_unmoved(registry, fixed)
        _set(registry, [move for move in fixed if move.needed], interrupts)
        with _told(_UNMOVED, "inv container-push goes on where this ended"):
            read_back(registry, fixed, mend="inv container-push", state=f"; {_UNMOVED}")
        whole = _merged(release, held)
        if held is not None and not _tells_more(whole, held):
            whole = held
        else:
            whole = _written(registry, whole, sign, interrupts)
        with _told(_UNMOVED, "inv container-push goes on where this ended"):
            ledger.require(registry, whole)
        old = f"the release {whole.name} is complete; its tags {', '.join(whole.moving)} are the old ones"
        _stop(interrupts, old)
        with _told(old, "inv container-push moves them"):
            moving = plan.moves(release.digests, release.moving, look(registry, release.digests, release.moving))
        needed = [move for move in moving if move.needed]
        done = move_all(
            registry, needed, interrupts, mend="inv container-push", state=f"{whole.name} is complete, and "
        )
        with _told(f"the release {whole.name} and its tags are set, and were not read back", "inv container-push does"):
            read_back(registry, [*fixed, *moving], mend="inv container-push")
    return Published(whole, tuple(move for move in fixed if move.needed) + tuple(done))


@contextmanager
def _told(state: str, then: str) -> Iterator[None]:
    """Say in what state an error leaves all, unless it says so itself, and what goes on then."""
    try:
        yield
    except LostRaceError:
        raise
    except TaskError as error:
        raise type(error)(f"{error.reason}; {state}", hint=_first(error, then)) from error


class LostRaceError(PushError):
    """Tags name something else than they were given."""


@contextmanager
def heeding(registry: "Distribution") -> Iterator[Interrupts]:
    """Count signals instead of raising them; what waits for the registry then waits no more."""
    with Interrupts(lambda: None) as interrupts:
        registry.retries.ended = lambda: interrupts.count > 0
        try:
            yield interrupts
        finally:
            registry.retries.ended = lambda: False


def look(
    registry: "Distribution", services: Iterable[str], tags: Iterable[str]
) -> Mapping[tuple[str, str], str | None]:
    """Return what each tag of each service names.

    Raises PushError where the registry does not say.
    """
    tags = tuple(tags)
    found = registry.manifests((service, tag) for service in services for tag in tags)
    return {one: None if manifest is None else manifest.digest for one, manifest in found.items()}


def move_all(
    registry: "Distribution", moves: Sequence[Move], interrupts: Interrupts, *, mend: str, state: str = ""
) -> tuple[Move, ...]:
    """Make all moves, or none; ``mend`` is the command that makes what could neither be made nor taken back.

    ``state``: how things are otherwise, for an error.

    Raises PushError, and Interrupted, when the tags are back where they were.
    """
    done, error = _try(registry, moves, interrupts)
    if error is None and not interrupts.count:
        return tuple(done)
    kind = Interrupted if error is None else PushError
    reason = f"stopped by {interrupts.word}" if error is None else error.reason
    try:
        stuck = _taken_back(registry.anew(), moves)
    except TaskError as second:
        raise kind(
            f"{reason}; nor can the tags be taken back ({second.reason}): {_named(registry, moves)} may be old or new",
            hint=f"when the registry answers, {mend} makes all of them new",
        ) from error
    if stuck:
        raise kind(
            f"{reason}; new, and not taken back: {_named(registry, stuck)}", hint=f"{mend} makes the others new, too"
        ) from error
    hint = _first(error, f"{mend} goes on where this ended")
    raise kind(f"{reason}; {state}{_UNMOVED}", hint=hint) from error


def _taken_back(registry: "Distribution", moves: Sequence[Move]) -> list[Move]:
    """Take back what has moved, and return the moves that could not be.

    What was refused may have been done all the same, so it is the registry that says what has moved.
    """
    services, tags = dict.fromkeys(move.service for move in moves), dict.fromkeys(move.tag for move in moves)
    there = look(registry, services, tags)
    _try(registry, plan.undone([move for move in moves if there[move.service, move.tag] == move.new]), None)
    there = look(registry, services, tags)
    return [move for move in moves if there[move.service, move.tag] != move.old]


def read_back(registry: "Distribution", moves: Sequence[Move], *, mend: str, state: str = "") -> None:
    """See that every tag names what it was given; ``state``: how things are otherwise, for an error.

    Raises PushError that names those that somebody else has moved meanwhile.
    """
    there = look(registry, dict.fromkeys(move.service for move in moves), dict.fromkeys(move.tag for move in moves))
    lost = [move for move in moves if there.get((move.service, move.tag)) != move.new]
    if lost:
        found = "; ".join(
            f"{registry.registry}/{one.service}:{one.tag} names {there.get((one.service, one.tag)) or 'nothing'}"
            for one in lost[:_NAMED]
        )
        why = "another release moved tags at the same time"
        if all(there.get((one.service, one.tag)) == one.old for one in lost):
            why += ", or the registry did not keep them"
        raise LostRaceError(
            f"{why}: {found}, and not {lost[0].new}{state}",
            hint=f"inv container-releases shows who won; {mend} makes it this one",
        )


def _written(
    registry: "Distribution", release: Release, sign: Callable[[str], object], interrupts: Interrupts
) -> Release:
    try:
        return ledger.write(registry, release, sign)
    except TaskError as error:
        _stop(interrupts, _UNMOVED)  # Ctrl-C at a terminal ends cosign as well
        state = f"the tags {', '.join(release.fixed)} are set, which nobody follows yet" if release.fixed else _UNMOVED
        raise type(error)(f"{error.reason}; {state}", hint=error.hint) from error


def _merged(release: Release, held: Release | None) -> Release:
    """Return a release with the services that its record has already; an image of both is the new one's."""
    if held is None:
        return release
    rest = tuple(member for member in held.members if member.service not in release.digests)
    before = {
        tag: {**release.before.get(tag, {}), **held.before.get(tag, {})}
        for tag in dict.fromkeys((*held.moving, *release.moving))
    }
    members = sorted((*release.members, *rest), key=lambda member: member.service)
    moving = tuple(dict.fromkeys((*held.moving, *release.moving)))
    checked = release.checked
    if rest:  # what one of them has not passed, the release has not
        checked = {gate: held.checked.get(gate, word) if word == "ok" else word for gate, word in checked.items()}
    return replace(release, members=tuple(members), moving=moving, before=before, checked=checked)


def _tells_more(whole: Release, held: Release) -> bool:
    """Whether a record says what the one that is there does not: another image, tag or signer, or a gate more."""
    more = any(word == "ok" != held.checked.get(gate) for gate, word in whole.checked.items())
    return (
        held.digests != whole.digests
        or set(held.moving) != set(whole.moving)
        or bool(whole.signer and not held.signer)
        or more
    )


def _require_unmoved(registry: "Distribution", moves: Iterable[Move]) -> None:
    for move in moves:
        if move.old is not None and move.needed:
            raise PushError(
                f"{registry.registry}/{move.service}:{move.tag} is released already, with other content "
                f"({move.old[:19]}…)",
                hint="raise VERSION: the tag of a release is never moved",
            )


def _set(registry: "Distribution", moves: Sequence[Move], interrupts: Interrupts) -> None:
    done, error = _try(registry, moves, interrupts)
    if error is not None:
        raise PushError(
            f"{error.reason}; {len(done)} of {len(moves)} version tags are set, which nobody follows yet",
            hint=_first(error, "the same command goes on where this ended: inv container-push"),
        ) from error
    _stop(interrupts, _UNMOVED)


def _stop(interrupts: Interrupts, state: str) -> None:
    if interrupts.count:
        raise Interrupted(f"stopped by {interrupts.word}; {state}", hint="inv container-push goes on")


def _try(
    registry: "Distribution", moves: Sequence[Move], interrupts: Interrupts | None
) -> tuple[list[Move], TaskError | None]:
    """Make moves side by side; return those that were made, and the first error. After one, no other is begun."""
    done: list[Move] = []
    errors: list[TaskError] = []

    def one(move: Move) -> None:
        if errors or (interrupts is not None and interrupts.count):
            return
        try:
            manifest = registry.manifest(move.service, move.new)
            if manifest is None:
                raise PushError(
                    f"{registry.registry}/{move.service} does not have {move.new}", hint="inv container-push builds it"
                )
            registry.put(move.service, move.tag, manifest)
        except TaskError as error:
            errors.append(error)
        else:
            done.append(move)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(one, moves))
    return done, errors[0] if errors else None


def _first(error: TaskError | None, then: str) -> str:
    """Return what mends an error, where it does not pass by itself, and what goes on then."""
    if error is None or error.hint is None or isinstance(error, PassingError):
        return then
    return f"{error.hint}; then {then}"


def _named(registry: "Distribution", moves: Sequence[Move]) -> str:
    names = [f"{registry.registry}/{move.service}:{move.tag}" for move in moves]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
