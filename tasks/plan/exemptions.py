"""Exceptions to a scan: ``.trivyignore.yaml``, in Trivy's own format, held to a reason and a last day each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from urllib.parse import unquote

from ..errors import ConfigError
from .globs import translated

IGNORE_FILE = ".trivyignore.yaml"
_KEYS = ("id", "paths", "purls", "statement", "expired_at")
_PURL = r"pkg:[a-z0-9.+-]+/.+"
_EXAMPLE = f"{IGNORE_FILE}: vulnerabilities: [{{id: CVE-2026-1, statement: why, expired_at: 2027-01-31}}]"


class Kind(StrEnum):
    """What a scan can find; the value is what a person reads."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105 - a word
    CONFIGURATION = "configuration"


_SECTIONS = {
    "vulnerabilities": Kind.VULNERABILITY,
    "secrets": Kind.SECRET,
    "misconfigurations": Kind.CONFIGURATION,
    "licenses": None,  # not looked for; the file may serve other scans, too
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a scan found."""

    kind: Kind
    ids: tuple[str, ...]
    """What it is called; the first is shown."""
    severity: str
    title: str
    paths: tuple[str, ...] = ()
    """Where it is: Trivy's target, and the file."""
    package: str = ""
    installed: str = ""
    fixed: str = ""
    """The versions that mend it; empty where there is none."""
    purl: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """One entry of the file: a finding that a person has decided to live with, for a while."""

    kind: Kind
    id: str
    statement: str
    until: date
    """From this day on it excepts nothing, as Trivy reads it."""
    paths: tuple[str, ...] = ()
    purls: tuple[str, ...] = ()

    def expired(self, today: date) -> bool:
        """Whether its time is over."""
        return today >= self.until

    def covers(self, finding: Finding) -> bool:
        """Whether it is about this finding, expired or not."""
        if finding.kind is not self.kind or self.id not in finding.ids:
            return False
        if self.paths and not any(
            # Trivy begins the path of a secret with a slash, and no other.
            re.fullmatch(translated(glob.removeprefix("/")), path.removeprefix("/"))
            for glob in self.paths
            for path in finding.paths
        ):
            return False
        return not self.purls or any(covers_package(purl, finding.purl) for purl in self.purls)


def parse(content: object) -> tuple[Exemption, ...]:
    """Return what the file's YAML says.

    Raises ConfigError for what is no such file, and for an entry without a reason or a last day.
    """
    if content is None:
        return ()
    if not isinstance(content, Mapping):
        raise ConfigError(f"{IGNORE_FILE} holds no lists of exceptions", hint=_EXAMPLE)
    found = []
    for section, entries in content.items():
        if section not in _SECTIONS:
            raise ConfigError(f"nothing reads {section} in {IGNORE_FILE}", hint=f"known: {', '.join(_SECTIONS)}")
        if entries is not None and not isinstance(entries, list):
            raise ConfigError(f"{section} in {IGNORE_FILE} is no list", hint=_EXAMPLE)
        for number, entry in enumerate(entries or (), 1):
            place = f"{section}, entry {number} in {IGNORE_FILE}"
            kind = _SECTIONS[section]
            one = _one(entry, kind or Kind.VULNERABILITY, place)
            if kind is not None:
                found.append(one)
    return tuple(found)


def _one(entry: object, kind: Kind, place: str) -> Exemption:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{place} holds no key: value lines", hint=_EXAMPLE)
    for key in entry:
        if key not in _KEYS:
            raise ConfigError(f"nothing reads {key} of {place}", hint=f"known: {', '.join(_KEYS)}")
    name = entry.get("id")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{place} says not what it excepts", hint="id: CVE-2026-1")
    place = f"{name} ({place})"
    statement = entry.get("statement")
    if not isinstance(statement, str) or not statement.strip():
        raise ConfigError(f"{place} has no reason", hint="statement: why this can be lived with")
    return Exemption(
        kind=kind,
        id=name,
        statement=statement.strip(),
        until=_date(entry.get("expired_at"), place),
        paths=_paths(entry.get("paths"), f"paths of {place}"),
        purls=_purls(entry.get("purls"), kind, place),
    )


def _date(value: object, place: str) -> date:
    if value is None:
        raise ConfigError(f"{place} has no last day", hint="expired_at: 2027-01-31, from which on it counts again")
    if not isinstance(value, date):  # as a datetime is, too
        raise ConfigError(f"{place}: {value!r} is not a date", hint="expired_at: 2027-01-31, without quotes")
    return value.date() if isinstance(value, datetime) else value


def _paths(value: object, place: str) -> tuple[str, ...]:
    found = _texts(value, place)
    for path in found:
        try:
            translated(path)
        except ValueError as error:
            raise ConfigError(f"{place}: {path!r} {error}", hint="*, **, ? and [abc] are known") from None
    return found


def _purls(value: object, kind: Kind, place: str) -> tuple[str, ...]:
    found = _texts(value, f"purls of {place}")
    if found and kind is not Kind.VULNERABILITY:
        raise ConfigError(f"{place} has purls, and is about no package", hint="paths, or leave it out")
    for purl in found:
        if not re.fullmatch(_PURL, purl):
            raise ConfigError(f"purls of {place}: {purl!r} is no package", hint="pkg:golang/golang.org/x/net@v0.1.0")
    return found


def _texts(value: object, place: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise ConfigError(f"{place} is no list of text", hint='["usr/bin/**"]')
    return tuple(value)


def covers_package(pattern: str, purl: str) -> bool:
    """Whether a package's URL is one that a pattern is about: what the pattern does not say may be anything."""
    wanted, there = _package(pattern), _package(purl)
    return (
        wanted[0] == there[0] and wanted[1] in {"", there[1]} and wanted[2] <= there[2] and wanted[3] in {"", there[3]}
    )


def _package(purl: str) -> tuple[str, str, frozenset[str], str]:
    """Return a package's type and name, version, qualifiers and path within."""
    rest, _, within = purl.partition("#")
    rest, _, qualifiers = rest.partition("?")
    name, _, version = rest.rpartition("@") if "@" in rest else (rest, "", "")
    return unquote(name), unquote(version), frozenset(filter(None, unquote(qualifiers).split("&"))), within


def unused(exemptions: Sequence[Exemption], found: Sequence[Finding]) -> tuple[Exemption, ...]:
    """Return the exemptions that are about nothing that was found."""
    return tuple(one for one in exemptions if not any(one.covers(finding) for finding in found))
