from pathlib import Path

import pytest

from tasks.engine import excerpt
from tasks.plan.targets import Target
from tests.unit.samples import plan, source

WORDS = (
    "#7 DONE",
    "Dockerfile:3",
    "--------------------",
    "   1 |     FROM scratch",
    "   2 |     ",
    "   3 | >>> RUN make",
    "   4 |     ",
    "--------------------",
    "ERROR: target agent: failed to solve",
)
BROKEN = "FROM scratch\n\nRUN make\n"


@pytest.fixture
def agent(tmp_path: Path) -> Target:
    (tmp_path / "services/agent").mkdir(parents=True)
    (tmp_path / "services/base").mkdir()
    return plan(source("agent")).targets[0]


@pytest.fixture
def base() -> Target:
    return plan(source("base", target="_base")).targets[0]


def write(root: Path, service: str, text: str) -> None:
    (root / f"services/{service}/Dockerfile").write_text(text, encoding="utf-8")


def test_the_dockerfile_that_has_the_lines_is_at_fault(tmp_path: Path, agent: Target, base: Target) -> None:
    write(tmp_path, "agent", "FROM base\n")
    write(tmp_path, "base", BROKEN)
    found = excerpt.find(WORDS, "[agent 1/2] RUN make", tmp_path, agent, (base,))
    assert (found.dockerfile, found.line, found.lines) == ("services/base/Dockerfile", 3, WORDS[3:7])


@pytest.mark.parametrize(("step", "service"), [("[_base 1/2] RUN make", "base"), ("[1/2] RUN make", "agent")])
def test_of_two_alike_the_step_says_which(tmp_path: Path, agent: Target, base: Target, step: str, service: str) -> None:
    write(tmp_path, "agent", BROKEN)
    write(tmp_path, "base", BROKEN)
    assert excerpt.find(WORDS, step, tmp_path, agent, (base,)).dockerfile == f"services/{service}/Dockerfile"


def test_a_dockerfile_in_a_context_of_its_own_is_named_from_the_root(tmp_path: Path) -> None:
    target = plan(source("agent", context="services/agent", dockerfile="docker/Dockerfile")).targets[0]
    assert excerpt.find(WORDS, "", tmp_path, target, ()).dockerfile == "services/agent/docker/Dockerfile"


@pytest.mark.parametrize("words", [(), ("----",), ("----", "----"), WORDS[:4]])
def test_words_without_an_excerpt_name_no_place(tmp_path: Path, agent: Target, words: tuple[str, ...]) -> None:
    found = excerpt.find(words, "", tmp_path, agent, ())
    assert (found.dockerfile, found.line, found.lines) == ("", None, ())
