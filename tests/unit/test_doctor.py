"""What a doctor's looks make of what they were told, and the round that it does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks.engine import cache, credentials
from tasks.engine.machine import (
    check,
    checks,
    emulation,
    examine,
    look_builders,
    look_engine,
    look_registries,
    reach,
)
from tasks.engine.machine.findings import Finding, Say, State, cannot, changed, ok, warning
from tasks.errors import BuildError, EngineError
from tasks.plan import download, surroundings
from tasks.plan.download import Cause
from tasks.plan.platforms import Platform

ENGINE = reach.Engine(endpoint="unix:///x.sock", reach=reach.Reach.ANSWERS)
# As `docker buildx ls --format json` says it.
RUNNING: Mapping[str, Any] = {
    "Name": "default",
    "Driver": "docker",
    "Current": True,
    "Nodes": [{"Name": "default", "Status": "running", "Platforms": ["linux/amd64", "linux/amd64/v2", "linux/arm64"]}],
}
OFF: Mapping[str, Any] = {
    "Name": "far",
    "Driver": "remote",
    "Nodes": [{"Name": "far0", "Endpoint": "tcp://far:1", "Status": "inactive"}],
}
ASLEEP: Mapping[str, Any] = {
    "Name": "own",
    "Driver": "docker-container",
    "Nodes": [{"Name": "own0", "Status": "inactive"}],
}


def site(**values: object) -> check.Site:
    return check.Site(project="shop", root=Path("/nowhere"), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("records", "version", "state"),
    [
        (4600, "26.1.5+dfsg1", State.WARNING),
        (4600, "27.3.1", State.WARNING),
        (4600, "27.4.0", State.OK),
        (4600, "28.5.2", State.OK),
        (3000, "26.1.5", State.OK),
        (4600, "", State.OK),
    ],
)
def test_more_records_than_the_engine_can_read_again_are_warned_of(records: int, version: str, state: State) -> None:
    found = look_engine.told_of_cache(records, 10**9, version)
    assert found.state is state
    assert (found.way_out or "").startswith("docker builder prune") is (state is State.WARNING)


@pytest.mark.parametrize(("ahead", "word"), [(3600.0, "3600 s ahead of"), (-90.0, "90 s behind")])
def test_a_clock_that_is_apart_is_told_with_the_direction(ahead: float, word: str) -> None:
    found = look_engine.told_of_clock("the engine's clock", ahead, way_out="x")
    assert (found.state, word in found.text) == (State.WARNING, True)


def test_clocks_that_differ_by_a_breath_are_one() -> None:
    assert look_engine.told_of_clock("the engine's clock", 3.0, way_out="x").state is State.OK


def test_the_time_that_an_engine_names_is_held_against_ours() -> None:
    from datetime import UTC, datetime

    asked = datetime(2026, 11, 24, 18, 0, 0, tzinfo=UTC)
    found = reach.described("unix:///x", {"SystemTime": "2026-11-24T18:16:29.771712773Z"}, asked)
    assert round(found.ahead) == 990
    assert reach.described("unix:///x", {"SystemTime": "soon"}, asked).ahead == 0


def builders(known: list[Mapping[str, Any]], name: str | None, **more: object) -> list[Finding]:
    return list(look_builders.told_of_builders(known, name, None, site(**more)))


def test_the_builder_in_use_is_told_with_what_it_builds_for() -> None:
    assert str(builders([RUNNING], None)[0]).endswith("default (docker), in use: linux/amd64, linux/arm64")


def test_a_remote_builder_that_does_not_run_is_worse_where_it_is_used() -> None:
    assert [one.state for one in builders([RUNNING, OFF], None)] == [State.OK, State.WARNING]
    used = builders([RUNNING, OFF], "far")[1]
    assert (used.state, used.way_out) == (State.CANNOT, "docker buildx inspect --bootstrap far")


def test_a_builder_in_a_container_that_is_off_starts_by_itself() -> None:
    assert "starts when it is used" in builders([ASLEEP], "own")[0].text


def test_a_builder_that_cannot_load_several_platforms_is_told_where_they_are_asked_for() -> None:
    both = (Platform.AMD64, Platform.ARM64)
    assert builders([ASLEEP], "own", platforms=both)[0].state is State.WARNING
    assert builders([RUNNING], "default", platforms=both)[0].state is State.OK


@pytest.mark.parametrize(
    ("flags", "complaint", "state"),
    [
        (None, None, State.OK),
        ("PF", None, State.OK),
        ("OC", None, State.WARNING),
        ("F", "wget: illegal option -q", State.WARNING),
    ],
)
def test_emulation_is_judged_by_its_flags_and_by_what_ran(
    flags: str | None, complaint: str | None, state: State
) -> None:
    assert look_builders.told_of_emulation(emulation.ARM64, flags, complaint).state is state


@pytest.mark.parametrize(
    ("refusal", "mirrored", "way_out"),
    [
        ("unexpected status from GET request: 401 Unauthorized", False, "docker login images.example.com"),
        ("images.example.com/x:1: not found", False, "${EDITOR:-vi} +2 services/one/Dockerfile"),
        ("images.example.com/x:1: not found", True, "unset INVOKE_CONTAINER_MIRROR"),
        ("dial tcp: connection refused", True, "unset INVOKE_CONTAINER_MIRROR"),
        ("dial tcp: connection refused", False, "${EDITOR:-vi} +2 services/one/Dockerfile"),
    ],
)
def test_a_base_that_cannot_be_had_has_the_way_out_of_its_reason(
    tmp_path: Path, refusal: str, mirrored: bool, way_out: str
) -> None:
    (tmp_path / "services/one").mkdir(parents=True)
    (tmp_path / "services/one/Dockerfile").write_text("# one\nFROM images.example.com/x:1\n", encoding="utf-8")
    here = check.Site(
        project="shop",
        root=tmp_path,
        dockerfiles=("services/one/Dockerfile",),
        sources={"mirror": "INVOKE_CONTAINER_MIRROR"},
    )
    found = look_registries.told_of_base("images.example.com/x:1", refusal, here, mirrored=mirrored)
    assert (found.state, found.way_out) == (State.CANNOT, way_out)


@pytest.mark.parametrize(
    ("host", "content", "environment", "told"),
    [
        ("ghcr.io", {}, {}, "nobody"),
        ("ghcr.io", {"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}}, {}, "its entry"),
        ("ghcr.io", {"auths": {"https://ghcr.io/v1/": {}}}, {}, "its entry"),
        ("registry-1.docker.io", {"auths": {"https://index.docker.io/v1/": {}}}, {}, "its entry"),
        ("ghcr.io", {"credsStore": "pass", "auths": {"ghcr.io": {}}}, {}, "the store docker-credential-pass"),
        ("ghcr.io", {"credHelpers": {"ghcr.io": "gh"}, "credsStore": "pass"}, {}, "the helper docker-credential-gh"),
        ("ghcr.io", {"credsStore": "pass"}, {"DOCKER_AUTH_CONFIG": "{}"}, "DOCKER_AUTH_CONFIG"),
    ],
)
def test_who_knows_a_login_is_told_and_never_the_login(
    host: str, content: dict[str, object], environment: dict[str, str], told: str
) -> None:
    found = credentials.of_content(host, content, environment)
    assert found.startswith(told)
    assert "c2VjcmV0" not in found


def test_what_decides_a_build_is_told_with_its_value_but_never_a_login() -> None:
    environment = {"BUILDX_BUILDER": "far", "DOCKER_AUTH_CONFIG": '{"auths":{"x":{"auth":"c2VjcmV0"}}}', "HOME": "/x"}
    found = surroundings.influences(environment, ())
    assert [(one.name, one.decides) for one in found] == [("BUILDX_BUILDER", True), ("DOCKER_AUTH_CONFIG", True)]
    assert "the builder far" in found[0].told
    assert not any("c2VjcmV0" in one.told for one in found)


@pytest.mark.parametrize(
    ("value", "stops"), [("hello", True), ("1e9", True), (" ", True), ("-1", False), ("1000", False), ("", False)]
)
def test_a_date_that_no_build_takes_stops_all_of_them(value: str, stops: bool) -> None:
    found = surroundings.influences({"SOURCE_DATE_EPOCH": value}, ())
    assert [one.stops for one in found] == ([stops] if value else [])


def test_a_stray_override_file_is_named_with_what_removes_it() -> None:
    (found,) = surroundings.influences({}, ("docker-bake.override.json", "README.md"))
    assert (found.decides, found.way_out) == (False, "rm docker-bake.override.json")


def test_proxies_that_dockers_file_names_are_heard_by_builds() -> None:
    shell = {"HTTPS_PROXY": "http://proxy:1", "http_proxy": ""}
    assert surroundings.unheard_proxies(shell, {}) == ("HTTPS_PROXY",)
    assert surroundings.unheard_proxies(shell, {"proxies": {"default": {}}}) == ()


def test_one_download_is_tried_a_language_from_where_its_base_is_taken() -> None:
    images = {"golang:1": "mirror/golang:1", "golang:2": "x", "alpine:3": "alpine:3", "ghcr.io/x/rust:1": "y"}
    tried = download.probes(images)
    assert tried == (download.Probe("golang", "mirror/golang:1"), download.Probe("rust", "y"))
    text = download.dockerfile(tried, "doctor-word")
    assert text.count("FROM --platform=$BUILDPLATFORM ") == 2
    steps = [line for line in text.splitlines() if line.startswith(("RUN", "COPY"))]
    assert all("doctor-word" in step for step in steps)


def test_without_a_known_language_a_file_is_copied() -> None:
    assert download.dockerfile((), "word") == "FROM scratch\nCOPY Dockerfile /word\n"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("go: x: tls: failed to verify certificate: x509: certificate signed by unknown authority", Cause.TRUST),
        ("go: x: proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused", Cause.PROXY),
        ("go: x: dial tcp 192.0.2.1:443: connect: connection refused", Cause.NETWORK),
        ("[56] OpenSSL SSL_read: error:0A000126:SSL routines::unexpected eof while reading", Cause.NETWORK),
        ("[60] error:0A000086:SSL routines::certificate verify failed", Cause.TRUST),
        ("sh: go: not found", Cause.OTHER),
    ],
)
def test_a_download_that_failed_has_the_cause_of_its_words(said: str, cause: Cause) -> None:
    found = download.result("golang", "1\n", f"first\n{said}\n")
    assert found.fault == said
    assert found.cause is cause
    assert not download.result("golang", "0\n", said).fault


@dataclass(slots=True)
class Thing:
    """Something that can be broken and mended."""

    state: State = State.CANNOT
    mends: bool = True
    error: EngineError | None = None
    done: list[str] = field(default_factory=list)

    def look(self, _site: check.Site) -> Iterator[Finding]:
        self.done.append("look")
        yield ok("thing", "well") if self.state is State.OK else cannot("thing", "broken", way_out="mend it")

    def mend(self, _site: check.Site, say: Say) -> None:
        self.done.append("mend")
        if self.error is not None:
            raise self.error
        if self.mends:
            self.state = State.OK
            say(changed("thing", "mended"))

    def check(self, **more: object) -> check.Check:
        return check.Check(subject="thing", look=self.look, mend=self.mend, **more)  # type: ignore[arg-type]


def rounds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *rows: check.Check, fix: bool
) -> tuple[examine.Diagnosis, list[Finding]]:
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    monkeypatch.setattr(checks, "BEFORE", ())
    monkeypatch.setattr(checks, "AFTER", rows)
    said: list[Finding] = []
    return examine.examine(site(), fix=fix, say=said.append), said


def test_without_fix_nothing_is_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    thing = Thing()
    told, said = rounds(monkeypatch, tmp_path, thing.check(error=BuildError), fix=False)
    assert thing.done == ["look"]
    assert [one.state for one in said] == [State.CANNOT]
    assert (told.error, told.in_the_way, told.mendable) == (BuildError, ("thing",), True)


def test_what_is_mended_is_looked_at_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    thing = Thing()
    told, said = rounds(monkeypatch, tmp_path, thing.check(), fix=True)
    assert thing.done == ["look", "mend", "look"]
    assert [one.state for one in said] == [State.CANNOT, State.CHANGED]
    assert told.error is None


def test_what_is_well_is_not_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    thing = Thing(state=State.OK)
    rounds(monkeypatch, tmp_path, thing.check(), fix=True)
    assert thing.done == ["look"]


def test_a_mend_that_did_not_help_leaves_the_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told, said = rounds(monkeypatch, tmp_path, Thing(mends=False).check(), fix=True)
    assert told.error is EngineError
    assert [one.state for one in said] == [State.CANNOT, State.CANNOT]


def test_a_mend_that_fails_is_said_with_its_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    thing = Thing(error=EngineError("no packages", hint="be root"))
    told, said = rounds(monkeypatch, tmp_path, thing.check(), fix=True)
    assert str(said[-1]).endswith("no packages (be root); inv container-setup")
    assert told.in_the_way == ("thing",)


def test_what_needs_an_engine_is_not_looked_at_without_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    thing = Thing()
    rows = (thing.check(needs=frozenset({check.Need.ENGINE})), Thing(state=State.OK).check())
    told, said = rounds(monkeypatch, tmp_path, *rows, fix=True)
    assert thing.done == []
    assert said[-1].state is State.WARNING
    assert "without an engine: thing" in said[-1].text
    assert told.error is None


def test_what_many_checks_meet_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def meets(_site: check.Site) -> Iterator[Finding]:
        raise EngineError("the file is damaged", hint="mv it")

    rows = tuple(check.Check(subject=name, look=meets) for name in ("first", "second", "third"))
    told, said = rounds(monkeypatch, tmp_path, *rows, fix=False)
    assert [one.subject for one in said] == ["first"]
    assert told.in_the_way == ("first",)


def test_a_look_that_raises_hides_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(_site: check.Site) -> Iterator[Finding]:
        yield ok("first", "well")
        raise EngineError("gone", hint="start it")

    rows = (check.Check(subject="first", look=fails), Thing(state=State.OK).check())
    told, said = rounds(monkeypatch, tmp_path, *rows, fix=False)
    assert [(one.subject, one.state) for one in said] == [("first", State.CANNOT), ("thing", State.OK)]
    assert told.error is EngineError


def test_the_set_up_and_the_doctor_mend_by_the_same_rows() -> None:
    both = (*checks.BEFORE, *checks.AFTER)
    asked = checks.for_setup(emulation=True, signing=True, scanner=True)
    assert all(row in both for row in (*checks.VITAL, *asked))


def test_no_finding_shows_a_login() -> None:
    found = warning("x", "http://user:secret@proxy", way_out="https://user:secret@host/x")
    assert "secret" not in str(found)
