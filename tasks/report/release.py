"""What a release, a list of releases and a rollback say to people and to programs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..plan.release import Move, Release
from . import grid, style

_HEADS = ("release", "state", "service", "digest", "signer", "without", "created (UTC)", "commit")
_SIGNATURES = {True: "verified", False: "refused", None: "not checked"}
_SHORT = len("sha256:") + 12
_COMMIT = 12
_FINGERPRINT = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


@dataclass(frozen=True, slots=True)
class Gate:
    """What one gate said of the images of a release."""

    name: str
    result: str
    """``ok``, ``not run`` or ``skipped``; a gate that fails ends the release."""
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One release among others."""

    release: Release
    named: int
    """How many of its moving tags name it, by service and tag."""
    tags: int
    """How many there are."""
    trusted: bool | None = None
    """Whether the record is signed by who is trusted here; None where nobody is, or it says that nobody has signed."""

    @property
    def current(self) -> bool:
        """Whether it is what people get who follow the moving tags."""
        return self.tags > 0 and self.named == self.tags


def say_gate(gate: Gate) -> None:
    """Say what a gate found, in a line."""
    mark = style.GOOD if gate.result == "ok" else style.WARN
    style.say(f"  {gate.name:<7} {style.paint(gate.result, mark)}  {style.safe(gate.text)}")


def show(release: Release, moved: Sequence[Move], registry: str) -> None:
    """Say what was published, and how it is taken back."""
    tags = {move.tag for move in moved}
    style.say(f"  {'tags':<7} {style.paint('ok', style.GOOD)}  {', '.join(sorted(tags)) or 'all were there already'}")
    count = len(release.members)
    done = f"Released {release.name}" if moved else f"{release.name} was released before, and is current"
    style.say(
        f"{style.paint(done, style.STRONG)}: {count} service{'s' if count != 1 else ''} in "
        f"{registry}, record {release.digest[:_SHORT]}"
    )


def answer(release: Release, moved: Sequence[Move]) -> dict[str, Any]:
    """Return a release as programs get it."""
    return {**release.content(), "record": release.digest, "moved": [_move(move) for move in moved]}


def show_list(listed: Sequence[Listed], registry: str) -> None:
    """Print the releases, the newest first, each with the digests of its services."""
    if not listed:
        style.say(f"There is no release in {registry} yet. inv container-push makes one.")
        return
    whole = any(one.current for one in listed)
    rows = [row for one in listed for row in _rows(one, whole=whole)]
    grid.show(_HEADS, rows, giving=("created (UTC)", "commit"))
    if not whole and any(one.named for one in listed):
        names = ", ".join(f"inv container-rollback --to {one.release.name}" for one in listed if one.named)
        style.say(f"The tags that people follow name several releases. One of these mends it: {names}")


def _rows(one: Listed, *, whole: bool) -> list[tuple[str, ...]]:
    release = one.release
    state = style.paint("current", style.GOOD) if one.current else ""
    if not whole and one.named:
        state = style.paint(f"{one.named} of {one.tags} tags", style.WARN)
    created = release.created.replace("T", " ").removesuffix("Z")
    left = ", ".join(gate for gate, word in release.checked.items() if word != "ok")
    first = (release.name, state, _signer(one), left, created, release.commit[:_COMMIT])
    told = [*map(style.safe, first[:1]), state, *map(style.safe, first[2:])]
    rows = []
    for member in release.members or (None,):
        own = ("", "") if member is None else (style.safe(member.service), member.digest[:_SHORT])
        rows.append((*told[:2], *own, *told[2:]))
        told = [""] * len(told)
    return rows


def _signer(one: Listed) -> str:
    """Return who has signed, a key by the beginning of its fingerprint, and what that word is worth."""
    if one.release.signer is None:
        return "nobody"
    words = {True: "", False: ", NOT so: its signature is refused", None: ", as it says"}[one.trusted]
    return _FINGERPRINT.sub(r"\1…", one.release.signer) + words


def list_answer(listed: Sequence[Listed]) -> dict[str, Any]:
    """Return the list as programs get it."""
    return {
        "releases": [
            {
                **one.release.content(),
                "record": one.release.digest,
                "current": one.current,
                "named": one.named,
                "signature": _SIGNATURES[one.trusted],
            }
            for one in listed
        ]
    }


def show_rollback(
    release: Release, moves: Sequence[Move], registry: str, seconds: float, left: Sequence[tuple[str, str, str]]
) -> None:
    """Say which tags were moved where, and which are ``left`` as they were: service, tag and digest."""
    for move in moves:
        was = "" if move.old is None else f"  (was {move.old[:_SHORT]})"
        style.say(f"  {registry}/{move.service}:{move.tag}  {move.new[:_SHORT]}{style.safe(was)}")
    for service, tag, digest in left:
        why = f"stays: {style.safe(release.name)} has no {service}"
        style.say(f"  {registry}/{service}:{tag}  {digest[:_SHORT]}  {why}")
    if not moves:
        style.say(f"Nothing to do: every tag names {style.safe(release.name)} already.")
        return
    style.say(f"{style.paint(f'Back at {style.safe(release.name)}', style.STRONG)} in {style.seconds(seconds)}")


def rollback_answer(release: Release, moves: Sequence[Move], left: Sequence[tuple[str, str, str]]) -> Mapping[str, Any]:
    """Return a rollback as programs get it."""
    return {
        "release": release.name,
        "record": release.digest,
        "moved": [_move(move) for move in moves],
        "left": [{"service": service, "tag": tag, "digest": digest} for service, tag, digest in left],
    }


def _move(move: Move) -> dict[str, Any]:
    return {"service": move.service, "tag": move.tag, "old": move.old, "new": move.new}
