"""Every check of a verification, in the order in which people read them."""

from collections.abc import Sequence
from dataclasses import dataclass

from . import checks_content, checks_image, checks_running
from .evidence import Evidence
from .verdicts import Check, Result, Verdict, failed, not_run

ALL: tuple[Check, ...] = (*checks_running.CHECKS, *checks_content.CHECKS, *checks_image.CHECKS)
NAMES = tuple(check.name for check in ALL)
# What every run of an image begins with: a platform that cannot run here fails it where it is required.
REQUIRED = "start"


@dataclass(frozen=True, slots=True)
class Judged:
    """One check and what it said."""

    check: Check
    verdict: Verdict


def judge(seen: Evidence, *, require: bool = False) -> tuple[Judged, ...]:
    """Let every check say what it makes of the evidence.

    ``require``: a platform that cannot run here is a failure.
    """
    return tuple(Judged(check, _judge(check, seen, require=require)) for check in ALL)


def _judge(check: Check, seen: Evidence, *, require: bool) -> Verdict:
    if check.name in seen.subject.skipped:
        return not_run("ruled out: --skip or skip_checks")
    if require and check.name == REQUIRED and seen.runs.impossible:
        return failed(seen.runs.impossible, "inv container-setup --emulation, or leave --require out")
    lacking = check.lacks(seen)
    return not_run(lacking) if lacking else check.judge(seen)


def counted(judged: Sequence[Judged], result: Result) -> int:
    """Return how many checks ended so."""
    return sum(one.verdict.result is result for one in judged)
