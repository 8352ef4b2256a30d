"""A gate that cannot be passed here: a rehearsal on this machine goes on, what others pull does not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.errors import ConfigError, EngineError, PushError, ScanError, SignError, TaskError
from tasks.release import gates


def settings(registry: str) -> Any:  # noqa: ANN401 - of a run's settings only these are asked for
    return SimpleNamespace(registry=registry, root=Path("/nowhere"), sign="auto")


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without engine and Trivy, and nobody who signs."""

    def connect() -> None:
        raise EngineError("no engine", hint="start it")

    monkeypatch.setattr("tasks.engine.api.connect", connect)
    monkeypatch.setattr("tasks.release.inspecting.can_scan", lambda: False)
    monkeypatch.setattr("tasks.signers.prepare", lambda _settings: None)


@pytest.mark.usefixtures("nothing")
def test_on_this_machine_it_is_a_rehearsal() -> None:
    found = gates.prepare(settings("localhost:5000/team"), (), require=False, source="--skip")
    assert found == gates.Gates(skipped=frozenset(), require=False, signers=None)


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize(
    ("skipped", "error", "words"),
    [
        (("scan", "sign"), EngineError, "verify: there is no engine to run them, and what others pull has to pass it"),
        (("verify", "scan"), SignError, "sign: nothing says who signs, and what others pull has to pass it"),
        (("verify", "sign"), ScanError, "scan: Trivy is not on this machine, and what others pull has to pass it"),
    ],
)
def test_elsewhere_it_is_refused(skipped: tuple[str, ...], error: type[TaskError], words: str) -> None:
    left = next(name for name in gates.NAMES if name not in skipped)
    with pytest.raises(error, match=words) as caught:
        gates.prepare(settings("ghcr.io/team"), skipped, require=False, source="--skip")
    assert f"or --skip {left}" in str(caught.value)
    gates.prepare(settings("ghcr.io/team"), gates.NAMES, require=False, source="--skip")


def test_a_gate_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ConfigError, match="--skip: 'all' is no gate\nhint: choose from verify, scan, sign"):
        gates.prepare(settings("ghcr.io/team"), ("all",), require=False, source="--skip")


@pytest.mark.parametrize("require", [False, True])
def test_what_an_earlier_try_has_proved_is_proved_again_where_more_is_required(
    monkeypatch: pytest.MonkeyPatch, *, require: bool
) -> None:
    asked: list[str] = []

    def prove(_run: object, members: list[Any], *, require: bool) -> str:
        asked.extend(member.digest for member in members)
        return f"{require}"

    monkeypatch.setattr("tasks.release.proving.prove", prove)
    run, member = SimpleNamespace(engine=object(), settings=settings("localhost:5000/t")), SimpleNamespace(digest="x")
    found = gates.Gates(skipped=frozenset({"scan", "sign"}), require=require, signers=None)
    found.pass_all(run, [member], lambda _gate: None, {"x"})  # type: ignore[arg-type, list-item]
    assert asked == (["x"] if require else [])


def test_an_image_that_is_gone_is_not_left_out_of_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.release import inspecting

    monkeypatch.setattr("tasks.ports.registry", lambda _settings: SimpleNamespace(manifest=lambda *_: None))
    member = SimpleNamespace(service="one", digest="sha256:0")
    with pytest.raises(PushError, match="t/one does not have sha256:0 any more"):
        inspecting.scan(settings("localhost:5000/t"), [member])  # type: ignore[list-item]
