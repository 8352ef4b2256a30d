"""container-scan and container-sbom: the real Trivy, a real registry, a vulnerability database of the tests' own."""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import advisories
from tests.oci import Image, Registry
from tests.support import TASKS_PY, Repo, Result, docker, loopback_registry

pytestmark = pytest.mark.docker

BOTH = "linux/amd64,linux/arm64"
PRIVATE = "PRIVATE KEY"
KEY = f"-----BEGIN {PRIVATE}-----\n{base64.b64encode(bytes(range(200))).decode()}\n-----END {PRIVATE}-----\n"
UNTIL = datetime.now(UTC).date() + timedelta(days=30)


def alpine(version: str, **packages: str) -> Mapping[str, str]:
    """Return the files by which Alpine is known, with packages of these versions."""
    installed = "".join(
        f"C:Q1{name}=\nP:{name}\nV:{package}\nA:x86_64\nS:1\nI:1\nT:{name}\nL:MIT\no:{name}\nF:lib\nR:{name}.so\n\n"
        for name, package in packages.items()
    )
    return {
        "etc/alpine-release": f"{version}\n",
        "etc/os-release": f'NAME="Alpine Linux"\nID=alpine\nVERSION_ID={version}\n',
        "lib/apk/db/installed": installed,
    }


CLEAN = alpine("3.24.2", musl="1.2.6-r0")
BAD = alpine("3.24.2", musl="1.2.5-r1", busybox="1.37.0-r1")


@dataclass(frozen=True, slots=True)
class Shelf:
    """A registry with images and a database, and a repository whose settings name them."""

    registry: Registry
    repo: Repo
    env: Mapping[str, str]

    def scan(self, *words: str) -> Result:
        """Type container-scan."""
        return self.repo.inv("container-scan", *words, env=self.env)

    def image(self, name: str, *words: str) -> Result:
        """Scan one image by its name."""
        return self.scan("--image", f"{self.registry.address}/{name}:1", *words)

    def record(self, *words: str) -> dict[str, Any]:
        """Scan, and return the record."""
        found: dict[str, Any] = json.loads(self.scan(*words, "--json").out)
        return found

    def settings(self, **more: str) -> None:
        """Write invoke.yaml, with settings beyond those of every test here."""
        lines = {"project": "tiny", "registry": f"{self.registry.address}/shop", "tags": "1", "scan_db": self.database}
        text = "".join(f"  {key}: {value}\n" for key, value in {**lines, **more}.items())
        self.repo.write("invoke.yaml", f"container:\n{text}")

    @property
    def database(self) -> str:
        """Where the database is."""
        return f"{self.registry.address}/db:2"

    def excepts(self, **entries: str) -> None:
        """Write the file of exceptions, a line a section; none of them removes it."""
        place = self.repo.root / ".trivyignore.yaml"
        if entries:
            place.write_text(
                "".join(f"{section}: [{{{entry}}}]\n" for section, entry in entries.items()), encoding="utf-8"
            )
        else:
            place.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def shelf(trivy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Two services and all kinds of images, published."""
    place = tmp_path_factory.mktemp("scan")
    repo = Repo(place / "tiny")
    repo.root.mkdir()
    repo.write("tasks.py", TASKS_PY)
    for name in ("one", "two"):
        repo.write(f"services/{name}/Dockerfile", "FROM scratch\n")
    programs = {architecture: advisories.program(architecture).read_bytes() for architecture in ("amd64", "arm64")}
    # Nothing of it stays in the person's own cache folder.
    env = {"PATH": f"{trivy.parent}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(place / "cache")}
    with loopback_registry(place) as address:
        registry = Registry(address)
        found = Shelf(registry, repo, env)
        advisories.push(registry, "db:2")
        registry.push("clean:1", Image(layers=[CLEAN]))
        registry.push("bad:1", Image(layers=[BAD]))
        registry.push("key:1", Image(layers=[CLEAN, {"srv/key.pem": KEY}]))
        registry.push("usr-key:1", Image(layers=[CLEAN, {"usr/share/doc/x/key.pem": KEY}]))
        registry.push("deep-key:1", Image(layers=[CLEAN, {"srv/key.pem": KEY}, {"srv/.wh.key.pem": ""}]))
        registry.push("root:1", Image(layers=[CLEAN], config={}))
        registry.push("go:1", Image(layers=[{"app": programs["amd64"]}]))
        registry.push("old:1", Image(layers=[alpine("3.10.9", musl="1.1.22-r4")]))
        registry.push("nothing:1", Image(layers=[{"app": b"\x7fELF no program at all"}]))
        registry.push("no-packages:1", Image(layers=[alpine("3.24.2")]))
        unknown = {"etc/os-release": 'NAME="Own Linux"\nID=own\nVERSION_ID=1\n'}
        registry.push("unknown:1", Image(layers=[unknown]))
        registry.push("unknown-go:1", Image(layers=[{**unknown, "app": programs["amd64"]}]))
        registry.push(
            "unknown-apk:1", Image(layers=[{**unknown, "lib/apk/db/installed": CLEAN["lib/apk/db/installed"]}])
        )
        registry.push("unknown-base:1", Image(layers=[unknown, {"app": programs["amd64"]}], base=1))
        registry.push("base-key:1", Image(layers=[{**CLEAN, "srv/key.pem": KEY}, {"app": "#!/bin/sh\n"}], base=1))
        registry.push("one-platform:1", Image(layers=[CLEAN]))
        registry.push("shop/one:1", *(Image(layers=[CLEAN], architecture=one) for one in programs))
        registry.push(
            "shop/two:1",
            *(Image(layers=[CLEAN, {"app": built}], architecture=one) for one, built in programs.items()),
        )
        found.settings()
        yield found


@pytest.fixture(autouse=True)
def _as_it_was(shelf: Shelf) -> Iterator[None]:
    yield
    shelf.settings()
    shelf.excepts()


def test_a_clean_image_may_leave(shelf: Shelf) -> None:
    done = shelf.image("clean").ok()
    assert "what the registry has" in done.out
    assert "alpine 3.24.2 (1 packages)" in done.out


def test_a_package_that_is_known_to_be_bad_fails_and_a_mild_one_is_counted(shelf: Shelf) -> None:
    done = shelf.image("bad").fails(7, advisories.MUSL, "musl 1.2.5-r1", "1.2.6-r0", "1 of 1 must not leave")
    assert "2 low" in done.out  # the other package, and that there is no HEALTHCHECK
    assert advisories.BUSYBOX not in done.all


def test_a_severity_more_fails_more(shelf: Shelf) -> None:
    shelf.settings(severity="LOW,MEDIUM,HIGH,CRITICAL")
    shelf.image("bad").fails(7, advisories.MUSL, advisories.BUSYBOX)
    shelf.settings(severity="CRITICAL")
    assert "1 high, 2 low" in shelf.image("bad").ok().out


def test_a_module_within_a_program_on_nothing_is_looked_up(shelf: Shelf) -> None:
    done = shelf.image("go").fails(7, advisories.BBOLT, "go.etcd.io/bbolt")
    assert "of gobinary" in done.out


def test_a_secret_fails_and_is_not_shown(shelf: Shelf) -> None:
    places = {"key": "srv", "deep-key": "srv", "usr-key": "usr/share/doc/x"}  # also where a later layer deletes it
    for name, place in places.items():
        done = shelf.image(name).fails(7, "private-key", f"{place}/key.pem")
        assert KEY.splitlines()[1][:20] not in done.all


def test_that_no_secret_was_looked_for_in_a_base_is_told(shelf: Shelf) -> None:
    assert "secrets above its base" in shelf.image("base-key").ok().out


def test_an_image_that_runs_as_root_fails(shelf: Shelf) -> None:
    shelf.image("root").fails(7, "DS-0002")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("old", "alpine 3.10.9 is out of support"),
        ("nothing", "no package and no module was found in it"),
        ("no-packages", "no package of alpine 3.24.2 was found"),
        ("unknown", "it has a system that the scanner does not know"),
        ("unknown-go", "it has a system that the scanner does not know"),
        ("unknown-base", "it has a system that the scanner does not know"),
        ("unknown-apk", "it has a system that the scanner does not know"),
    ],
)
def test_what_nobody_can_vouch_for_fails(shelf: Shelf, name: str, said: str) -> None:
    shelf.image(name).fails(7, said, "1 of 1 must not leave")


def test_what_is_published_is_scanned_for_each_platform_by_digest(shelf: Shelf) -> None:
    found = shelf.record("--platforms", BOTH)
    assert (found["exit"], found["result"]) == (7, "failed")
    images = {(one["name"], one["platform"]): one for one in found["images"]}
    assert {key: one["result"] for key, one in images.items()} == {
        ("one", "linux/amd64"): "ok",
        ("one", "linux/arm64"): "ok",
        ("two", "linux/amd64"): "failed",
        ("two", "linux/arm64"): "failed",
    }
    references = {one["reference"] for one in found["images"]}
    assert len(references) == 4
    assert all(f"{shelf.registry.address}/shop/" in one and "@sha256:" in one for one in references)
    assert [one["id"] for one in images["two", "linux/arm64"]["failing"]] == [advisories.BBOLT]
    shelf.scan("--services", "one", "--platforms", BOTH).ok()


def test_a_platform_that_is_not_published_fails(shelf: Shelf) -> None:
    done = shelf.image("one-platform", "--platforms", BOTH)
    done.fails(7, "it is published for linux/amd64, and not for linux/arm64", "1 of 2 not scanned")


def test_a_copy_in_the_engine_is_no_stand_in_for_what_is_published(shelf: Shelf) -> None:
    """The engine's image of that name is clean, and the registry's is not; and the other way round."""
    for name in ("bad", "clean"):
        other = {"bad": "clean", "clean": "bad"}[name]
        reference = f"{shelf.registry.address}/{name}:1"
        docker("pull", "-q", "--platform", "linux/amd64", f"{shelf.registry.address}/{other}:1")
        docker("tag", f"{shelf.registry.address}/{other}:1", reference)
        try:
            published, local = shelf.image(name), shelf.image(name, "--local")
        finally:
            docker("rmi", "-f", reference, f"{shelf.registry.address}/{other}:1")
        assert (published.code, local.code) == ((7, 0) if name == "bad" else (0, 7))
        assert "the engine's image store" in local.out


def test_each_platform_of_the_engines_copy_is_scanned(shelf: Shelf) -> None:
    reference = f"{shelf.registry.address}/shop/two:1"
    for platform in BOTH.split(","):
        docker("pull", "-q", "--platform", platform, reference)
    try:
        found = shelf.record("--services", "two", "--platforms", BOTH, "--local")
    finally:
        docker("rmi", "-f", reference)
    assert [(one["platform"], one["failing"][0]["id"]) for one in found["images"]] == [
        ("linux/amd64", advisories.BBOLT),
        ("linux/arm64", advisories.BBOLT),
    ]


def test_an_exception_with_reason_and_last_day_lets_pass_what_it_names(shelf: Shelf) -> None:
    entry = f"id: {advisories.MUSL}, statement: not reachable, expired_at: {UNTIL}"
    shelf.excepts(vulnerabilities=entry)
    done = shelf.image("bad").ok()
    for word in ("1 excepted", advisories.MUSL, str(UNTIL), "not reachable"):
        assert word in done.out
    shelf.image("go").fails(7, advisories.BBOLT, f"the exception for {advisories.MUSL} is about nothing")
    shelf.excepts(vulnerabilities=f"{entry}, purls: ['pkg:apk/alpine/musl@1.2.5-r1']")
    shelf.image("bad").ok()
    shelf.excepts(vulnerabilities=f"{entry}, purls: ['pkg:apk/alpine/musl@1.2.4-r1']")
    shelf.image("bad").fails(7, advisories.MUSL)
    shelf.excepts(secrets=f"id: private-key, statement: a test's, expired_at: {UNTIL}, paths: ['**/key.pem']")
    shelf.image("key").ok()
    shelf.excepts(secrets=f"id: private-key, statement: a test's, expired_at: {UNTIL}, paths: ['usr/share/doc/**']")
    shelf.image("usr-key").ok()
    shelf.image("key").fails(7, "private-key")


def test_an_expired_exception_lets_nothing_pass(shelf: Shelf) -> None:
    today = datetime.now(UTC).date()
    shelf.excepts(vulnerabilities=f"id: {advisories.MUSL}, statement: once, expired_at: {today}")
    shelf.image("bad").fails(7, advisories.MUSL, f"has expired on {today}", "expired", "once")


def test_an_exception_without_a_reason_is_refused_before_anything_is_scanned(shelf: Shelf) -> None:
    shelf.excepts(vulnerabilities=f"id: {advisories.MUSL}, expired_at: {date.max}")
    shelf.image("bad").fails(2, advisories.MUSL, "has no reason")
    shelf.excepts(vulnerabilities=f"id: {advisories.MUSL}, statement: because")
    shelf.image("bad").fails(2, advisories.MUSL, "has no last day")


def test_trivys_own_files_and_variables_let_nothing_pass(shelf: Shelf) -> None:
    shelf.repo.write(".trivyignore", f"{advisories.MUSL}\n")
    shelf.repo.write("trivy.yaml", "severity: [LOW]\nscan:\n  scanners: [secret]\n")
    env = {**shelf.env, "TRIVY_SEVERITY": "LOW", "TRIVY_IGNORE_UNFIXED": "true", "TRIVY_SKIP_DIRS": "lib,/lib"}
    try:
        reference = f"{shelf.registry.address}/bad:1"
        shelf.repo.inv("container-scan", "--image", reference, env=env).fails(7, advisories.MUSL)
    finally:
        for name in (".trivyignore", "trivy.yaml"):
            (shelf.repo.root / name).unlink()


def test_without_a_database_nothing_passes(shelf: Shelf) -> None:
    shelf.settings(scan_db=f"{shelf.registry.address}/none:2")
    shelf.image("clean").fails(7, "there is no vulnerability database", "1 of 1 not scanned")
    shelf.settings(scan_db="localhost:9/db:2")
    shelf.image("clean").fails(7, "there is no vulnerability database", "connection refused")


def test_an_old_database_lets_nothing_pass(shelf: Shelf) -> None:
    shelf.settings(scan_db=advisories.push(shelf.registry, "old-db:2", age=timedelta(days=30)))
    shelf.image("clean").fails(7, "what became known since is not in it")


def test_a_database_at_hand_serves_when_its_registry_is_gone(shelf: Shelf, tmp_path: Path) -> None:
    with loopback_registry(tmp_path) as address:
        shelf.settings(scan_db=advisories.push(Registry(address), "db:2", age=timedelta(days=3)))
        shelf.image("clean").ok()
    # Trivy asks for a newer one when the one at hand was fetched an hour ago, and its own time is over.
    for file in Path(shelf.env["XDG_CACHE_HOME"]).glob("container-tasks/trivy-db/*/db/metadata.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        fetched = datetime.now(UTC) - timedelta(hours=2)
        file.write_text(json.dumps({**content, "DownloadedAt": fetched.isoformat()}), encoding="utf-8")
    done = shelf.image("clean").ok()
    assert "the vulnerability database could not be renewed, and is of" in done.out
    shelf.image("bad").fails(7, advisories.MUSL)


def test_a_registry_that_is_gone_lets_nothing_pass(shelf: Shelf) -> None:
    shelf.scan("--image", "localhost:9/shop/one:1").fails(7, "its registry does not show it", "1 of 1 not scanned")
    shelf.image("never-pushed").fails(7, "its registry does not show it")


def test_a_layer_that_is_not_what_it_says_lets_nothing_pass(shelf: Shelf) -> None:
    reference = shelf.registry.push("damaged:1", Image(layers=[{**BAD, "seed": shelf.repo.seed}]))
    layers = sorted((shelf.repo.root.parent / "registry").rglob("data"), key=lambda path: path.stat().st_mtime_ns)
    damaged = next(path for path in reversed(layers) if path.read_bytes()[:2] == b"\x1f\x8b")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    shelf.scan("--image", reference).fails(7, "1 of 1 not scanned")


def test_without_trivy_each_image_is_not_run(shelf: Shelf, tmp_path: Path) -> None:
    """The same, with a PATH and a cache folder that have none."""
    env = {**shelf.env, "PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path)}
    done = shelf.repo.inv("container-scan", "--platforms", BOTH, env=env)
    done.fails(7, "4 of 4 not scanned", "Trivy is not on this machine", "inv container-setup --scanner")
    assert done.out.count("not run") >= 4


def test_sarif_has_what_fails_and_nothing_that_is_excepted(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "found.sarif"
    shelf.image("bad", "--sarif", str(file)).fails(7)
    (run,) = json.loads(file.read_text(encoding="utf-8"))["runs"]
    assert [one["ruleId"] for one in run["results"]] == [advisories.MUSL]
    assert run["automationDetails"]["id"].endswith("/bad:1/linux/amd64/")
    shelf.excepts(vulnerabilities=f"id: {advisories.MUSL}, statement: not reachable, expired_at: {UNTIL}")
    shelf.image("bad", "--sarif", str(file)).ok()
    (run,) = json.loads(file.read_text(encoding="utf-8"))["runs"]
    assert run["results"] == []
    shelf.image("bad", "--sarif", str(tmp_path / "none" / "x")).fails(2, "cannot be written")


@pytest.mark.parametrize("platform", BOTH.split(","))
def test_an_sbom_is_valid_names_the_modules_and_is_all_that_is_printed(shelf: Shelf, platform: str) -> None:
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    done = shelf.repo.inv("container-sbom", "--service", "two", "--platform", platform, env=shelf.env).ok()
    assert done.done.stderr == ""
    content = json.loads(done.out)
    parsed = JsonLikeDictParser().parse(content)  # type: ignore[no-untyped-call]
    assert validate_full_spdx_document(parsed) == []
    named = {(one["name"], one.get("versionInfo")) for one in content["packages"]}
    assert ("go.etcd.io/bbolt", "v1.5.0") in named
    assert ("musl", "1.2.6-r0") in named
    arch = "x86_64" if platform == "linux/amd64" else "aarch64"
    assert platform.partition("/")[2] in done.out or arch in done.out


def test_an_sbom_of_what_is_not_there_is_an_error(shelf: Shelf) -> None:
    shelf.repo.inv("container-sbom", "--service", "none", env=shelf.env).fails(2, "there is no service")
    shelf.repo.inv("container-sbom", env=shelf.env).fails(2, "--service or --image")
    missing = shelf.repo.inv("container-sbom", "--image", f"{shelf.registry.address}/no:1", env=shelf.env)
    missing.fails(7, "cannot be listed")
    assert missing.out == ""


def test_a_release_asks_without_a_word(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import configuration, scanning, settings
    from tasks.discovery import discover
    from tasks.plan.platforms import Platform
    from tests.unit.test_settings import context

    for name, value in shelf.env.items():
        monkeypatch.setenv(name, value)
    wanted = settings.load(
        context(shelf.repo.root), discover(shelf.repo.root, configuration.read_file(shelf.repo.root)), {}
    )
    found, broken = scanning.resolved(
        {name: f"{shelf.registry.address}/shop/{name}:1" for name in ("one", "two")}, tuple(Platform), wanted
    )
    assert not broken
    scan = scanning.gate([(one.name, one.platform, one.reference) for one in found], wanted)
    assert [(one.subject.name, one.result.value) for one in scan.verdicts] == [
        *[("one", "ok")] * 2,
        *[("two", "failed")] * 2,
    ]
    assert not scan.passed
    assert capsys.readouterr() == ("", "")
