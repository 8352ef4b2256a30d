"""What an engine is asked before the rest of a run is loaded: an answer to another question is none."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks import ahead
from tasks.errors import EngineError
from tasks.plan.platforms import Platform

LOCAL = ("r.test/x/one:latest", "r.test/x/one:v1")


class Engine:
    """An engine that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def native(self) -> Platform:
        return Platform.AMD64

    def stored(self, references: Sequence[str]) -> dict[str, str]:
        self.asked.append(tuple(references))
        return dict.fromkeys(references, "there")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr("tasks.engine.api.connect", lambda: made)
    return made


def settings(root: Path, *platforms: Platform) -> Any:  # noqa: ANN401 - of a run's settings only these are asked for
    services = (SimpleNamespace(name="one"),)
    return SimpleNamespace(
        root=root, registry="r.test/x", tags=("latest", "v1"), services=services, platforms=platforms
    )


def test_the_images_of_the_settings_are_asked_for_once(engine: Engine, tmp_path: Path) -> None:
    with ahead.alone(settings(tmp_path, Platform.AMD64)) as asked:
        assert set(asked.stored(LOCAL[::-1])) == set(LOCAL)
        assert asked.engine().native() is Platform.AMD64
    assert engine.asked == [LOCAL]


@pytest.mark.parametrize(
    ("platforms", "suffix"),
    [((Platform.ARM64,), "-arm64"), ((Platform.AMD64, Platform.ARM64), ""), ((Platform.AMD64,), "")],
)
def test_a_single_foreign_platform_has_its_suffix(
    engine: Engine, tmp_path: Path, platforms: tuple[Platform, ...], suffix: str
) -> None:
    ahead.ask(settings(tmp_path, *platforms)).stored(())
    assert engine.asked[0] == tuple(f"{one}{suffix}" for one in LOCAL)


def test_other_images_are_asked_for_again(engine: Engine, tmp_path: Path) -> None:
    asked = ahead.ask(settings(tmp_path, Platform.AMD64))
    assert list(asked.stored(LOCAL[:1])) == [LOCAL[0]]
    assert engine.asked == [LOCAL, LOCAL[:1]]


def test_a_push_asks_for_no_image(engine: Engine, tmp_path: Path) -> None:
    with ahead.alone(settings(tmp_path, Platform.AMD64), images=False) as asked:
        asked.engine()
        assert not asked.stored(())
    assert engine.asked == []


def test_without_an_engine_each_answer_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def connect() -> None:
        raise EngineError("no engine answers", hint="start it")

    monkeypatch.setattr("tasks.engine.api.connect", connect)
    asked = ahead.ask(settings(tmp_path, Platform.AMD64))
    for answer in (asked.engine, lambda: asked.stored(LOCAL)):
        with pytest.raises(EngineError, match="no engine answers"):
            answer()
