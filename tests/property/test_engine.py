"""On a real engine: what is hostile and allowed builds, and comes back exactly as it was put in."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.property import hostile, test_definitions, typed
from tests.property.cases import hostile as tries
from tests.support import BASE, TASKS_PY, Repo, docker

pytestmark = pytest.mark.docker

IMAGE = "images.test/hostile"
CROWD = 30
LOUD = r"\033[2J\033]0;title\007\033[5;41mred\033[0m\r\nover\rwritten\b\t\302\233\342\200\256end\n"


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    """A repository with one service whose labels are its build arguments; its images go when the test ends."""
    root = tmp_path / "hostile"
    root.mkdir()
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1.2.3\n")
    names = [f"A{number}" for number in range(CROWD)]
    lines = [line for name in names for line in (f"ARG {name}", f'LABEL {name}="${name}"')]
    repo.service("agent", *lines)
    yield repo
    configured(repo, {})
    repo.inv("container-clean", "--yes")


def configured(repo: Repo, args: dict[str, str]) -> None:
    section = {"project": "hostile", "registry": IMAGE, "services": {"agent": {"args": args}}}
    repo.write("invoke.yaml", typed.dumped({"container": section}))


values = hostile.text.map(lambda text: test_definitions.composed(test_definitions.without_surrogates(text)))


@tries(
    2,
    15,
    crowd=st.lists(values, min_size=CROWD, max_size=CROWD),
    tag=st.from_regex(r"[\w][\w.-]{0,20}", fullmatch=True),
)
def test_labels_read_back_from_the_image_are_what_was_put_in(repo: Repo, crowd: list[str], tag: str) -> None:
    tag = "".join(letter for letter in tag if letter.isascii()) or "x"
    args = {f"A{number}": value for number, value in enumerate(crowd)}
    configured(repo, args)
    said = repo.inv("container-build", f"--tags={tag}", "--progress=plain").ok()
    assert typed.CONTROL.search(said.all) is None
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", f"{IMAGE}/agent:{tag}"))
    assert {name: labels[name] for name in args} == args


def test_a_step_and_a_service_that_write_escape_codes_reach_no_terminal(repo: Repo) -> None:
    configured(repo, {})
    repo.write(
        "services/agent/Dockerfile",
        f"FROM {BASE}\nCOPY services/agent/seed /\nRUN printf '{LOUD}'\n"
        f"CMD {json.dumps(['sh', '-c', f'printf {LOUD!r}; sleep 1.5'.replace(chr(92) * 2, chr(92))])}\n",
    )
    said = repo.inv("container-run").ok()
    assert "end" in said.out
    assert typed.CONTROL.search(said.all) is None, repr(said.all)


def test_a_step_that_fails_in_escape_codes_is_shown_without_them(repo: Repo) -> None:
    repo.write("services/agent/Dockerfile", f"FROM {BASE}\nRUN printf '{LOUD}' >&2 && false\n")
    configured(repo, {})
    said = repo.inv("container-build", "--progress=plain").fails(4)
    assert "end" in said.out
    assert typed.CONTROL.search(said.all) is None, repr(said.all)
