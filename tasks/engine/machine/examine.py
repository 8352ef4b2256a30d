"""The doctor's round: look at everything, mend what is safe by the same functions as a set-up, and say all of it."""

import errno
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

from ...errors import TaskError
from ...plan.commands import quoted
from . import checks, mending, prepare, refusals
from .check import Check, Need, Site
from .findings import BAD, Finding, Say, State, cannot, refused, warning


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is left after the round: each finding with the check that found it."""

    found: tuple[tuple[Check, Finding], ...]

    @property
    def error(self) -> type[TaskError] | None:
        """The kind of failure that the first of what cannot be would be; None where nothing is in the way."""
        return next((check.error for check, finding in self.found if finding.state is State.CANNOT), None)

    @property
    def in_the_way(self) -> tuple[str, ...]:
        """The subjects of what cannot be, each once; of what many looks met, the one that said it."""
        first: dict[str, str] = {}
        for _, one in self.found:
            if one.state is State.CANNOT:
                first.setdefault(one.text, one.subject)
        return tuple(dict.fromkeys(first.values()))

    @property
    def mendable(self) -> bool:
        """Whether there is something bad that can be mended by itself."""
        return any(check.mend is not None and finding.state in BAD for check, finding in self.found)


def examine(site: Site, *, fix: bool, say: Say) -> Diagnosis:
    """Look at everything, and say each finding in its turn; with ``fix``, mend what is bad and look again.

    Raises EngineError when another set-up holds its lock for an hour.
    """
    with prepare.alone(say) if fix else nullcontext():
        return Diagnosis(tuple(_round(site, fix=fix, say=_once(say))))


def _once(say: Say) -> Say:
    """Say what is wrong under the first subject only: a damaged file is met by many checks."""
    subjects: dict[str, str] = {}

    def hear(finding: Finding) -> None:
        if finding.state not in BAD or subjects.setdefault(finding.text, finding.subject) == finding.subject:
            say(finding)

    return hear


def _round(site: Site, *, fix: bool, say: Say) -> Iterator[tuple[Check, Finding]]:
    for check in checks.BEFORE:
        if check.needs <= site.there:
            yield from _told(check, _looked(check, site), site, fix=fix, say=say)
    open_to_look = [check for check in checks.AFTER if check.needs <= site.there]
    with ThreadPoolExecutor(max_workers=len(open_to_look)) as pool:
        looks: list[Future[Sequence[Finding]]] = [pool.submit(_looked, check, site) for check in open_to_look]
        for check, look in zip(open_to_look, looks, strict=True):
            yield from _told(check, look.result(), site, fix=fix, say=say)
    unseen = [check for check in (*checks.BEFORE, *checks.AFTER) if not check.needs <= site.there]
    if unseen:
        lack = " and ".join(need for need in Need if need not in site.there)
        told = f"without {lack}: {', '.join(dict.fromkeys(check.subject for check in unseen))}"
        finding = warning("not looked at", told, way_out="inv container-doctor")
        say(finding)
        yield checks.ENGINE, finding


def _looked(check: Check, site: Site) -> Sequence[Finding]:
    try:
        return tuple(check.look(site))
    except TaskError as error:
        return (refused(check.subject, error, way_out=refusals.of_error(error, site.root)),)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            place = mending.full()
            return (cannot(check.subject, f"there is no room at {place}", way_out=mending.room(place)),)
        way_out = f"ls -ld {quoted(error.filename or site.root)}"
        return (cannot(check.subject, f"{error.filename or ''} {error.strerror or error}".strip(), way_out=way_out),)
    except json.JSONDecodeError as error:
        return (cannot(check.subject, f"an answer is no JSON: {error}", way_out="inv container-setup"),)


def _told(
    check: Check, found: Sequence[Finding], site: Site, *, fix: bool, say: Say
) -> Iterator[tuple[Check, Finding]]:
    for finding in found:
        say(finding)
    if fix and check.mend is not None and any(finding.state in BAD for finding in found):
        said: list[Finding] = []

        def hear(finding: Finding) -> None:
            said.append(finding)
            say(finding)

        try:
            check.mend(site, hear)
        except TaskError as error:
            hear(refused(check.subject, error, way_out=refusals.of_error(error, site.root)))
        if any(finding.state is State.CANNOT for finding in said):
            found = said
        else:
            found = _looked(check, site)
            for finding in found:
                if finding.state in BAD and finding not in said:
                    say(finding)
    yield from ((check, finding) for finding in found)
