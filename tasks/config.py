"""container-config: what is set, by whom, and how to begin."""

import sys
from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

INIT = flags.Flag("init", False, "Write a commented invoke.yaml to begin with; an existing one is left alone.")
SCHEMA = flags.Flag("schema", False, "Print the JSON schema of invoke.yaml, for editors.", True)


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-config."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(c, repository, values)

    doc = "Show each setting, its value and where that came from."
    return [flags.make_task("container-config", doc, (INIT, SCHEMA), body)]


def run(c: Context, repository: Repository, values: dict[str, Any]) -> flags.Answer:
    """Print the schema, write the starter file, or show the settings."""
    from . import settings
    from .configuration import FILE
    from .engine import workspace
    from .errors import ConfigError
    from .plan import schema as schemas
    from .report import config as report

    if values["schema"] and values["init"]:
        raise ConfigError("--schema prints, and --init writes another file", hint="choose one")
    if values["schema"]:
        sys.stdout.write(schemas.dumps())
        return None
    if values["init"]:
        report.written(workspace.write_new(repository.root, FILE, schemas.starter()))
        return {"written": [FILE]}
    explained = settings.explain(c, repository)
    if not values["json"]:
        report.show(explained, repository.services)
    return report.answer(explained, repository.services)
