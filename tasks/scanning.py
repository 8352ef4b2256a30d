"""The flow behind container-scan and a release's gate: which images, the reports of them, and what is said of those."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .engine import moment, trivy, trust
from .errors import ConfigError, ScanError
from .plan import exemptions, scanning
from .plan.indexes import digest_of
from .plan.scanning import Rules, Scan, Scanned, Subject

if TYPE_CHECKING:
    from .plan.platforms import Platform
    from .settings import Settings

_LIMIT = 4
"""Images that are scanned at once: each takes some hundred megabytes of memory."""
_LONGEST_INDEX = 4_000_000  # bytes
Reports = Mapping[Subject, Scanned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A scan, and the reports that it was judged by."""

    scan: Scan
    reports: Reports


def gate(references: "Sequence[tuple[str, Platform, str]]", settings: "Settings") -> Scan:
    """Scan images in their registry, each given as service, platform and reference by digest, and judge them.

    Prints nothing. Only the main thread may call this. What keeps an image from being scanned is in its verdict.

    Raises ConfigError for exceptions that cannot be used, and Interrupted when a signal ends the run.
    """
    subjects = [Subject(name=name, platform=platform, reference=reference) for name, platform, reference in references]
    return scanned(subjects, {}, settings).scan


def scanned(
    subjects: Sequence[Subject],
    unpacked: Mapping[Subject, Path],
    settings: "Settings",
    broken: Mapping[Subject, str] | None = None,
) -> Outcome:
    """Scan images, and judge them; of those of the engine's own store ``unpacked`` says where they lie.

    ``broken`` are images that cannot be had, and why. Raises as ``gate`` does.
    """
    now = datetime.now(UTC)
    rules = Rules(severities=frozenset(settings.severity), exemptions=read_exemptions(settings.root), today=now.date())
    for one in subjects:
        if one not in unpacked and "@sha256:" not in one.reference:
            raise AssertionError(f"{one.reference} is not by digest")
    without = {one: Scanned(problem=why) for one, why in (broken or {}).items()}
    if not trivy.is_there():
        missing = Scanned(problem="Trivy is not on this machine", ran=False)
        return _judged(dict.fromkeys((*subjects, *without), missing), rules)
    if not subjects:
        return _judged(without, rules)
    bundle = trust.bundle(settings.ca, settings.root)
    try:
        known = trivy.database(settings.scan_db, bundle=bundle, now=now)
    except ScanError as error:
        return _judged({**dict.fromkeys(subjects, Scanned(problem=error.reason)), **without}, rules)
    targets = {
        str(number): trivy.Target(reference=one.reference, platform=one.platform, unpacked=unpacked.get(one))
        for number, one in enumerate(subjects)
    }
    found = trivy.scan(targets, known, bundle=bundle, limit=_LIMIT)
    reports = {one: found[str(number)] for number, one in enumerate(subjects)}
    return _judged({**reports, **without}, rules, known.note)


def _judged(reports: Reports, rules: Rules, *remarks: str) -> Outcome:
    verdicts = [scanning.judge(one, report, rules) for one, report in reports.items()]
    return Outcome(scan=scanning.whole(verdicts, rules, tuple(filter(None, remarks))), reports=reports)


def read_exemptions(root: Path) -> tuple[exemptions.Exemption, ...]:
    """Return the exceptions that the repository has decided on; none where it has no file of them.

    Raises ConfigError for a file that cannot be used.
    """
    from .texts import check_shape, parse_yaml, read_text

    try:
        text = read_text(root / exemptions.IGNORE_FILE)
    except FileNotFoundError:
        return ()
    content = parse_yaml(text, exemptions.IGNORE_FILE)
    check_shape(content, exemptions.IGNORE_FILE)
    return exemptions.parse(content)


def failure(scan: Scan) -> ScanError | None:
    """Return the error that a scan ends with; None when every image may leave."""
    from .plan.verdicts import Result, some

    if scan.passed:
        return None
    if not scan.verdicts:
        return ScanError("there was no image to scan", hint="inv container-push, or --image with a reference")
    bad, count = len(scan.bad), len(scan.verdicts)
    titles = some([one.subject.title for one in scan.bad])
    if not any(one.seen for one in scan.bad):
        way = trivy.SETUP if scan.bad[0].result is Result.NOT_RUN else "mend that, then again: inv container-scan"
        return ScanError(f"{bad} of {count} not scanned: {scan.bad[0].problems[0]}: {titles}", hint=way)
    return ScanError(
        f"{bad} of {count} must not leave: {titles}",
        hint=f"above is why; what can be lived with for a while goes into {exemptions.IGNORE_FILE}",
    )


def published(names: "Mapping[str, str]", platforms: "Sequence[Platform]", settings: "Settings") -> Outcome:
    """Scan what a registry has under references, given by the name of each, for each platform.

    One that the registry does not show is in its verdict. Raises as ``gate`` does.
    """
    subjects, broken = resolved(names, platforms, settings)
    return scanned(subjects, {}, settings, broken)


def resolved(
    names: "Mapping[str, str]", platforms: "Sequence[Platform]", settings: "Settings"
) -> tuple[list[Subject], dict[Subject, str]]:
    """Return each platform's image by digest, as its registry has it now, and why some cannot be had.

    Raises Interrupted when a signal ends the run.
    """
    from .engine import published as registry

    answers = registry.ask(
        tuple(names.values()),
        root=settings.root,
        builder=settings.builder,
        limit=settings.jobs,
        longest=_LONGEST_INDEX,
    )
    found: list[Subject] = []
    broken: dict[Subject, str] = {}
    for name, reference in names.items():
        answer = answers[reference]
        for platform in platforms:
            subject = Subject(name=name, platform=platform, reference=reference)
            if answer.content is None:
                broken[subject] = f"its registry does not show it: {answer.problem}"
                continue
            try:
                digest = digest_of(answer.content, platform)
            except ValueError as error:
                broken[subject] = str(error)
            else:
                found.append(replace(subject, reference=f"{_untagged(reference)}@{digest}"))
    return found, broken


def _untagged(reference: str) -> str:
    bare = reference.partition("@")[0]
    folder, slash, last = bare.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def local(names: "Mapping[str, str]", platforms: "Sequence[Platform]", settings: "Settings") -> Outcome:
    """Scan what the engine's image store has under references, given by the name of each, for each platform.

    Raises EngineError without an engine, VerifyError for what it does not have, and as ``gate`` does.
    """
    from .engine import api, archives

    client = api.client()
    with ExitStack() as stack:
        unpacked = {}
        for name, reference in names.items():
            for platform in platforms:
                subject = Subject(name=name, platform=platform, reference=reference, local=True)
                folder = stack.enter_context(moment.folder())
                unpacked[subject] = archives.unpack(client, reference, platform, folder)
        return scanned(list(unpacked), unpacked, settings)


def as_sarif(outcome: Outcome) -> str:
    """Return what fails, and nothing that an exception covers, as one SARIF document with a run an image.

    Raises ScanError when an image has no report, or Trivy refuses to convert one.
    """
    runs: list[Any] = []
    whole: dict[str, Any] = {}
    verdicts = {one.subject: one for one in outcome.scan.verdicts}
    for subject, report in outcome.reports.items():
        if report.content is None:
            continue
        document = trivy.sarif(scanning.only_failing(report.content, verdicts[subject]))
        # GitHub keeps apart what has a category of its own.
        category = {"id": f"container-scan/{subject.title.replace(' ', '/')}/"}
        runs += [{**run, "automationDetails": category} for run in document["runs"]]
        whole = {**document, "runs": runs}
    if not whole:
        raise ScanError("no image was scanned, so there is nothing to write as SARIF", hint=trivy.SETUP)
    return json.dumps(whole, indent=2) + "\n"


def write_sarif(outcome: Outcome, path: Path) -> None:
    """Write what fails into a file, whole.

    Raises ConfigError when it cannot be written, and ScanError as ``as_sarif`` does.
    """
    text = as_sarif(outcome)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the SARIF file {path} cannot be written: {error.strerror}", hint="name another file"
        ) from error


def listed(name: str, reference: str, settings: "Settings", *, local: bool) -> tuple[Subject, Mapping[str, Any]]:
    """Return one image, for the first platform of the settings, and what is in it as SPDX's JSON.

    Raises ScanError when it cannot be had, EngineError without an engine where that has the image, and Interrupted.
    """
    platform = settings.platforms[0]
    if local:
        from .engine import api, archives

        subject = Subject(name=name, platform=platform, reference=reference, local=True)
        with moment.folder() as folder:
            unpacked = archives.unpack(api.client(), reference, platform, folder)
            return subject, sbom(subject, unpacked, settings)
    found, broken = resolved({name: reference}, (platform,), settings)
    for subject, why in broken.items():
        raise ScanError(f"what is in {subject.title} cannot be listed: {why}", hint="inv container-push, or --local")
    return found[0], sbom(found[0], None, settings)


def sbom(subject: Subject, unpacked: Path | None, settings: "Settings") -> Mapping[str, Any]:
    """Return what is in an image, as SPDX's JSON.

    Raises ScanError when it cannot be had, and Interrupted when a signal ends the run.
    """
    bundle = trust.bundle(settings.ca, settings.root)
    target = trivy.Target(reference=subject.reference, platform=subject.platform, unpacked=unpacked)
    found = trivy.sbom({"": target}, bundle=bundle, limit=1)[""]
    if found.content is None:
        raise ScanError(f"what is in {subject.title} cannot be listed: {found.problem}", hint=_way(found))
    return found.content


def _way(found: Scanned) -> str:
    return "does its registry answer? docker login, if it needs one" if found.ran else trivy.SETUP
