"""What a service's state is called, and in which colour."""

from ..plan.outcomes import State
from . import style

_MARKS = {
    State.CURRENT: ("up to date", style.GOOD),
    State.PULLED: ("pulled", style.GOOD),
    State.BUILT: ("built", style.GOOD),
    State.UNCHANGED: ("unchanged", style.GOOD),
    State.FAILED: ("failed", style.BAD),
    State.STOPPED: ("stopped", style.WARN),
}


def mark(state: State) -> str:
    """Return a state's word in its colour."""
    word, colour = _MARKS[state]
    return style.paint(word, colour)
