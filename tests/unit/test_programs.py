import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context

from tasks import flags
from tasks.errors import BuildError, ConfigError, Interrupted
from tasks.report import style
from tests.support import Repo, Result
from tests.unit.test_cli import TASKS_PY

SCRIPT = """
import sys
from tasks import flags
from invoke.context import Context
from tasks.errors import BuildError

def body(c, values):
    print("words for people")
    {body}

flags.make_task("x", "Do.", (), body)(Context(), json=True)
"""
FAILS = "raise BuildError('no', hint='do')"
GOES_WELL = "return {'more': 1}"


def one_document(text: str) -> dict[str, Any]:
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    return found


def run(body: flags.Body, *more: flags.Flag, **values: object) -> None:
    flags.make_task("container-x", "Do.", more, body)(Context(), json=True, **values)


def speaks(_c: Context, values: dict[str, Any]) -> Mapping[str, Any]:
    style.say("words for people")
    return {"seen": values["task"]}


def test_the_record_is_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    run(speaks)
    said = capsys.readouterr()
    found = one_document(said.out)
    assert (found["schema"], found["task"], found["result"], found["exit"]) == (1, "container-x", "ok", 0)
    assert (found["error"], found["seen"]) == (None, "container-x")
    assert said.err == "words for people\n"


def test_without_the_flag_words_are_where_they_always_were(capsys: pytest.CaptureFixture[str]) -> None:
    flags.make_task("container-x", "Do.", (), speaks)(Context(), json=False)
    assert capsys.readouterr() == ("words for people\n", "")


def test_an_error_is_told_and_still_raised(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_c: Context, _values: dict[str, Any]) -> None:
        error = BuildError("no", hint="do")
        error.record = {"services": ["a"]}
        raise error

    with pytest.raises(BuildError):
        run(body)
    found = one_document(capsys.readouterr().out)
    assert (found["result"], found["exit"], found["error"]) == ("failed", 4, {"message": "no", "hint": "do"})
    assert found["services"] == ["a"]


def test_ctrl_c_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_c: Context, _values: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run(body)
    found = one_document(capsys.readouterr().out)
    assert (found["result"], found["exit"]) == ("stopped", 130)


def test_two_outputs_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="--json and --print are two outputs"):
        run(speaks, flags.PRINT, print=True)
    assert one_document(capsys.readouterr().out)["exit"] == 2


def test_a_bug_is_told_and_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def body(_c: Context, _values: dict[str, Any]) -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        run(body)
    assert one_document(capsys.readouterr().out)["exit"] == 1


@pytest.mark.parametrize(("line", "code"), [(GOES_WELL, 0), (FAILS, 4)])
@pytest.mark.parametrize("closed", ["", "2>&-", "1>&-", "2>/dev/full", "1>/dev/full"])
def test_streams_that_are_gone_change_no_exit_code(line: str, code: int, closed: str) -> None:
    program = Path(sys.executable)
    script = SCRIPT.format(body=line)
    words = f"from invoke.exceptions import Exit\ntry:\n{_indented(script)}\nexcept Exit as e:\n    sys.exit(e.code)\n"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', program, f"import sys\n{words}"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = 2 if closed == "2>/dev/full" or (closed == "1>/dev/full" and not code) else code
    assert done.returncode == told, done.stderr
    assert "Traceback" not in done.stderr
    assert closed.startswith("1>") or one_document(done.stdout)["exit"] == told


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


@pytest.fixture
def typed(repo: Repo) -> Repo:
    repo.write("tasks.py", TASKS_PY)
    return repo


def record_of(result: Result) -> dict[str, Any]:
    return one_document(result.out)


def test_a_setting_that_cannot_be_is_told(typed: Repo) -> None:
    done = typed.inv("container-build", "--json", "--jobs", "none").fails(2, "hint: for example --jobs 2")
    found = record_of(done)
    assert (found["task"], found["result"], found["exit"]) == ("container-build", "failed", 2)
    assert found["error"]["hint"] == "for example --jobs 2"


def test_a_file_of_settings_that_is_broken_is_told_before_there_are_tasks(typed: Repo) -> None:
    typed.write("invoke.yaml", "container:\n  registry: [\n")
    found = record_of(typed.inv("container-build-agent", "--json").fails(2, "invoke.yaml is broken"))
    assert (found["task"], found["exit"]) == ("container-build-agent", 2)
    assert "Traceback" not in typed.inv("container-build").fails(2).all


def test_settings_are_told_with_their_sources(typed: Repo) -> None:
    done = typed.inv("container-config", "--json", env={"DOCKER_REGISTRY": "r.example/x"}).ok()
    assert record_of(done)["settings"]["registry"] == {"value": "r.example/x", "source": "DOCKER_REGISTRY"}
    assert done.done.stderr == ""
    assert record_of(typed.inv("container-config", "--init", "--json").ok())["written"] == ["invoke.yaml"]
    assert record_of(typed.inv("container-config", "--schema", "--json").fails(2))["error"]["hint"] == "choose one"
    typed.inv("container-config", "--schema", "--init").fails(2, "--schema prints", "hint: choose one")


def test_what_is_said_of_a_service_is_told(typed: Repo) -> None:
    typed.write(
        "invoke.yaml", "container: {services: {agent: {ready: /r, metrics: /m, skip_checks: [static, stripped]}}}\n"
    )
    agent = record_of(typed.inv("container-config", "--json").ok())["services"][0]
    assert (agent["ready"], agent["metrics"], agent["skip_checks"]) == ("/r", "/m", ["static", "stripped"])
    assert "ready /r, metrics /m, without the checks static stripped" in typed.inv("container-config").ok().out
