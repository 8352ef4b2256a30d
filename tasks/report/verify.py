"""What a verification found: for people a line an image, for CI a JUnit file, for programs JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..plan.checks import Judged, counted
from ..plan.evidence import Answer, Evidence, Start
from ..plan.verdicts import Result, some
from ..printable import masked
from . import grid, style

_HEADS = ("image", "platform", "result", "healthy", "size")
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")
_LONGEST_BODY = 16_384  # bytes of an answer that are kept


@dataclass(frozen=True, slots=True)
class Line:
    """One image, and what the checks said of it."""

    evidence: Evidence
    judged: tuple[Judged, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The checks that failed."""
        return tuple(one.check.name for one in self.judged if one.verdict.result is Result.FAILED)

    @property
    def told(self) -> str:
        """Name it, with what failed."""
        return f"{self.evidence.subject.title} ({', '.join(self.failed)})"

    @property
    def healthy(self) -> float | None:
        """Seconds until it was well."""
        first = self.evidence.runs.first
        if first is None or not first.well:
            return None
        times = [time for time in (first.healthy, first.answered) if time is not None]
        return max(times, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole verification."""

    project: str
    version: str
    commit: str | None
    seconds: float
    images: tuple[Line, ...]


def show(report: Report) -> None:
    """Print the table, then what failed and what was not run."""
    grid.show(_HEADS, [_row(line) for line in report.images], right=("healthy", "size"), giving=("image",))
    for line in report.images:
        if line.failed:
            _explain(line)
    _not_run(report.images)
    bad = sum(bool(line.failed) for line in report.images)
    count = len(report.images)
    style.say(
        f"{count - bad} verified{f', {bad} failed' if bad else ''} in {style.seconds(report.seconds)}. "
        "Evidence: .container/verify.json   Report: .container/verify.html"
    )


def _row(line: Line) -> tuple[str, ...]:
    subject, layers = line.evidence.subject, line.evidence.image.layers
    size = style.megabytes(sum(layer.size for layer in layers))
    return (
        style.safe(subject.name),
        subject.platform.value,
        _result(line.judged),
        "" if line.healthy is None else style.seconds(line.healthy),
        size if subject.budget is None else f"{size} of {subject.budget // 10**6}",
    )


def _result(judged: Sequence[Judged]) -> str:
    bad, well = counted(judged, Result.FAILED), counted(judged, Result.OK)
    left = counted(judged, Result.NOT_RUN)
    words = [
        style.paint(f"{bad} failed", style.BAD) if bad else "",
        style.paint(f"{well} ok", style.GOOD),
        style.paint(f"{left} not run", style.WARN) if left else "",
    ]
    return ", ".join(word for word in words if word)


def _explain(line: Line) -> None:
    style.say()
    style.say(f"{style.paint(style.safe(line.evidence.subject.title), style.STRONG)}")
    for one in line.judged:
        if one.verdict.result is not Result.FAILED:
            continue
        style.say(f"  {style.paint(one.check.name, style.BAD)}  {style.safe(masked(one.verdict.said))}")
        if one.verdict.hint:
            style.say(f"    hint  {style.safe(one.verdict.hint)}")
    for text in _last_lines(line.evidence):
        style.say(f"    | {style.safe(masked(text))}")


def _last_lines(seen: Evidence) -> tuple[str, ...]:
    runs = seen.runs
    return next((one.lines for one in (runs.first, runs.again, runs.other) if one is not None and one.lines), ())


def _not_run(lines: Sequence[Line]) -> None:
    """Say what was not run: each reason once, with the checks and the images that it holds for."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        left: dict[str, list[str]] = {}
        for one in line.judged:
            if one.verdict.result is Result.NOT_RUN:
                left.setdefault(one.verdict.said, []).append(one.check.name)
        for why, checks in left.items():
            reasons.setdefault((", ".join(checks), why), []).append(line.evidence.subject.title)
    if reasons:
        style.say()
    everyone = [line.evidence.subject.title for line in lines]
    for (names, why), titles in reasons.items():
        who = _who(titles, [title for title in everyone if title not in titles])
        style.say(f"{style.paint('not run', style.WARN)}  {names}{style.safe(who)}: {style.safe(why)}")


def _who(titles: Sequence[str], others: Sequence[str]) -> str:
    if not others:
        return ""
    return f" (all but {some(others)})" if len(others) < len(titles) else f" ({some(titles)})"


def answer(report: Report) -> Mapping[str, Any]:
    """Return all that was found, for programs."""
    return {
        "project": report.project,
        "version": report.version,
        "commit": report.commit,
        "images": [_image(line) for line in report.images],
    }


def _image(line: Line) -> Mapping[str, Any]:
    seen = line.evidence
    runs = seen.runs
    answers = {
        "health": runs.first.answer if runs.first else None,
        "ready": runs.ready,
        "metrics": runs.metrics,
        "slow": runs.stop.answer if runs.stop else None,
    }
    return {
        "name": seen.subject.name,
        "platform": seen.subject.platform.value,
        "reference": seen.subject.reference,
        "image": seen.image.id,
        "result": "failed" if line.failed else "ok",
        "seconds_to_healthy": line.healthy,
        "size": sum(layer.size for layer in seen.image.layers),
        "budget": seen.subject.budget,
        "layers": [{"digest": one.digest, "size": one.size, "packed": one.packed} for one in seen.image.layers],
        "checks": [
            {
                "name": one.check.name,
                "asks": one.check.asks,
                "result": one.verdict.result.value,
                "evidence": masked(one.verdict.said),
                "hint": one.verdict.hint,
                "found": [masked(text) for text in one.verdict.found],
            }
            for one in line.judged
        ],
        "answers": {name: _answer(answer) for name, answer in answers.items() if answer is not None},
        "starts": {
            name: _start(start)
            for name, start in (("first", runs.first), ("again", runs.again), (runs.other_user, runs.other))
            if start is not None
        },
    }


def _answer(answer: Answer) -> Mapping[str, Any]:
    return {
        "path": answer.path,
        "status": answer.status,
        "body": masked(answer.body[:_LONGEST_BODY].decode(errors="replace")),
        "seconds": round(answer.seconds, 3),
        "fault": answer.fault,
    }


def _start(start: Start) -> Mapping[str, Any]:
    return {
        "fault": start.fault,
        "health": start.health.value,
        "seconds_to_healthy": start.healthy,
        "seconds_to_answer": start.answered,
        "lines": [masked(line) for line in start.lines],
    }


def as_junit(report: Report) -> str:
    """Return what was found as JUnit's XML, as CI systems read it: a suite an image, a case a check."""
    import xml.etree.ElementTree as ET

    cases = [one for line in report.images for one in line.judged]
    root = ET.Element("testsuites", _counts("container-verify", cases, report.seconds))
    for line in report.images:
        suite = ET.SubElement(root, "testsuite", _counts(line.evidence.subject.title, line.judged, None))
        for one in line.judged:
            case = ET.SubElement(
                suite, "testcase", {"classname": _xml(line.evidence.subject.title), "name": one.check.name}
            )
            match one.verdict.result:
                case Result.FAILED:
                    element = ET.SubElement(case, "failure", {"message": _xml(one.verdict.said)})
                    element.text = _xml("\n".join(filter(None, (one.check.asks, one.verdict.hint))))
                case Result.NOT_RUN:
                    ET.SubElement(case, "skipped", {"message": _xml(one.verdict.said)})
                case Result.OK:
                    ET.SubElement(case, "system-out").text = _xml(one.verdict.said)
    ET.indent(root)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{ET.tostring(root, encoding='unicode')}\n"


def _counts(name: str, judged: Sequence[Judged], seconds: float | None) -> dict[str, str]:
    counts = {
        "name": _xml(name),
        "tests": str(len(judged)),
        "failures": str(counted(judged, Result.FAILED)),
        "skipped": str(counted(judged, Result.NOT_RUN)),
        "errors": "0",
    }
    return counts if seconds is None else {**counts, "time": f"{seconds:.3f}"}


def _xml(text: str) -> str:
    """Return the text with only what XML 1.0 can hold, and nothing that a terminal would obey."""
    return "\n".join(style.safe(line) for line in _NO_CHARACTERS.sub("\ufffd", masked(text)).split("\n"))
