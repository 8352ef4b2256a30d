"""``--failed``: the services that did not end well the last time, as the record of the last run has it."""

from typing import Any

from .engine import records
from .errors import ConfigError
from .plan import record
from .report import style
from .services import Repository

_EVERYTHING = "inv container-build"


def select(repository: Repository, values: dict[str, Any]) -> dict[str, Any] | None:
    """Return a task's values with those services, or None where there is nothing to do, which is said.

    Raises ConfigError without a record that can be used, and for --services beside it.
    """
    if values["services"] is not None:
        raise ConfigError("--failed and --services are two choices", hint="leave one out")
    last = records.read_last(repository.root)
    if not record.usable(last):
        if not records.last_is_there(repository.root):
            raise ConfigError(f"there is no {records.LAST}, so nothing says what failed", hint=_EVERYTHING)
        raise ConfigError(f"{records.LAST} is damaged, or of another version of these tasks", hint=_EVERYTHING)
    left = record.unfinished(last, "load")
    names = [service.name for service in repository.services if service.name in left]
    for name in left:
        if name not in names:
            style.say(f"{name} did not end well the last time, and is no service here any more.")
    if not left:
        style.say("Nothing failed the last time, and nothing was stopped.")
    if not names:
        return None
    return {**values, "services": ",".join(names), "chosen_by": "--failed"}
