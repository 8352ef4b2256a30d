"""The flags of the tasks: one table, so that every task explains a flag in the same words."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

from invoke.context import Context
from invoke.parser import Argument
from invoke.tasks import Task

from . import programs
from .errors import ConfigError


class Flag(NamedTuple):
    """One flag. A default of None takes text, so that this project's own errors name what is wrong with it."""

    name: str
    default: str | bool | None
    help: str
    prints: bool = False
    """Whether it makes standard output something for programs."""


SERVICES = Flag("services", None, "Only these services, comma-separated.")
PLATFORMS = Flag("platforms", None, "Comma-separated: linux/amd64,linux/arm64. [BUILD_PLATFORMS; linux/amd64]")
REGISTRY = Flag("registry", None, "Where the images belong: host[:port]/path. [DOCKER_REGISTRY]")
TAGS = Flag("tags", None, "Comma-separated. [DOCKER_TAGS; latest,v<VERSION>]")
JOBS = Flag("jobs", None, "How many services build at once.")
BUILDER = Flag("builder", None, "A buildx builder: remote, Kubernetes, hosted. See docker buildx ls.")
PROGRESS = Flag("progress", None, "auto: live on a terminal; plain: one line a step; quiet: only what failed. [auto]")
NO_CACHE = Flag("no_cache", False, "Run every step again; cache mounts keep their content.")
FORCE = Flag("force", False, "Build also what is up to date.")
REUSE = Flag("reuse", False, "Pull instead of build what the registry has of the same fingerprint.")
PULL = Flag("pull", False, "Ask the registry for the bases again.")
PRINT = Flag("print", False, "Write the bake definition and build nothing: pipe it to docker buildx bake -f -.", True)
FAIL_FAST = Flag("fail_fast", False, "Stop the other services when one fails.")
DRY_RUN = Flag("dry_run", False, "Only show what would go.")
YES = Flag("yes", False, "Do not ask.")
FAILED = Flag("failed", False, "Only the services that failed or were stopped the last time.")
JSON = Flag("json", False, "Print the record of what was done as JSON, and nothing else; words go to standard error.")

BUILD = (PLATFORMS, REGISTRY, TAGS, JOBS, BUILDER, PROGRESS, NO_CACHE, PULL, PRINT, FAIL_FAST)


class _Argument(Argument):
    """A flag as Invoke's parser has it; of constants alone, so that a flat copy is as good as a deep one."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Argument":
        """Copy it flat: Invoke copies every flag of every task for each run, which is a tenth of its start."""
        return copy(self)


class _Task(Task[Any]):
    def __deepcopy__(self, memo: dict[int, Any]) -> "_Task":
        return copy(self)  # as with the flags: nobody changes it

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        flat: list[Argument] = []
        for argument in super().get_arguments(ignore_unknown_help):
            flat.append(_Argument.__new__(_Argument))
            vars(flat[-1]).update(vars(argument))
        return flat


Answer = Mapping[str, Any] | None
"""What a task says to programs, beside how it ended."""
Body = Callable[[Context, dict[str, Any]], Answer]


def make_task(name: str, doc: str, flags: Sequence[Flag], body: Body) -> Task[Any]:
    """Make a task whose flags are those of the table, and ``--json``.

    ``body`` gets their values by name, and ``task``, the task's own; what it returns is said to
    programs beside how it ended.
    """
    printing = [flag.name for flag in flags if flag.prints]

    def call(c: Context, **values: Any) -> None:  # noqa: ANN401 - Invoke hands over strings, booleans and None
        programs.open_closed()
        if values.get("json"):
            programs.answer(name, lambda: body(c, _alone({**values, "task": name}, printing)))
            return
        with programs.in_order():
            body(c, {**values, "task": name})

    flags = (*flags, JSON)
    parameters = [inspect.Parameter("c", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += [
        inspect.Parameter(flag.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=flag.default) for flag in flags
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__doc__ = doc
    # The name stands on the Task: Invoke takes tasks of one name and one code for the same and drops all but one.
    return _Task(call, name=name, help={flag.name: flag.help for flag in flags})


def _alone(values: dict[str, Any], printing: Sequence[str]) -> dict[str, Any]:
    """Return the values, when no other of them decides what standard output is.

    Raises ConfigError otherwise.
    """
    for name in printing:
        if values[name]:
            raise ConfigError(f"--json and --{name} are two outputs", hint="choose one")
    return values
