"""Trivy: scans images in a registry or unpacked here, and lists what is in them. The only door to it.

Nothing of the person's own reaches it that would make a scan milder: no ``trivy.yaml``, ``.trivyignore``, ``TRIVY_…``.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import ScanError
from ..plan.platforms import Platform
from ..plan.scanning import FOUND, MARKER, OUT_OF_SUPPORT, Scanned
from ..printable import masked, stripped
from . import cache, moment
from .machine import files, scanner
from .supervisor import Callbacks, Ended, Job, run_all

SETUP = "inv container-setup --scanner"
_SCAN_SECONDS = 600.0
_DATABASE_SECONDS = 600.0
_SLACK = 30.0  # seconds that Trivy has to end by itself, past its own time limit
_LARGEST = 200_000_000  # bytes of a report
_OLDEST = timedelta(days=7)
"""How old a database may be: with an older one, what became known since would pass."""
# Its other variables decide what is found.
_KEPT = frozenset({"TRIVY_USERNAME", "TRIVY_PASSWORD", "TRIVY_REGISTRY_TOKEN", "TRIVY_JAVA_DB_REPOSITORY"})
# Files that systems have and programs on their own do not: Trivy says nothing of a system that it does not know.
# What an image brings itself is below /usr as much its own as elsewhere; of its base nothing is looked at anyway.
_SECRET_RULES = f"""\
disable-allow-rules:
  - usr-dirs
rules:
  - id: {MARKER}
    category: general
    title: a file of an operating system
    severity: LOW
    path: ^/?etc/(os-release|issue|[a-z]+[-_](release|version))$
    regex: \\S
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scanned: one platform of an image."""

    reference: str
    """In its registry, by digest."""
    platform: Platform
    unpacked: Path | None = None
    """Where it lies on this machine, when it comes from no registry: an OCI layout, or an archive."""

    @property
    def words(self) -> tuple[str, ...]:
        """How Trivy is told of it."""
        if self.unpacked is not None:
            return "--input", str(self.unpacked)
        # Never an engine's store, which may have another image of that name.
        return "--image-src", "remote", "--platform", self.platform.value, self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What is known of vulnerabilities, on this machine."""

    folder: Path
    updated: datetime
    note: str = ""
    """What is to be said of it."""


def is_there() -> bool:
    """Return whether this machine has Trivy."""
    return scanner.program() is not None


def database(repository: str | None, *, bundle: Path | None, now: datetime) -> Database:
    """Return the vulnerabilities' database, fetched where Trivy finds it too old; one of some days serves offline.

    ``repository`` is where it is published, None for Trivy's own places; ``bundle`` holds the authorities that
    this machine trusts. Raises ScanError when there is none that may be used.
    """
    from filelock import FileLock

    folder = cache.home() / "trivy-db" / hashlib.sha256((repository or "").encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    source = () if repository is None else ("--db-repository", repository)
    with FileLock(folder / "lock"):
        words = ("image", "--download-db-only", *source, *_common(folder, _DATABASE_SECONDS))
        answer = _run({"database": words}, bundle=bundle, seconds=_DATABASE_SECONDS, limit=1)["database"]
        updated = _updated(folder)
    place = repository or "Trivy's own registries"
    if updated is None:
        raise ScanError(
            f"there is no vulnerability database: {answer.problem or 'none came'}",
            hint=f"let this machine reach {place}, or set container.scan_db to a copy of it",
        )
    if now - updated > _OLDEST:
        told = (
            f"; a newer one could not be had: {answer.problem}" if answer.code != 0 else f"; {place} has no newer one"
        )
        raise ScanError(
            f"the vulnerability database is of {updated:%Y-%m-%d}, and what became known since is not in it{told}",
            hint=f"let this machine reach {place}, or set container.scan_db to a copy that is renewed",
        )
    note = f"the vulnerability database could not be renewed, and is of {updated:%Y-%m-%d}: {answer.problem}"
    return Database(folder=folder, updated=updated, note="" if answer.code == 0 else note)


def _updated(folder: Path) -> datetime | None:
    """Return of when the database in a folder is; None where there is none."""
    text = files.read_json(folder / "db" / "metadata.json").get("UpdatedAt")
    if not (folder / "db" / "trivy.db").is_file() or not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def scan(targets: Mapping[str, Target], known: Database, *, bundle: Path | None, limit: int) -> Mapping[str, Scanned]:
    """Scan every target, at most ``limit`` at once, and return Trivy's report of each by its key, or why there is none.

    Only the main thread may call this. Raises Interrupted when a signal ends the run.
    """
    with moment.folder() as place:
        # Trivy leaves out what has the name of its rules' file, in images too: one that nobody can have foreseen.
        rules = place / f"{secrets.token_hex(16)}.yaml"
        rules.write_text(_SECRET_RULES, encoding="utf-8")
        asked = (
            *("--scanners", "vuln,secret,misconfig", "--image-config-scanners", "misconfig,secret"),
            *("--exit-code", str(FOUND), "--exit-on-eol", str(OUT_OF_SUPPORT)),
            *("--skip-db-update", "--skip-check-update", "--list-all-pkgs", "--secret-config", str(rules)),
            *("--format", "json"),
        )
        common = _common(known.folder, _SCAN_SECONDS)
        jobs = {key: ("image", *asked, *common, *one.words) for key, one in targets.items()}
        return _run(jobs, bundle=bundle, seconds=_SCAN_SECONDS, limit=limit, ends=(0, FOUND, OUT_OF_SUPPORT))


def sbom(targets: Mapping[str, Target], *, bundle: Path | None, limit: int) -> Mapping[str, Scanned]:
    """Return of every target what is in it, as SPDX's JSON, by its key, or why there is none.

    It needs no database. Only the main thread may call this. Raises Interrupted when a signal ends the run.
    """
    common = _common(cache.home() / "trivy-db" / "none", _SCAN_SECONDS)
    jobs = {key: ("image", "--format", "spdx-json", *common, *one.words) for key, one in targets.items()}
    found = _run(jobs, bundle=bundle, seconds=_SCAN_SECONDS, limit=limit)
    return {key: _spdx(one) for key, one in found.items()}


def _spdx(one: Scanned) -> Scanned:
    if one.content is None or str(one.content.get("spdxVersion")).startswith("SPDX-"):
        return one
    return Scanned(code=one.code, problem="Trivy wrote something that is no SPDX document")


def sarif(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a report as SARIF, by Trivy's own conversion.

    Raises ScanError when it refuses.
    """
    with moment.folder() as place:
        written = place / "report.json"
        written.write_text(json.dumps(report), encoding="utf-8")
        words = ("convert", "--format", "sarif", "--quiet", str(written))
        found = _run({"sarif": words}, bundle=None, seconds=_SCAN_SECONDS, limit=1)["sarif"]
    if found.content is None or not isinstance(found.content.get("runs"), list):
        raise ScanError(
            f"Trivy could not write SARIF: {found.problem}", hint=f"the report is JSON, too: --json; {SETUP}"
        )
    return found.content


def _common(folder: Path, seconds: float) -> tuple[str, ...]:
    return (
        *("--cache-dir", str(folder), "--cache-backend", "memory", "--no-progress"),
        *("--skip-version-check", "--disable-telemetry", "--timeout", f"{seconds:.0f}s"),
    )


def _run(
    jobs: Mapping[str, Sequence[str]],
    *,
    bundle: Path | None,
    seconds: float,
    limit: int,
    ends: Sequence[int] = (0,),
) -> Mapping[str, Scanned]:
    """Run Trivy once a job, and return the JSON object of each by its key; ``ends`` are exit codes that have one."""
    program = scanner.program()
    if program is None:
        return {key: Scanned(problem="Trivy is not on this machine", ran=False) for key in jobs}
    words: dict[str, bytes] = {}
    ended: dict[str, Ended] = {}
    callbacks = Callbacks(
        begun=lambda key: words.update({key: b""}),
        wrote=lambda key, chunk: words.update({key: words[key] + chunk}),
        ended=ended.__setitem__,
    )
    with moment.folder() as place:
        outputs = {key: place / f"{number}.json" for number, key in enumerate(jobs)}
        folder = place / "home"
        folder.mkdir()
        every = [
            Job(
                key=key,
                argv=(str(program), *arguments),
                stdin=b"",
                cwd=folder,  # without a trivy.yaml and a .trivyignore
                env=_environment(os.environ, bundle),
                output=outputs[key],
                hopeless=lambda gone: gone > seconds + _SLACK,
            )
            for key, arguments in jobs.items()
        ]
        run_all(every, callbacks, limit=limit, fail_fast=False)
        return {key: _read(ended[key], words.get(key, b""), outputs[key], seconds, ends) for key in jobs}


def _environment(outer: Mapping[str, str], bundle: Path | None) -> Mapping[str, str]:
    """Return what Trivy sees of an environment."""
    kept = {name: value for name, value in outer.items() if not name.startswith("TRIVY_") or name in _KEPT}
    trusted = {} if bundle is None else {"SSL_CERT_FILE": str(bundle)}
    return {**kept, **trusted, "NO_COLOR": "1"}


def _read(ended: Ended, said: bytes, output: Path, seconds: float, ends: Sequence[int]) -> Scanned:
    if ended.code is None:
        return Scanned(problem=f"Trivy did not end within {seconds:.0f} s")
    if ended.code not in ends:
        return Scanned(code=ended.code, problem=_reason(said) or f"Trivy ended with {ended.code}, and said nothing")
    if output.stat().st_size > _LARGEST:
        return Scanned(code=ended.code, problem=f"Trivy's report has more than {_LARGEST} bytes")
    try:
        content = json.loads(output.read_bytes() or b"null")
    except (ValueError, RecursionError):
        return Scanned(code=ended.code, problem="Trivy's report is no JSON")
    if not isinstance(content, dict):
        return Scanned(
            code=ended.code, problem="Trivy wrote no report" if content is None else "Trivy's report is no object"
        )
    return Scanned(code=ended.code, content=content)


def _reason(said: bytes) -> str:
    """Return what Trivy said last, for people."""
    lines = [line.strip() for line in stripped(said.decode("utf-8", "replace").replace("\t", " ")).split("\n")]
    last = next((line for line in reversed(lines) if line), "")
    return masked(last)[:500]
