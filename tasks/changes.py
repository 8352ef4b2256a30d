"""What container-plan --changed-since answers: the builds that read something that a branch has changed.

Git says which files differ; the rest is what a fingerprint is made of, once for each state. No engine is asked.
"""

import os
import tempfile
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from . import configuration, sources
from .discovery import discover
from .engine import commits
from .engine.snapshot import Snapshot, folders_of
from .engine.walk import Walks
from .errors import ConfigError
from .marks import Marks
from .plan.changes import Changed, Since, both, changed
from .plan.platforms import of_machine
from .plan.targets import support_name
from .services import Repository, join

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from .engine.commits import Comparison, Entries
    from .plan.fingerprint import Mark
    from .services import Service
    from .settings import Settings

FLAG = "--changed-since"


def since(settings: "Settings", repository: Repository, ref: str) -> Since:
    """Return what differs, for each service, between the work tree and the commit where HEAD left ``ref``.

    Raises ConfigError for what git does not know, and for files of the work tree that cannot be read.
    """
    compared = commits.compare(repository.root, ref, source=FLAG)
    now = _State(settings, repository, compared.now)
    with tempfile.TemporaryDirectory(prefix="container-plan-") as folder:
        try:
            before = _State(settings, _earlier(repository, compared, Path(folder)), compared.before)
        except ConfigError as error:
            reason = f"what {ref} says of its services cannot be read: {_said(error)}"
            return Since(ref, compared.commit, {one.name: Changed((reason,)) for one in settings.services})
        return Since(ref, compared.commit, {one.name: _changed(one, before, now, ref) for one in settings.services})


def _changed(service: "Service", before: "_State", now: "_State", ref: str) -> Changed:
    earlier = next((one for one in before.repository.services if one.name == service.name), None)
    if earlier is None:
        return Changed(("the service is new",))
    found = Changed()
    # An image that leaves may have other arguments than one that stays, and so other stages and files.
    for local in (True, False) if service.local_args or earlier.local_args else (True,):
        mark = now.mark(service, local=local)
        try:
            found = both(found, changed(before.mark(earlier, local=local), mark))
        except ConfigError as error:
            return Changed((f"its files at {ref} cannot be read: {_said(error)}",))
    return found


class _State:
    """One state of the repository, to be asked for marks."""

    def __init__(self, settings: "Settings", repository: Repository, entries: "Entries") -> None:
        folders = folders_of(entries)
        self.repository = repository
        self._settings = settings
        self._walks = cache(lambda context: Walks(Snapshot(context, folders)))

    def mark(self, service: "Service", *, local: bool) -> "Mark":
        settings = self._settings
        chosen, others = sources.gather(
            [service], self.repository, registry=settings.registry, mirror=settings.mirror, local=local
        )
        by_name = {support_name(source.target): source for source in (*chosen, *others)}
        marks = Marks(self.repository, by_name, settings.platforms, of_machine(), self._walks, comparing=True)
        return marks.of(chosen[0])


def _earlier(repository: Repository, compared: "Comparison", folder: Path) -> Repository:
    """Return the services as a commit has them; where it says other things of them, of files laid in a folder."""
    root = repository.root
    here = {path for service in repository.services for path in _files_of(service)}
    names = {os.path.basename(place) for path in here for place in (path, os.path.realpath(root / path))}  # noqa: PTH119 - of text
    names |= {"Dockerfile", ".dockerignore", os.environ.get("INVOKE_CONTAINER_DOCKERFILE", "")}
    if not any(_tells(path, names) for path in compared.changed):
        return repository
    section = configuration.read_file(root)
    if configuration.FILE in compared.changed:
        commits.lay(root, compared, folder, [configuration.FILE])
        section = configuration.read_file(folder)
    entries = [section, *section.get("services", {}).values()]
    names |= {PurePosixPath(str(entry["dockerfile"])).name for entry in entries if entry.get("dockerfile")}
    told = [path for path in compared.before if _tells(path, names) and path != configuration.FILE]
    unknown = [path for path in here if path not in compared.before and path not in compared.changed]
    commits.lay(root, compared, folder, [*told, *unknown])
    return discover(folder, section)


def _files_of(service: "Service") -> tuple[str, ...]:
    return service.dockerfile, f"{service.dockerfile}.dockerignore", join(service.context, ".dockerignore")


def _tells(path: str, names: "AbstractSet[str]") -> bool:
    """Return whether a file may say how services are built."""
    name = path.rpartition("/")[2]
    return name in names or name.endswith(".dockerignore") or path == configuration.FILE


def _said(error: ConfigError) -> str:
    return str(error).partition("\n")[0].removeprefix("error: ")
