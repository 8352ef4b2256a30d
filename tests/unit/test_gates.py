"""A gate that cannot be passed here: a rehearsal on this machine goes on, what others pull does not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks import gates
from tasks.errors import ConfigError, ScanError, SignError, TaskError


def settings(registry: str) -> Any:  # noqa: ANN401 - of a run's settings only these are asked for
    return SimpleNamespace(registry=registry, root=Path("/nowhere"))


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Trivy, and nobody who signs."""
    monkeypatch.setattr("tasks.inspecting.can_scan", lambda: False)
    monkeypatch.setattr("tasks.signers.prepare", lambda _settings: None)


@pytest.mark.usefixtures("nothing")
def test_on_this_machine_it_is_a_rehearsal() -> None:
    found = gates.prepare(settings("localhost:5000/team"), (), require=False, source="--skip")
    assert found == gates.Gates(skipped=frozenset(), require=False, signers=None)


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize(
    ("skipped", "error", "words"),
    [
        (("scan",), SignError, "sign: nothing says who signs, and what others pull has to pass it"),
        (("sign",), ScanError, "scan: Trivy is not on this machine, and what others pull has to pass it"),
    ],
)
def test_elsewhere_it_is_refused(skipped: tuple[str, ...], error: type[TaskError], words: str) -> None:
    left = {"scan": "sign", "sign": "scan"}[skipped[0]]
    with pytest.raises(error, match=words) as caught:
        gates.prepare(settings("ghcr.io/team"), skipped, require=False, source="--skip")
    assert f"or --skip {left}" in str(caught.value)
    gates.prepare(settings("ghcr.io/team"), ("scan", "sign"), require=False, source="--skip")


def test_a_gate_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ConfigError, match="--skip: 'all' is no gate\nhint: choose from verify, scan, sign"):
        gates.prepare(settings("ghcr.io/team"), ("all",), require=False, source="--skip")
