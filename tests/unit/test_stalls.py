from typing import Any

from tasks.engine.stalls import LEAST, LOADING, WRITING, Stalls

# Events as BuildKit of engine 26.1.5 sends them, with shorter digests.
IMPORT: dict[str, Any] = {
    "digest": "sha256:aa",
    "name": "importing cache manifest from r.example/c:one..amd64",
    "started": "2026-11-24T15:08:04.6Z",
}
EXPORT: dict[str, Any] = {
    "digest": "sha256:bb",
    "name": "exporting cache to registry",
    "started": "2026-11-24T15:08:20.8Z",
}
COMPILE: dict[str, Any] = {"digest": "sha256:cc", "name": "[3/4] RUN make", "started": "2026-11-24T15:08:04.6Z"}


def layer(current: int, **more: str) -> dict[str, Any]:
    return {"id": "sha256:dd", "vertex": "sha256:cc", "total": 10**9, "current": current, **more}


def test_a_step_that_says_nothing_is_no_stall() -> None:
    stalls = Stalls()
    stalls.hear({"vertexes": [COMPILE]}, 0)
    assert stalls.reason(10**6) == ""


def test_an_import_that_does_not_end_is_one() -> None:
    stalls = Stalls()
    stalls.hear({"vertexes": [IMPORT]}, 0)
    assert stalls.reason(LOADING) == ""
    assert stalls.reason(LOADING + 1) == "importing cache manifest from r.example/c:one..amd64: nothing for 30 s"
    stalls.hear({"vertexes": [{**IMPORT, "completed": "2026-11-24T15:08:05Z"}]}, LOADING + 1)
    assert stalls.reason(10**6) == ""


def test_an_export_has_more_time_and_each_part_of_it_is_news() -> None:
    stalls = Stalls()
    part = {"id": "writing layer sha256:ee", "vertex": "sha256:bb", "current": 0}
    stalls.hear({"vertexes": [EXPORT]}, 0)
    stalls.hear({"statuses": [part]}, 100)
    assert stalls.reason(100 + WRITING) == ""
    stalls.hear({"statuses": [part]}, 200)  # the same once more
    assert "exporting cache to registry" in stalls.reason(101 + WRITING)
    stalls.hear({"statuses": [{**part, "completed": "2026-11-24T15:08:21Z"}]}, 300)
    assert stalls.reason(301) == ""


def test_a_layer_has_to_come_at_a_speed_that_makes_sense() -> None:
    stalls = Stalls()
    stalls.hear({"vertexes": [COMPILE], "statuses": [layer(0)]}, 0)
    for second in range(1, 30):
        stalls.hear({"statuses": [layer(second)]}, second)
    assert "layer sha256:dd" in stalls.reason(31)
    stalls.hear({"statuses": [layer(LEAST)]}, 29)
    assert stalls.reason(58) == ""
    stalls.hear({"statuses": [layer(LEAST + 5, completed="2026-11-24T15:08:21Z")]}, 58)
    assert stalls.reason(10**6) == ""


def test_a_step_that_ends_takes_its_layers_along() -> None:
    stalls = Stalls()
    stalls.hear({"vertexes": [COMPILE], "statuses": [layer(0)]}, 0)
    stalls.hear({"vertexes": [{**COMPILE, "completed": "2026-11-24T15:08:21Z"}]}, 1)
    assert stalls.reason(10**6) == ""


def test_events_without_what_is_usual_are_taken() -> None:
    stalls = Stalls()
    stalls.hear({}, 0)
    stalls.hear({"vertexes": None, "statuses": [{}]}, 0)
    assert stalls.reason(10**6) == ""
