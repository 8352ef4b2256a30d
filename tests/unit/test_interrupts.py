"""Signals that end a run, as errors that say how things are."""

import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks import recording
from tasks.engine import records
from tasks.engine.interrupts import ending
from tasks.errors import Interrupted
from tasks.recording import Recording

ENDS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP}


@pytest.mark.parametrize(("word", "number"), ENDS.items(), ids=ENDS)
def test_each_ends_what_is_being_done_in_order(word: str, number: signal.Signals) -> None:
    before, left = signal.getsignal(number), []

    def work() -> None:
        with ending("no tag has moved", "again"):
            try:
                signal.raise_signal(number)
            finally:
                left.append("in order")

    with pytest.raises(Interrupted, match=f"stopped by {word}; no tag has moved\nhint: again"):
        work()
    assert left == ["in order"]
    assert signal.getsignal(number) is before


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending("x", "y"):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (lambda: Interrupted("stopped by SIGTERM"), "stopped by SIGTERM; no tag has moved\nhint: again"),
        (lambda: Interrupted("stopped by SIGTERM", hint="mine"), "stopped by SIGTERM\nhint: mine"),
    ],
)
def test_who_has_heard_it_first_says_the_rest(error: Callable[[], Interrupted], words: str) -> None:
    with pytest.raises(Interrupted, match=words), ending("no tag has moved", "again"):
        raise error()


def test_a_signal_while_a_record_is_made_takes_nothing_from_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def make(*_values: object, **_more: object) -> dict[str, object]:
        signal.raise_signal(signal.SIGINT)
        return {"services": [], "is": "whole"}

    monkeypatch.setattr("tasks.plan.record.make", make)
    monkeypatch.setattr(Recording, "_run", lambda _self: None)
    monkeypatch.setattr("tasks.engine.github.here", lambda: False)
    outline = SimpleNamespace(targets=())
    ours = Recording(SimpleNamespace(root=tmp_path, services=()), outline, outcomes={"one": None})  # type: ignore[arg-type, dict-item]
    error = Interrupted("stopped by Ctrl-C")
    with pytest.raises(Interrupted) as caught, recording.recorded(ours):
        raise error
    assert caught.value.record == {"services": [], "is": "whole"}
    assert b'"whole"' in (tmp_path / records.LAST).read_bytes()
