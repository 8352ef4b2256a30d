"""What a scan found: for people a line an image and a line a finding, for programs JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..plan.exemptions import Exemption, Finding, Kind
from ..plan.scanning import Excused, Scan, Verdict
from ..plan.verdicts import Result
from ..printable import masked
from . import grid, style

_HEADS = ("image", "platform", "result", "looked at")
_FINDINGS = ("severity", "what", "in", "mended in", "title")
_MOST = 20  # findings of one image that are shown
_PAINT = {"CRITICAL": style.BAD, "HIGH": style.BAD, "MEDIUM": style.WARN}


def show(scan: Scan, source: str) -> None:
    """Print what was scanned and from where, then each thing that fails or was excepted."""
    style.say(f"Scanned: {style.safe(source)}")
    grid.show(_HEADS, [_row(one) for one in scan.verdicts], giving=("image", "looked at"))
    for one in scan.verdicts:
        if one.result is not Result.OK or one.excused or one.remarks:
            _explain(one)
    if scan.remarks:
        style.say()
    for text in scan.remarks:
        style.say(f"{style.paint('note', style.WARN)}  {style.safe(masked(text))}")


def sentence(scan: Scan) -> str:
    """Return what a scan that was passed has found, for a line of a release."""
    excused = sum(len(one.excused) for one in scan.verdicts)
    others = sum(sum(one.others.values()) for one in scan.verdicts)
    words = [f"{len(scan.verdicts)} images"]
    words += [f"{excused} findings let through by exceptions"] if excused else []
    words += [f"{others} of lesser severity"] if others else []
    return ", ".join(words)


def _row(one: Verdict) -> tuple[str, ...]:
    subject = one.subject
    return style.safe(subject.name), subject.platform.value, _result(one), style.safe(", ".join(one.seen))


def _result(one: Verdict) -> str:
    if one.result is Result.NOT_RUN:
        return style.paint("not run", style.WARN)
    words = [style.paint("failed", style.BAD) if one.result is Result.FAILED else style.paint("ok", style.GOOD)]
    words += [f"{len(one.failing)} found"] if one.failing else []
    words += [f"{len(one.excused)} excepted"] if one.excused else []
    words += [f"{count} {severity.lower()}" for severity, count in one.others.items()]
    return ", ".join(words)


def _explain(one: Verdict) -> None:
    style.say()
    style.say(style.paint(style.safe(one.subject.title), style.STRONG) + f"  {style.safe(one.subject.reference)}")
    for text in one.problems:
        colour = style.WARN if one.result is Result.NOT_RUN else style.BAD
        style.say(f"  {style.paint(one.result.value, colour)}  {style.safe(masked(text))}")
    for text in one.remarks:
        style.say(f"  {style.paint('note', style.WARN)}  {style.safe(masked(text))}")
    if one.failing:
        grid.show(_FINDINGS, [_line(finding) for finding in one.failing[:_MOST]], giving=("in", "title"))
    if len(one.failing) > _MOST:
        style.say(f"  and {len(one.failing) - _MOST} more; --json has them all")
    for excused in one.expired:
        style.say(f"  {style.paint('expired', style.BAD)}  {_told(excused)}")
    for excused in one.excused:
        style.say(f"  {style.paint('excepted', style.WARN)}  {_told(excused)}")


def _line(finding: Finding) -> tuple[str, ...]:
    mended = finding.fixed or ("nothing yet" if finding.kind is Kind.VULNERABILITY else "")
    return (
        style.paint(finding.severity, _PAINT.get(finding.severity, "")),
        style.safe(finding.ids[0]),
        style.safe(_place(finding)),
        style.safe(mended),
        style.safe(finding.title),
    )


def _place(finding: Finding) -> str:
    if finding.kind is Kind.VULNERABILITY:
        within = finding.paths[-1] if len(finding.paths) > 1 else ""
        return " ".join(filter(None, (finding.package, finding.installed, within and f"({within})")))
    return finding.paths[-1] if finding.paths else ""


def _told(excused: Excused) -> str:
    finding, exemption = excused.finding, excused.exemption
    what = " ".join(filter(None, (finding.severity, finding.ids[0], _place(finding))))
    return style.safe(f"{what}: until {exemption.until}: {masked(exemption.statement)}")


def answer(scan: Scan, source: str) -> Mapping[str, Any]:
    """Return all that was found, for programs."""
    return {
        "scanned": source,
        "images": [_image(one) for one in scan.verdicts],
        "remarks": [masked(text) for text in scan.remarks],
    }


def _image(one: Verdict) -> Mapping[str, Any]:
    return {
        "name": one.subject.name,
        "platform": one.subject.platform.value,
        "reference": one.subject.reference,
        "result": one.result.value,
        "problems": [masked(text) for text in one.problems],
        "remarks": [masked(text) for text in one.remarks],
        "looked_at": list(one.seen),
        "failing": [_finding(finding) for finding in one.failing],
        "excepted": _excused(one.excused),
        "expired": _excused(one.expired),
        "others": dict(one.others),
    }


def _excused(several: Sequence[Excused]) -> list[Mapping[str, Any]]:
    return [{**_finding(one.finding), **_exemption(one.exemption)} for one in several]


def _exemption(one: Exemption) -> Mapping[str, Any]:
    return {"statement": masked(one.statement), "expired_at": one.until.isoformat()}


def _finding(one: Finding) -> Mapping[str, Any]:
    return {
        "kind": one.kind.value,
        "id": one.ids[0],
        "severity": one.severity,
        "title": masked(one.title),
        "paths": list(one.paths),
        "package": one.package,
        "installed": one.installed,
        "fixed": one.fixed,
        "purl": one.purl,
        "url": one.url,
    }
