"""The report that Trivy writes of an image as JSON, read without trusting it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .exemptions import Finding, Kind
from .severities import SEVERITIES


class BrokenError(ValueError):
    """A report is not what the scanner writes."""


def read(result: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Finding]]:
    """Yield the findings of one target: the list that each is in, how it stands there, and what it says.

    Raises BrokenError.
    """
    target = str(result.get("Target") or "")
    for key, reader in READERS.items():
        for one in _each(result, key):
            if one.get("Status") != "PASS":
                yield key, one, reader(one, target)


def _vulnerability(one: Mapping[str, Any], target: str) -> Finding:
    identifier = mapping(one.get("PkgIdentifier") or {}, "PkgIdentifier")
    return Finding(
        kind=Kind.VULNERABILITY,
        ids=(_text(one, "VulnerabilityID"),),
        severity=_severity(one),
        title=str(one.get("Title") or ""),
        paths=tuple(filter(None, (target, str(one.get("PkgPath") or "")))),
        package=_text(one, "PkgName"),
        installed=str(one.get("InstalledVersion") or ""),
        fixed=str(one.get("FixedVersion") or ""),
        purl=str(identifier.get("PURL") or ""),
        url=str(one.get("PrimaryURL") or ""),
    )


def _secret(one: Mapping[str, Any], target: str) -> Finding:
    return Finding(
        kind=Kind.SECRET,
        ids=(_text(one, "RuleID"),),
        severity=_severity(one),
        title=str(one.get("Title") or ""),
        paths=(target,),
    )


def _configuration(one: Mapping[str, Any], target: str) -> Finding:
    return Finding(
        kind=Kind.CONFIGURATION,
        ids=tuple(dict.fromkeys(filter(None, (_text(one, "ID"), str(one.get("AVDID") or ""))))),
        severity=_severity(one),
        title=str(one.get("Title") or ""),
        paths=(target,),
        url=str(one.get("PrimaryURL") or ""),
    )


READERS: Mapping[str, Callable[[Mapping[str, Any], str], Finding]] = {
    "Vulnerabilities": _vulnerability,
    "Secrets": _secret,
    "Misconfigurations": _configuration,
}


def _severity(one: Mapping[str, Any]) -> str:
    severity = str(one.get("Severity") or "UNKNOWN")
    if severity not in SEVERITIES:
        raise BrokenError(f"{severity!r} is no severity")
    return severity


def _each(result: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    return (mapping(one, key) for one in items(result.get(key), key))


def _text(one: Mapping[str, Any], key: str) -> str:
    value = one.get(key)
    if not isinstance(value, str) or not value:
        raise BrokenError(f"a finding has no {key}")
    return value


def items(value: object, name: str) -> Sequence[object]:
    """Return a list; an empty one where there is none.

    Raises BrokenError for anything else.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BrokenError(f"{name} is no list")
    return value


def mapping(value: object, name: str) -> Mapping[str, Any]:
    """Return an object.

    Raises BrokenError for anything else.
    """
    if not isinstance(value, dict):
        raise BrokenError(f"{name} is no object")
    return value
