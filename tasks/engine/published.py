"""Ask registries for what they have published: one ``docker buildx imagetools inspect --raw`` a reference.

buildx knows every way to log in (the client's file, credential helpers, token services), the machine's
certificates and what a builder says of registries, and is what pushes: whoever can push can ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..printable import masked
from . import buildx, moment
from .supervisor import Callbacks, Ended, Job, run_all

PATIENCE = 10.0
"""Seconds in which a registry has to answer: a process of its own, so nothing that it does can last longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry said to one question."""

    content: bytes | None
    """The manifest or index, byte for byte; None where there was none."""
    problem: str = ""
    """Why there was none."""
    silent: bool = False
    """Whether it did not answer in time."""


def ask(
    references: Sequence[str], *, root: Path, builder: str | None, limit: int, longest: int
) -> Mapping[str, Answer]:
    """Ask for every reference, at most ``limit`` at once, and return the answers by reference.

    Of each answer at most ``longest`` bytes and one more are read. Raises EngineError without buildx,
    and Interrupted when a signal ends the run.
    """
    words: dict[str, bytes] = {}
    ends: dict[str, Ended] = {}
    callbacks = Callbacks(
        begun=lambda key: words.update({key: b""}),
        wrote=lambda key, chunk: words.update({key: words[key] + chunk}),
        ended=ends.__setitem__,
    )
    asked = tuple(dict.fromkeys(references))
    command = (*buildx.quick_command(), "imagetools", "inspect", *buildx.of_builder(builder), "--raw")
    with moment.folder() as folder:
        files = {reference: folder / str(number) for number, reference in enumerate(asked)}
        jobs = [
            Job(key=one, argv=(*command, one), stdin=b"", cwd=root, output=file, hopeless=_hopeless)
            for one, file in files.items()
        ]
        run_all(jobs, callbacks, limit=limit, fail_fast=False)
        return {one: _answer(ends[one], words.get(one, b""), file, longest) for one, file in files.items()}


def _hopeless(seconds: float) -> bool:
    return seconds > PATIENCE


def _answer(ended: Ended, words: bytes, file: Path, longest: int) -> Answer:
    if ended.code is None:
        return Answer(None, f"no answer within {PATIENCE:g} s", silent=True)
    if ended.code != 0:
        lines = [line for line in words.decode("utf-8", "replace").splitlines() if line.strip()]
        return Answer(None, masked(lines[-1].removeprefix("ERROR: ")) if lines else f"exit code {ended.code}")
    with file.open("rb") as output:
        return Answer(output.read(longest + 1))
