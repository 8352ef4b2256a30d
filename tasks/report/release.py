"""What a release, a list of releases and a rollback say to people and to programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..plan.release import Move, Release
from . import grid, style

_HEADS = ("release", "state", "services", "created", "commit", "signer")
_SHORT = len("sha256:") + 12
_COMMIT = 12


@dataclass(frozen=True, slots=True)
class Gate:
    """What one gate said of the images of a release."""

    name: str
    result: str
    """``ok``, ``not run`` or ``skipped``; a gate that fails ends the release."""
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One release among others, and how many of its moving tags name it."""

    release: Release
    named: int
    tags: int

    @property
    def state(self) -> str:
        """Whether it is what people get who follow the moving tags."""
        if self.tags and self.named == self.tags:
            return "current"
        return f"{self.named} of {self.tags} tags" if self.named else ""


def say_gate(gate: Gate) -> None:
    """Say what a gate found, in a line."""
    mark = style.GOOD if gate.result == "ok" else style.WARN
    style.say(f"  {gate.name:<7} {style.paint(gate.result, mark)}  {style.safe(gate.text)}")


def show(release: Release, moved: Sequence[Move], registry: str) -> None:
    """Say what was published, and how it is taken back."""
    tags = {move.tag for move in moved}
    style.say(f"  {'tags':<7} {style.paint('ok', style.GOOD)}  {', '.join(sorted(tags)) or 'all were there already'}")
    count = len(release.members)
    style.say(
        f"{style.paint(f'Released {release.name}', style.STRONG)}: {count} service{'s' if count != 1 else ''} in "
        f"{registry}, record {release.digest[:_SHORT]}"
    )


def answer(release: Release, moved: Sequence[Move]) -> dict[str, Any]:
    """Return a release as programs get it."""
    return {**release.content(), "record": release.digest, "moved": [_move(move) for move in moved]}


def show_list(listed: Sequence[Listed], registry: str) -> None:
    """Print the releases, the newest first, with each service's digest in the current ones."""
    if not listed:
        style.say(f"There is no release in {registry} yet. inv container-push makes one.")
        return
    rows = [
        (
            style.safe(one.release.name),
            style.paint(one.state, style.GOOD if one.state == "current" else style.WARN) if one.state else "",
            str(len(one.release.members)),
            style.safe(one.release.created),
            style.safe(one.release.commit[:_COMMIT]),
            style.safe(one.release.signer or "nobody"),
        )
        for one in listed
    ]
    grid.show(_HEADS, rows, right=("services",), giving=("signer", "commit"))
    for one in listed:
        if one.state:
            style.say(f"{style.safe(one.release.name)}:")
            for member in one.release.members:
                style.say(f"  {registry}/{member.service}@{member.digest}")
    half = [one for one in listed if one.state and one.state != "current"]
    if half and not any(one.state == "current" for one in listed):
        names = ", ".join(f"inv container-rollback --to {one.release.name}" for one in half)
        style.say(f"The tags that people follow name several releases. One of these mends it: {names}")


def list_answer(listed: Sequence[Listed]) -> dict[str, Any]:
    """Return the list as programs get it."""
    return {
        "releases": [
            {
                **one.release.content(),
                "record": one.release.digest,
                "current": one.state == "current",
                "named": one.named,
            }
            for one in listed
        ]
    }


def show_rollback(release: Release, moves: Sequence[Move], registry: str, seconds: float) -> None:
    """Say which tags were moved where."""
    for move in moves:
        was = "" if move.old is None else f"  (was {move.old[:_SHORT]})"
        style.say(f"  {registry}/{move.service}:{move.tag}  {move.new[:_SHORT]}{style.safe(was)}")
    if not moves:
        style.say(f"Nothing to do: every tag names {style.safe(release.name)} already.")
        return
    style.say(f"{style.paint(f'Back at {style.safe(release.name)}', style.STRONG)} in {style.seconds(seconds)}")


def rollback_answer(release: Release, moves: Sequence[Move]) -> Mapping[str, Any]:
    """Return a rollback as programs get it."""
    return {"release": release.name, "record": release.digest, "moved": [_move(move) for move in moves]}


def _move(move: Move) -> dict[str, Any]:
    return {"service": move.service, "tag": move.tag, "old": move.old, "new": move.new}
