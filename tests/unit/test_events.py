import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.engine.events import LONGEST, Account, Begun, Ended, Event, Output, Warned
from tasks.plan.steps import Step

RECORDED = Path(__file__).parent / "recorded"
RUN = r"[build 3/3] RUN echo compiling; printf 'main.c:3: undeclared \303\244\n' >&2;     exit 7"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.rawjson").read_text(encoding="utf-8")


def vertex(**values: object) -> str:
    return json.dumps({"vertexes": [{"digest": "d", "name": "[1/1] RUN x"} | values]})


def log(data: bytes, *, of: str = "d") -> str:
    return json.dumps({"logs": [{"vertex": of, "data": base64.b64encode(data).decode()}]})


def read(*parts: str) -> tuple[Account, list[Event]]:
    account = Account()
    events = [event for part in parts for event in account.feed(part)]
    return account, [*events, *account.close()]


def told(events: list[Event]) -> Iterator[str]:
    for event in events:
        match event:
            case Begun(step):
                yield f"begun {step.name}"
            case Ended(step):
                yield f"ended {step.name}"
            case Output(step, line):
                yield f"wrote {line}"
            case Warned(text):
                yield f"warned {text}"


@pytest.mark.parametrize(("name", "size"), [("failed", 1), ("failed", 4096), ("built", 7), ("cached", 500)])
def test_events_do_not_depend_on_how_the_stream_is_cut(name: str, size: int) -> None:
    text = recorded(name)
    account, events = read(*(text[at : at + size] for at in range(0, len(text), size)))
    whole, expected = read(text)
    assert events == expected
    assert (account.steps, account.words) == (whole.steps, whole.words)


def test_a_recorded_build_is_told_step_by_step() -> None:
    account, events = read(recorded("built"))
    own = [line for line in told(events) if line.startswith(("begun [", "ended [")) and "internal" not in line]
    assert own[-4:] == [
        "begun [build 3/3] RUN echo compiling && echo done > /out.txt",
        "ended [build 3/3] RUN echo compiling && echo done > /out.txt",
        "begun [stage-1 1/1] COPY --from=build /out.txt /out.txt",
        "ended [stage-1 1/1] COPY --from=build /out.txt /out.txt",
    ]
    assert [line for line in told(events) if line.startswith("wrote")] == ["wrote compiling"]
    assert account.failing is None
    assert account.words == ""
    assert account.cached_share == pytest.approx(1 / 3)


def test_a_recorded_build_from_the_cache_is_cached_whole() -> None:
    account, _ = read(recorded("cached"))
    assert account.cached_share == 1.0


def test_a_recorded_failure_names_the_step_its_lines_and_the_last_words() -> None:
    account, _ = read(recorded("failed"))
    step = account.failing
    assert step is not None
    assert step.name == RUN
    assert step.error.endswith("did not complete successfully: exit code: 7")
    assert account.tail(step) == ("compiling", "main.c:3: undeclared ä")
    assert account.words.startswith("Dockerfile:3\n--------------------\n   2 | ")
    assert account.words.splitlines()[-1].startswith("ERROR: failed to solve: process ")


@pytest.mark.parametrize(
    ("started", "completed", "seconds"),
    [
        ("2026-11-24T08:00:00.5Z", "2026-11-24T08:00:02.123456789Z", 1.623456),
        ("2026-11-24T08:00:00Z", "2026-11-24T08:00:01Z", 1.0),
        ("2026-11-24T09:00:00.5+01:00", "2026-11-24T08:00:02Z", 1.5),
        ("2026-11-24T09:00:00+01:00", "2026-11-24T09:00:02.25+01:00", 2.25),
        ("2026-11-24T02:30:00.000001-05:30", "2026-11-24T08:00:00.000002Z", 0.000001),
        ("2026-11-24T08:00:00Z", None, None),
        ("2026-11-24T08:00:00Z", "0001-01-01T00:00:00Z", None),
    ],
)
def test_times_are_read_in_every_zone_and_with_any_decimals(
    started: str, completed: str | None, seconds: float | None
) -> None:
    account, _ = read(vertex(started=started, completed=completed))
    assert account.steps["d"].seconds == (None if seconds is None else pytest.approx(seconds))


def test_a_step_begins_and_ends_once_although_it_is_told_often() -> None:
    times = {"started": "2026-11-24T08:00:00Z", "completed": "2026-11-24T08:00:01Z"}
    account, events = read(vertex(), vertex(started=times["started"]), vertex(**times), vertex(**times, cached=True))
    assert list(told(events)) == ["begun [1/1] RUN x", "ended [1/1] RUN x"]
    assert account.steps["d"].cached


def test_half_a_line_waits_for_its_rest_and_the_last_is_a_line() -> None:
    account, events = read(vertex(), log(b"one\r\ntw"), log(b"o\nthree"))
    assert list(told(events)) == ["wrote one", "wrote two", "wrote three"]
    assert account.tail(account.steps["d"]) == ("one", "two", "three")


def test_a_character_cut_in_two_is_whole_again() -> None:
    half, rest = "ä".encode()[:1], "ä".encode()[1:]
    assert list(told(read(vertex(), log(b"<" + half), log(rest + b">\n"))[1])) == ["wrote <ä>"]


def test_what_is_not_utf_8_is_replaced() -> None:
    assert list(told(read(vertex(), log(b"a\xffb\n"))[1])) == ["wrote a\N{REPLACEMENT CHARACTER}b"]


def test_only_the_last_lines_of_a_step_are_kept() -> None:
    account, _ = read(vertex(), log(b"".join(b"%d\n" % number for number in range(50))))
    assert account.tail(account.steps["d"]) == tuple(map(str, range(30, 50)))


def test_a_step_that_speaks_before_it_is_named_gets_its_name() -> None:
    account, events = read(log(b"early\n"), vertex(started="2026-11-24T08:00:00Z"))
    assert list(told(events)) == ["wrote early", "begun [1/1] RUN x"]
    assert account.steps["d"].number == 1


def test_a_warning_is_told() -> None:
    warning = {"warnings": [{"vertex": "d", "short": base64.b64encode("Größe".encode()).decode()}]}
    assert list(told(read(json.dumps(warning))[1])) == ["warned Größe"]


def test_words_between_the_events_are_kept_and_hide_none() -> None:
    account, events = read("WARNING: old\n" + vertex(started="2026-11-24T08:00:00Z") + "\nERROR: no\n{not json")
    assert list(told(events)) == ["begun [1/1] RUN x"]
    assert account.words == "WARNING: old\nERROR: no\n{not json"


def test_words_alone_are_words() -> None:
    assert read("docker: unknown command\n\nsee help\n")[0].words == "docker: unknown command\n\nsee help\n"


def test_a_document_without_news_is_none() -> None:
    assert read('{"statuses": [{"id": "x"}]}{"vertexes": null, "logs": null}{}')[1] == []


def test_the_step_that_failed_by_itself_is_the_one() -> None:
    cancelled = vertex(digest="a", error="context canceled")
    assert (failing := read(cancelled, vertex(digest="b", error="exit code: 1"))[0].failing) is not None
    assert failing.error == "exit code: 1"
    assert (failing := read(cancelled)[0].failing) is not None
    assert failing.error == "context canceled"


@pytest.mark.parametrize(
    ("name", "internal"),
    [
        ("[build 1/3] FROM alpine", False),
        ("[2/4] RUN make", False),
        ("[linux/arm64 build 2/4] RUN make", False),
        ("[internal] load .dockerignore", True),
        ("[auth] library/alpine:pull token", True),
        ("[context x] load metadata", True),
        ("exporting to image", True),
        ("", True),
    ],
)
def test_housekeeping_is_not_a_step_of_the_dockerfile(name: str, internal: bool) -> None:
    assert Step(number=1, name=name).internal is internal


def test_housekeeping_does_not_count_as_cached() -> None:
    done = {"started": "2026-11-24T08:00:00Z", "completed": "2026-11-24T08:00:01Z"}
    account, _ = read(
        vertex(digest="a", name="[internal] x", cached=True, **done),
        vertex(digest="b", cached=True, **done),
        vertex(digest="c", **done),
        vertex(digest="e"),
    )
    assert account.cached_share == 0.5
    assert Account().cached_share is None


def test_a_line_without_an_end_is_told_in_pieces_and_kept_in_none() -> None:
    account = Account()
    list(account.feed(vertex()))
    pieces = [event for _ in range(10) for event in account.feed(log(b"x" * 5000))]
    lines = [event.line for event in (*pieces, *account.close()) if isinstance(event, Output)]
    assert [len(line) for line in lines] == [LONGEST, LONGEST, LONGEST, 50_000 - 3 * LONGEST]
    _, events = read(vertex(), log(b"y" * (LONGEST + 1) + b"\nshort\n\n"))
    assert [len(event.line) for event in events if isinstance(event, Output)] == [LONGEST, 1, 5, 0]


def test_credentials_of_an_address_are_masked_wherever_a_build_tells_them() -> None:
    address = "http://somebody:s3cr3t@proxy.example:3128"
    name = f"RUN curl --proxy {address} x"
    account, events = read(
        vertex(name=name, started="2026-01-02T03:04:05Z"),
        log(f"HTTP_PROXY={address}\n".encode()),
        vertex(name=name, error=f'process "curl --proxy {address} x" did not complete successfully: exit code: 7'),
    )
    short = base64.b64encode(f"harm in ENV PROXY={address}".encode()).decode()
    _, warned = read(json.dumps({"warnings": [{"short": short}]}))
    assert warned == [Warned("harm in ENV PROXY=http://***@proxy.example:3128")]
    assert "s3cr3t" not in repr((account.steps, account.tails, events))
    assert "HTTP_PROXY=http://***@proxy.example:3128" in repr(events)
