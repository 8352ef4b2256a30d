"""What a look at a machine found, to people and to programs."""

from collections.abc import Iterable
from typing import Any

from ..engine.machine.findings import Finding, State
from . import style

_COLOURS = {
    State.OK: style.GOOD,
    State.CHANGED: style.STRONG,
    State.DOING: style.BUSY,
    State.WARNING: style.WARN,
    State.CANNOT: style.BAD,
}


def say(finding: Finding) -> None:
    """Print a finding as one line."""
    word, _, rest = str(finding).partition(" ")
    style.say(f"{style.paint(word, _COLOURS[finding.state])} {style.safe(rest)}")


def answer(found: Iterable[Finding]) -> dict[str, Any]:
    """Return what was found, for programs."""
    return {
        "findings": [
            {"state": one.state.value, "subject": one.subject, "text": one.text, "way_out": one.way_out}
            for one in found
        ]
    }
