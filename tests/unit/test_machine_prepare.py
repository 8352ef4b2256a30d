"""The order of the set-up's steps, and what a failing one leaves."""

from pathlib import Path

import pytest

from tasks.engine import cache
from tasks.engine.machine import mend_bases, mend_engine, prepare, reach, release_builder
from tasks.engine.machine.findings import Finding, Say, State, ok
from tasks.errors import EngineError

ENGINE = reach.Engine(endpoint="unix:///x.sock", reach=reach.Reach.ANSWERS)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which every step finds all in order."""

    def engine(say: Say) -> reach.Engine:
        say(ok("engine", "answers"))
        return ENGINE

    monkeypatch.setattr(cache, "home", lambda: tmp_path / "cache")
    monkeypatch.setattr(mend_engine, "engine", engine)
    monkeypatch.setattr(mend_engine, "client", lambda say: False)
    monkeypatch.setattr(mend_engine, "room", lambda found, say: None)
    monkeypatch.setattr(mend_bases, "refusal", lambda references, mirror: None)
    monkeypatch.setattr(release_builder, "revive", tuple)


def run(*, options: prepare.Options | None = None) -> tuple[list[Finding], EngineError | None]:
    said: list[Finding] = []
    try:
        prepare.prepare(options or prepare.Options(), project="shop", mirror=None, bases=("alpine:3",), say=said.append)
    except EngineError as error:
        return said, error
    return said, None


def test_all_in_order_is_said_line_by_line() -> None:
    said, error = run()
    assert error is None
    assert [(finding.state, finding.subject) for finding in said] == [(State.OK, "engine"), (State.OK, "bases")]


def test_a_step_that_fails_lets_the_others_run_and_the_set_up_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(references: tuple[str, ...], mirror: str | None, refused: str | None, say: Say) -> None:
        raise EngineError("no bases", hint="find some")

    monkeypatch.setattr(mend_bases, "bases", fail)
    monkeypatch.setattr(release_builder, "ensure", lambda name, project: ("remote", True))
    said, error = run(options=prepare.Options(release_builder=True))
    assert error is not None
    assert error.exit_code == 3
    assert "bases" in str(error)
    assert ["cannot", "bases", "no", "bases;", "find", "some"] in [str(finding).split() for finding in said]
    assert "shop-release (remote)" in str(said[-1])


def test_without_an_engine_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(say: Say) -> reach.Engine:
        raise EngineError("none", hint="install one")

    monkeypatch.setattr(mend_engine, "engine", fail)
    said, error = run()
    assert said == []
    assert error is not None
    assert error.hint == "install one"


def test_a_full_disk_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(say: Say) -> bool:
        raise OSError(28, "No space left on device", "/cache/x")

    monkeypatch.setattr(mend_engine, "client", fail)
    _, error = run()
    assert "/cache/x: No space left on device" in str(error)


def test_the_builder_is_named_for_the_project_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def ensure(name: str, *, project: str) -> tuple[str, bool]:
        asked.append((name, project))
        return "remote", False

    monkeypatch.setattr(release_builder, "ensure", ensure)
    run(options=prepare.Options(release_builder=True))
    run(options=prepare.Options(release_builder=True, builder="other"))
    assert asked == [("shop-release", "shop"), ("other", "shop")]
