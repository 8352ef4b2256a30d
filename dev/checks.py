"""``inv lint`` and ``inv test``: what CI runs, and what a person runs before a commit."""

import subprocess
import sys
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

ROOT = Path(__file__).resolve().parent.parent


@task(name="lint", help={"fix": "Mend what can be mended."})
def lint(_c: Context, fix: bool = False) -> None:
    """Check style and types: ruff and mypy."""
    mend = ["--fix"] if fix else []
    _run("ruff", "check", *mend, ".")
    _run("ruff", "format", *([] if fix else ["--check"]), ".")
    _run("mypy")


@task(name="test", help={"unit": "Only what needs no engine.", "match": "Only tests whose names match, as pytest -k."})
def run_tests(_c: Context, unit: bool = False, match: str | None = None) -> None:
    """Run the tests; those that need an engine are skipped without one, unless CONTAINER_TESTS_REQUIRED=1."""
    _run("pytest", *(["tests/unit"] if unit else []), *([] if match is None else ["-k", match]))


def _run(module: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, check=False)  # noqa: S603 - a list
    if done.returncode:
        raise Exit(code=done.returncode)
