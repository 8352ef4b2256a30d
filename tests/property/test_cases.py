"""The properties themselves: each is really tried, and what watches over them sees."""

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from invoke.program import Program

from tests.property import cases, hostile, typed, watch

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # docker's, where nobody answers


def test_a_property_without_a_case_is_refused() -> None:
    with pytest.raises(AssertionError, match="untried has tried no case"):
        cases.require("untried")


def test_each_case_is_counted() -> None:
    @cases.hostile(7, 7, text=st.integers(0, 10**6))
    def counted_here(text: int) -> None:
        assert text >= 0

    try:
        counted_here()
        assert cases.tried["counted_here"] == 7
        assert cases.summary()[-1].startswith(f"{cases.tried.total()} hostile cases tried")
    finally:
        del cases.tried["counted_here"]


def test_a_program_is_seen_and_not_started() -> None:
    with watch.watching() as seen, pytest.raises(FileNotFoundError):
        subprocess.run(["touch", "--", "x"], check=True)
    assert seen.started == [("touch", "--", "x")]
    assert not seen.otherwise


def test_a_shell_is_seen() -> None:
    with watch.watching() as seen:
        with pytest.raises(FileNotFoundError):
            subprocess.run("true", shell=True, check=True)  # noqa: S602 - what has to be seen
        os.system("true")  # noqa: S605 - the same
    assert len(seen.otherwise) == 2


def test_a_write_is_seen_where_it_lands(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    with watch.watching() as seen:
        (inside / "kept").write_text("x", encoding="utf-8")
        (inside / "link/written").write_text("x", encoding="utf-8")
        (inside / "link/folder").mkdir()
        (inside / "kept").rename(outside / "moved")
        (inside / "kept").symlink_to("moved")
    assert [Path(path).name for path in seen.outside(inside)] == ["written", "folder", "moved"]


def test_what_would_wait_for_ever_is_seen(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with watch.watching(), pytest.raises(AssertionError, match="may never end"):
            path.read_bytes()


@pytest.mark.parametrize(
    "changed",
    [
        {"tags": ["ghcr.io/x/agent:-t"]},
        {"tags": ["ghcr.io/x/agent:t,push=true"]},
        {"platforms": ["windows/amd64"]},
        {"output": ["type=local,dest=/"]},
        {"secret": ["id=ca,src=/etc/shadow"]},
        {"context": "/"},
        {"context": "https://example.com/x.git"},
        {"dockerfile": "../Dockerfile"},
        {"args": {"A": "${HOME}"}},
    ],
)
def test_a_definition_that_does_what_nobody_asked_for_is_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    usual = {"tags": ["ghcr.io/x/agent:t"], "platforms": [], "output": [], "context": ".", "dockerfile": "x"}
    for target, refused in ((usual, False), (usual | changed, True)):
        said = typed.Said(0, json.dumps({"target": {"agent": target}}), "", watch.Seen())
        with pytest.raises(AssertionError) if refused else contextlib.nullcontext():
            said.fine(tmp_path)


@pytest.mark.parametrize(
    "argv",
    [
        ("git", "-C", "/r", "log", "-1", "--format=%H %cI", "--output=x"),
        ("git", "-C", "--help", "status", "--porcelain", "--", "x"),
        ("docker", "buildx", "bake", "--builder", "--push"),
        ("docker", "buildx", "bake", "-f", "x"),
        ("docker", "buildx", "bake", "--push"),
        ("sh", "-c", "x"),
    ],
)
def test_a_value_that_is_read_as_an_option_is_seen(argv: tuple[str, ...]) -> None:
    with pytest.raises((AssertionError, StopIteration)):
        typed.no_option_of_a_value(argv)


@pytest.mark.parametrize(
    "said",
    [
        typed.Said(0, "\x1b[31m", "", watch.Seen()),
        typed.Said(0, "", "\u202e", watch.Seen()),
        typed.Said(1, "", "error: x", watch.Seen()),
        typed.Said(2, "", "Traceback (most recent call last)", watch.Seen()),
        typed.Said(2, "", "error: x\nhint: y\nhint: z", watch.Seen()),
        typed.Said(0, "", "", watch.Seen(otherwise=["os.system"])),
        typed.Said(0, "", "", watch.Seen(written=["/etc/passwd"])),
        typed.Said(0, "", "", watch.Seen(started=[("docker", "--push")])),
    ],
)
def test_what_must_not_be_said_or_done_is_refused(said: typed.Said, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        said.fine(tmp_path)


def test_the_program_that_is_typed_here_is_invokes_own(tmp_path: Path) -> None:
    assert issubclass(typed._Inv, Program)  # noqa: SLF001 - what stands for the entry
    with typed.repository(tmp_path) as repo:
        repo.write("invoke.yaml", "container: {registry: r.example/x}")
        said = typed.inv(repo, "container-build", "--print", "--tags=t").fine(repo.root)
        assert '"r.example/x/agent:t"' in said.out
        assert typed.inv(repo, "container-build").fine(repo.root).code == 3
        assert {argv[0] for argv in said.seen.started} == {"git"}


def test_the_hostile_values_hold_what_they_are_named_for() -> None:
    every = "".join((*hostile.ESCAPES, *hostile.INJECTIONS, *hostile.NUMBERS, *hostile.ODD))
    for piece in ("\x1b[", "\x9b", "\x7f", "\x00", "\n", "\u202e", "\udcff", "${", "%{", "../", "$(", "`", "²", "٣"):
        assert piece in every
