from datetime import date
from pathlib import Path

import pytest

from tasks import scanning
from tasks.errors import ConfigError
from tasks.plan.exemptions import Exemption, Finding, Kind, covers_package, unused
from tasks.plan.globs import translated
from tests.support import Repo
from tests.unit.test_settings import load

GOOD = "statement: not reachable, expired_at: 2027-01-31"


def read(root: Path, text: str) -> tuple[Exemption, ...]:
    (root / ".trivyignore.yaml").write_text(text, encoding="utf-8")
    return scanning.read_exemptions(root)


def found(**more: object) -> Finding:
    about: dict[str, object] = {"kind": Kind.VULNERABILITY, "ids": ("CVE-2026-1",), "severity": "HIGH", "title": "t"}
    return Finding(**{**about, **more})  # type: ignore[arg-type]


def test_no_file_excepts_nothing(tmp_path: Path) -> None:
    assert scanning.read_exemptions(tmp_path) == ()


@pytest.mark.parametrize("text", ["", "vulnerabilities:\n", "vulnerabilities: []\n", "# nothing yet\n"])
def test_a_file_without_entries_excepts_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == ()


def test_every_section_is_read_and_licences_are_left_to_other_scans(tmp_path: Path) -> None:
    sections = ("vulnerabilities", "secrets", "misconfigurations", "licenses")
    text = "".join(f"{name}: [{{id: {name[:3].upper()}-1, {GOOD}}}]\n" for name in sections)
    assert [(one.kind, one.id, one.statement, one.until) for one in read(tmp_path, text)] == [
        (Kind.VULNERABILITY, "VUL-1", "not reachable", date(2027, 1, 31)),
        (Kind.SECRET, "SEC-1", "not reachable", date(2027, 1, 31)),
        (Kind.CONFIGURATION, "MIS-1", "not reachable", date(2027, 1, 31)),
    ]


def test_a_moment_is_its_day(tmp_path: Path) -> None:
    (one,) = read(tmp_path, "secrets: [{id: X, statement: why, expired_at: 2027-01-31T10:00:00Z}]")
    assert one.until == date(2027, 1, 31)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vulnerabilities: [{id: CVE-2026-1, expired_at: 2027-01-31}]", "CVE-2026-1 .* has no reason"),
        ("vulnerabilities: [{id: CVE-2026-1, statement: '  ', expired_at: 2027-01-31}]", "has no reason"),
        ("vulnerabilities: [{id: CVE-2026-1, statement: why}]", "CVE-2026-1 .* has no last day"),
        ("vulnerabilities: [{id: A, statement: why, expired_at: soon}]", "'soon' is not a date"),
        ("vulnerabilities: [{id: A, statement: why, expired_at: '2027-01-31'}]", "is not a date"),
        ("vulnerabilities: [{id: A, statement: why, expired_at: 2027-02-30}]", "is broken"),
        ("licenses: [{id: GPL, expired_at: 2027-01-31}]", "has no reason"),
        (f"vulnerabilities: [{{{GOOD}}}]", "says not what it excepts"),
        (f"vulnerabilities: [{{id: 1, {GOOD}}}]", "says not what it excepts"),
        (f"vulnerabilities: [{{id: A, reason: b, {GOOD}}}]", "nothing reads reason of vulnerabilities, entry 1"),
        (f"vulnerability: [{{id: A, {GOOD}}}]", "nothing reads vulnerability in"),
        ("vulnerabilities: {id: A}", "vulnerabilities in .* is no list"),
        ("vulnerabilities: [CVE-2026-1]", "holds no key: value lines"),
        ("- CVE-2026-1", "holds no lists of exceptions"),
        (f"vulnerabilities: [{{id: A, paths: usr, {GOOD}}}]", "paths of A .* is no list of text"),
        (f"vulnerabilities: [{{id: A, paths: [], {GOOD}}}]", "paths of A .* is no list of text"),
        (f"vulnerabilities: [{{id: A, paths: ['a{{b,c}}'], {GOOD}}}]", "is not known here"),
        (f"vulnerabilities: [{{id: A, paths: ['a[b'], {GOOD}}}]", "never ends"),
        (f"vulnerabilities: [{{id: A, purls: [net], {GOOD}}}]", "'net' is no package"),
        (f"secrets: [{{id: A, purls: ['pkg:golang/x'], {GOOD}}}]", "is about no package"),
        ("vulnerabilities: [", "is broken"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        read(tmp_path, text)
    assert error.value.exit_code == 2
    assert error.value.hint


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("usr/bin/app", "usr/bin/app", True),
        ("usr/bin/app", "usr/bin/app2", False),
        ("usr/bin/*", "usr/bin/app", True),
        ("usr/*", "usr/bin/app", False),
        ("usr/**", "usr/bin/app", True),
        ("**/app", "app", True),
        ("**/app", "usr/bin/app", True),
        ("usr/**/app", "usr/app", True),
        ("usr/**/app", "usr/a/b/app", True),
        ("usr/**/app", "usr/myapp", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[bc]d", "acd", True),
        ("a[!bc]d", "acd", False),
        ("a[!bc]d", "a/d", False),
        ("a.c", "abc", False),
        ("**", "a/b", True),
    ],
)
def test_a_pattern_of_paths_is_doublestars(glob: str, path: str, fits: bool) -> None:
    import re

    assert bool(re.fullmatch(translated(glob), path)) is fits


@pytest.mark.parametrize(
    ("pattern", "purl", "covers"),
    [
        ("pkg:golang/golang.org/x/net", "pkg:golang/golang.org/x/net@v0.1.0", True),
        ("pkg:golang/golang.org/x/net@v0.1.0", "pkg:golang/golang.org/x/net@v0.1.0", True),
        ("pkg:golang/golang.org/x/net@v0.1.0", "pkg:golang/golang.org/x/net@v0.2.0", False),
        ("pkg:golang/golang.org/x/net", "pkg:golang/golang.org/x/net2@v0.1.0", False),
        ("pkg:apk/alpine/musl", "pkg:apk/alpine/musl@1.2.5-r1?arch=x86_64&distro=3.24.2", True),
        ("pkg:apk/alpine/musl?arch=x86_64", "pkg:apk/alpine/musl@1.2.5-r1?arch=aarch64", False),
        ("pkg:npm/%40scope/name@1", "pkg:npm/%40scope/name@1", True),
        ("pkg:npm/name", "", False),
    ],
)
def test_a_package_is_covered_as_far_as_it_is_named(pattern: str, purl: str, covers: bool) -> None:
    assert covers_package(pattern, purl) is covers


def test_an_entry_covers_its_kind_id_path_and_package_alone(tmp_path: Path) -> None:
    (one,) = read(
        tmp_path, f"vulnerabilities: [{{id: CVE-2026-1, paths: ['usr/**'], purls: ['pkg:golang/x'], {GOOD}}}]"
    )
    here = {"paths": ("usr/bin/app",), "purl": "pkg:golang/x@v1"}
    assert one.covers(found(**here))
    assert one.covers(found(**here, ids=("GHSA-1", "CVE-2026-1")))
    assert not one.covers(found(**here, ids=("CVE-2026-2",)))
    assert not one.covers(found(**here, kind=Kind.SECRET))
    assert not one.covers(found(**{**here, "paths": ("opt/app",)}))
    assert not one.covers(found(**{**here, "purl": "pkg:golang/y@v1"}))
    assert unused([one], [found(**here)]) == ()
    assert unused([one], [found()]) == (one,)


def test_a_release_refuses_them_before_it_builds(repo: Repo) -> None:
    from tasks.release import gates

    repo.write(".trivyignore.yaml", "vulnerabilities: [{id: A, statement: why}]")
    wanted = load(repo, registry="localhost:9/shop")
    with pytest.raises(ConfigError, match="has no last day"):
        gates.prepare(wanted, ("sign",), require=False, source="--skip")
    gates.prepare(wanted, ("sign", "scan"), require=False, source="--skip")


def test_its_last_day_is_no_day_of_grace(tmp_path: Path) -> None:
    (one,) = read(tmp_path, f"vulnerabilities: [{{id: A, {GOOD}}}]")
    assert not one.expired(date(2027, 1, 30))
    assert one.expired(date(2027, 1, 31))
