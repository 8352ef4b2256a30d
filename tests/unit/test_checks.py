"""Each check against evidence: what fails, what is not run, and why."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tasks.plan import checks
from tasks.plan.conditions import Health, allowance
from tasks.plan.elf import Program
from tasks.plan.evidence import (
    Answer,
    Base,
    Declared,
    Entry,
    Evidence,
    Image,
    Kind,
    Layer,
    Leak,
    Paths,
    Runs,
    Start,
    Stop,
    Subject,
    Unknown,
    completed,
)
from tasks.plan.platforms import Platform
from tasks.plan.verdicts import Result

VERSION = "org.opencontainers.image.version"
REVISION = "org.opencontainers.image.revision"
WELL = Start(health=Health.HEALTHY, healthy=0.4, answer=Answer(path="/health", status=200), answered=0.2, allowed=35.0)
BASE = Layer(
    digest="base",
    packed=100,
    entries=(Entry("bin/sh", Kind.FILE, 0o755, 100, Program("amd64", dynamic=True, symbols=True)),),
)
OWN = Layer(digest="own", packed=50, entries=(Entry("app", Kind.FILE, 0o755, 200, Program("amd64")),))


def evidence(**changed: Any) -> Evidence:  # noqa: ANN401 - fields of several types
    """Return what is seen of an image without a flaw, but for what is changed, by the name of the field."""
    subject = Subject(
        name="agent",
        platform=Platform.AMD64,
        reference="r.test/agent:1",
        paths=Paths(health="/health", ready="/ready", metrics="/metrics", slow="/slow"),
        port=8080,
        budget=1000,
        declared=Declared(user="1000", ports=("8080/tcp",), labels={"title": "agent"}, base="alpine"),
    )
    image = Image(
        id="sha256:1",
        architecture="amd64",
        layers=(BASE, OWN),
        packed=True,
        user="1000",
        ports=("8080/tcp",),
        labels={VERSION: "1.2.3", "title": "agent"},
        health_test=("CMD", "true"),
    )
    runs = Runs(
        user="uid 1000",
        first=WELL,
        ready=Answer(path="/ready", status=200, body=b'{"version": "1.2.3"}'),
        metrics=Answer(path="/metrics", status=200, body=b"requests_total 1\n"),
        stuck=2.0,
        again=WELL,
        stop=Stop(signal="SIGTERM", seconds=2.0, code=0, answer=Answer(path="/slow", status=200, seconds=2.5)),
        other_user="uid 4711",
        other=WELL,
    )
    parts: dict[str, Any] = {"subject": subject, "image": image, "runs": runs}
    for name, part in parts.items():
        own = {
            key: value
            for key, value in changed.items()
            if key in part.__slots__ and (name, key) != ("subject", "labels")
        }
        parts[name] = replace(part, **own)
    rest = {"base": Base(name="alpine", layers=("base",)), "before": 300, "published": (100, 50)}
    return Evidence(**parts, **{key: changed.get(key, value) for key, value in rest.items()})


def results(seen: Evidence, **options: bool) -> dict[str, str]:
    """Return what each check said that is not ok."""
    judged = checks.judge(seen, **options)
    return {one.check.name: one.verdict.result.value for one in judged if one.verdict.result is not Result.OK}


def said(seen: Evidence, name: str) -> str:
    return next(one.verdict.said for one in checks.judge(seen) if one.check.name == name)


def test_an_image_without_a_flaw_passes_every_check() -> None:
    assert results(evidence()) == {}


OUT_OF_MEMORY = Start(fault="was killed: out of memory after 1.0 s with exit code 137")
ILL = replace(WELL, health=Health.UNHEALTHY, healthy=None)
MUTE = replace(WELL, answer=Answer(path="/health", status=None, fault="nothing listens there"), answered=None)
LARGE = Layer(digest="own", packed=50, entries=(Entry("data", Kind.FILE, size=901),))


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({"other": OUT_OF_MEMORY}, "random-user"),
        ({"other": ILL}, "random-user"),
        ({"again": MUTE}, "restart"),
        ({"ready": Answer(path="/ready", status=500)}, "version"),
        ({"ready": Answer(path="/ready", status=200, body=b'{"version": "1.2.4"}')}, "version"),
        ({"ready": Answer(path="/ready", status=404), "asked": frozenset({"ready"})}, "version"),
        ({"labels": {VERSION: "1.2.3", REVISION: "a", "title": "agent"}, "asked": frozenset({"ready"})}, "version"),
        ({"metrics": Answer(path="/metrics", status=200, body=b"\xff")}, "metrics"),
        ({"metrics": Answer(path="/metrics", status=200, body=b"")}, "metrics"),
        ({"metrics": Answer(path="/metrics", status=200, body=b"<html>\n")}, "metrics"),
        (
            {"metrics": Answer(path="/metrics", status=200, kind="application/openmetrics-text", body=b"a 1\n")},
            "metrics",
        ),
        ({"metrics": Answer(path="/metrics", status=404), "asked": frozenset({"metrics"})}, "metrics"),
        ({"stuck": None}, "stuck"),
        ({"stop": Stop(signal="SIGTERM", seconds=5.2, code=0, answer=Answer(path="/slow", status=200))}, "stop"),
        ({"stop": Stop(signal="SIGTERM", seconds=0.2, code=143, answer=Answer(path="/slow", status=200))}, "stop"),
        ({"stop": Stop(signal="SIGTERM", seconds=1, code=0, answer=Answer(path="/slow", fault="cut off"))}, "drain"),
        ({"architecture": "arm64"}, "architecture"),
        ({"user": ""}, "user"),
        ({"user": "root:1000"}, "user"),
        ({"user": "000:1000"}, "user"),
        ({"user": "2147483648"}, "user"),
        ({"user": "app"}, "user"),
        ({"user": "1001"}, "user"),
        ({"ports": ()}, "port"),
        ({"ports": ("8080/tcp", "22/tcp")}, "port"),
        (
            {
                "declared": Declared(user="1000", ports=("8080/tcp",), checked=True, base="alpine"),
                "first": replace(WELL, health=Health.NONE, healthy=None),
                "health_test": (),
            },
            "healthy",
        ),
        ({"labels": {VERSION: "1.2.3", "title": "indexer"}}, "labels"),
        ({"base": Base(name="alpine", layers=("other",))}, "base"),
        ({"stop_signal": "SIGINT"}, "stop-signal"),
        ({"layers": (BASE, LARGE)}, "budget"),
        ({"secrets": (Leak("ENV TOKEN", "a value that should be secret"),)}, "secrets"),
    ],
)
def test_a_flaw_fails_its_check_alone(changed: dict[str, Any], failing: str) -> None:
    failed = [name for name, result in results(evidence(**changed)).items() if result == "failed"]
    assert failed == [failing]


@pytest.mark.parametrize(
    ("changed", "left", "why"),
    [
        ({"ready": Answer(path="/ready", status=404)}, "version", "/ready answers HTTP 404"),
        ({"ready": Answer(path="/ready", status=200, body=b"[1]")}, "version", "neither version nor revision: [1]"),
        (
            {"labels": {VERSION: "1.2.3", REVISION: "abc", "title": "agent"}},
            "version",
            "/ready tells the labels' version 1.2.3, and not its revision, labelled 'abc'",
        ),
        (
            {"ready": Answer(path="/ready", status=200, body=b'{"version": "1.2.3", "revision": "unknown"}')},
            "version",
            "/ready tells its revision, and the image has no label to hold it against",
        ),
        ({"stuck": None, "below": 1}, "stuck", "its first process has started 1 more"),
        ({"metrics": Answer(path="/metrics", status=404)}, "metrics", "/metrics answers HTTP 404"),
        ({"first": replace(WELL, health=Health.NONE, healthy=None), "health_test": ()}, "healthy", "no HEALTHCHECK"),
        ({"first": replace(WELL, health=Health.NONE), "health_test": ()}, "stuck", "no HEALTHCHECK"),
        ({"first": replace(WELL, answer=None, answered=None)}, "answers", "no health path is known"),
        ({"port": None}, "metrics", "it listens on no port"),
        ({"deaf": "nothing here can ask"}, "answers", "nothing here can ask"),
        ({"stop": Stop(signal="SIGTERM", seconds=1, code=0)}, "drain", "no slow path is known"),
        (
            {"stop": Stop(signal="SIGTERM", seconds=1, code=0, answer=Answer(path="/slow", status=200), before=True)},
            "drain",
            "before the signal",
        ),
        ({"layers": (BASE,)}, "static", "there is no program added over its base"),
        ({"base": Unknown(reason="nobody knows")}, "static", "no base that is known"),
        ({"base": Unknown(reason="nobody knows")}, "base", "nobody knows"),
        ({"declared": None}, "stop-signal", "no Dockerfile here"),
        ({"budget": None}, "budget", "no budget"),
        (
            {
                "declared": Declared(ports=("8080/tcp",), checked=False),
                "first": replace(WELL, health=Health.NONE, healthy=None),
                "health_test": (),
            },
            "healthy",
            "no HEALTHCHECK",
        ),
        ({"before": Unknown(reason="none before")}, "growth", "none before"),
        ({"published": Unknown(reason="no such host")}, "published", "no such host"),
        ({"packed": False}, "published", "does not keep layers as a registry"),
        ({"skipped": frozenset({"user"}), "user": ""}, "user", "ruled out"),
    ],
)
def test_what_does_not_apply_is_not_run_and_says_why(changed: dict[str, Any], left: str, why: str) -> None:
    seen = evidence(**changed)
    assert results(seen)[left] == "not run"
    assert why in said(seen, left)
    assert "failed" not in results(seen).values()


@pytest.mark.parametrize(
    "changed",
    [
        {"base": Base(name="alpine", layers=("base",), ports=("22/tcp",))},
        {"base": Unknown(reason="nobody knows what it exposes")},
        {"declared": Declared(ports=("8080/tcp",), more_ports=True)},
    ],
)
def test_a_port_that_may_be_declared_elsewhere_is_no_failure(changed: dict[str, Any]) -> None:
    assert "port" not in results(evidence(ports=("8080/tcp", "22/tcp"), **changed))


RUNNING = ("healthy", "answers", "version", "metrics", "restart", "random-user", "stuck", "stop", "drain")


def test_of_one_that_does_not_start_only_that_fails() -> None:
    found = results(evidence(first=OUT_OF_MEMORY))
    assert found == {"start": "failed", **dict.fromkeys(RUNNING, "not run")}
    assert "memory in invoke.yaml" in next(one.verdict.hint for one in checks.judge(evidence(first=OUT_OF_MEMORY)))


def test_of_one_that_is_never_well_only_that_fails() -> None:
    found = results(evidence(first=ILL))
    assert found == {
        "healthy": "failed",
        **dict.fromkeys(("restart", "random-user", "stuck", "stop", "drain"), "not run"),
    }


def test_what_does_not_run_fails_also_where_its_start_is_ruled_out() -> None:
    seen = evidence(first=OUT_OF_MEMORY)
    found = results(replace(seen, subject=replace(seen.subject, skipped=frozenset({"start"}))))
    assert found == {"start": "not run", **dict.fromkeys(RUNNING, "failed")}


def test_evidence_is_short_and_all_that_is_wrong_is_kept_beside_it() -> None:
    many = tuple(Leak(f"app/{number}.env", "an environment file") for number in range(30))
    judged = checks.judge(evidence(layers=(BASE, replace(OWN, secrets=many))))
    verdict = next(one.verdict for one in judged if one.check.name == "secrets")
    assert verdict.said.endswith("and 27 more")
    assert len(verdict.found) == 30
    body = json.dumps({"version": "9" * 5_000_000}).encode()
    judged = checks.judge(evidence(ready=Answer(path="/ready", status=200, body=body)))
    assert len(next(one.verdict.said for one in judged if one.check.name == "version")) < 500


def test_a_platform_that_cannot_run_here_is_not_run_and_fails_only_where_it_is_required() -> None:
    seen = evidence(impossible="no emulation")
    assert results(seen) == dict.fromkeys(("start", *RUNNING), "not run")
    assert results(seen, require=True) == {"start": "failed", **dict.fromkeys(RUNNING, "not run")}


def test_a_layer_that_cannot_be_read_is_no_reason_to_say_ok() -> None:
    closed = Layer(digest="own", packed=5, unreadable="it is packed with zstd")
    found = results(evidence(layers=(BASE, closed)))
    assert found == dict.fromkeys(
        ("architecture", "static", "stripped", "setuid", "secrets", "leftovers", "budget", "growth"), "not run"
    )


@pytest.mark.parametrize(
    ("before", "now", "fails"),
    [
        (100_000, 1_000_000, False),
        (100_000, 1_200_000, True),
        (50_000_000, 54_000_000, False),
        (50_000_000, 56_000_000, True),
        (9, 0, False),
    ],
)
def test_growth_counts_from_a_tenth_and_a_megabyte(before: int, now: int, fails: bool) -> None:
    seen = evidence(
        layers=(BASE, Layer(digest="own", packed=now, entries=(Entry("a", Kind.FILE, size=now - 100),))),
        before=before,
        published=(before,),
        budget=None,
    )
    found = results(seen)
    assert (found.get("growth") == "failed") is fails
    assert (found.get("published") == "failed") is fails


def test_a_secret_that_a_later_layer_deletes_is_said_to_be_there() -> None:
    low = replace(BASE, secrets=(Leak("app/.env", "an environment file"),))
    assert "/app/.env in layer 1, deleted above it and still there" in said(evidence(layers=(low, OWN)), "secrets")


def test_setuid_counts_in_what_runs_not_in_what_is_deleted() -> None:
    low = replace(BASE, entries=(Entry("bin/su", Kind.FILE, 0o4755),))
    assert "setuid" in results(evidence(layers=(low, OWN)))
    gone = replace(OWN, entries=(*OWN.entries, Entry("bin/su", Kind.GONE)))
    assert "setuid" not in results(evidence(layers=(low, gone)))


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("CMD-SHELL", 'wget -q -O /dev/null "http://127.0.0.1:$PORT/health?deep"'), "/health?deep"),
        (("CMD", "curl", "-f", "http://localhost/"), "/"),
        (("CMD", "curl", "https://localhost/health"), None),
        (("CMD", "curl", "http://elsewhere/health"), None),
        ((), None),
    ],
)
def test_an_image_says_where_its_health_is_asked_and_where_it_listens(words: tuple[str, ...], path: str | None) -> None:
    seen = evidence(health_test=words, ports=("53/udp", "80/tcp"))
    bare = replace(seen.subject, paths=Paths(), port=None)
    found = completed(bare, seen.image)
    assert (found.paths.health, found.port) == (path, 80)
    assert found.paths.health_port is None
    assert completed(seen.subject, seen.image) == seen.subject


@pytest.mark.parametrize(
    ("check", "seconds"),
    [
        (None, 60),
        ({"Test": ["CMD", "true"]}, 60),
        ({"Interval": 10 * 10**9, "StartPeriod": 5 * 10**9, "Retries": 3}, 35),
        ({"Interval": 10**9, "Retries": 1}, 10),
        ({"Interval": 0, "Retries": 0, "StartPeriod": None}, 60),
    ],
)
def test_a_start_may_take_what_the_images_own_check_gives_it(check: dict[str, object] | None, seconds: float) -> None:
    assert allowance(check) == seconds


def test_a_label_that_the_build_would_have_stamped_has_to_be_there() -> None:
    judged = checks.judge(evidence(stamped=(VERSION, REVISION)))
    verdict = next(one.verdict for one in judged if one.check.name == "labels")
    assert (verdict.result.value, verdict.said) == ("failed", f"{REVISION} is missing")


def test_what_lies_in_a_folder_without_an_entry_of_its_own_is_there() -> None:
    layer = replace(OWN, leftovers=(Leak("app/.git", "the history of the sources"),))
    layer = replace(layer, entries=(*layer.entries, Entry("app/.git/HEAD", Kind.FILE, 0o644, 1)))
    judged = checks.judge(evidence(layers=(BASE, layer)))
    assert next(one.verdict.said for one in judged if one.check.name == "leftovers").endswith("/app/.git in layer 2")
