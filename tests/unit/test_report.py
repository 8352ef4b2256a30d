import io
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.engine.events import Begun, Ended, Output, Warned
from tasks.plan.cleaning import CacheRecord, Cleaning, Image
from tasks.plan.conditions import Condition, Health
from tasks.plan.failures import Failure, Kind
from tasks.plan.outcomes import Content, Outcome, State
from tasks.plan.running import Launch
from tasks.plan.steps import Step
from tasks.report import clean, progress, running, style, table

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
ESC = "\x1b"


class Terminal(io.TextIOWrapper):
    """A standard output that is a terminal, with what was written to it."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return self.bytes.getvalue().decode(self.encoding)


@pytest.fixture(autouse=True)
def _usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)


def step(name: str = "[build 2/3] RUN make", *, number: int = 1) -> Step:
    return Step(number=number, name=name)


def done(name: str = "[build 2/3] RUN make", *, cached: bool = False, error: str = "") -> Ended:
    started, completed = (datetime(2026, 11, 24, 8, 0, second, tzinfo=UTC) for second in (0, 2))
    return Ended(replace(step(name), started=started, completed=completed, cached=cached, error=error))


def built(service: str = "agent", **changed: object) -> Outcome:
    values: dict[str, Any] = {"state": State.BUILT, "seconds": 2.04, "reference": f"r.example/{service}:1"}
    values.update(changed)
    return Outcome(service=service, **values)


FAILURE = Failure(
    kind=Kind.STEP,
    step="[build 3/4] RUN --mount=type=cache,target=/go go build",
    message="the step ended with exit code: 1",
    lines=("main.go:1:1: undefined: x",),
    excerpt=("   7 | >>> RUN go build",),
    dockerfile="services/agent/Dockerfile",
    line=7,
    hint="mend it",
)


# Colour


@pytest.mark.parametrize(
    ("on_terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, on_terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with redirect_stdout(Terminal() if on_terminal else io.StringIO()):
        assert style.coloured() is coloured
        assert style.paint("x", style.GOOD) == (f"{ESC}[32mx{ESC}[0m" if coloured else "x")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain ä ✓", "plain ä ✓"),
        (f"{ESC}[31mred{ESC}[0m", "red"),
        (f"{ESC}[2J{ESC}[1;1H{ESC}[?25lx", "x"),
        (f"{ESC}]0;title\x07x{ESC}]8;;http://a{ESC}\\y", "xy"),
        (f"{ESC}cx", "cx"),
        ("a\rb\x08c\x00d\x7fe\x9bf", "bcdef"),
        ("a\tb", "a    b"),
        ("a\nb", "a b"),
    ],
)
def test_foreign_text_cannot_move_the_cursor(text: str, safe: str) -> None:
    assert style.safe(text) == safe


def test_a_steps_name_is_short_and_without_the_flags_of_its_run() -> None:
    assert style.step("[1/2] RUN --mount=type=cache,target=/go  --network=none go\tbuild") == "[1/2] RUN go build"
    long = style.step("RUN " + "x" * 500)
    assert len(long) == style.LONGEST_STEP
    assert long.endswith("x…")


def test_a_line_reaches_a_terminal_that_knows_fewer_letters() -> None:
    with redirect_stdout(Terminal("ascii")) as terminal:
        style.say("ä…")
    assert terminal.text == "??\n"


def test_a_note_stays_out_of_what_a_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    style.note("mind this")
    assert capsys.readouterr() == ("", "note: mind this\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0 kB"), (99_000, "99.0 kB"), (100_000, "0.1 MB"), (13_149_000, "13.1 MB"), (2 * 10**9, "2.0 GB")],
)
def test_bytes_are_read_in_steps_of_a_thousand(value: int, text: str) -> None:
    assert style.megabytes(value) == text


# Table


def test_the_table_says_what_came_of_each_service(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [
        built(content=Content(13_100_000), digest=DIGEST),
        built("indexer", content=Content(300_000_000), state=State.UNCHANGED),
        Outcome(service="control-plane", state=State.STOPPED),
    ]
    table.show(outcomes, {"agent": 150_000_000, "indexer": 200_000_000})
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "service        state      seconds                          size  image                digest",
        "agent          built          2.0                13.1 MB of 150  r.example/agent:1    sha256:0123456789ab",
        "indexer        unchanged      2.0  300.0 MB of 200: over budget  r.example/indexer:1",
        "control-plane  stopped        0.0",
    ]


def test_a_failure_is_explained_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    table.show([built(state=State.FAILED, failure=FAILURE, log=".container/logs/agent.log")], {})
    said = capsys.readouterr().out
    assert "r.example/agent" not in said
    assert said.partition("\n\n")[2].splitlines() == [
        "agent: step failed",
        "  step  [build 3/4] RUN go build",
        "      | main.go:1:1: undefined: x",
        "  the step ended with exit code: 1",
        "    services/agent/Dockerfile:7",
        "       7 | >>> RUN go build",
        "  hint  mend it",
        "  log   .container/logs/agent.log",
    ]


def test_a_long_failure_is_cut_to_what_a_screen_holds(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure(
        kind=Kind.STEP,
        step="",
        message="m",
        lines=tuple(f"line {number}" for number in range(50)),
        excerpt=tuple(f"excerpt {number}" for number in range(50)),
    )
    table.show([built(state=State.FAILED, failure=failure)], {})
    said = capsys.readouterr().out
    assert said.count("line ") == table.LAST_LINES
    assert "line 49" in said
    assert said.count("excerpt ") == table.LONGEST_EXCERPT
    assert "excerpt 0" in said


def test_a_builds_own_words_cannot_move_the_cursor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    nasty = f"{ESC}[2Jx\r"
    failure = Failure(kind=Kind.STEP, step=nasty, message=nasty, lines=(nasty,), excerpt=(nasty,))
    table.show([built(state=State.FAILED, failure=failure)], {})
    assert ESC not in (said := capsys.readouterr().out)
    assert "\r" not in said


@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_COLOR"])
def test_the_tables_text_is_the_same_with_and_without_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    outcomes = [built(digest=DIGEST, content=Content(1_000_000)), built("b", state=State.FAILED, failure=FAILURE)]
    table.show(outcomes, {"agent": 1})
    plain = capsys.readouterr().out
    monkeypatch.setenv(variable, "1")
    table.show(outcomes, {"agent": 1})
    said = capsys.readouterr().out
    assert (ESC in said) is (variable == "FORCE_COLOR")
    # Cells that are painted are padded by the same width, whatever their codes are.
    assert style.safe(said).split() == plain.split()


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_the_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    with redirect_stdout(Terminal()) as terminal:
        table.show([built("connector-gateway", digest=DIGEST, content=Content(10**7))], {"connector-gateway": 10**8})
    lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert len(lines) == 2
    assert lines[1].split()[:7] == ["connector-gateway", "built", "2.0", "10.0", "MB", "of", "100"]


@pytest.mark.parametrize(
    ("columns", "heads"),
    [
        (200, ["service", "state", "seconds", "size", "image", "digest"]),
        (40, ["service", "state", "seconds"]),
        (30, ["service", "state"]),
        (18, ["service", "state"]),
    ],
)
def test_where_a_terminal_is_narrower_still_columns_go_but_never_the_state(
    monkeypatch: pytest.MonkeyPatch, columns: int, heads: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    with redirect_stdout(Terminal()) as terminal:
        table.show([built("connector-gateway", digest=DIGEST, content=Content(10**7))], {})
    lines = terminal.text.splitlines()
    assert lines[0].split() == heads
    assert max(map(len, lines)) <= columns
    together = "".join(terminal.text.split())
    assert "built" in together
    assert "connector-gateway" in together or columns < len("connector-gateway") + 7


def test_on_a_narrow_terminal_the_reasons_stand_below_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    why = ("main.go changed", "go.mod changed")
    outcome = built("connector-gateway", digest=DIGEST, content=Content(10**7), because=why)
    with redirect_stdout(Terminal()) as terminal:
        table.show([outcome], {"connector-gateway": 10**8})
    assert terminal.text.splitlines()[0].split() == ["service", "state", "seconds"]
    assert terminal.text.splitlines()[-1] == "connector-gateway: main.go changed, and 1 more"


def test_on_a_narrow_terminal_the_addresses_stand_below_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    agent = Launch(project="shop", service="agent", image="r.test/agent:1", port=9001)
    worker = Launch(project="shop", service="worker", image="r.test/worker:1")
    conditions = [Condition(service="worker"), Condition(service="agent", health=Health.HEALTHY)]
    with redirect_stdout(Terminal()) as terminal:
        running.show([agent, worker], conditions)
    lines = [line.rstrip() for line in terminal.text.splitlines()]
    assert lines == [
        "service  state",
        "agent    healthy",
        "worker   no health check",
        "agent: http://127.0.0.1:9001",
    ]


def test_a_narrow_terminal_that_knows_fewer_letters_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with redirect_stdout(Terminal("ascii")) as terminal:
        table.show([built("connector-gateway", digest=DIGEST, content=Content(10**7))], {})
    assert "connector-gateway" in terminal.text


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([State.BUILT], "1 built in 3.2 s"),
        ([State.FAILED, State.BUILT, State.UNCHANGED, State.STOPPED, State.BUILT],
         "2 built, 1 unchanged, 1 failed, 1 stopped in 3.2 s"),
    ],
)  # fmt: skip
def test_a_run_is_one_line(states: list[State], words: str) -> None:
    assert table.summary([built(state=state) for state in states], 3.21) == words


# Progress


def test_lines_say_one_line_a_step_with_the_service_in_front(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Lines(["agent", "control-plane"]) as lines:
        lines.begun("agent")
        lines.event("agent", Begun(step()))
        lines.event("agent", Output(step(), "compiling"))
        lines.event("agent", done())
        lines.event("agent", done(cached=True))
        lines.event("agent", done("[internal] load .dockerignore"))
        lines.event("agent", done("[internal] load metadata", error="gone"))
        lines.event("control-plane", Warned(f"old {ESC}[2Jsyntax"))
        lines.ended(built())
    assert capsys.readouterr().out.splitlines() == [
        "agent          begins",
        "agent             2.0 s  [build 2/3] RUN make",
        "agent            cached  [build 2/3] RUN make",
        "agent          failed  [internal] load metadata",
        "control-plane  warning  old syntax",
        "agent          built in 2.0 s",
    ]
    assert lines.outcomes == [built()]


def test_quiet_says_nothing_and_remembers_all(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Quiet(["agent"]) as quiet:
        quiet.begun("agent")
        quiet.event("agent", done())
        quiet.ended(built())
    assert capsys.readouterr() == ("", "")
    assert quiet.outcomes == [built()]


def test_a_live_line_shows_the_step_that_runs_and_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with redirect_stdout(Terminal()) as terminal, progress.Live(["agent", "indexer", "control-plane"]) as live:
        live.begun("agent")
        live.event("agent", Begun(step("[1/2] RUN one", number=1)))
        live.event("agent", Begun(step("[2/2] RUN two", number=2)))
        live.event("agent", Output(step("[2/2] RUN two", number=2), f"50 %{ESC}[2K"))
        live.ended(built("indexer"))
        rows = str(live._picture()).splitlines()  # noqa: SLF001 - what is redrawn, at one moment
        assert rows[0].startswith("  agent          builds")
        assert rows[0].endswith("[2/2] RUN two  50 %")
        assert rows[1].split() == ["indexer", "built", "2.0", "s"]
        assert rows[2].split() == ["control-plane", "waits"]
        live.event("agent", Ended(step("[2/2] RUN two", number=2)))
        assert str(live._picture()).splitlines()[0].endswith("[1/2] RUN one")  # noqa: SLF001
    assert live.outcomes == [built("indexer")]
    assert terminal.text


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_live_lines_fit_the_terminal_and_make_room_for_the_table(encoding: str) -> None:
    with redirect_stdout(Terminal(encoding)) as terminal, progress.Live(["agent"]) as live:
        live.begun("agent")
        live.event("agent", Begun(step("[1/2] RUN " + "x" * 300)))
    assert f"{ESC}[?25h" in terminal.text  # the cursor is back
    drawn = [style.safe(line) for line in terminal.text.replace("\r", "\n").split("\n")]
    assert max(map(len, drawn)) <= 80


def test_the_terminal_is_in_order_after_an_error() -> None:
    with redirect_stdout(Terminal()) as terminal, pytest.raises(ZeroDivisionError), progress.Live(["agent"]):
        raise ZeroDivisionError
    assert terminal.text.rfind(f"{ESC}[?25h") > terminal.text.rfind(f"{ESC}[?25l")


@pytest.mark.parametrize(
    ("kind", "term", "made"),
    [
        ("auto", "xterm", progress.Live),
        ("auto", "dumb", progress.Lines),
        ("plain", "xterm", progress.Lines),
        ("quiet", "xterm", progress.Quiet),
    ],
)
def test_the_display_fits_wish_and_terminal(
    monkeypatch: pytest.MonkeyPatch, kind: str, term: str, made: type[progress.Quiet]
) -> None:
    monkeypatch.setenv("TERM", term)
    with redirect_stdout(Terminal()):
        assert type(progress.display(kind, ["agent"])) is made


def test_a_pipe_gets_lines() -> None:
    assert type(progress.display("auto", ["agent"])) is progress.Lines


# Clean


def cleaning(**changed: object) -> Cleaning:
    values: dict[str, Any] = {
        "images": (),
        "kept": (),
        "mounts": (),
        "busy_mounts": (),
        "builders": (),
        "ownerless": 0,
    }
    values.update(changed)
    return Cleaning(**values)


def test_a_clean_shows_what_goes_and_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    image = Image(id=DIGEST, references=("r/agent:1", "r/agent:2"), size=2_000_000)
    clean.show(
        cleaning(
            images=(image, Image(id=DIGEST, references=(), size=3_000_000)),
            kept=(Image(id=DIGEST, references=("r/indexer:1",), size=1, used_by=("web", "db")),),
            mounts=(CacheRecord(id="1", size=5_000_000, mount_id="shop-go"),),
            busy_mounts=(CacheRecord(id="2", size=1, mount_id="shop-cargo"),),
            builders=("shop-release",),
            ownerless=10**9,
            doubtful_mounts=(CacheRecord(id="rec3", size=4_000_000, mount_id="shop-floor"),),
        ),
        "shop",
        ("localhost:5000/stand-ins/alpine:1",),
    )
    said = capsys.readouterr().out
    goes, stays = [line for line in said.splitlines() if "stays" not in line], said.count("stays:")
    assert [" ".join(line.split()) for line in goes] == [
        "image 2.0 MB r/agent:1, r/agent:2",
        "image 3.0 MB sha256:0123456789ab (untagged)",
        "cache 5.0 MB mount shop-go",
        "builder shop-release, with its cache",
        "10.0 MB go; images may share layers, so less may come free.",
    ]
    assert stays == 5
    for words in (
        "r/indexer:1: in use by web, db",
        "mount shop-cargo",
        "1.0 GB of layers",
        "--filter id=rec3",
        "image rm localhost",
    ):
        assert words in said


def test_where_nothing_is_ours_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    clean.show(cleaning(), "shop")
    assert capsys.readouterr().out == "Nothing of shop is here.\n"
