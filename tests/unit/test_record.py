import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tasks.engine.events import Account
from tasks.errors import BuildError, ConfigError, Interrupted
from tasks.plan import record
from tasks.plan.failures import Failure, Kind
from tasks.plan.outcomes import Content, Layer, Outcome, State
from tasks.plan.steps import Course, Step
from tests.support import ROOT

SCHEMA = json.loads((ROOT / "last-run.schema.json").read_text(encoding="utf-8"))
RECORDED = ROOT / "tests/unit/recorded"
STARTED = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BEGAN = 1000.0  # of the steady clock
LAG = BEGAN - STARTED.timestamp()
OK = record.ending(None)
RUN = record.Run(
    task="container-build",
    project="shop",
    version="1.2.3",
    commit="0123456",
    started=STARTED,
    began=BEGAN,
    settings={"registry": ("r.example/shop", "--registry"), "mirror": (None, "default"), "force": (False, "default")},
    platforms=("linux/amd64",),
    output="load",
    stand_ins=False,
)


def after(seconds: float) -> datetime:
    return STARTED + timedelta(seconds=seconds)


def step(number: int, start: float, end: float | None, **more: Any) -> Step:  # noqa: ANN401 - any field of it
    completed = None if end is None else after(end)
    given = {"started": after(start), "completed": completed, "digest": f"d{number}", **more}
    return Step(number=number, name=f"[{number}/9] RUN x", **given)


def part(service: str = "agent", state: State = State.BUILT, **more: Any) -> record.Part:  # noqa: ANN401 - likewise
    return record.Part(
        outcome=Outcome(service=service, state=state, **more),
        references=(f"r.example/shop/{service}:1",),
        fingerprint="1-a",
        budget=None,
    )


def made(*parts: record.Part, run: record.Run = RUN, before: object = None, seconds: float = 60.0) -> dict[str, Any]:
    found = record.make(run, parts, OK, seconds=seconds, before=before)
    Draft7Validator(SCHEMA).validate(found)
    return found


def steps(*given: Step, lag: float | None = LAG, began: float = BEGAN, seconds: float = 60.0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made(part(course=Course(began=began, steps=given, lag=lag)), seconds=seconds)[
        "services"
    ][0]["steps"]
    return found


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_a_step_tells_when_it_ran_and_what_it_stands_on() -> None:
    first, second = steps(step(1, 2, 5), step(2, 5, None, inputs=("d1", "elsewhere")))
    assert (first["start"], first["seconds"], first["inputs"], first["shared"]) == (2.0, 3.0, [], "d1")
    assert (second["start"], second["seconds"], second["inputs"]) == (5.0, None, [1])


@pytest.mark.parametrize("jump", [-86400 * 365, 86400 * 365])
def test_a_builder_whose_clock_is_another_gives_the_same_times(jump: float) -> None:
    (found,) = steps(step(1, 2 + jump, 5 + jump), lag=LAG - jump)
    assert (found["start"], found["seconds"]) == (2.0, 3.0)


def test_a_clock_that_is_set_during_a_build_gives_no_time_outside_the_run() -> None:
    found = steps(step(1, -500, 5), step(2, 2, 900), step(3, 30, 20), began=BEGAN + 1)
    assert [(one["start"], one["seconds"]) for one in found] == [(1.0, 4.0), (2.0, 58.0), (30.0, 0.0)]


def test_a_step_that_several_services_share_is_one_for_all_at_one_time() -> None:
    first = part("a", course=Course(began=BEGAN, steps=(step(1, 2, 5),), lag=LAG + 0.2))
    second = part("b", course=Course(began=BEGAN, steps=(step(1, 2, 5),), lag=LAG))
    one, other = (service["steps"][0] for service in made(first, second)["services"])
    assert (one["start"], one["shared"]) == (other["start"], other["shared"]) == (2.0, "d1")


def test_a_build_that_told_no_time_has_steps_without() -> None:
    (found,) = steps(Step(number=1, name="x"), lag=None)
    assert (found["start"], found["seconds"]) == (None, None)


@pytest.mark.parametrize("name", ["built", "failed"])
def test_what_buildkit_wrote_becomes_a_record(name: str) -> None:
    account = Account()
    assert list(account.feed((RECORDED / f"{name}.rawjson").read_text(encoding="utf-8")))
    found = steps(*account.steps.values(), lag=0.0)
    assert [one["number"] for one in found] == list(range(1, len(found) + 1))
    assert all(one["shared"].startswith("sha256:") for one in found)
    assert any(one["inputs"] for one in found)


def test_what_is_up_to_date_has_no_start_and_no_steps() -> None:
    content = Content(30, (Layer("COPY x", 10), Layer("RUN y", 20)))
    (found,) = made(part(state=State.CURRENT, content=content, digest="sha256:a"))["services"]
    assert (found["start"], found["seconds"], found["steps"], found["before"]) == (None, 0.0, [], None)
    assert found["layers"] == [{"created_by": "COPY x", "size": 10}, {"created_by": "RUN y", "size": 20}]


def test_what_was_in_an_image_is_read_back() -> None:
    content = Content(30, (Layer("COPY x", 10), Layer("RUN y", 20)))
    assert record.content_of(json.loads(json.dumps(record.content(content)))) == content


@pytest.mark.parametrize("kept", [{}, {"size": 1}, {"size": "1", "layers": []}, {"size": 1, "layers": {}}])
def test_a_record_that_somebody_edited_tells_of_no_content(kept: Mapping[str, Any]) -> None:
    assert record.content_of(kept) is None


def test_a_failure_names_its_line() -> None:
    failure = Failure(kind=Kind.STEP, step="[1/2] RUN x", message="no", dockerfile="a/Dockerfile", line=3)
    (found,) = made(part(state=State.FAILED, failure=failure))["services"]
    assert (found["failure"]["dockerfile"], found["failure"]["line"], found["failure"]["hint"]) == (
        "a/Dockerfile",
        3,
        None,
    )


def test_no_text_of_a_build_carries_a_password_or_a_megabyte() -> None:
    nasty = f"curl https://me:geheim@example.com {'x' * 10**6}"
    failure = Failure(kind=Kind.STEP, step=nasty, message=nasty, lines=(nasty,), excerpt=(nasty,))
    course = Course(began=BEGAN, steps=(Step(number=1, name=nasty, error=nasty),))
    content = Content(1, (Layer(nasty, 1),))
    said = record.dumps(made(part(state=State.FAILED, failure=failure, course=course, content=content)))
    assert "geheim" not in said
    assert len(said) < 20 * record.LONGEST


def left(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["name"], one["output"], one["state"]) for one in found["unfinished"]]


def test_what_a_run_did_not_touch_is_not_forgotten() -> None:
    both = made(part("a", State.FAILED), part("b", State.STOPPED))
    assert left(both) == [("a", "load", "failed"), ("b", "load", "stopped")]
    only_a = made(part("a", State.BUILT), before=both)
    assert left(only_a) == [("b", "load", "stopped")]
    assert left(made(part("b", State.CURRENT), before=only_a)) == []


def test_a_push_and_a_build_are_two_things() -> None:
    built = made(part("a", State.FAILED))
    pushed = made(part("a", State.BUILT), run=replace(RUN, output="push"), before=built)
    assert record.unfinished(pushed, "load") == ("a",)
    assert record.unfinished(pushed, "push") == ()


FOREIGN: Sequence[object] = (
    None,
    [],
    {},
    {"schema": 2, "services": [], "unfinished": [{"name": "a", "output": "load", "state": "failed"}]},
    {"schema": 1, "unfinished": [{"name": "a", "output": "load", "state": "failed"}]},
    {"schema": 1, "services": [], "unfinished": "a"},
    {"schema": 1, "services": [], "unfinished": [{"name": ["a"]}, None, {"output": "load"}]},
)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_record_that_makes_no_sense_is_as_none(foreign: object) -> None:
    assert record.unfinished(foreign, "load") == ()
    assert left(made(part("b", State.FAILED), before=foreign)) == [("b", "load", "failed")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, ("ok", 0, None)),
        (BuildError("no", hint="do"), ("failed", 4, {"message": "no", "hint": "do"})),
        (ConfigError("at https://a:b@c.d"), ("failed", 2, {"message": "at https://***@c.d", "hint": None})),
        (Interrupted("stopped by Ctrl-C"), ("stopped", 130, {"message": "stopped by Ctrl-C", "hint": None})),
        (ValueError("x"), ("failed", 1, {"message": "a bug: ValueError: x", "hint": None})),
    ],
)
def test_how_a_task_ended(error: BaseException | None, said: tuple[object, ...]) -> None:
    found = record.frame("x", STARTED, 1.23456, record.ending(error))
    assert (found["result"], found["exit"], found["error"]) == said
    assert (found["started"], found["seconds"]) == ("2026-11-24T08:00:00Z", 1.235)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("caf\udce9", "caf\ufffd"),
        ("\U0001f600 \ud83d", "\U0001f600 \ufffd"),
        (r"a\udce9 \\ud800", r"a\udce9 \\ud800"),
        ("##[error]\x7f\x1b[2J\u202e\n", "##[error]\x7f\x1b[2J\u202e\n"),
    ],
)
def test_any_text_is_one_line_that_every_reader_takes(text: str, read: str) -> None:
    said = record.dumps({"x": text})
    assert json.loads(said) == {"x": read}
    assert said.isascii()
    assert said.count("\n") == 1
    assert said[:-1].isprintable()
    assert "##[" not in said
