import pytest

from tasks.plan.failures import Failure, Kind
from tasks.plan.outcomes import Outcome, State, failed, only_pushes_failed


def outcome(state: State, kind: Kind | None = None) -> Outcome:
    failure = None if kind is None else Failure(kind=kind, step="", message="")
    return Outcome(service="agent", state=state, failure=failure)


@pytest.mark.parametrize(
    ("state", "ready"),
    [(State.BUILT, True), (State.UNCHANGED, True), (State.FAILED, False), (State.STOPPED, False)],
)
def test_an_image_is_there_when_it_was_built_or_need_not_be(state: State, ready: bool) -> None:
    assert outcome(state).ready is ready


def test_what_was_stopped_did_not_fail() -> None:
    bad = outcome(State.FAILED, Kind.STEP)
    assert failed([outcome(State.BUILT), bad, outcome(State.STOPPED), outcome(State.UNCHANGED)]) == (bad,)


@pytest.mark.parametrize(
    ("kinds", "only"),
    [
        ([], False),
        ([Kind.PUSH], True),
        ([Kind.PUSH, Kind.PUSH], True),
        ([Kind.PUSH, Kind.STEP], False),
        ([Kind.STEP], False),
    ],
)
def test_the_registry_alone_is_at_fault_when_nothing_else_failed(kinds: list[Kind], only: bool) -> None:
    assert only_pushes_failed([outcome(State.FAILED, kind) for kind in kinds]) is only
