"""The services of a repository: the folders that hold a Dockerfile."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import ConfigError

SERVICES_DIR = "services"
# Names that would take the place of a task that builds every service.
RESERVED = frozenset({"amd64", "arm64"})


@dataclass(frozen=True, slots=True)
class Service:
    """One folder with a Dockerfile; its name is the image's."""

    name: str
    folder: str
    """Relative to the repository's root, with forward slashes."""

    @property
    def dockerfile(self) -> str:
        """The path of its Dockerfile, relative to the root."""
        return f"{self.folder}/Dockerfile"

    @property
    def task_name(self) -> str:
        """What Invoke can call it: dots would be sub-collections, underscores become dashes."""
        return self.name.replace(".", "-").replace("_", "-")

    @property
    def target(self) -> str:
        """What bake can call it: a target's name has no dots."""
        # A group's name wins over a target's: without the underscore, "default" would build every service.
        return "default_" if self.name == "default" else self.name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository whose tasks.py Invoke loaded."""

    root: Path
    services: tuple[Service, ...]

    def select(self, names: Sequence[str], *, source: str) -> tuple[Service, ...]:
        """Return the named services in the repository's order.

        Raises ConfigError for an unknown one, with the choices.
        """
        from .plan.names import is_service

        known = {service.name for service in self.services}
        for name in names:
            if name in known:
                continue
            if is_service(name) and (self.root / SERVICES_DIR / name).is_dir():
                raise ConfigError(f"{source}: {SERVICES_DIR}/{name} has no Dockerfile", hint="add one")
            choices = ", ".join(sorted(known)) or f"none: add {SERVICES_DIR}/<name>/Dockerfile"
            raise ConfigError(f"{source}: there is no service {name!r}", hint=f"choose from {choices}")
        return tuple(service for service in self.services if service.name in names)


def discover(root: Path) -> Repository:
    """Find the services of a repository, sorted by name.

    Raises ConfigError for a folder whose name cannot be a service's.
    """
    folder = root / SERVICES_DIR
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except FileNotFoundError:
        return Repository(root, ())
    except OSError as error:
        raise ConfigError(f"{SERVICES_DIR}/ cannot be read: {error.strerror}") from error
    names = [name for name in entries if os.path.lexists(folder / name / "Dockerfile")]
    for name in names:
        _check(name)
    services = tuple(Service(name, f"{SERVICES_DIR}/{name}") for name in names)
    for first in services:
        for second in services:
            if first.name < second.name and first.task_name == second.task_name:
                raise ConfigError(
                    f"{first.folder} and {second.folder} would share the task container-build-{first.task_name}",
                    hint="rename one of the folders",
                )
    return Repository(root, services)


def _check(name: str) -> None:
    from .plan.names import is_service

    if name in RESERVED:
        raise ConfigError(
            f"{SERVICES_DIR}/{name}: container-build-{name} already builds every service for linux/{name}",
            hint="rename the folder",
        )
    if not is_service(name):
        shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
        raise ConfigError(
            f"{SERVICES_DIR}/{shown!r} cannot be an image's name",
            hint="lower-case letters and digits, joined by '.', '_' or '-'; rename the folder",
        )


def read_dockerfile(repository: Repository, service: Service) -> str:
    """Return a service's Dockerfile.

    Raises ConfigError when it is no regular file, lies outside the repository, is empty,
    or is not text.
    """
    path = repository.root / service.dockerfile
    try:
        kind = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{service.dockerfile} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(kind):
        what = "named pipe" if stat.S_ISFIFO(kind) else "folder" if stat.S_ISDIR(kind) else "special file"
        raise ConfigError(f"{service.dockerfile} is a {what}", hint="a Dockerfile is a regular file")
    if not path.resolve().is_relative_to(repository.root.resolve()):
        raise ConfigError(
            f"{service.dockerfile} lies outside the repository, at {path.resolve()}",
            hint="copy it in: what is built must be what is committed",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{service.dockerfile} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise ConfigError(f"{service.dockerfile} cannot be read: {error.strerror}") from error
    if not text.strip():
        raise ConfigError(f"{service.dockerfile} is empty", hint="it needs at least a FROM")
    return text
