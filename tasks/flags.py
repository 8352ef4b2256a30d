"""The flags of the tasks: one table, so that every task explains a flag in the same words."""

import errno
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, NamedTuple

from invoke.context import Context
from invoke.parser import Argument
from invoke.tasks import Task

from .errors import ConfigError, Interrupted


class Flag(NamedTuple):
    """One flag. A default of None takes text, so that this project's own errors name what is wrong with it."""

    name: str
    default: str | bool | None
    help: str


SERVICES = Flag("services", None, "Only these services, comma-separated.")
PLATFORMS = Flag("platforms", None, "Comma-separated: linux/amd64,linux/arm64. [BUILD_PLATFORMS; linux/amd64]")
REGISTRY = Flag("registry", None, "Where the images belong: host[:port]/path. [DOCKER_REGISTRY]")
TAGS = Flag("tags", None, "Comma-separated. [DOCKER_TAGS; latest,v<VERSION>]")
JOBS = Flag("jobs", None, "How many services build at once.")
BUILDER = Flag("builder", None, "A buildx builder: remote, Kubernetes, hosted. See docker buildx ls.")
PROGRESS = Flag("progress", None, "auto: live on a terminal; plain: one line a step; quiet: only what failed. [auto]")
NO_CACHE = Flag("no_cache", False, "Run every step again; cache mounts keep their content.")
FORCE = Flag("force", False, "Build also what is up to date.")
PULL = Flag("pull", False, "Ask the registry for the bases again.")
PRINT = Flag("print", False, "Write the bake definition and build nothing: pipe it to docker buildx bake -f -.")
FAIL_FAST = Flag("fail_fast", False, "Stop the other services when one fails.")
DRY_RUN = Flag("dry_run", False, "Only show what would go.")
YES = Flag("yes", False, "Do not ask.")

BUILD = (PLATFORMS, REGISTRY, TAGS, JOBS, BUILDER, PROGRESS, NO_CACHE, PULL, PRINT, FAIL_FAST)


class _Argument(Argument):
    """A flag as Invoke's parser has it; of constants alone, so that a flat copy is as good as a deep one."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Argument":
        """Copy it flat: Invoke copies every flag of every task for each run, which is a tenth of its start."""
        return copy(self)


class _Task(Task[Any]):
    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        flat: list[Argument] = []
        for argument in super().get_arguments(ignore_unknown_help):
            flat.append(_Argument.__new__(_Argument))
            vars(flat[-1]).update(vars(argument))
        return flat


def make_task(name: str, doc: str, flags: Sequence[Flag], body: Callable[[Context, dict[str, Any]], None]) -> Task[Any]:
    """Make a task whose flags are those of the table; ``body`` gets their values by name."""

    def call(c: Context, **values: Any) -> None:  # noqa: ANN401 - Invoke hands over strings, booleans and None
        if sys.stdout is None:  # closed by whoever began this
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
        try:
            body(c, values)
        except KeyboardInterrupt:  # Invoke would say nothing and exit with 1
            raise Interrupted("stopped by Ctrl-C") from None
        except OSError as error:
            if error.errno not in {errno.EPIPE, errno.ENOSPC}:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing more can be said there, not even at the end
            if error.errno == errno.ENOSPC:
                raise ConfigError("the output cannot be written: no space is left where it goes") from None

    parameters = [inspect.Parameter("c", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += [
        inspect.Parameter(flag.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=flag.default) for flag in flags
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__doc__ = doc
    # The name stands on the Task: Invoke takes tasks of one name and one code for the same and drops all but one.
    return _Task(call, name=name, help={flag.name: flag.help for flag in flags})
