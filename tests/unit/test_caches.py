import hashlib
import json
import re
from pathlib import Path

import pytest

from tasks.engine import caches as shelf
from tasks.errors import ConfigError
from tasks.plan.bake import definition
from tasks.plan.caches import Cache, Kind, at_fault, parse, scope, scopes
from tasks.plan.failures import Kind as Failing
from tasks.plan.failures import diagnose
from tasks.plan.platforms import Platform
from tests.unit.samples import plan, source

BOTH = (Platform.AMD64, Platform.ARM64)
ASKING = shelf.Asking(bundle=None, builder=None, limit=2)
ALL = (Cache(Kind.REGISTRY, "r.example/c"), Cache(Kind.GHA), Cache(Kind.LOCAL, ".container/cache"))


def test_a_setting_names_caches_with_or_without_their_place() -> None:
    assert parse(["none"], registry="r.example/shop", source="cache") == ()
    found = parse(
        ["registry", "registry=r.example/x", "gha", "local", "gha"], registry="r.example/shop", source="cache"
    )
    assert [str(one) for one in found] == [
        "registry=r.example/shop/build-cache",
        "registry=r.example/x",
        "gha",
        "local=.container/cache",
    ]
    assert parse([str(one) for one in found], registry="other.example", source="cache") == found


@pytest.mark.parametrize(
    "word",
    [
        *("", "s3", "none", "gha=x", "registry=", "registry=https://x", "registry=R.example/x"),
        *("registry=r.example/x:tag", "registry=r.example:5000", "local=", "local=/tmp/x", "local=../x"),
        *("local=a/../../x", "local=a,dest=b", "local=a b", "local=${HOME}"),
    ],
)
def test_what_is_no_cache_is_named(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(["gha", word], registry="r.example/shop", source="INVOKE_CONTAINER_CACHE")
    assert str(caught.value).startswith("error: INVOKE_CONTAINER_CACHE")
    assert caught.value.hint


def test_each_service_has_a_scope_for_each_set_of_platforms() -> None:
    assert scope("agent", (Platform.ARM64, Platform.AMD64)) == scope("agent", BOTH) == "agent..amd64-arm64"
    assert scopes("agent", (Platform.AMD64,)) == ("agent..amd64", "agent..amd64-arm64")
    assert scopes("agent", BOTH) == ("agent..amd64-arm64", "agent..amd64", "agent..arm64")
    tag = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
    assert all(tag.fullmatch(one) for one in scopes("a" * 57, BOTH))


def test_a_definition_reads_every_scope_that_may_help_and_writes_its_own() -> None:
    target = definition(plan(caches=ALL))["target"]["agent"]
    assert target["cache-from"] == [
        "type=registry,ref=r.example/c:agent..amd64",
        "type=registry,ref=r.example/c:agent..amd64-arm64",
        "type=gha,scope=agent..amd64",
        "type=gha,scope=agent..amd64-arm64",
        "type=local,src=.container/cache/agent..amd64",
        "type=local,src=.container/cache/agent..amd64-arm64",
    ]
    assert target["cache-to"] == [
        "type=registry,ref=r.example/c:agent..amd64,mode=max,ignore-error=true",
        "type=gha,scope=agent..amd64,mode=max,ignore-error=true",
        "type=local,dest=.container/cache/agent..amd64,mode=max,ignore-error=true",
    ]


def test_without_cache_none_is_read_and_an_older_image_store_writes_none() -> None:
    anew = definition(plan(caches=ALL, no_cache=True))["target"]["agent"]
    assert "cache-from" not in anew
    assert len(anew["cache-to"]) == 3
    classic = definition(plan(source(), caches=ALL, classic=True))["target"]["agent"]
    assert "cache-to" not in classic
    assert len(classic["cache-from"]) == 6


# As BuildKit 0.13 of engine 26.1.5 says it.
PROMISED = [
    (
        "[2/3] COPY f /f",
        'failed to compute cache key: failed commit on ref "layer-sha256:18": commit failed: unexpected commit digest',
    ),
    ("[2/3] COPY f /f", "failed to copy: httpReadSeeker: failed open: unexpected status code 401 Unauthorized"),
    ("exporting to image", "failed to read expected number of bytes: unexpected EOF"),
    ("", "failed to solve: NotFound: rpc error: code = NotFound desc = content sha256:987a: not found"),
    ("exporting to image", "failed to push r.example/x: failed to copy: httpReadSeeker: failed open: 404"),
    ("", "Cache export is not supported for the docker driver."),
]


@pytest.mark.parametrize(("step", "error"), PROMISED)
def test_a_layer_that_a_cache_has_promised_is_its_fault(step: str, error: str) -> None:
    assert at_fault(diagnose(step=step, error=error, lines=()).kind, error)


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("[2/3] RUN false", 'process "/bin/sh -c false" did not complete successfully: exit code: 1'),
        ("exporting to image", "failed to push r.example/x: unexpected status: 403 Forbidden"),
        ("[2/3] COPY f /f", "write /x: no space left on device"),
        ("[2/3] COPY f /f", "no active sessions"),
        ("[2/3] COPY f /f", "rpc error: code = Unavailable desc = error reading from server: EOF"),
    ],
)
def test_what_a_command_a_registry_a_disk_or_a_builder_does_is_not(step: str, error: str) -> None:
    kind = diagnose(step=step, error=error, lines=()).kind
    assert not at_fault(kind, error)
    assert kind in Failing


def whole(folder: Path, text: str = "{}") -> None:
    """Write what BuildKit would: an index that names a manifest, and the manifest."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "blobs/sha256" / digest).write_text(text, encoding="utf-8")
    index = {"manifests": [{"digest": f"sha256:{digest}", "size": len(text)}]}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


LOCAL = Cache(Kind.LOCAL, "c")


def test_a_folder_is_read_where_it_is_whole_and_removed_where_it_is_not(tmp_path: Path) -> None:
    whole(tmp_path / "c/good")
    (tmp_path / "c/good.new").mkdir()
    for name, text in (("broken", "{"), ("list", "[]"), ("none", '{"manifests": []}'), ("deep", "[" * 100_000)):
        (tmp_path / "c" / name).mkdir()
        (tmp_path / "c" / name / "index.json").write_text(text, encoding="utf-8")
    (tmp_path / "c/file").write_text("", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "c/link").symlink_to(tmp_path / "elsewhere")
    escaping = '{"manifests": [{"digest": "sha256:../../../elsewhere"}]}'
    (tmp_path / "c/escaping").mkdir()
    (tmp_path / "c/escaping/index.json").write_text(escaping, encoding="utf-8")
    names = ["good", "broken", "list", "none", "deep", "file", "link", "escaping", "new"]
    found, problems = shelf.usable([LOCAL], names, tmp_path, ASKING)
    assert not problems
    assert found[0].there == frozenset({"good"})
    assert found[0].destination("good") == "type=local,dest=c/good.new,mode=max,ignore-error=true"
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"good"}
    assert (tmp_path / "elsewhere").is_dir()


def test_what_was_written_whole_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    whole(tmp_path / "c/one", "[1]")
    whole(tmp_path / "c/one.new", "[2]")
    shelf.keep([LOCAL, Cache(Kind.GHA)], "one", tmp_path)
    assert "[2]" in {path.read_text() for path in (tmp_path / "c/one/blobs/sha256").iterdir()}
    (tmp_path / "c/one.new").mkdir()
    shelf.keep([LOCAL], "one", tmp_path)
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"one"}
    shelf.forget([LOCAL], ["one", "two"], tmp_path)
    assert not list((tmp_path / "c").iterdir())


@pytest.mark.parametrize(
    ("variables", "used"),
    [
        ({}, False),
        ({"ACTIONS_RUNTIME_TOKEN": "t"}, False),
        ({"ACTIONS_RUNTIME_TOKEN": "t", "ACTIONS_RESULTS_URL": "https://results.example"}, True),
        ({"ACTIONS_RUNTIME_TOKEN": "t", "ACTIONS_CACHE_URL": "https://cache.example"}, True),
    ],
)
def test_the_cache_of_github_is_used_where_an_action_has_handed_over_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], used: bool
) -> None:
    for name in ("ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tasks.engine.registry.silence", lambda *_: "")
    found, problems = shelf.usable([Cache(Kind.GHA)], [], tmp_path, ASKING)
    assert bool(found) is used
    assert bool(problems) is not used


def test_the_cache_of_github_is_left_out_where_nothing_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "t")
    monkeypatch.setenv("ACTIONS_RESULTS_URL", "http://127.0.0.1:9/")
    monkeypatch.delenv("ACTIONS_CACHE_URL", raising=False)
    _, (problem,) = shelf.usable([Cache(Kind.GHA)], [], tmp_path, ASKING)
    assert problem == "the cache gha is left out: no answer: Connection refused"


@pytest.mark.parametrize(("second", "asked"), [("true", "http://results.test/"), ("", "http://cache.test/")])
def test_the_cache_of_github_is_asked_where_buildx_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str, asked: str
) -> None:
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "t")
    monkeypatch.setenv("ACTIONS_RESULTS_URL", "http://results.test/")
    monkeypatch.setenv("ACTIONS_CACHE_URL", "http://cache.test/")
    monkeypatch.setenv("ACTIONS_CACHE_SERVICE_V2", second)
    monkeypatch.setattr("tasks.engine.registry.silence", lambda address, _bundle: address)
    _, (problem,) = shelf.usable([Cache(Kind.GHA)], [], tmp_path, ASKING)
    assert problem.endswith(asked)
