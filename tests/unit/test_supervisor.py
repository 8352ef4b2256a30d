import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tasks.engine import supervisor
from tasks.engine.supervisor import Callbacks, Ended, Job
from tasks.errors import EngineError, Interrupted
from tests.unit.deaf import Stopped

FOREVER = "import os, time; os.write(2, b'%d' % os.getpid()); time.sleep(60)"


PID = re.compile(rb"\d+")


@dataclass
class Heard:
    """What the callbacks heard, in order."""

    begun: list[str] = field(default_factory=list)
    wrote: dict[str, bytes] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    most: int = 0
    """The most that ran at once."""
    on_words: Callable[[str], None] = lambda _: None

    def callbacks(self) -> Callbacks:
        def began(key: str) -> None:
            self.begun.append(key)
            self.most = max(self.most, len(self.begun) - len(self.ended))

        def wrote(key: str, chunk: bytes) -> None:
            self.wrote[key] = self.wrote.get(key, b"") + chunk
            self.on_words(key)

        return Callbacks(begun=began, wrote=wrote, ended=self.ended.__setitem__)

    @property
    def pids(self) -> list[int]:
        """Those that the programs began with."""
        return [int(found[0]) for words in self.wrote.values() if (found := PID.match(words))]

    @property
    def codes(self) -> dict[str, int | None]:
        return {key: ended.code for key, ended in self.ended.items()}


def job(key: str, script: str, stdin: bytes = b"") -> Job:
    return Job(key=key, argv=(sys.executable, "-IS", "-c", script), stdin=stdin, cwd=Path("/"))


def run(*jobs: Job, heard: Heard | None = None, limit: int = 5, fail_fast: bool = False) -> Heard:
    heard = heard or Heard()
    supervisor.run_all(jobs, heard.callbacks(), limit=limit, fail_fast=fail_fast)
    return heard


def test_a_program_may_have_an_environment_of_its_own() -> None:
    script = "import os, sys; sys.stderr.write(os.environ.get('WORD', 'none'))"
    plain = job("a", script)
    assert run(plain).wrote == {"a": b"none"}
    assert run(replace(plain, env={"WORD": "this"})).wrote == {"a": b"this"}


def test_every_program_gets_its_input_and_is_heard_to_its_end() -> None:
    script = "import os, sys; sys.stderr.write(sys.stdin.read() * 2 + os.getcwd()); print('not this'); sys.exit(3)"
    heard = run(job("a", script, b"in"), job("b", "", b"x" * 10**6))
    assert heard.wrote == {"a": b"inin/"}
    assert heard.codes == {"a": 3, "b": 0}
    assert all(ended.seconds > 0 for ended in heard.ended.values())


def test_what_a_program_prints_goes_to_a_file_if_one_is_named(tmp_path: Path) -> None:
    run(replace(job("a", "import os; os.write(1, b'\\xff\\r\\n')"), output=tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"\xff\r\n"


def test_a_program_that_outlasts_its_time_is_ended_and_stops_no_other() -> None:
    long = replace(job("a", FOREVER), hopeless=lambda seconds: seconds > 0.4)
    heard = run(long, job("b", "import time; time.sleep(1)"))
    assert heard.codes == {"a": None, "b": 0}
    assert 0.4 <= heard.ended["a"].seconds < 3


def test_another_program_may_take_the_place_of_one_that_has_ended() -> None:
    heard, asked = Heard(), list[tuple[str, int | None]]()
    second = job("a", "import sys; sys.stderr.write('second')")

    def again(key: str, ended: Ended) -> Job | None:
        asked.append((key, ended.code))
        return second if ended.code == 3 else None

    supervisor.run_all(
        [job("a", "import sys; sys.exit(3)"), job("b", "")],
        replace(heard.callbacks(), again=again),
        limit=5,
        fail_fast=True,
    )
    assert sorted(asked, key=str) == [("a", 0), ("a", 3), ("b", 0)]
    assert heard.codes == {"a": 0, "b": 0}
    assert heard.wrote == {"a": b"second"}
    assert sorted(heard.begun) == ["a", "b"]


def test_nothing_to_run_is_done_at_once() -> None:
    assert run().ended == {}


def test_what_is_not_text_arrives_unchanged() -> None:
    assert run(job("a", r"import os; os.write(2, b'\xff\x00')")).wrote == {"a": b"\xff\x00"}


def test_one_failure_stops_no_other() -> None:
    late = "import time; time.sleep(0.05)"
    assert run(job("a", "raise SystemExit(1)"), job("b", late), job("c", late), limit=2).codes == {
        "a": 1,
        "b": 0,
        "c": 0,
    }


def test_at_most_so_many_run_at_once() -> None:
    heard = run(*(job(str(number), "") for number in range(5)), limit=2)
    assert heard.most == 2
    assert set(heard.codes.values()) == {0}


def test_fail_fast_stops_the_others_and_begins_no_more() -> None:
    began = time.monotonic()
    heard = run(job("a", "raise SystemExit(4)"), job("b", FOREVER), job("c", FOREVER), limit=2, fail_fast=True)
    assert heard.codes == {"a": 4, "b": None, "c": None}
    assert heard.begun == ["a", "b"]
    assert time.monotonic() - began < 2


def test_a_program_that_is_not_there_is_an_error_and_leaves_nothing_behind() -> None:
    heard = Heard()
    with pytest.raises(
        EngineError,
        match=r"/no/program cannot be run: No such file or directory\nhint: .*ls -l \$\(command -v /no/program\)",
    ):
        run(Job(key="a", argv=("/no/program",), stdin=b"", cwd=Path("/")), job("b", FOREVER), heard=heard)
    assert heard.codes == {"a": None, "b": None}
    _gone(heard.pids)


def test_an_error_of_a_listener_ends_the_run_and_leaves_nothing_behind() -> None:
    def fail(key: str) -> None:
        raise ZeroDivisionError(key)

    heard = Heard(on_words=fail)
    with pytest.raises(ZeroDivisionError):
        run(job("a", FOREVER), job("b", FOREVER), heard=heard)
    assert heard.pids
    _gone(heard.pids)


def _gone(children: Iterable[int]) -> None:
    """See that there are no such processes, not even as zombies."""
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def interrupting(number: signal.Signals, *, times: int = 1) -> Heard:
    """Return what sends this process a signal each of the first times that a program speaks."""
    left = [number] * times

    def send(_: str) -> None:
        if left:
            os.kill(os.getpid(), left.pop())

    return Heard(on_words=send)


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, "stopped by Ctrl-C"), (signal.SIGTERM, "by SIGTERM"), (signal.SIGHUP, "by SIGHUP")],
)
def test_a_signal_ends_the_programs_and_the_run(number: signal.Signals, words: str) -> None:
    heard = interrupting(number)
    with pytest.raises(Interrupted, match=words) as caught:
        run(job("a", FOREVER), job("b", "import time; time.sleep(60)"), job("c", FOREVER), heard=heard, limit=2)
    assert caught.value.code == 130
    assert heard.codes == {"a": None, "b": None, "c": None}
    assert heard.pids
    _gone(heard.pids)


def test_a_program_may_clean_up_behind_itself() -> None:
    polite = """
import os, time
try:
    os.write(2, b"ready")
    time.sleep(60)
except KeyboardInterrupt:
    os.write(2, b", clean")
"""
    heard = interrupting(signal.SIGINT)
    with pytest.raises(Interrupted):
        run(job("a", polite), heard=heard)
    assert heard.wrote == {"a": b"ready, clean"}


def test_asked_twice_there_is_no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 30)
    stubborn = """
import os, signal, time
signal.signal(signal.SIGINT, lambda *_: os.write(2, b", no"))
os.write(2, b"ready")
while True:
    time.sleep(60)
"""
    heard = interrupting(signal.SIGINT, times=2)
    began = time.monotonic()
    with pytest.raises(Interrupted):
        run(job("a", stubborn), heard=heard)
    assert heard.wrote == {"a": b"ready, no"}
    assert time.monotonic() - began < 5


def test_what_left_the_group_and_holds_the_pipe_does_not_hold_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 0.05)
    monkeypatch.setattr(supervisor, "PATIENCE", 0.05)
    script = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
if os.fork() == 0:
    os.setsid()
    os.write(2, b"%d" % os.getpid())
time.sleep(60)
"""
    heard = interrupting(signal.SIGINT)
    began = time.monotonic()
    with pytest.raises(Interrupted):
        run(job("a", script), heard=heard)
    assert time.monotonic() - began < 2
    os.kill(int(heard.wrote["a"]), signal.SIGKILL)


def test_nohup_means_that_the_end_of_the_terminal_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        heard = run(job("a", "import os; os.write(2, b'x')"), heard=interrupting(signal.SIGHUP))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard.codes == {"a": 0}


def test_programs_are_out_of_the_terminals_reach() -> None:
    script = "import os; os.write(2, b'%d %d' % (os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()))"
    assert run(job("a", script)).wrote == {"a": b"1 1"}


def test_ctrl_c_leaves_nothing_of_deaf_programs_within_two_seconds(ctrl_c: Stopped) -> None:
    assert ctrl_c.seconds < 2
    assert ctrl_c.said == "ended None\n" * 3 + "error: stopped by Ctrl-C; its builds are gone\n"
    assert ctrl_c.code == 130
    _gone(ctrl_c.children)
