"""Trivy as a gate: each platform of each image of a release scanned, and what is in it signed."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import ports, scanning
from ..engine import moment, trivy
from ..engine.retries import PassingError
from ..engine.signatures import Statement
from ..errors import PushError, ScanError
from ..plan import reuse
from ..plan.retrying import words_can_pass
from ..plan.scanning import Scan, Subject
from ..report import scan as report

if TYPE_CHECKING:
    from ..plan.platforms import Platform
    from ..plan.release import Member
    from ..settings import Settings
    from ..signers import Signers


def can_scan() -> bool:
    """Whether there is a Trivy here."""
    return trivy.is_there()


def scan(settings: "Settings", members: "Sequence[Member]") -> str:
    """Scan every platform of the images, by digest, and return what was found in a sentence.

    Raises ScanError where one must not leave, or was not scanned; the table is printed then.
    """
    images = list(_images(settings, members))
    found = ports.retries(settings).call("the scan", lambda: _scanned(images, settings))
    error = scanning.failure(found)
    problems = dict.fromkeys(problem for one in found.bad for problem in one.problems)
    if len(problems) == 1 and not any(one.failing for one in found.bad):
        hint = "see inv container-scan; or --skip scan, which the release tells"
        raise ScanError(f"{len(found.bad)} of {len(found.verdicts)} not scanned: {next(iter(problems))}", hint=hint)
    if error is not None:
        report.show(found, "what the registry has, before any tag moves")
        error.record = report.answer(found, "the release")
        raise error
    return report.sentence(found)


def _scanned(images: "Sequence[tuple[str, Platform, str]]", settings: "Settings") -> Scan:
    """Scan images; where nothing but a registry's momentary refusal was in the way, that is told apart."""
    found = scanning.gate(images, settings)
    problems = [problem for one in found.bad for problem in one.problems]
    if problems and not any(one.failing for one in found.bad) and all(map(words_can_pass, problems)):
        raise PassingError(problems[0])
    return found


def attest(settings: "Settings", members: "Sequence[Member]", signers: "Signers") -> str:
    """Sign the list of what is in each platform's image, and return what was done in a sentence.

    Raises ScanError where Trivy makes no list, and SignError.
    """
    with moment.folder() as folder:
        statements = []
        for number, (service, platform, reference) in enumerate(_images(settings, members)):
            document = scanning.sbom(Subject(name=service, platform=platform, reference=reference), None, settings)
            path = folder / f"{number}.spdx.json"
            path.write_text(json.dumps(document), encoding="utf-8")
            statements.append(Statement(reference=reference, predicate=path))
        signers.attest(statements)
        return f"SPDX of {len(statements)} images, each platform's, signed"


def _images(settings: "Settings", members: "Sequence[Member]") -> "Iterator[tuple[str, Platform, str]]":
    """Yield service, platform and reference by digest of each platform's image."""
    registry = ports.registry(settings)
    for member in members:
        manifest = registry.manifest(member.service, member.digest)
        place = f"{settings.registry}/{member.service}"
        if manifest is None:  # left out, it would pass unseen
            raise PushError(
                f"{place} does not have {member.digest} any more", hint="inv container-push builds it again"
            )
        index = reuse.read(f"{place}@{member.digest}", manifest.content, marked=False)
        for platform in settings.platforms:
            yield member.service, platform, f"{place}@{index.manifests[platform]}"
