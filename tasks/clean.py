"""container-clean: take this project's images and cache away, and nothing of anybody else's."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

if TYPE_CHECKING:
    from .engine.api import Engine
    from .plan.cleaning import Cleaning


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-clean."""

    def body(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run(c, repository, dry_run=bool(values["dry_run"]), yes=bool(values["yes"]))

    doc = "Remove this project's images, cache mounts and builder; shows first what goes."
    return [flags.make_task("container-clean", doc, (flags.DRY_RUN, flags.YES), body)]


def run(c: Context, repository: Repository, *, dry_run: bool, yes: bool) -> flags.Answer:
    """Find, decide, show, ask, remove; return what was found, and whether it is gone."""
    from . import settings
    from .engine import api, workspace
    from .engine.machine import release_builder, stand_in_record
    from .plan import cleaning
    from .plan.targets import PROJECT_LABEL
    from .report import clean as report
    from .report import style

    project = settings.project_of(c, repository)
    engine = api.connect()
    found = cleaning.decide(
        project=project,
        images=engine.images_labelled(PROJECT_LABEL, project),
        cache=engine.cache_records(),
        builders=release_builder.existing(project),
        mounted=_mounted(repository),
    )
    report.show(found, project, tuple(engine.stored(stand_in_record.tags())))
    if found.nothing or dry_run:
        return report.answer(found, removed=False)
    if not _consents(yes=yes):
        style.say("Nothing was removed.")
        return report.answer(found, removed=False)
    with workspace.alone(repository.root, lambda: style.note("another run builds in this checkout; waiting for it")):
        report.freed(found, _remove(found, engine))
    return report.answer(found, removed=True)


def _mounted(repository: Repository) -> frozenset[str]:
    """Return the ids of the cache mounts that the Dockerfiles name; one that cannot be read names none."""
    from .errors import ConfigError
    from .plan.dockerfile import cache_ids
    from .services import read_dockerfile

    found: set[str] = set()
    for service in repository.services:
        with suppress(ConfigError):
            found.update(cache_ids(read_dockerfile(repository, service)))
    return frozenset(found)


def _consents(*, yes: bool) -> bool:
    from .errors import ConfigError, Interrupted

    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError("nobody to ask: standard input is not a terminal", hint="inv container-clean --yes")
    try:
        return input("Remove these? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
    except KeyboardInterrupt:
        raise Interrupted("nothing was removed") from None


def _remove(found: "Cleaning", engine: "Engine") -> int:
    """Remove what was decided and return the bytes that the cache gave back."""
    from .engine.machine import release_builder

    for image in found.images:
        for reference in image.references or (image.id,):
            engine.remove_image(reference)
    for builder in found.builders:
        release_builder.remove(builder)
    return engine.remove_cache([mount.id for mount in found.mounts])
