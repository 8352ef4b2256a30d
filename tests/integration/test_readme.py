"""The README's commands: run here, or by CI's own script, or known to the task list."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, Repo, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.strip()]
BIN = Path(sys.executable).parent
# What .ci/run does on a clean clone, so that a test of it would only nest it.
BY_CI = {
    "python3 -m venv .venv && . .venv/bin/activate && pip install -e '.[dev]'",
    "inv container-setup container-build",
    "inv test",
    "inv lint test",
}


def test_ci_runs_what_the_readme_says_and_nothing_else() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    ran = [line for line in script.splitlines() if line.startswith(("inv ", "python3 "))]
    assert ran == [
        "python3 -m venv .venv && . .venv/bin/activate && pip install -q -e '.[dev]'",
        "inv container-setup container-build",
        "inv lint test",
    ]
    assert set(COMMANDS) >= BY_CI


@pytest.mark.docker
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in BY_CI])
def test_every_other_command_does_what_it_says(checkout: Repo, command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=checkout.root,
        env=environment({"DOCKER_REGISTRY": "images.test/readme", "PATH": f"{BIN}:{os.environ['PATH']}"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_task_and_flag_that_it_names_exists(checkout: Repo) -> None:
    listed = set(re.findall(r"^  ([a-z][\w-]*)", checkout.inv("--list").ok().out, re.MULTILINE))
    named = set(re.findall(r"\b(container-[a-z]+(?:-[a-z0-9]+)*)\b", README)) - {"container-tasks"}
    assert named <= listed
    assert {task for task in listed if task.startswith("container-") and task.count("-") == 1} <= named
    known = "".join(checkout.inv("--help", task).ok().out for task in ("container-build", "container-setup"))
    known += "".join(checkout.inv("--help", task).ok().out for task in ("container-clean", "test"))
    invs = {"--help", "--print-completion-script", "--require-hashes"}
    for flag in set(re.findall(r"(--[a-z][a-z-]+)", README)) - invs:
        assert flag in known, flag


def test_every_file_that_it_names_is_there() -> None:
    for name in re.findall(r"`((?:\.|[a-z])[\w./-]*\.(?:py|toml|yaml|lock|md))`", README):
        assert Path(ROOT, name).is_file(), name
