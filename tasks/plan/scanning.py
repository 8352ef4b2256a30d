"""What a scanner's report says of an image, and whether the image may leave: nothing scanned is never well."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from .bases import Origin
from .exemptions import Exemption, Finding, unused
from .names import is_loopback
from .platforms import Platform
from .reports import READERS, BrokenError, items, mapping, read
from .severities import SEVERITIES
from .targets import BASES_LABEL
from .verdicts import Result

FOUND, OUT_OF_SUPPORT = 9, 8
"""The exit codes that the scanner is told to end with when it found something, and when the system is too old."""
MARKER = "container-tasks-system"
"""The rule by which the scanner tells that an image has a system's files, whether or not it knows the system."""
_PACKAGES = {"os-pkgs", "lang-pkgs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One image that is scanned."""

    name: str
    """The service, or the reference of any image."""
    platform: Platform
    reference: str
    local: bool = False
    """Whether it is the engine's own copy, which nobody has published."""

    @property
    def title(self) -> str:
        """What to call it."""
        return f"{self.name} {self.platform}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What the scanner left behind of one image."""

    content: Mapping[str, Any] | None = None
    """Its report."""
    code: int | None = None
    problem: str = ""
    """Why there is no report."""
    ran: bool = True
    """Whether it was begun at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an image is held against."""

    severities: frozenset[str]
    """Findings of these fail."""
    exemptions: tuple[Exemption, ...] = ()
    today: date


@dataclass(frozen=True, slots=True)
class Excused:
    """A finding that would fail, and the exception that lets it pass."""

    finding: Finding
    exemption: Exemption


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of one image."""

    subject: Subject
    result: Result
    problems: tuple[str, ...] = ()
    """Why it was not scanned, or not enough of it."""
    failing: tuple[Finding, ...] = ()
    excused: tuple[Excused, ...] = ()
    expired: tuple[Excused, ...] = ()
    """Findings that fail, and the exceptions that once let them pass."""
    others: Mapping[str, int]
    """How many more were found of each severity that lets an image pass."""
    seen: tuple[str, ...] = ()
    """What the scanner looked at, in words."""
    remarks: tuple[str, ...] = ()
    found: tuple[Finding, ...] = ()
    """All findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A whole scan."""

    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...] = ()
    """What is said of the scan itself: exceptions that are used no more, an older database."""

    @property
    def bad(self) -> tuple[Verdict, ...]:
        """The images that may not leave."""
        return tuple(one for one in self.verdicts if one.result is not Result.OK)

    @property
    def passed(self) -> bool:
        """Whether every image was scanned and may leave; of none there is nothing to say yes to."""
        return bool(self.verdicts) and not self.bad


def whole(verdicts: Sequence[Verdict], rules: Rules, remarks: Sequence[str] = ()) -> Scan:
    """Return a scan with what has to be said of its exceptions."""
    found = [finding for one in verdicts for finding in one.found]
    told = [
        f"the exception for {one.id} has expired on {one.until}" for one in rules.exemptions if one.expired(rules.today)
    ]
    if verdicts and all(one.seen for one in verdicts):  # else nobody knows what it would have been used for
        told += [
            f"the exception for {one.id} is about nothing in these images" for one in unused(rules.exemptions, found)
        ]
    return Scan(verdicts=tuple(verdicts), remarks=(*remarks, *dict.fromkeys(told)))


def judge(subject: Subject, scanned: Scanned, rules: Rules) -> Verdict:
    """Return whether an image may leave, by the scanner's report of it."""
    if scanned.content is None:
        result = Result.FAILED if scanned.ran else Result.NOT_RUN
        return Verdict(subject=subject, result=result, problems=(scanned.problem,), others={})
    try:
        return _judged(subject, scanned.content, scanned.code, rules)
    except BrokenError as error:
        problem = f"the scanner's report is not one: {error}"
        return Verdict(subject=subject, result=Result.FAILED, problems=(problem,), others={})


def _judged(subject: Subject, content: Mapping[str, Any], code: int | None, rules: Rules) -> Verdict:
    results = [mapping(one, "Results") for one in items(content.get("Results"), "Results")]
    everything = tuple(finding for result in results for _, _, finding in read(result))
    found = tuple(one for one in everything if MARKER not in one.ids)
    seen, remarks, problems = _looked_at(subject, content, results, system=len(found) < len(everything))
    problems += _contradictions(content, code, everything)
    failing: list[Finding] = []
    excused: list[Excused] = []
    expired: list[Excused] = []
    for one in found:
        if one.severity not in rules.severities:
            continue
        covering = [exemption for exemption in rules.exemptions if exemption.covers(one)]
        valid = [exemption for exemption in covering if not exemption.expired(rules.today)]
        if valid:
            excused.append(Excused(one, max(valid, key=lambda exemption: exemption.until)))
            continue
        failing.append(one)
        expired += [Excused(one, exemption) for exemption in covering[:1]]
    counted = Counter(one.severity for one in found if one.severity not in rules.severities)
    return Verdict(
        subject=subject,
        result=Result.FAILED if problems or failing else Result.OK,
        problems=tuple(problems),
        failing=tuple(sorted(failing, key=_order)),
        excused=tuple(excused),
        expired=tuple(expired),
        others={severity: counted[severity] for severity in SEVERITIES if counted[severity]},
        seen=seen,
        remarks=remarks,
        found=found,
    )


def _order(finding: Finding) -> tuple[int, str, str]:
    return SEVERITIES.index(finding.severity), finding.ids[0], finding.package


def _looked_at(
    subject: Subject, content: Mapping[str, Any], results: Sequence[Mapping[str, Any]], *, system: bool
) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """Return what the scanner has looked at, what is to be said of it, and what was not looked at and must be."""
    metadata = mapping(content.get("Metadata"), "Metadata")
    image = mapping(metadata.get("ImageConfig"), "Metadata.ImageConfig")
    there = f"{image.get('os')}/{image.get('architecture')}"
    problems = [] if there == subject.platform else [f"what was scanned is for {there}, not for {subject.platform}"]
    packages: Counter[str] = Counter()
    for result in results:
        if result.get("Class") in _PACKAGES:
            packages[str(result.get("Type"))] += len(items(result.get("Packages"), "Packages"))
    seen = []
    own = mapping(metadata.get("OS") or {}, "Metadata.OS")
    family, version = str(own.get("Family") or ""), str(own.get("Name") or "")
    known = family not in {"", "none"}
    if known:
        seen.append(f"{family} {version} ({packages.pop(family, 0)} packages)")
        if own.get("EOSL"):
            problems.append(f"{family} {version} is out of support: nobody reports or mends what is wrong with it")
    seen += [f"{count} of {kind}" for kind, count in sorted(packages.items()) if count]
    checks = sum(map(_checks, results))
    if not checks:
        problems.append("its configuration was not checked")
    read = known and not seen[0].endswith("(0 packages)")
    gaps = []
    based = _stands_on_a_base(image)
    if not known and (system or based or family == "none"):
        gaps.append("it has a system that the scanner does not know, so nothing is known of the system's packages")
    elif known and not read:
        gaps.append(f"no package of {family} {version} was found: its package database is missing or empty")
    if not read and not any(packages.values()):
        gaps.append("no package and no module was found in it, so nothing was looked up")
    secrets = "secrets above its base" if based else "secrets"
    if gaps and _is_stand_in(subject, image):
        told = "on a stand-in base, which no scanner knows: it stays on this machine"
        return (*seen, secrets, f"{checks} checks"), (told,), problems
    return (*seen, secrets, f"{checks} checks"), (), problems + gaps


def _checks(result: Mapping[str, Any]) -> int:
    """Return how many checks of its configuration a target was held against."""
    summary = mapping(result.get("MisconfSummary") or {}, "MisconfSummary")
    return sum(count for count in summary.values() if isinstance(count, int))


def _stands_on_a_base(image: Mapping[str, Any]) -> bool:
    """Whether an image has layers of another one, as the scanner takes it: in those it looks for no secrets.

    Below its last layer is a command, which only an image of its own has.
    """
    steps = [mapping(step, "history") for step in items(image.get("history"), "history")]
    while steps and steps[-1].get("empty_layer"):
        steps.pop()
    commands = ("CMD", "/bin/sh -c #(nop)  CMD")
    return any(step.get("empty_layer") and str(step.get("created_by") or "").startswith(commands) for step in steps)


def _is_stand_in(subject: Subject, image: Mapping[str, Any]) -> bool:
    """Whether an image stands on bases of this machine's own, and is where such may be."""
    labels = mapping(mapping(image.get("config") or {}, "config").get("Labels") or {}, "Labels")
    return labels.get(BASES_LABEL) == Origin.STAND_IN and (subject.local or is_loopback(subject.reference))


def _contradictions(content: Mapping[str, Any], code: int | None, found: Sequence[Finding]) -> list[str]:
    """Return where the scanner's exit code and its report do not say the same."""
    own = mapping(mapping(content.get("Metadata"), "Metadata").get("OS") or {}, "Metadata.OS")
    expected = OUT_OF_SUPPORT if own.get("EOSL") else FOUND if found else 0
    return [] if code == expected else [f"the scanner ended with {code}, which its report does not tell why"]


def only_failing(content: Mapping[str, Any], verdict: Verdict) -> Mapping[str, Any]:
    """Return a report with those of its findings alone that fail by a verdict on it."""
    kept = []
    for result in items(content.get("Results"), "Results"):
        of_result = mapping(result, "Results")
        failing: dict[str, list[object]] = {key: [] for key in READERS}
        for key, item, finding in read(of_result):
            if finding in verdict.failing:
                failing[key].append(item)
        kept.append({**of_result, **failing})
    return {**content, "Results": kept}
