"""``inv bench``: how long our builds take, as a share of what others take on the same machine in the same run."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

if TYPE_CHECKING:
    from .measure import Plan
    from .profiles import Cost

T = TypeVar("T")
R = TypeVar("R")
PLATFORMS = {"1": ("linux/amd64",), "2": ("linux/amd64", "linux/arm64")}
EXCEEDED, WRONG, FAILED = 1, 2, 4  # exit codes; the last two as with the container tasks
CASES_HELP = "Comma-separated: cold, nothing, go_line, rust_line, dependency. [all]"
MANY = "many"
REPEAT_HELP = "Runs of each case; a cold one is run once. [3]"


@task(
    name="bench",
    help={
        "cases": CASES_HELP.replace(". [", f", {MANY} (generated services). ["),
        "platforms": "1 (linux/amd64), 2 (and linux/arm64), or one after the other: 1,2. [1,2]",
        "repeat": REPEAT_HELP,
        "json": "Also write every run into this file.",
    },
)
def bench(_c: Context, cases: str = "", platforms: str = "1,2", repeat: str = "3", json: str | None = None) -> None:
    """Hold our builds against classic Dockerfiles, plain bake and the processors' limit; takes half an hour."""
    from . import many, show
    from .measure import measure

    plan = _plan(",".join(word for word in cases.split(",") if word.strip() != MANY), platforms, repeat)
    if json is not None and not Path(json).absolute().parent.is_dir():
        raise Exit(f"--json: there is no folder {Path(json).parent}", code=WRONG)
    rows = [] if cases.strip() == MANY else _measured(plan, measure)
    generated = (
        _measured(plan, lambda plan: many.measure(many.COUNTS, plan.repeat, plan.folder, plan.say))
        if not cases or MANY in cases
        else []
    )
    required = show.all_requirements(rows, generated)
    sys.stdout.write(show.markdown(rows, *_place()) if rows else "")
    sys.stdout.write(show.many(generated) if generated else "")
    sys.stdout.write(show.table_of(required))
    if json is not None:
        Path(json).write_text(show.document(rows, generated, *_place()), encoding="utf-8")
    if not all(one.holds for one in required):
        raise Exit("what is required was exceeded", code=EXCEEDED)


@task(name="bench-designs", help={"cases": CASES_HELP, "repeat": REPEAT_HELP})
def bench_designs(_c: Context, cases: str = "", repeat: str = "3") -> None:
    """Hold other designs of the services' Dockerfiles against ours; takes half an hour."""
    from . import show
    from .measure import compare

    found = _measured(_plan(cases, "1", repeat), compare)
    sys.stdout.write(show.designs(found, *_place()))


@task(name="bench-profiles")
def bench_profiles(_c: Context) -> None:
    """Hold the binary of an incremental build against a released one: size, and processor time a request."""
    from . import show
    from .ground import ground
    from .profiles import costs

    def both(plan: "Plan") -> "list[Cost]":
        with ground(plan.folder) as place:
            return costs(place)

    sys.stdout.write(show.profiles(_measured(_plan("", "1", ""), both), *_place()))


def _plan(cases: str, platforms: str, repeat: str) -> "Plan":
    from platformdirs import user_cache_path

    from .measure import Case, Plan

    chosen: tuple[Case, ...] = _chosen(cases, {case.name.lower(): case for case in Case}, "cases")
    return Plan(
        cases=chosen or tuple(Case),
        platforms=_chosen(platforms, PLATFORMS, "platforms") or tuple(PLATFORMS.values()),
        repeat=(_chosen(repeat, {str(number): number for number in range(1, 10)}, "repeat") or (3,))[0],
        folder=user_cache_path("container-tasks") / "bench",
        say=lambda line: sys.stderr.write(f"{line}\n"),
    )


def _chosen(text: str, known: dict[str, T], flag: str) -> tuple[T, ...]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise Exit(f"--{flag}: {word!r} is not one of {', '.join(known)}", code=WRONG)
    return tuple(known[word] for word in words)


def _measured(plan: "Plan", how: "Callable[[Plan], R]") -> R:
    from .ways import BenchError

    try:
        return how(plan)
    except BenchError as error:
        raise Exit(str(error), code=FAILED) from error


def _place() -> tuple[str, str]:
    """Return the date and the machine, as the tables name them."""
    machine = f"{os.uname().machine}, {len(os.sched_getaffinity(0))} processors"
    return datetime.now(UTC).date().isoformat(), machine
