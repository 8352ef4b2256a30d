from typing import Any

from tasks.engine.transfers import LEAST, PATIENCE, UNPACKING, Progress

# Events as engine 26.1.5 sends them.
BEGIN = {"status": "Pulling from team/one", "id": "sha256:ab"}
LAYER = {"status": "Pulling fs layer", "progressDetail": {}, "id": "c1"}
DONE = {"status": "Download complete", "progressDetail": {"hidecounts": True}, "id": "c1"}


def loading(count: int) -> dict[str, Any]:
    return {"status": "Downloading", "progressDetail": {"current": count, "total": 10**9}, "id": "c1"}


def test_only_a_new_state_or_enough_bytes_are_something_new() -> None:
    pull = Progress()
    told: list[dict[str, Any]] = [
        BEGIN,
        LAYER,
        loading(0),
        loading(1),
        loading(1),
        loading(LEAST),
        loading(LEAST + 1),
        loading(2 * LEAST),
        DONE,
    ]
    assert [pull.moved(event) for event in told] == [True, True, True, False, False, True, False, True, True]


def test_bytes_that_come_one_by_one_are_nothing_new() -> None:
    pull = Progress()
    pull.moved(loading(0))
    assert not any(pull.moved(loading(count)) for count in range(1, 1000))


def test_an_engine_that_unpacks_has_more_time_than_a_registry() -> None:
    pull = Progress()
    assert pull.patience == PATIENCE
    for event in (BEGIN, LAYER):
        pull.moved(event)
    assert pull.patience == PATIENCE
    pull.moved(DONE)
    assert pull.patience == UNPACKING
    pull.moved({"status": "Pulling fs layer", "id": "c2"})
    assert pull.patience == PATIENCE


def test_events_without_what_is_usual_are_taken() -> None:
    assert Progress().moved({"status": "Digest: sha256:ab"})
    assert Progress().moved({"progressDetail": None})
