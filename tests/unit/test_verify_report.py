"""What a verification shows: to people a line an image, to CI JUnit's XML, to programs all of it."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from tasks.plan import checks
from tasks.plan.evidence import Answer, Evidence, Leak, Runs, Start, Unknown
from tasks.plan.platforms import Platform
from tasks.report import verify, verify_page
from tests.unit.test_checks import BASE, OWN, WELL, evidence

HOSTILE = "\ufffe\x1b[2J\x00]]>&<\u202e\n::error::x"


def report(*seen: Evidence) -> verify.Report:
    lines = tuple(verify.Line(one, checks.judge(one)) for one in seen)
    return verify.Report(project="shop", version="1.2.3", commit="abc", seconds=2.5, images=lines)


def shown(capsys: pytest.CaptureFixture[str], *seen: Evidence) -> list[str]:
    verify.show(report(*seen))
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_when_all_is_well_there_is_a_line_an_image_and_one_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, evidence(), evidence(platform=Platform.ARM64, architecture="arm64", layers=(BASE,))) == [
        "image platform result healthy size",
        "agent linux/amd64 24 ok 0.4 s 0.3 kB of 0",
        "agent linux/arm64 21 ok, 3 not run 0.4 s 0.1 kB of 0",
        "",
        "not run architecture, static, stripped (agent linux/arm64): there is no program added over its base",
        "2 verified in 2.5 s. Evidence: .container/verify.json Report: .container/verify.html",
    ]


def test_what_failed_is_shown_with_its_evidence_what_mends_it_and_the_last_that_it_wrote(
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = evidence(first=Start(fault="ended with exit code 3", lines=("open /x: read-only file system",)))
    said = shown(capsys, broken)
    assert "agent linux/amd64" in said
    assert "start as uid 1000 it ended with exit code 3" in said
    assert "| open /x: read-only file system" in said
    assert any(line.startswith("hint it writes where nothing can be written") for line in said)
    assert "0 verified, 1 failed in 2.5 s. Evidence: .container/verify.json Report: .container/verify.html" in said


def test_one_reason_is_said_once_with_those_it_holds_for(capsys: pytest.CaptureFixture[str]) -> None:
    none = Unknown(reason="none before")
    several = [evidence(name=name, before=none if name < "e" else 300) for name in "abcdef"]
    said = shown(capsys, *several)
    assert "not run growth (all but e linux/amd64, f linux/amd64): none before" in said
    assert "not run growth: none before" in shown(capsys, *several[:4])
    assert "not run growth (d linux/amd64): none before" in shown(capsys, *several[3:])


def page(*seen: Evidence) -> str:
    frame = {"task": "container-verify", "started": "2026-11-28T14:24:12Z", "seconds": 2.5}
    return verify_page.render({**frame, **json.loads(json.dumps(verify.answer(report(*seen))))})


def test_the_page_tells_each_image_with_its_checks_and_first_what_failed() -> None:
    many = tuple(Leak(f"app/{number}.env", "an environment file") for number in range(30))
    text = page(evidence(), evidence(name="open", layers=(BASE, replace(OWN, secrets=many))))
    assert "<h1>1 verified, 1 failed in 2.5 s</h1>" in text
    assert text.index("What failed") < text.index("app/29.env") < text.index("Each opens to its checks")
    assert "All 30" in text
    assert text.count('<th scope="row">drain</th>') == 2


def test_the_page_fetches_nothing_and_obeys_nothing() -> None:
    text = page(hostile(), evidence(name="<script>alert(1)</script>"))
    assert "<script" not in text
    assert "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-" in text
    assert re.search(r"(?:src|href)=\"(?!#)", text) is None
    assert not any(letter in text for letter in "\x1b\x00\u202e")


def test_a_page_of_a_thousand_images_is_cut() -> None:
    text = page(*(evidence(name=f"s{number}") for number in range(300)))
    assert "<h1>300 verified in" in text
    assert "And 100 more images" in text


def hostile() -> Evidence:
    seen = evidence(
        first=replace(
            WELL, answer=Answer(path="/health", status=500, body=HOSTILE.encode()), answered=None, lines=(HOSTILE,)
        ),
        labels={"title": HOSTILE},
        user=HOSTILE,
    )
    return replace(seen, subject=replace(seen.subject, name=HOSTILE))


def test_nothing_that_an_image_says_reaches_the_terminal_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    verify.show(report(hostile()))
    said = capsys.readouterr().out
    assert not {"\x1b", "\x00", "\u202e"} & set(said)
    assert not [line for line in said.splitlines() if line.startswith("::")]


def test_nothing_that_an_image_says_breaks_the_xml() -> None:
    text = verify.as_junit(report(hostile(), evidence(impossible="no emulation")))
    root = ET.fromstring(text)  # noqa: S314 - we wrote it
    assert [suite.attrib["failures"] for suite in root] == ["3", "0"]
    assert [suite.attrib["skipped"] for suite in root] == ["6", "10"]
    assert root.attrib["tests"] == str(2 * len(checks.NAMES))
    case = next(case for case in root[0] if case.attrib["name"] == "user")
    assert "is no number" in case[0].attrib["message"]


def test_programs_get_each_check_and_each_answer_as_it_came() -> None:
    seen = evidence(ready=Answer(path="/ready", status=200, body=b"\xff" * 20_000, seconds=0.1), stop=None)
    image = json.loads(json.dumps(verify.answer(report(seen))))["images"][0]
    assert (image["name"], image["result"], image["seconds_to_healthy"]) == ("agent", "ok", 0.4)
    assert [check["name"] for check in image["checks"]] == list(checks.NAMES)
    assert image["answers"]["health"]["status"] == 200
    assert len(image["answers"]["ready"]["body"]) == 16_384
    assert "slow" not in image["answers"]
    assert verify.answer(report(replace(seen, runs=Runs())))["images"][0]["seconds_to_healthy"] is None
