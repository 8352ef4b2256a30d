"""Colour and words: one place that knows whether a terminal wants colour, and keeps it clean."""

import io
import os
import sys
from typing import TextIO
from weakref import WeakSet

from colorama import Fore, Style, just_fix_windows_console

from ..printable import for_runner, stripped

GOOD, BAD, BUSY, QUIET, STRONG = Fore.GREEN, Fore.RED, Fore.CYAN, Style.DIM, Style.BRIGHT
WARN = Fore.YELLOW
_MUTED: "WeakSet[TextIO]" = WeakSet()
LONGEST_STEP = 110


def live() -> bool:
    """Whether standard output is a terminal that can redraw lines."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def coloured() -> bool:
    """Whether standard output wants colour (https://no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return live() or bool(os.environ.get("FORCE_COLOR"))


def paint(text: str, colour: str) -> str:
    """Return the text in a colour, where colour is wanted."""
    return f"{colour}{text}{Style.RESET_ALL}" if coloured() else text


def safe(text: str) -> str:
    """Return text of a foreign program without anything that could move a terminal's cursor."""
    text = text.rstrip("\r").rpartition("\r")[2]  # a progress bar's last state
    return stripped(text.replace("\t", "    ").replace("\n", " "))


def step(name: str) -> str:
    """Return a step's name without the flags of its RUN and the layout of its script, short enough for a line."""
    words = " ".join(word for word in safe(name).split() if not word.startswith(("--mount=", "--network=")))
    return words if len(words) <= LONGEST_STEP else f"{words[: LONGEST_STEP - 1]}…"


def ready() -> None:
    """Make standard output take every letter, on every system and whatever the terminal's encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors != "replace":
        sys.stdout.reconfigure(errors="replace")
    just_fix_windows_console()


def emit(text: str = "", *, command: bool = False) -> None:
    """Print a line; in a job of GitHub Actions it is one to the runner only when it is meant as a ``command``.

    Raises BrokenPipeError when nobody reads any more, as under ``| head``, and from then on.
    """
    if sys.stdout in _MUTED:
        raise BrokenPipeError
    ready()
    sys.stdout.write(f"{text if command else for_runner(text)}\n")
    sys.stdout.flush()


def mute() -> None:
    """Give up a standard output that nobody reads any more, so that the rest of a run goes on in silence."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    _MUTED.add(sys.stdout)


def say(text: str = "", *, command: bool = False) -> None:
    """Print a line, as long as somebody reads."""
    try:
        emit(text, command=command)
    except BrokenPipeError:
        mute()


def note(text: str) -> None:
    """Print a remark on standard error, where it stays out of what a program reads."""
    sys.stderr.write(f"note: {for_runner(text)}\n")
    sys.stderr.flush()


def seconds(value: float) -> str:
    """Return a duration as people read it."""
    return f"{value:.1f} s"


def duration(value: float) -> str:
    """Return a duration as people read it, from milliseconds to hours."""
    if value < 0.0995:  # noqa: PLR2004 - tenths would say nothing yet
        return f"{value * 1000:.0f} ms" if value > 0 else "0 s"
    if value < 99.95:  # noqa: PLR2004 - from there on tenths say nothing
        return seconds(value)
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def percent(share: float) -> str:
    """Return a share of 0 to 1 as people read it."""
    return "<1 %" if 0 < share < 0.01 else f"{share * 100:.0f} %"  # noqa: PLR2004 - nothing is 0 that is not


def growth(change: int) -> str:
    """Return by how much a size has changed, as people read it."""
    return f"{'+' if change > 0 else '-'}{megabytes(abs(change))}" if change else "no change"


def megabytes(value: int) -> str:
    """Return bytes as people read them, in steps of 1000."""
    if value >= 10**9:
        return f"{value / 10**9:.1f} GB"
    return f"{value / 10**6:.1f} MB" if value >= 10**5 else f"{value / 10**3:.1f} kB"
