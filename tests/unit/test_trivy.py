"""How Trivy is asked, and what is made of however it ends; a fake one stands in. The real one: tests/integration."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.engine import cache, trivy
from tasks.engine.machine import packages
from tasks.errors import ScanError
from tasks.plan.platforms import Platform
from tasks.plan.scanning import Scanned

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
REFERENCE = f"ghcr.io/shop/agent@sha256:{'0' * 64}"
TARGET = trivy.Target(reference=REFERENCE, platform=Platform.ARM64)
FAKE = """\
#!{python}
import json, os, sys, time
from pathlib import Path

here = Path({folder!r})
said = {{"argv": sys.argv[1:], "env": dict(os.environ), "files": os.listdir(".")}}
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(said) + "\\n")
plan = json.loads((here / "plan.json").read_text())
if "--download-db-only" in sys.argv:
    if plan.get("updated"):
        folder = Path(sys.argv[sys.argv.index("--cache-dir") + 1]) / "db"
        folder.mkdir(exist_ok=True)
        (folder / "trivy.db").write_text("x")
        (folder / "metadata.json").write_text(json.dumps({{"UpdatedAt": plan["updated"]}}))
    print(plan.get("db_said", ""), file=sys.stderr)
    sys.exit(plan.get("db_code", 0))
time.sleep(plan.get("sleep", 0))
sys.stdout.write(plan.get("out", "{{}}"))
sys.stderr.write(plan.get("said", ""))
sys.exit(plan.get("code", 0))
"""


class Fake:
    """A Trivy that does as it is told, and remembers how it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def does(self, **plan: object) -> None:
        """Decide what it does from now on."""
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    @property
    def calls(self) -> list[dict[str, Any]]:
        """How it was asked."""
        return [json.loads(line) for line in (self.folder / "calls").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A fake Trivy on PATH, and a cache folder of its own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "trivy").write_text(FAKE.format(python=sys.executable, folder=str(tmp_path)), encoding="utf-8")
    (programs / "trivy").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(cache, "home", lambda: tmp_path / "cache")
    made = Fake(tmp_path)
    made.does()
    return made


def known(tmp_path: Path) -> trivy.Database:
    return trivy.Database(folder=tmp_path / "db", updated=NOW)


def scan(tmp_path: Path, target: trivy.Target = TARGET) -> Scanned:
    return trivy.scan({"one": target}, known(tmp_path), bundle=None, limit=1)["one"]


def after(argv: list[str], flag: str) -> str:
    return argv[argv.index(flag) + 1]


def test_it_is_asked_for_one_platform_in_its_registry_and_for_everything(fake: Fake, tmp_path: Path) -> None:
    assert scan(tmp_path) == Scanned(content={}, code=0)
    argv = fake.calls[0]["argv"]
    assert argv[0] == "image"
    assert argv[-1] == REFERENCE
    expected = {
        "--image-src": "remote",
        "--platform": "linux/arm64",
        "--scanners": "vuln,secret,misconfig",
        "--image-config-scanners": "misconfig,secret",
        "--exit-code": "9",
        "--exit-on-eol": "8",
        "--format": "json",
        "--timeout": "600s",
        "--cache-dir": str(tmp_path / "db"),
    }
    assert {flag: after(argv, flag) for flag in expected} == expected
    assert {"--skip-version-check", "--disable-telemetry", "--skip-db-update", "--skip-check-update"} <= set(argv)
    assert not {"--insecure", "--ignore-unfixed", "--severity", "--ignorefile"} & set(argv)


def test_what_lies_here_is_named_as_such(fake: Fake, tmp_path: Path) -> None:
    scan(tmp_path, trivy.Target(reference="agent:latest", platform=Platform.AMD64, unpacked=tmp_path / "layout"))
    argv = fake.calls[0]["argv"]
    assert after(argv, "--input") == str(tmp_path / "layout")
    assert "agent:latest" not in argv
    assert "--image-src" not in argv


def test_nothing_of_a_persons_own_makes_it_milder(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIVY_SEVERITY", "LOW")
    monkeypatch.setenv("TRIVY_IGNORE_UNFIXED", "true")
    monkeypatch.setenv("TRIVY_USERNAME", "me")
    for name in (".trivyignore", "trivy.yaml"):
        (tmp_path / name).write_text("CVE-2026-1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    scan(tmp_path)
    (call,) = fake.calls
    assert {name for name in call["env"] if name.startswith("TRIVY_")} == {"TRIVY_USERNAME"}
    assert call["files"] == []


def test_it_trusts_what_builds_trust(fake: Fake, tmp_path: Path) -> None:
    trivy.scan({"one": TARGET}, known(tmp_path), bundle=Path("/etc/company.pem"), limit=1)
    assert fake.calls[0]["env"]["SSL_CERT_FILE"] == "/etc/company.pem"


def ways_to_fail() -> Mapping[str, tuple[dict[str, object], str]]:
    return {
        "an error": ({"code": 1, "said": "INFO begins\nFATAL\tno such image\n\n"}, "FATAL no such image"),
        "an error without a word": ({"code": 1, "out": ""}, "Trivy ended with 1, and said nothing"),
        "another code": ({"code": 5, "out": "{}", "said": "odd"}, "odd"),
        "nothing": ({"out": ""}, "Trivy wrote no report"),
        "null": ({"out": "null"}, "Trivy wrote no report"),
        "garbage": ({"out": "{"}, "Trivy's report is no JSON"),
        "a list": ({"out": "[]"}, "Trivy's report is no object"),
        "findings without a report": ({"code": 9, "out": ""}, "Trivy wrote no report"),
        "a login": ({"code": 1, "said": "GET https://me:word@ghcr.io/v2/"}, "GET https://***@ghcr.io/v2/"),
        "colour": ({"code": 1, "said": "\x1b[31mFATAL\x1b[0m\tbad\n"}, "FATAL bad"),
    }


@pytest.mark.parametrize(("plan", "problem"), ways_to_fail().values(), ids=ways_to_fail())
def test_each_way_to_fail_has_its_words(fake: Fake, tmp_path: Path, plan: dict[str, object], problem: str) -> None:
    fake.does(**plan)
    found = scan(tmp_path)
    assert found.content is None
    assert found.ran
    assert found.problem == problem


@pytest.mark.parametrize("code", [0, 8, 9])
def test_what_it_found_is_its_report(fake: Fake, tmp_path: Path, code: int) -> None:
    fake.does(code=code, out='{"Results": []}')
    assert scan(tmp_path) == Scanned(content={"Results": []}, code=code)


def test_one_that_does_not_end_is_ended(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trivy, "_SCAN_SECONDS", 0.2)
    monkeypatch.setattr(trivy, "_SLACK", 0.1)
    fake.does(sleep=60)
    assert scan(tmp_path).problem == "Trivy did not end within 0 s"


def test_without_it_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "which", lambda program: None)
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    found = scan(tmp_path)
    assert (found.content, found.ran, found.problem) == (None, False, "Trivy is not on this machine")
    assert not trivy.is_there()


def test_one_that_was_built_is_used_where_none_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.engine.machine import scanner

    monkeypatch.setattr(packages, "which", lambda program: None)
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    built = tmp_path / "trivy" / scanner.VERSION / "trivy"
    built.parent.mkdir(parents=True)
    built.touch()
    assert scanner.program() == built
    assert scanner.ensure() == (built, False)


def fetch(repository: str | None = None) -> trivy.Database:
    return trivy.database(repository, bundle=None, now=NOW)


def test_a_database_that_comes_is_used(fake: Fake) -> None:
    fake.does(updated="2026-11-27T06:00:00.123456789Z")
    found = fetch("localhost:5000/db:2")
    assert (found.updated.date(), found.note) == (NOW.date(), "")
    argv = fake.calls[0]["argv"]
    assert after(argv, "--db-repository") == "localhost:5000/db:2"
    assert after(argv, "--cache-dir") == str(found.folder)


def test_without_a_setting_it_is_trivys_own_and_kept_apart(fake: Fake) -> None:
    fake.does(updated="2026-11-27T06:00:00Z")
    assert fetch().folder != fetch("localhost:5000/db:2").folder
    assert "--db-repository" not in fake.calls[0]["argv"]


def test_no_database_is_an_error(fake: Fake) -> None:
    fake.does(db_code=1, db_said="FATAL connection refused")
    with pytest.raises(ScanError, match="there is no vulnerability database: FATAL connection refused") as error:
        fetch("localhost:5000/db:2")
    assert error.value.exit_code == 7
    assert "localhost:5000/db:2" in str(error.value.hint)


@pytest.mark.parametrize("updated", ["", "soon"])
def test_a_database_that_says_not_of_when_it_is_is_none(fake: Fake, updated: str) -> None:
    fake.does(updated=updated)
    with pytest.raises(ScanError, match="there is no vulnerability database"):
        fetch()


def test_offline_one_of_some_days_serves_and_is_told(fake: Fake) -> None:
    fake.does(updated=(NOW - timedelta(days=6)).isoformat())
    fetch()
    fake.does(db_code=1, db_said="FATAL no network")
    assert fetch().note == ("the vulnerability database could not be renewed, and is of 2026-11-21: FATAL no network")


@pytest.mark.parametrize("code", [0, 1])
def test_an_old_one_serves_nobody_whether_or_not_there_is_a_newer(fake: Fake, code: int) -> None:
    fake.does(updated=(NOW - timedelta(days=8)).isoformat(), db_code=code, db_said="FATAL no network")
    with pytest.raises(ScanError, match="is of 2026-11-19, and what became known since is not in it"):
        fetch()


def test_an_sbom_is_spdx_and_needs_no_database(fake: Fake) -> None:
    fake.does(out='{"spdxVersion": "SPDX-2.3"}')
    found = trivy.sbom({"one": TARGET}, bundle=None, limit=1)["one"]
    assert found.content == {"spdxVersion": "SPDX-2.3"}
    argv = fake.calls[0]["argv"]
    assert after(argv, "--format") == "spdx-json"
    assert after(argv, "--image-src") == "remote"
    assert argv[-1] == REFERENCE


@pytest.mark.parametrize("out", ["{}", '{"bomFormat": "CycloneDX"}'])
def test_what_is_no_spdx_is_refused(fake: Fake, out: str) -> None:
    fake.does(out=out)
    found = trivy.sbom({"one": TARGET}, bundle=None, limit=1)["one"]
    assert found.content is None
    assert "no SPDX document" in found.problem


def test_sarif_is_trivys_own_conversion(fake: Fake) -> None:
    fake.does(out='{"runs": []}')
    assert trivy.sarif({"Results": []}) == {"runs": []}
    assert fake.calls[0]["argv"][:3] == ["convert", "--format", "sarif"]
    fake.does(code=1, said="FATAL odd")
    with pytest.raises(ScanError, match="could not write SARIF: FATAL odd"):
        trivy.sarif({})
