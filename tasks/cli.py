"""The task list: what ``inv --list`` shows, for the repository whose tasks.py Invoke loaded."""

import atexit
import gc
import sys
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.tasks import Task

from . import (
    build,
    clean,
    config,
    configuration,
    doctor,
    elsewhere,
    look,
    preview,
    programs,
    push,
    releases,
    run,
    scan,
    setup,
    verify,
)
from .discovery import discover
from .errors import ConfigError
from .services import Repository


def collection(root: Path | str, *more: Task[Any]) -> Collection:
    """Return the container tasks of the repository at ``root``, and ``more`` of its own.

    Raises ConfigError for a broken invoke.yaml and for folders that cannot be services.
    """
    gc.set_threshold(100_000)  # a run makes few cycles, and Python looks for them hundreds of times
    atexit.register(gc.freeze)  # a last collection of what ends with the process takes 50 ms
    with programs.refusals():
        top = Path(root).resolve()
        try:
            elsewhere.check(top)
            section = configuration.read_file(top)
        except ConfigError as error:
            doctor.instead(top, error, sys.argv[1:])
            raise
        try:
            repository = discover(top, section)
        except ConfigError as error:
            if not doctor.alone(sys.argv[1:]):
                raise
            repository = Repository(top, (), refused=error)
    found = Collection(
        *build.tasks(repository),
        *preview.tasks(repository),
        *look.tasks(repository),
        *push.tasks(repository),
        *releases.tasks(repository),
        *run.tasks(repository),
        *verify.tasks(repository),
        *scan.tasks(repository),
        *clean.tasks(repository),
        *setup.tasks(repository),
        *doctor.tasks(repository),
        *config.tasks(repository),
        *more,
    )
    found.configure({"container": configuration.DEFAULTS})
    return found
