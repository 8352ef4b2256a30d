import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.plan import lastrun
from tasks.report import look, page
from tests import records
from tests.support import Repo
from tests.unit.test_cli import TASKS_PY

RECORDS = {
    "built": records.built,
    "failed": records.failed,
    "current": records.current,
    "many": records.many,
    "hostile": records.hostile,
}


FETCHING = {"script", "img", "image", "use", "link", "iframe", "object", "embed", "video", "audio", "base", "form"}


class _Tags(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_is_of_reasonable_size_and_fetches_nothing(name: str) -> None:
    text = page.render(RECORDS[name]())
    assert len(text.encode()) < 2_000_000
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert "url(" not in text
    found = _Tags(text)
    assert not found.tags & FETCHING
    assert not {key for key, _ in found.attributes if key.startswith("on") or key in {"src", "srcset", "style"}}
    assert all(str(value).startswith(("#", "logs/")) for key, value in found.attributes if key == "href")


def test_no_value_is_markup_and_no_letter_is_one_that_is_obeyed() -> None:
    text = page.render(records.hostile())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{7*7}}" in text


def test_a_log_is_linked_only_where_it_is() -> None:
    record = records.failed()
    record["services"][0]["log"] = "javascript:alert(1)"
    record["services"][2]["log"] = ".container/logs/../../x"
    links = re.findall(r'href="([^#][^"]*)"', page.render(record))
    assert links == ["logs/standing.log"]


def test_a_page_names_the_failing_line_and_what_was_said() -> None:
    text = page.render(records.failed())
    assert "services/bad/Dockerfile, line 3" in text
    assert '<span class="at hit">3<span class="hidden"> (the failing line)</span></span>' in text
    assert "::error::x" in text


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("seconds", "long", "seconds"),
        ("seconds", float("nan"), "seconds"),
        ("seconds", 1e300, "seconds"),
        ("services", [{"name": 3}], "services[0].name"),
        ("services", [records.service("a", size=10**400)], "services[0].size"),
        (
            "services",
            [records.service("a", records.step(1, 0, 1) | {"inputs": ["x"]})],
            "services[0].steps[0].inputs[0]",
        ),
    ],
)
def test_a_damaged_record_is_an_error_that_names_the_place(key: str, value: Any, place: str) -> None:  # noqa: ANN401
    with pytest.raises(ConfigError, match=rf"damaged at {re.escape(place)}: "):
        lastrun.parse(records.built() | {key: value})


def test_the_record_of_another_version_is_an_error_that_says_so() -> None:
    with pytest.raises(ConfigError, match="is of schema 2, and this version reads 1"):
        lastrun.parse(records.built() | {"schema": 2})


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [records.step(1, -5, -3)],
        [records.step(1, 1e9, 1e9)],
        [records.step(1, 0, 1), records.step(1, 0, 1)],
        [records.step(1, 0, 1, inputs=[7, 1])],
        [{"number": 1, "name": ""}],
    ],
)
def test_odd_steps_are_drawn_all_the_same(steps: list[records.Record]) -> None:
    for seconds in (0, -3, 10):
        assert "</html>" in page.render(records.run(records.service("a", *steps), seconds=seconds))


@pytest.mark.parametrize("count", [2, 30])
def test_what_was_pulled_is_told_with_its_reason_and_not_as_up_to_date(count: int) -> None:
    pulled = [
        records.service(f"s{number}", state="pulled", because=["services/a/x changed"]) for number in range(count)
    ]
    text = page.render(records.run(*pulled))
    assert f"<h1>{count} pulled in 10.0 s</h1>" in text
    assert "services/a/x changed" in text
    assert "up to date" not in text
    assert "had changed, so the builder was not asked" not in text


def test_a_state_that_is_not_known_yet_is_counted_all_the_same() -> None:
    run = lastrun.parse(records.run(records.service("a", state="borrowed"), records.service("b", state="failed")))
    assert run.counts == (("failed", 1), ("borrowed", 1))


def test_two_services_of_one_name_are_drawn() -> None:
    assert "</html>" in page.render(records.run(records.service("a", records.step(1, 0, 1)), records.service("a")))


def test_the_terminal_is_told_the_same_in_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    look.show(lastrun.parse(records.built()), ".container/report.html", opened=False)
    said = capsys.readouterr().out
    assert "5 built in 7.0 s" in said
    assert "indexer decided how long it took" in said
    assert re.search(r"go build.* 3\.3 s +47 %", said)
    assert re.search(r"agent +4\.3 MB +150\.0 MB", said)
    assert said.endswith("Page: .container/report.html\n")


def test_the_terminal_is_told_where_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    look.show(lastrun.parse(records.failed()), "", opened=False)
    assert "bad: step failed (services/bad/Dockerfile:3): " in capsys.readouterr().out


def test_a_terminal_gets_no_letter_that_it_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    look.show(lastrun.parse(records.hostile()), "", opened=False)
    said = capsys.readouterr().out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", said)
    assert len(said) < 100_000


@pytest.fixture
def typed(repo: Repo) -> Repo:
    """A repository in which tasks can be typed, with a record."""
    repo.write("tasks.py", TASKS_PY)
    repo.write(".container/last-run.json", json.dumps(records.failed()))
    return repo


def test_the_task_writes_the_page_and_tells_programs_where_it_is(typed: Repo) -> None:
    said = json.loads(typed.inv("container-report", "--json").ok().out)
    assert said["run"]["result"] == "failed"
    assert "</html>" in (typed.root / said["page"]).read_text(encoding="utf-8")


def test_the_task_opens_a_browser_where_it_is_told_to(typed: Repo, tmp_path: Path) -> None:
    script = tmp_path / "browser"
    script.write_text('#!/bin/sh\necho "$1" >"$0.said"\n')
    script.chmod(0o755)
    typed.inv("container-report", "--open", env={"BROWSER": f"{script} %s"}).ok()
    opened = script.with_suffix(".said").read_text()
    assert opened.strip() == (typed.root / ".container/report.html").as_uri()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no .container/last-run.json"),
        ("", "is damaged"),
        ('{"schema": 1', "is damaged"),
        ("[" * 100_000, "is damaged"),
        ('{"schema": 9}', "is of schema 9"),
        ('{"schema": 1, "services": {}}', "is damaged at "),
    ],
)
def test_without_a_record_that_can_be_read_the_task_says_what_to_do(
    typed: Repo, content: str | None, said: str
) -> None:
    path = typed.root / ".container/last-run.json"
    path.unlink() if content is None else path.write_text(content)
    typed.inv("container-report").fails(2, said, "hint: ", "inv container-build")
    assert not (typed.root / ".container/report.html").exists()
