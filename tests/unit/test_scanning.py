"""What is made of a scanner's report; the reports are cut down from real ones."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from tasks.plan import scanning
from tasks.plan.exemptions import Exemption, Kind
from tasks.plan.platforms import Platform
from tasks.plan.scanning import FOUND, MARKER, OUT_OF_SUPPORT, Rules, Scan, Scanned, Subject, Verdict
from tasks.plan.verdicts import Result
from tasks.scanning import failure

TODAY = date(2026, 11, 27)
RULES = Rules(severities=frozenset({"HIGH", "CRITICAL"}), today=TODAY)
SUBJECT = Subject(name="agent", platform=Platform.AMD64, reference="localhost:5000/shop/agent@sha256:0")
ALPINE = {"Family": "alpine", "Name": "3.24.2"}
APK = {"Target": "agent (alpine 3.24.2)", "Class": "os-pkgs", "Type": "alpine", "Packages": [{"Name": "musl"}]}
GO = {"Target": "app", "Class": "lang-pkgs", "Type": "gobinary", "Packages": [{"Name": "stdlib"}]}
CONFIGURATION = {"Target": "agent", "Class": "config", "MisconfSummary": {"Successes": 26, "Failures": 0}}
BAD = {
    "VulnerabilityID": "CVE-2026-1",
    "PkgName": "musl",
    "PkgIdentifier": {"PURL": "pkg:apk/alpine/musl@1?distro=3.24.2"},
    "InstalledVersion": "1",
    "FixedVersion": "2",
    "Severity": "HIGH",
    "Title": "bad",
}
LAYER = {"created_by": "COPY . / # buildkit"}
COMMAND = {"created_by": 'CMD ["/bin/sh"]', "empty_layer": True}
EXEMPTION = Exemption(kind=Kind.VULNERABILITY, id="CVE-2026-1", statement="not reachable", until=date(2027, 1, 31))


def report(
    *results: Mapping[str, Any],
    system: Mapping[str, Any] | None = ALPINE,
    labels: Mapping[str, str] | None = None,
    arch: str = "amd64",
    history: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    image = {"os": "linux", "architecture": arch, "config": {"Labels": labels}, "history": list(history)}
    metadata = {"ImageConfig": image, **({} if system is None else {"OS": system})}
    return {"SchemaVersion": 2, "Metadata": metadata, "Results": [*results, CONFIGURATION]}


def judge(content: Mapping[str, Any], code: int = 0, *, subject: Subject = SUBJECT, rules: Rules = RULES) -> Verdict:
    return scanning.judge(subject, Scanned(content=content, code=code), rules)


def test_a_clean_image_may_leave() -> None:
    verdict = judge(report(APK, GO))
    assert verdict.result is Result.OK
    assert verdict.seen == ("alpine 3.24.2 (1 packages)", "1 of gobinary", "secrets", "26 checks")
    assert failure(Scan(verdicts=(verdict,))) is None


@pytest.mark.parametrize("severity", ["HIGH", "CRITICAL"])
def test_what_is_bad_enough_fails_also_where_nothing_mends_it(severity: str) -> None:
    bad = {**BAD, "Severity": severity, "FixedVersion": None}
    verdict = judge(report({**APK, "Vulnerabilities": [bad]}), FOUND)
    assert verdict.result is Result.FAILED
    (one,) = verdict.failing
    assert (one.ids, one.package, one.installed, one.fixed) == (("CVE-2026-1",), "musl", "1", "")


@pytest.mark.parametrize("severity", ["MEDIUM", "LOW", "UNKNOWN", None])
def test_what_is_less_bad_is_counted(severity: str | None) -> None:
    verdict = judge(report({**APK, "Vulnerabilities": [{**BAD, "Severity": severity}]}), FOUND)
    assert verdict.result is Result.OK
    assert verdict.others == {severity or "UNKNOWN": 1}


@pytest.mark.parametrize(
    ("key", "finding"),
    [
        ("Secrets", {"RuleID": "private-key", "Severity": "HIGH", "Title": "Asymmetric Private Key"}),
        ("Misconfigurations", {"ID": "DS-0002", "Severity": "HIGH", "Title": "root", "Status": "FAIL"}),
    ],
)
def test_secrets_and_configuration_fail_as_well(key: str, finding: Mapping[str, Any]) -> None:
    verdict = judge(report(APK, {"Target": "/key.pem", key: [finding]}), FOUND)
    assert [(one.ids[0], one.paths) for one in verdict.failing] == [(finding.get("RuleID") or "DS-0002", ("/key.pem",))]


def test_a_check_that_passed_is_no_finding() -> None:
    passed = {"ID": "DS-0002", "Severity": "HIGH", "Title": "root", "Status": "PASS"}
    assert judge(report(APK, {"Target": "x", "Misconfigurations": [passed]})).result is Result.OK


def nothing_known() -> list[tuple[str, dict[str, Any], int, str]]:
    marked = {"Target": "/etc/os-release", "Secrets": [{"RuleID": MARKER, "Severity": "LOW", "Title": "x"}]}
    return [
        ("nothing", report(system=None), 0, "no package and no module was found in it"),
        ("no results", {**report(system=None), "Results": None}, 0, "no package and no module"),
        ("no checks", {**report(APK), "Results": [APK]}, 0, "its configuration was not checked"),
        ("unknown system", report(GO, marked, system=None), FOUND, "a system that the scanner does not know"),
        ("base of an unknown system", report(GO, system=None, history=[LAYER, COMMAND, LAYER]), 0, "does not know"),
        ("none", report(APK, system={"Family": "none"}), 0, "a system that the scanner does not know"),
        ("no database", report({**APK, "Packages": None}), 0, "package database is missing or empty"),
        ("no database, Go", report({**APK, "Packages": []}, GO), 0, "package database is missing or empty"),
        ("no class", report({"Target": "agent", "Class": "config"}), 0, "package database is missing or empty"),
        ("old", report(APK, system={**ALPINE, "EOSL": True}), OUT_OF_SUPPORT, "alpine 3.24.2 is out of support"),
        ("foreign", report(APK, arch="arm64"), 0, "is for linux/arm64, not for linux/amd64"),
        ("found and ended well", report({**APK, "Vulnerabilities": [BAD]}), 0, "ended with 0, which its report"),
        ("found nothing and ended badly", report(APK), FOUND, "ended with 9, which its report"),
        ("old by code alone", report(APK), OUT_OF_SUPPORT, "ended with 8, which its report"),
    ]


@pytest.mark.parametrize(("content", "code", "said"), [one[1:] for one in nothing_known()], ids=lambda one: None)
def test_what_was_not_looked_at_is_never_well(content: Mapping[str, Any], code: int, said: str) -> None:
    verdict = judge(content, code)
    assert verdict.result is Result.FAILED
    assert said in " ".join(verdict.problems)


@pytest.mark.parametrize(
    ("history", "based"),
    [
        ((), False),
        (("layer", "command"), False),
        (("layer", "command", "layer"), True),
        (("layer", "command", "layer", "command"), True),
        (("layer", "layer", "command", "command"), False),
        (("layer", "nothing", "layer"), False),
    ],
)
def test_an_image_stands_on_a_base_where_a_command_is_below_a_layer(history: Sequence[str], based: bool) -> None:
    steps: dict[str, Mapping[str, Any]] = {
        "layer": LAYER,
        "command": COMMAND,
        "nothing": {"created_by": "ENV A=b", "empty_layer": True},
    }
    verdict = judge(report(APK, history=[steps[word] for word in history]))
    assert verdict.result is Result.OK
    assert ("secrets above its base" in verdict.seen) is based


def test_a_program_alone_needs_no_system() -> None:
    verdict = judge(report(GO, system=None))
    assert verdict.result is Result.OK
    assert verdict.seen[0] == "1 of gobinary"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"Results": {}},
        {"Metadata": []},
        {"Metadata": {}, "Results": []},
        report("x"),  # type: ignore[arg-type]
        report({**APK, "Packages": 1}),
        report({**APK, "Vulnerabilities": {}}),
        report({**APK, "Vulnerabilities": [{**BAD, "Severity": "BAD"}]}),
        report({**APK, "Vulnerabilities": [{**BAD, "VulnerabilityID": ""}]}),
        report({**APK, "Secrets": [{}]}),
    ],
)
def test_a_report_that_is_none_fails(content: Mapping[str, Any]) -> None:
    verdict = judge(content)
    assert verdict.result is Result.FAILED
    assert "the scanner's report is not one" in verdict.problems[0]


def test_what_was_not_begun_is_not_run_and_no_pass() -> None:
    verdict = scanning.judge(SUBJECT, Scanned(problem="Trivy is not on this machine", ran=False), RULES)
    assert verdict.result is Result.NOT_RUN
    error = failure(Scan(verdicts=(verdict,)))
    assert error is not None
    assert error.exit_code == 7
    assert "1 of 1 not scanned: Trivy is not on this machine" in error.reason
    assert error.hint == "inv container-setup --scanner"


def test_a_scan_of_nothing_is_no_pass() -> None:
    assert not Scan(verdicts=()).passed
    assert failure(Scan(verdicts=())) is not None


def excepted(*exemptions: Exemption, code: int = FOUND) -> Verdict:
    rules = Rules(severities=RULES.severities, exemptions=exemptions, today=TODAY)
    return judge(report({**APK, "Vulnerabilities": [BAD]}), code, rules=rules)


def test_an_exception_lets_its_finding_pass_and_is_told() -> None:
    verdict = excepted(EXEMPTION)
    assert verdict.result is Result.OK
    assert [(one.finding.ids[0], one.exemption.until) for one in verdict.excused] == [("CVE-2026-1", EXEMPTION.until)]


def test_an_expired_exception_lets_nothing_pass_and_is_told() -> None:
    old = Exemption(kind=Kind.VULNERABILITY, id="CVE-2026-1", statement="once", until=TODAY)
    verdict = excepted(old)
    assert verdict.result is Result.FAILED
    assert [one.exemption for one in verdict.expired] == [old]
    assert excepted(old, EXEMPTION).result is Result.OK
    told = scanning.whole([verdict], Rules(severities=RULES.severities, exemptions=(old,), today=TODAY)).remarks
    assert told == (f"the exception for CVE-2026-1 has expired on {TODAY}",)


def test_an_exception_for_nothing_is_told_where_all_was_scanned() -> None:
    other = Exemption(kind=Kind.SECRET, id="private-key", statement="a test's", until=date(2027, 1, 1))
    rules = Rules(severities=RULES.severities, exemptions=(EXEMPTION, other), today=TODAY)
    verdict = excepted(EXEMPTION, other)
    assert scanning.whole([verdict], rules).remarks == (
        "the exception for private-key is about nothing in these images",
    )
    unscanned = scanning.judge(SUBJECT, Scanned(problem="no"), rules)
    assert scanning.whole([verdict, unscanned], rules).remarks == ()


def test_an_exception_covers_no_old_system() -> None:
    rules = Rules(severities=RULES.severities, exemptions=(EXEMPTION,), today=TODAY)
    old = report({**APK, "Vulnerabilities": [BAD]}, system={**ALPINE, "EOSL": True})
    assert judge(old, OUT_OF_SUPPORT, rules=rules).result is Result.FAILED


STAND_IN = {"container-tasks.bases": "stand-in"}


@pytest.mark.parametrize(
    ("reference", "local", "result"),
    [
        ("localhost:5000/shop/agent@sha256:0", False, Result.OK),
        ("ghcr.io/shop/agent:latest", True, Result.OK),
        ("ghcr.io/shop/agent@sha256:0", False, Result.FAILED),
    ],
)
def test_stand_ins_are_known_to_no_scanner_and_stay_here(reference: str, local: bool, result: Result) -> None:
    subject = Subject(name="agent", platform=Platform.AMD64, reference=reference, local=local)
    verdict = judge(report(system=None, labels=STAND_IN), subject=subject)
    assert verdict.result is result
    assert bool(verdict.remarks) is (result is Result.OK)


def test_a_stand_in_is_no_excuse_for_what_was_found() -> None:
    bad = {**GO, "Vulnerabilities": [BAD]}
    assert judge(report(bad, system=None, labels=STAND_IN), FOUND).result is Result.FAILED


def findings(content: Mapping[str, Any], key: str) -> Sequence[Any]:
    return [one for result in content["Results"] for one in result.get(key) or ()]


def test_what_is_handed_on_is_what_fails() -> None:
    mild = {**BAD, "VulnerabilityID": "CVE-2026-2", "Severity": "LOW"}
    other = {**BAD, "VulnerabilityID": "CVE-2026-3", "Severity": "CRITICAL"}
    content = report({**APK, "Vulnerabilities": [BAD, mild, other]})
    rules = Rules(severities=RULES.severities, exemptions=(EXEMPTION,), today=TODAY)
    left = scanning.only_failing(content, judge(content, FOUND, rules=rules))
    assert [one["VulnerabilityID"] for one in findings(left, "Vulnerabilities")] == ["CVE-2026-3"]
    assert len(findings(content, "Vulnerabilities")) == 3
