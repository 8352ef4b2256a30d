import re
from pathlib import Path
from typing import Any

import pytest

from tasks import errors, printable
from tasks.engine import github as door
from tasks.plan import record
from tasks.plan.failures import Failure, Kind
from tasks.plan.outcomes import Content, State
from tasks.plan.steps import Course
from tasks.report import github, style
from tests.unit.test_record import BEGAN, RUN, part

NASTY = "a\n::error::x | <b> `c` [d](https://e.f) ##[add-mask]g **h** @i #1 www.j.k \x1b[2J %0A\n\n</pre><script>"


def failure(text: str = "no", line: int | None = 3) -> Failure:
    return Failure(
        kind=Kind.STEP,
        step="[1/2] RUN x",
        message=text,
        lines=(text, "b"),
        excerpt=(f"   3 | >>> {text}",),
        dockerfile="services/bad/Dockerfile" if line else "",
        line=line,
    )


def made(*parts: record.Part, error: errors.TaskError | None = None) -> dict[str, Any]:
    return record.make(RUN, parts, record.ending(error), seconds=43.1)


GOOD = part("good", State.BUILT, content=Content(13_100_000), cached=0.5, seconds=41.2, course=Course(began=BEGAN))
BAD = part("bad", State.FAILED, failure=failure(), because=("a changed", "b changed"))


def test_the_summary_has_a_row_a_service() -> None:
    said = github.summary(made(GOOD, BAD, error=errors.BuildError("1 of 2 failed")), github.LARGEST)
    assert "### container-build: 1 built, 1 failed" in said
    assert "shop v1.2.3 (0123456), linux/amd64, 43.1 s" in said
    assert "| good | built | 41.2 | 50% | 13.1 MB |  |" in said
    assert "| bad | failed |  |  |  | a changed, and 1 more |" in said
    assert "**1 of 2 failed**" in said
    assert "services/bad/Dockerfile:3" in said


def test_what_a_build_says_is_neither_markup_nor_a_row_of_its_own() -> None:
    said = github.summary(made(part("bad", State.FAILED, failure=failure(NASTY), because=(NASTY,))), github.LARGEST)
    row = next(line for line in said.splitlines() if line.startswith("| bad"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert re.findall(r"(?<!\\)[`<\[*@#:]", row) == []
    assert r"www\.j" in row
    assert said.count("<pre>") == said.count("</pre>") == 1
    assert "<script>" not in said
    assert "\x1b" not in said


def test_a_summary_has_a_limit_and_says_so() -> None:
    parts = [part(f"s{number}", State.FAILED, failure=failure("x" * 1900)) for number in range(900)]
    said = github.summary(made(*parts), github.LARGEST)
    assert github.LARGEST - 10_000 < len(said.encode()) <= github.LARGEST
    assert said.endswith("see `.container/last-run.json`\n")
    assert said.count("<details>") == said.count("</details>")
    assert github.summary(made(*parts), 10) == ""


def annotations(capsys: pytest.CaptureFixture[str], *parts: record.Part, folder: str = "") -> list[str]:
    github.annotate(made(*parts), folder)
    return capsys.readouterr().out.splitlines()


def test_an_annotation_stands_at_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    (said,) = annotations(capsys, GOOD, BAD, folder="sub/folder")
    assert said == "::error file=sub/folder/services/bad/Dockerfile,line=3,title=bad%3A step failed::no%0Ano%0Ab"


def test_a_failure_without_a_line_is_told_without(capsys: pytest.CaptureFixture[str]) -> None:
    (said,) = annotations(capsys, part("bad", State.FAILED, failure=failure(line=None)))
    assert said == "::error title=bad%3A step failed::no%0Ano%0Ab"


def test_no_word_of_a_build_becomes_a_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (said,) = annotations(capsys, part("a,line=9::x", State.FAILED, failure=failure(NASTY)))
    head, _, message = said.removeprefix("::error ").partition("::")
    assert head == "file=services/bad/Dockerfile,line=3,title=a%2Cline=9%3A%3Ax%3A step failed"
    assert "%250A" in message
    for line in (NASTY, "  ::add-mask::x", "\u2003::x::", "x ##[error]y"):
        style.say(line)
    errors.ConfigError(NASTY)
    for line in capsys.readouterr().out.splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
    assert "##[" not in str(errors.ConfigError(NASTY))


@pytest.mark.parametrize("text", ["a::b", "# [x]", "", "std::vec", ": x"])
def test_what_the_runner_does_not_obey_stays_as_it_is(text: str) -> None:
    assert printable.for_runner(text) == text


def test_the_summary_grows_and_its_room_is_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert door.summary_size() is None
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert door.summary_size() == 0
    door.append_summary("é\n")
    door.append_summary("b\n")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == "é\nb\n"
    assert door.summary_size() == 5
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "nowhere" / "summary.md"))
    with pytest.raises(errors.ConfigError, match="the job's summary cannot be written: No such file"):
        door.append_summary("x")


def test_the_root_may_lie_below_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert door.folder(tmp_path) == ""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert door.folder(tmp_path / "a" / "b") == "a/b"
    assert door.folder(tmp_path) == "."
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "a"))
    assert door.folder(tmp_path / "b") == ""
