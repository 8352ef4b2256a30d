"""``inv lint`` and ``inv test``: what CI runs, and what a person runs before a commit."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

ROOT = Path(__file__).resolve().parent.parent
LONG = ("tests/property", "tests/faults/test_release.py")
"""What tries more the longer it may take."""


@task(name="lint", help={"fix": "Mend what can be mended."})
def lint(_c: Context, fix: bool = False) -> None:
    """Check style and types: ruff and mypy."""
    mend = ["--fix"] if fix else []
    _run("ruff", "check", *mend, ".")
    _run("ruff", "format", *([] if fix else ["--check"]), ".")
    _run("mypy")


@task(
    name="test",
    help={
        "unit": "Only what needs no engine.",
        "match": "Only tests whose names match, as pytest -k.",
        "long": "Only the properties, with many more hostile values, and every fault at every request of a release.",
    },
)
def run_tests(_c: Context, unit: bool = False, match: str | None = None, long: bool = False) -> None:
    """Run the tests; those that need an engine are skipped without one, unless CONTAINER_TESTS_REQUIRED=1."""
    folders = [*(["tests/unit"] if unit else []), *(LONG if long else ())]
    more = {"CONTAINER_TESTS_LONG": "1"} if long else {}
    _run("pytest", *folders, *([] if match is None else ["-k", match]), env=more)


def _run(module: str, *words: str, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - a list
        [sys.executable, "-m", module, *words], cwd=ROOT, env={**os.environ, **(env or {})}, check=False
    )
    if done.returncode:
        raise Exit(code=done.returncode)
