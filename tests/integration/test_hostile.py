"""A service whose Dockerfile, labels and output want to do harm: to the terminal, the page, the record or the disk."""

import json
import re

import pytest

from tasks.engine.builds import LONGEST_LOG
from tests.support import Repo, Result

pytestmark = pytest.mark.docker

# What clears a screen, sets a title, turns text around, is markup or a command of GitHub's runner, or leads upwards.
HOSTILE = "\\033[2J\\033]0;taken\\007\\342\\200\\256<script>alert(1)</script>&amp;\\r::error::no\\n../../etc/passwd\\n"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MEGABYTES = 3_000_000
LINES = 90_000_000


def harmless(done: Result) -> Result:
    """Return it, if nothing in it moves a terminal's cursor or begins a command of GitHub's runner."""
    assert not OBEYED.findall(done.all)
    assert not re.search(r"^\s*::(?:error|warning|set-output|add-mask)", done.all, re.MULTILINE)
    assert "Traceback" not in done.all
    return done


@pytest.fixture
def hostile(tiny: Repo) -> Repo:
    tiny.service(
        "one",
        'LABEL harm="\x1b[31m<img src=x onerror=alert(1)> \u202e ../../x ##[error]x"',
        f"RUN printf '{HOSTILE}' # \x1b[2J <script>alert(2)</script> {'x' * 5000}",
        f"RUN head -c {MEGABYTES} /dev/zero | tr '\\0' y",
        f"RUN printf '{HOSTILE}' >&2; exit 3",
    )
    return tiny


@pytest.mark.parametrize("progress", ["plain", "auto"])
def test_neither_terminal_nor_page_nor_record_obeys_it(hostile: Repo, progress: str) -> None:
    harmless(hostile.inv("container-build", "--progress", progress).fails(4, "one"))
    page = (hostile.root / ".container/report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not OBEYED.findall(page)
    record = (hostile.root / ".container/last-run.json").read_text(encoding="utf-8")
    assert json.loads(record)["services"][0]["state"] == "failed"
    assert not OBEYED.findall(record)
    assert len(record) < MEGABYTES
    assert len(page) < MEGABYTES
    for words in (("container-plan",), ("container-plan", "--json"), ("container-report",), ("container-config",)):
        harmless(hostile.inv(*words).ok())
    again = harmless(hostile.inv("container-build", "--json", "--failed"))
    assert json.loads(again.out)["services"][0]["state"] == "failed"


def test_what_it_writes_without_an_end_fills_no_disk(tiny: Repo) -> None:
    # BuildKit drops what is not read fast enough, so they are long lines: millions of short ones would not all come.
    line = " \\033[2J harm" * 90
    tiny.service("one", f"RUN yes '{line}' | head -c {LINES}", "RUN echo the last words; exit 3")
    done = harmless(tiny.inv("container-build").fails(4, "the last words"))
    assert len(done.all) < 10_000
    log = tiny.root / ".container/logs/one.log"
    assert LONGEST_LOG < log.stat().st_size < LONGEST_LOG + 100_000
    with log.open(encoding="utf-8") as stream:
        stream.seek(LONGEST_LOG - 10)
        end = stream.read()
    assert "characters more, which are not kept" in end
    assert "exit code: 3" in end
