"""container-report: what the last run did, as a page or in a few lines."""

from typing import Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

PRINT = flags.Flag("print", False, "Only print it in a few lines; open no browser.", True)
OPEN = flags.Flag("open", False, "Open the page, also where no screen is seen.")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-report."""

    def body(_c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(repository, values)

    doc = "Show what the last run did and where its time went: a page in the browser, or a few lines."
    return [flags.make_task("container-report", doc, (PRINT, OPEN), body)]


def run(repository: Repository, values: dict[str, Any]) -> flags.Answer:
    """Make the page of the last run, say in a few lines what is on it, and open it where there is a screen."""
    from .engine import browser, records, workspace
    from .errors import ConfigError
    from .plan import lastrun
    from .report import look as report
    from .report import page, style

    if values["print"] and values["open"]:
        raise ConfigError("--print and --open contradict each other", hint="choose one")
    root = repository.root
    record = records.read_last(root)
    if record is None:
        if records.last_is_there(root):
            raise ConfigError(f"{records.LAST} is damaged", hint=lastrun.AGAIN)
        raise ConfigError(f"there is no {records.LAST}, so there is nothing to look back at", hint=lastrun.AGAIN)
    last = lastrun.parse(record)
    name = f"{workspace.FOLDER}/{records.PAGE}"
    path = root / name
    if any(service.built for service in last.services) or not path.is_file():
        records.write_file(root, records.PAGE, page.render(record))
    elif not values["json"]:
        style.note("the last run had nothing to build: the page is still that of the run before")
    opened = not values["json"] and not values["print"] and (values["open"] or browser.display()) and browser.show(path)
    if not values["json"]:
        report.show(last, str(path), opened=opened)
    return {"page": name, "run": record}
