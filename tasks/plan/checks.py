"""Every check of a verification, in the order in which people read them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import checks_content, checks_image, checks_running
from .evidence import Evidence
from .verdicts import Check, Result, Verdict, failed, not_run

ALL: tuple[Check, ...] = (*checks_running.CHECKS, *checks_content.CHECKS, *checks_image.CHECKS)
NAMES = tuple(check.name for check in ALL)
# What every run of an image begins with: a platform that cannot run here fails it where it is required.
REQUIRED = "start"
_LONGEST = 400  # letters of evidence
_MOST = 1000  # of what is wrong


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
    fault = "" if seen.runs.first is None else seen.runs.first.fault
    if lacking and fault and not seen.runs.impossible and REQUIRED in seen.subject.skipped:
        return failed(f"{lacking}: it {fault}", f"{check.name} cannot be told: rule it out, too, or mend that")
    return not_run(lacking) if lacking else _short(check.judge(seen))


def _short(verdict: Verdict) -> Verdict:
    """Return a verdict that quotes no more than fits a line or two: what an image says may be megabytes."""
    said, found = verdict.said, verdict.found
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]}…"
    return replace(verdict, said=said, found=tuple(one[:_LONGEST] for one in found[:_MOST]))


def counted(judged: Sequence[Judged], result: Result) -> int:
    """Return how many checks ended so."""
    return sum(one.verdict.result is result for one in judged)
