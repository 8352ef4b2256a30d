"""What is said of engines, programs and other people's containers: nothing in it reaches a terminal but letters."""

import contextlib
import dataclasses
import datetime as dt
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from colorama import Fore, Style
from hypothesis import strategies as st

from tasks import errors, printable
from tasks.engine.events import Account, Begun, Ended, Output, Warned
from tasks.plan import loglines, running
from tasks.plan.cleaning import CacheRecord, Cleaning, Image
from tasks.plan.conditions import Condition, Exit, Health
from tasks.plan.failures import Excerpt, diagnose
from tasks.plan.outcomes import Outcome, State
from tasks.plan.steps import Step
from tasks.plan.targets import SERVICE_LABEL
from tasks.report import clean, progress, style, table
from tasks.report import config as settings_report
from tasks.report import running as running_report
from tasks.settings import Explained
from tests.property import hostile, typed
from tests.property.cases import hostile as tries

OWN = {value for kind in (Fore, Style) for value in vars(kind).values()}
_COLOUR = re.compile(r"\x1b\[\d+m")
MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KINDS = errors.TaskError.__subclasses__()


def shown(say: Callable[[], None], *, colour: bool = False) -> str:
    """Return what is printed, which is encoded as on a terminal; refuse what is neither a letter nor our own colour."""
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", "strict")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stream):
        patch.delenv("NO_COLOR", raising=False)
        patch.setenv("FORCE_COLOR", "1" if colour else "")
        say()
        stream.flush()
    said = bytes(stream.buffer.getvalue()).decode()
    assert colour or "\x1b" not in said, said
    plain = _COLOUR.sub(lambda found: "" if found[0] in OWN else found[0], said)
    found = typed.CONTROL.search(plain)
    assert found is None, f"{found!r} in {plain!r}"
    return said


def ended(name: str, error: str = "") -> Ended:
    return Ended(Step(number=1, name=name, started=MOMENT, completed=MOMENT, error=error))


@tries(300, 6000, message=hostile.text, hint=hostile.text | st.none(), kind=st.sampled_from(KINDS))
def test_an_error(message: str, hint: str | None, kind: type[errors.TaskError]) -> None:
    said = str(kind(message, hint=hint))
    assert typed.CONTROL.search(said) is None
    assert said.encode()
    assert said.startswith("error: ")


@tries(300, 6000, text=hostile.text)
def test_what_is_safe_is_one_line_of_letters(text: str) -> None:
    assert typed.CONTROL.search(style.safe(text)) is None
    assert "\n" not in style.safe(text)
    style.safe(text).encode()
    assert typed.CONTROL.search(printable.spelled(text)) is None


@tries(80, 2000, name=hostile.text, words=hostile.text, error=hostile.text, colour=st.booleans())
def test_the_lines_of_a_build(name: str, words: str, error: str, colour: bool) -> None:
    events = (Begun(Step(number=1, name=name)), Output(Step(number=1, name=name), words), Warned(words))

    def say() -> None:
        for display in (progress.Lines(["agent"]), progress.Quiet(["agent"])):
            with display:
                display.begun("agent")
                for event in (*events, ended(name), ended(name, error or "x")):
                    display.event("agent", event)
                display.ended(Outcome(service="agent", state=State.FAILED))

    shown(say, colour=colour)


@tries(40, 1000, name=hostile.text, words=hostile.text)
def test_the_live_line_of_a_build(name: str, words: str) -> None:
    live = progress.Live(["agent"])
    live._lines = {"agent": progress._Line()}  # noqa: SLF001 - without a terminal to take
    live.begun("agent")
    live.event("agent", Begun(Step(number=1, name=name)))
    live.event("agent", Output(Step(number=1, name=name), words))
    picture = live._picture()  # noqa: SLF001 - what a terminal would be sent
    assert typed.CONTROL.search(picture.plain) is None
    assert "\n" not in picture.plain


@tries(
    60, 1500, step=hostile.text, error=hostile.text, lines=hostile.lines, excerpt=hostile.lines, colour=st.booleans()
)
def test_the_table_and_why_a_step_failed(
    step: str, error: str, lines: Sequence[str], excerpt: Sequence[str], colour: bool
) -> None:
    failure = diagnose(step=step, error=error, lines=lines, excerpt=Excerpt(step, 1, tuple(excerpt)))
    outcomes = [
        Outcome(service="agent", state=State.FAILED, failure=failure, log=".container/logs/agent.log"),
        Outcome(service="indexer", state=State.BUILT, reference="r.test/indexer:1", digest=error),
    ]
    shown(lambda: table.show(outcomes, {"agent": 5}), colour=colour)


@tries(60, 1500, name=hostile.text, labels=st.dictionaries(hostile.text, hostile.text, max_size=2), mount=hostile.text)
def test_what_a_clean_finds(name: str, labels: dict[str, str], mount: str) -> None:
    image = Image(id=name, references=(name,), size=1, labels=labels, used_by=(name,))
    untagged = dataclasses.replace(image, references=())
    record = CacheRecord(id=name, size=1, mount_id=mount)
    images, mounts = (image, untagged), (record,)
    found = Cleaning(images=images, kept=images, mounts=mounts, busy_mounts=mounts, builders=(name,), ownerless=1)
    shown(lambda: clean.show(found, "shop"))
    shown(lambda: clean.freed(found, 1))


@tries(60, 1500, text=hostile.text, lines=hostile.lines, health=st.sampled_from(Health), colour=st.booleans())
def test_what_a_container_says(text: str, lines: list[str], health: Health, colour: bool) -> None:
    def say() -> None:
        log = running_report.Log(["agent"])
        for line in loglines.lines(line.encode("utf-8", "surrogateescape") for line in [*lines, "\n"]):
            log.line("agent", line)
        log.ended("agent", str(Exit(code=1)), bad=True, others=1)
        running_report.failure(Condition(service="agent", health=health, probe=text), lines)

    shown(say, colour=colour)


@tries(60, 1500, name=hostile.text, image=hostile.text, program=hostile.text)
def test_what_is_in_the_way_of_a_run(name: str, image: str, program: str) -> None:
    launches = [running.Launch(project="shop", service=one, image="x", port=port) for one, port in (("a", 1), ("b", 2))]
    others = [
        running.Container(id="1", name="shop-a", image="x", labels={SERVICE_LABEL: name}),
        running.Container(id="2", name=name, image=image, published=((running.HOST, 1),)),
    ]
    decision = running.decide(launches, others, {2: running.Process(7, program)})
    said = str(running.refusal(decision.conflicts))
    assert typed.CONTROL.search(said) is None
    assert said.count("\nhint: ") == 1, said


@tries(60, 1500, value=hostile.text)
def test_the_settings_as_they_stand(value: str) -> None:
    shown(lambda: settings_report.show([Explained("ca", value, "container.ca in invoke.yaml")], []))


@tries(
    100, 3000, chunks=st.lists(st.binary(max_size=30) | hostile.text.map(lambda text: text.encode("utf-8", "replace")))
)
def test_a_log_is_cut_into_lines_that_lose_nothing_but_what_was_written_over(chunks: list[bytes]) -> None:
    found = list(loglines.lines(chunks))
    assert not any("\n" in line for line in found)
    whole = b"".join(chunks).decode("utf-8", "replace")
    assert found == [line.rstrip("\r").rpartition("\r")[2] for line in whole.split("\n")][: len(found)]
    assert whole.count("\n") <= len(found) <= whole.count("\n") + 1


@tries(100, 3000, chunks=st.lists(hostile.text, max_size=6), values=st.lists(hostile.text, min_size=1, max_size=3))
def test_the_events_of_a_build_are_read_whatever_stands_between_them(chunks: list[str], values: list[str]) -> None:
    import base64
    import json

    documents: list[Any] = [
        {"vertexes": [{"digest": value, "name": value, "started": "2026-01-01T00:00:00Z", "error": value}]}
        | {"logs": [{"vertex": value, "data": base64.b64encode(value.encode("utf-8", "replace")).decode()}]}
        for value in values
    ]
    account = Account()
    events = [event for document in documents for event in account.feed(json.dumps(document))]
    for chunk in chunks:
        list(account.feed(chunk))
    list(account.close())
    assert sum(isinstance(event, Begun) for event in events) == len(set(values))


def test_the_watched_letters_are_those_that_are_taken_out(tmp_path: Path) -> None:
    assert all(
        printable.spelled(letter) != letter for letter in map(chr, range(0x110000)) if typed.CONTROL.match(letter)
    )
