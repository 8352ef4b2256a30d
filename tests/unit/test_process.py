import sys
import time
from pathlib import Path

import pytest

from tasks.engine.process import check, run, spawn_daemon
from tasks.errors import EngineError


def python(script: str) -> tuple[str, ...]:
    return (sys.executable, "-IS", "-c", script)


def test_a_program_is_run_to_its_end_whatever_its_code() -> None:
    done = run(*python("import sys; print('out'); sys.stderr.write('one\\ntwo\\n\\n'); sys.exit(7)"))
    assert (done.code, done.ok, done.stdout, done.stderr) == (7, False, "out\n", "one\ntwo\n\n")
    assert done.last_line == "two"


def test_the_last_line_is_of_standard_output_where_nothing_else_was_said() -> None:
    assert run(*python("print('a\\nb')")).last_line == "b"
    assert run(*python("raise SystemExit(3)")).last_line == "exit code 3"


def test_what_is_not_utf_8_is_replaced() -> None:
    assert run(*python(r"import sys; sys.stdout.buffer.write(b'a\xffb')")).stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_input_folder_and_environment_are_handed_over(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['MORE'], 'PATH' in os.environ, sys.stdin.read())"
    done = run(*python(script), cwd=tmp_path, env={"MORE": "more"}, stdin="ä")
    assert done.stdout == f"{tmp_path} more True ä\n"


def test_without_input_a_program_waits_for_none() -> None:
    assert run(*python("import sys; print(sys.stdin.read() == '')")).stdout == "True\n"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no-such-program is not on PATH\nhint: inv container-setup"):
        run("no-such-program")


@pytest.mark.parametrize(("mode", "words"), [(0o644, "Permission denied"), (0o755, "Exec format error")])
def test_a_file_that_is_no_program_is_named(tmp_path: Path, mode: int, words: str) -> None:
    (tmp_path / "program").write_bytes(b"\0not a program")
    (tmp_path / "program").chmod(mode)
    with pytest.raises(EngineError, match=f"program cannot be run: {words}"):
        run(tmp_path / "program")


def test_a_program_that_does_not_answer_in_time_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"sleep did not answer within 0.05 s"):
        run("sleep", "60", timeout=0.05)
    assert time.monotonic() - began < 5


def test_check_answers_with_the_output_or_the_last_line() -> None:
    assert check("echo", "a") == "a\n"
    with pytest.raises(EngineError, match=r"-IS -c … has failed: bad\nhint: by itself it may say more: \S+ -IS -c "):
        check(*python("raise SystemExit('bad')"))


def test_a_daemon_gets_only_what_it_may_have_and_outlives_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "new/folder/log"
    script = """
import os
kept = sorted(name for name in os.environ if name.startswith("TEST_"))
print(os.getsid(0) == os.getpid(), os.getcwd(), kept, flush=True)
"""
    monkeypatch.setenv("TEST_DROP_A", "1")
    monkeypatch.setenv("TEST_KEPT", "1")
    spawn_daemon(*python(script), log=log, env={"TEST_MORE": "1"}, drop=["TEST_DROP"])
    end = time.monotonic() + 5
    while not log.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    assert log.read_text() == "True / ['TEST_KEPT', 'TEST_MORE']\n"
