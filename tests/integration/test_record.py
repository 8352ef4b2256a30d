"""The record of a run, what --json prints, and what --failed makes of it, with a real engine."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.support import PUSH, ROOT, Repo, docker, environment, wait_for

pytestmark = pytest.mark.docker

SCHEMA = json.loads((ROOT / "last-run.schema.json").read_text(encoding="utf-8"))
LAST = ".container/last-run.json"


def last(repo: Repo) -> dict[str, Any]:
    """Return the record of the last run, which its schema allows."""
    found: dict[str, Any] = json.loads((repo.root / LAST).read_text(encoding="utf-8"))
    Draft7Validator(SCHEMA).validate(found)
    return found


def services(record: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in record["services"]}


def states(record: dict[str, Any]) -> dict[str, str]:
    return {name: one["state"] for name, one in services(record).items()}


def test_a_build_is_told_whole(tiny: Repo) -> None:
    tiny.service("bad", "RUN echo oh no && exit 7")
    tiny.service("good", "RUN sleep 1", "COPY services/good/word /word")
    done = tiny.inv("container-build", "--json", "--tags", "x").fails(4)
    record = last(tiny)
    assert json.loads(done.out) == record
    assert (record["result"], record["exit"], record["output"]) == ("failed", 4, "load")
    assert record["error"]["hint"] == "again only what failed: inv container-build --failed --tags x"
    assert record["settings"]["tags"] == {"value": "x", "source": "--tags"}
    good, bad = services(record)["good"], services(record)["bad"]
    slept = next(step for step in good["steps"] if "RUN sleep 1" in step["name"])
    assert 1.0 <= slept["seconds"] < 5
    assert good["start"] <= slept["start"] <= slept["start"] + slept["seconds"] <= record["seconds"]
    assert (slept["cached"], slept["error"], slept["internal"]) == (False, "", False)
    assert slept["inputs"]
    assert (good["state"], good["because"]) == ("built", ["there is no image yet"])
    assert good["digest"] == docker("inspect", "--format", "{{.Id}}", "images.test/tiny/good:x").strip()
    assert good["size"] == sum(layer["size"] for layer in good["layers"])
    assert any("COPY services/good/word" in layer["created_by"] for layer in good["layers"])
    assert (bad["failure"]["dockerfile"], bad["failure"]["line"]) == ("services/bad/Dockerfile", 3)
    assert "oh no" in bad["failure"]["lines"]


def test_what_was_before_is_told_beside_what_is(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build").ok()
    first = services(last(tiny))["one"]
    shutil.rmtree(tiny.root / ".container")
    tiny.inv("container-build").ok()
    again = services(last(tiny))["one"]
    assert (again["state"], again["start"], again["steps"]) == ("up to date", None, [])
    assert all(again[key] == first[key] for key in ("layers", "size", "fingerprint", "digest"))
    tiny.write("services/one/word", "x" * 100_000)
    tiny.inv("container-build").ok()
    now = services(last(tiny))["one"]
    assert now["because"] == ["services/one/word changed"]
    assert now["before"] == {"size": first["size"], "layers": first["layers"]}
    assert now["size"] > first["size"] + 90_000


def test_only_what_failed_is_built_again(tiny: Repo) -> None:
    for name in ("bad", "worse"):
        tiny.service(name, f"COPY services/{name}/word /word", "RUN grep good /word")
    tiny.service("fine", "COPY services/fine/word /word")
    tiny.inv("container-build").fails(4, "inv container-build --failed")
    tiny.inv("container-build", "--services", "fine").ok()
    assert [one["name"] for one in last(tiny)["unfinished"]] == ["bad", "worse"]
    tiny.write("services/bad/word", "good\n")
    tiny.inv("container-build", "--failed").fails(4, "1 built, 1 failed")
    assert states(last(tiny)) == {"bad": "built", "worse": "failed"}
    tiny.write("services/worse/word", "good\n")
    tiny.inv("container-build", "--failed").ok()
    assert states(last(tiny)) == {"worse": "built"}
    assert "Nothing failed" in tiny.inv("container-build", "--failed").ok().out
    tiny.inv("container-build", "--failed", "--services", "bad").fails(2, "two choices")


def test_what_stands_on_a_failure_is_not_tried(tiny: Repo) -> None:
    tiny.service("zero", "RUN echo once && exit 7")
    tiny.write("services/above/Dockerfile", 'FROM images.test/tiny/zero\nCMD ["sleep", "60"]\n')
    tiny.inv("container-build", "--jobs", "1").fails(4, "1 failed, 1 stopped", "it stands on zero, which failed")
    assert states(last(tiny)) == {"above": "stopped", "zero": "failed"}
    assert [one["name"] for one in last(tiny)["unfinished"]] == ["above", "zero"]


def test_what_stands_on_a_failure_is_none_itself_where_both_are_built_at_once(tiny: Repo) -> None:
    tiny.service("zero", "RUN sleep 2 && exit 7")
    tiny.write("services/above/Dockerfile", 'FROM images.test/tiny/zero\nCMD ["sleep", "60"]\n')
    tiny.inv("container-build").fails(4, "1 failed, 1 stopped", "1 of 2 failed: zero (step failed)")
    assert states(last(tiny)) == {"above": "stopped", "zero": "failed"}


def test_a_failing_line_is_of_the_image_that_has_it(tiny: Repo) -> None:
    tiny.service("zero", "RUN echo once && sleep 3 && exit 7")
    tiny.write("services/above/Dockerfile", 'FROM images.test/tiny/zero\nCMD ["sleep", "60"]\n')
    tiny.inv("container-build-above").fails(4, "services/zero/Dockerfile:3")
    assert services(last(tiny))["above"]["failure"]["dockerfile"] == "services/zero/Dockerfile"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_is_told_too(tiny: Repo, number: signal.Signals) -> None:
    tiny.service("fine", "COPY services/fine/word /word")
    tiny.service("slow", "RUN echo asleep && sleep 60")
    child = subprocess.Popen(
        [sys.executable, "-m", "invoke", "container-build", "--json"],
        cwd=tiny.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = tiny.root / ".container/logs/slow.log"
    wait_for(lambda: log.exists() and "asleep\n" in log.read_text(encoding="utf-8").replace("echo asleep", ""))
    os.kill(child.pid, number)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 130
    record = last(tiny)
    assert json.loads(out) == record
    assert record["result"] == "stopped"
    assert "inv container-build --failed" in record["error"]["hint"]
    assert states(record)["slow"] == "stopped"
    assert "slow" in [one["name"] for one in record["unfinished"]]


@pytest.mark.usefixtures("builder")
def test_a_push_is_told(tiny: Repo, registry: str) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.commit()
    done = tiny.inv(*PUSH, "--json", "--registry", f"{registry}/t").ok()
    record = last(tiny)
    assert json.loads(done.out) == record
    assert (record["task"], record["output"]) == ("container-push", "push")
    assert services(record)["one"]["digest"] == record["release"]["services"]["one"]["digest"]
    assert [gate["result"] for gate in record["release"]["gates"]] == ["skipped", "skipped", "not run"]
    assert {(one["tag"], one["old"]) for one in record["release"]["moved"]} == {("v1.2.3", None), ("latest", None)}
    tiny.write("new", "")
    refused = json.loads(tiny.inv(*PUSH, "--json", "--registry", f"{registry}/t").fails(2).out)
    assert "not clean" in refused["error"]["message"]
    assert last(tiny) == record


def test_github_is_told(tiny: Repo, tmp_path: Path) -> None:
    tiny.service("bad", "RUN echo '::error::injected'; echo '##[error]x'; exit 7")
    tiny.service("good", "COPY services/good/word /word")
    summary = tmp_path / "summary.md"
    job = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(tmp_path)}
    said = tiny.inv("container-build", env=job).fails(4)
    commands = [line for line in said.all.splitlines() if line.lstrip().startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith("::error file=tiny/services/bad/Dockerfile,line=3,title=bad%3A step failed::the step")
    assert "##[" not in said.all
    assert "| bad | failed |" in summary.read_text(encoding="utf-8")
    beside = tiny.inv("container-build", "--json", env=job).fails(4)
    assert beside.out.startswith("{")
    assert "##[" not in beside.out
    assert "\n::error file=" in beside.done.stderr
    assert summary.read_text(encoding="utf-8").count("### container-build") == 2
    unwritable = {**job, "GITHUB_STEP_SUMMARY": str(tmp_path)}
    tiny.inv("container-build", env=unwritable).fails(4, "note: the job's summary cannot be written: Is a directory")


BROKEN = {
    "damaged": b"{",
    "empty": b"",
    "binary": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "another version": b'{"schema": 99, "services": [], "unfinished": [{"name": "one"}]}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_record_that_cannot_be_read_stops_nothing(tiny: Repo, content: bytes) -> None:
    tiny.service("one", "COPY services/one/word /word")
    (tiny.root / ".container").mkdir()
    (tiny.root / LAST).write_bytes(content)
    tiny.inv("container-build", "--failed").fails(2, f"{LAST} is damaged, or of another version", "hint: inv contain")
    assert (tiny.root / LAST).read_bytes() == content
    tiny.inv("container-build").ok()
    assert states(last(tiny)) == {"one": "built"}


def test_without_a_record_nothing_can_have_failed(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build", "--failed").fails(2, f"there is no {LAST}", "hint: inv container-build")


@pytest.mark.parametrize("there", ["folder", "pipe", "link"])
def test_what_lies_in_the_records_place_is_no_harm(tiny: Repo, there: str, tmp_path: Path) -> None:
    tiny.service("one", "COPY services/one/word /word")
    (tiny.root / ".container").mkdir()
    match there:
        case "folder":
            (tiny.root / LAST).mkdir()
        case "pipe":
            os.mkfifo(tiny.root / LAST)
        case "link":
            (tmp_path / "elsewhere").write_text("mine", encoding="utf-8")
            (tiny.root / LAST).symlink_to(tmp_path / "elsewhere")
    said = tiny.inv("container-build", timeout=120).ok()
    assert ("note: this run leaves no record" in said.all) is (there == "folder")
    if there == "link":
        assert (tmp_path / "elsewhere").read_text(encoding="utf-8") == "mine"


def test_a_service_that_is_gone_is_named_and_not_built_again(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.service("bad", "RUN exit 7")
    tiny.inv("container-build").fails(4)
    (tiny.root / "services/bad/Dockerfile").unlink()
    said = tiny.inv("container-build", "--failed").ok().out
    assert said == "bad did not end well the last time, and is no service here any more.\n"
