import pytest

from tasks.plan import growth, lastrun, timeline
from tasks.plan.lastrun import Run, Step
from tests import records
from tests.records import service, step


def parsed(*services: records.Record, seconds: float = 10.0) -> Run:
    return lastrun.parse(records.run(*services, seconds=seconds))


def numbers(run: Run) -> list[int]:
    return [link.step.number for link in timeline.critical_path(run)]


def test_the_path_goes_back_from_what_was_done_last_to_the_input_that_was() -> None:
    run = parsed(
        service("a", step(1, 0, 1), step(2, 0, 4), step(3, 4, 2, inputs=[1, 2]), step(4, 1, 4.5, inputs=[1])),
        service("b", step(1, 0, 5)),
    )
    assert numbers(run) == [2, 3]
    assert {link.service for link in timeline.critical_path(run)} == {"a"}


def test_what_comes_from_the_cache_decides_nothing_whenever_it_is_told() -> None:
    run = parsed(service("a", step(1, 0, 5), step(2, 5.1, 0, cached=True), step(3, 5.2, 1, inputs=[1, 2])))
    assert numbers(run) == [1, 3]


def test_an_export_follows_what_was_done_before_it_and_a_run_only_buildkits_own() -> None:
    run = parsed(
        service(
            "a",
            step(1, 0, 1, internal=True),
            step(2, 0, 1.5),
            step(3, 2, 3, inputs=[]),
            step(4, 5, 1, internal=True),
        )
    )
    assert numbers(run) == [1, 3, 4]


def test_waiting_is_told_between_the_steps_and_before_the_first() -> None:
    run = parsed(service("a", step(1, 2, 1), step(2, 5, 1, inputs=[1])))
    assert [link.waited for link in timeline.critical_path(run)] == [2, 2]


def test_a_circle_in_a_damaged_record_ends() -> None:
    assert numbers(parsed(service("a", step(1, 0, 1, inputs=[2]), step(2, 0, 2, inputs=[1])))) == [1, 2]


def test_without_steps_there_is_no_path() -> None:
    assert timeline.critical_path(lastrun.parse(records.current())) == ()


def test_a_real_run_was_decided_by_its_compiler() -> None:
    run = lastrun.parse(records.built())
    longest = max(timeline.critical_path(run), key=lambda link: link.step.seconds or 0.0)
    assert longest.service == "indexer"
    assert "go build" in longest.step.name


def test_short_steps_of_the_path_are_told_together() -> None:
    run = parsed(service("a", step(1, 0, 0.01), step(2, 0.01, 0.01, inputs=[1]), step(3, 0.02, 5, inputs=[2])))
    parts = timeline.parts(run, timeline.critical_path(run))
    assert [(len(part.steps), part.name) for part in parts] == [(2, None), (1, "[build 3/9] RUN make")]
    assert parts[1].share == pytest.approx(0.5)


def test_a_shared_step_is_slow_once() -> None:
    run = parsed(
        service("a", step(1, 0, 3, shared="x"), step(2, 3, 2)),
        service("b", step(1, 0, 3.1, shared="x"), step(2, 4, 4, cached=True)),
    )
    assert [(slow.seconds, slow.services) for slow in timeline.slowest(run, 5)] == [(3.1, ("a", "b")), (2, ("a",))]
    assert timeline.sharers(run) == {"x": ("a", "b")}


def test_steps_that_run_at_once_lie_in_lanes_of_their_own() -> None:
    steps = [Step(number=number, name="", start=start, seconds=2) for number, start in enumerate((0, 1, 2, 2.5, 2.6))]
    assert [lane for _, lane in timeline.lanes(steps, 9)] == [0, 1, 0, 2, 3]
    assert [lane for _, lane in timeline.lanes(steps, 2)] == [0, 1, 0, 1, 0]


def test_what_ran_at_once_is_counted_and_a_shared_step_once() -> None:
    run = parsed(
        service("a", step(1, 0, 5, shared="x"), step(2, 5, 5)),
        service("b", step(1, 0, 5, shared="x"), step(2, 2.5, 2.5)),
    )
    assert timeline.busy(run, 4) == (1, 2, 2, 1)


@pytest.mark.parametrize(
    ("seconds", "stride"), [(0.4, 0.1), (7, 2), (45, 10), (76.9, 15), (3700, 900), (10**7, 10**7 / 6)]
)
def test_the_axis_has_round_marks(seconds: float, stride: float) -> None:
    assert timeline.stride(seconds, 6) == stride


def layer(created_by: str, size: int) -> records.Record:
    return {"created_by": created_by, "size": size}


def test_layers_are_held_against_those_of_the_same_instruction() -> None:
    record = service(
        "a",
        size=12,
        layers=[layer("COPY a", 5), layer("RUN", 6), layer("RUN", 1)],
        before={"size": 9, "layers": [layer("RUN", 4), layer("OLD", 5)]},
    )
    one = parsed(record).services[0]
    assert growth.grown(one) == 3
    assert [(layer.created_by, layer.now, layer.before) for layer in growth.layers(one)] == [
        ("COPY a", 5, None),
        ("RUN", 6, 4),
        ("RUN", 1, None),
        ("OLD", None, 5),
    ]


def test_nothing_has_grown_where_nothing_was_before() -> None:
    assert growth.grown(parsed(service("a", size=12)).services[0]) is None
