"""Whose process it is."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.engine.machine import processes
from tasks.engine.machine.processes import Mark

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PYTHON = Path(sys.executable).name
SLEEP = "import time; time.sleep(60)"


@contextmanager
def running(word: str, program: str = SLEEP) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", program, word]) as process:
        until = time.monotonic() + 5
        while word not in processes.command_line(process.pid) and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield process
        finally:
            process.kill()


def test_a_process_is_found_by_program_and_word(tmp_path: Path) -> None:
    word = str(tmp_path / "daemon.json")
    with running(word) as process:
        assert processes.find(Mark(program=PYTHON, word=word)) == (process.pid,)
        assert processes.find(Mark(program="dockerd", word=word)) == ()
        assert processes.find(Mark(program=PYTHON, word=word[:-1])) == ()


def test_stopping_ends_only_what_is_ours(tmp_path: Path) -> None:
    mine, other = str(tmp_path / "mine"), str(tmp_path / "other")
    with running(mine) as ours, running(other) as foreign:
        assert processes.stop(Mark(program=PYTHON, word=mine), grace=5) == 1
        assert ours.wait(5) != 0
        assert foreign.poll() is None
    assert processes.stop(Mark(program=PYTHON, word=mine)) == 0


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    word = str(tmp_path / "deaf")
    with subprocess.Popen([sys.executable, "-c", deaf, word], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert processes.stop(Mark(program=PYTHON, word=word), grace=0.1) == 1
        assert process.wait(5) == -9


@pytest.mark.parametrize("content", ["1", "99999999", "", "no number", "-1", "0"])
def test_a_pidfile_that_names_no_process_of_ours_is_removed(tmp_path: Path, content: str) -> None:
    pidfile = tmp_path / "dockerd.pid"
    pidfile.write_text(content, encoding="utf-8")
    assert processes.forget_stale(pidfile, Mark(program="dockerd", word="/x"))
    assert not pidfile.exists()
    assert not processes.forget_stale(pidfile, Mark(program="dockerd", word="/x"))


def test_a_pidfile_that_names_ours_stays(tmp_path: Path) -> None:
    word = str(tmp_path / "daemon.json")
    pidfile = tmp_path / "dockerd.pid"
    with running(word) as process:
        pidfile.write_text(f"{process.pid}\n", encoding="utf-8")
        assert not processes.forget_stale(pidfile, Mark(program=PYTHON, word=word))
    assert pidfile.exists()


def test_a_live_foreign_process_named_by_a_pidfile_is_not_touched(tmp_path: Path) -> None:
    pidfile = tmp_path / "dockerd.pid"
    with running(str(tmp_path / "somebody")) as foreign:
        pidfile.write_text(str(foreign.pid), encoding="utf-8")
        processes.forget_stale(pidfile, Mark(program=PYTHON, word=str(tmp_path / "daemon.json")))
        assert foreign.poll() is None


def test_a_keeper_is_killed_with_what_it_keeps(tmp_path: Path) -> None:
    word = str(tmp_path / "containerd.sock")
    parent = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); "
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent, word], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert processes.kill_with_children(Mark(program=PYTHON, word=word)) == 1
        assert process.wait(5) == -9
    until = time.monotonic() + 5
    while processes.command_line(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert processes.command_line(child) == ()
