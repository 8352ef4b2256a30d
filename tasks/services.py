"""The services of a repository, and their Dockerfiles."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ConfigError
from .texts import leads_out

_UNREAD = "make it a file that you may read"


@dataclass(frozen=True, slots=True)
class Service:
    """One image of the repository; its name is the image's."""

    name: str
    folder: str
    """Relative to the repository's root, with forward slashes; ``.`` is the root itself."""
    file: str = "Dockerfile"
    """The Dockerfile's path inside the folder."""
    own_context: bool = False
    """Whether its folder is the build context, instead of the root."""
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    local_args: Mapping[str, str] = field(default_factory=dict)
    """Build arguments of images that are loaded here, on top of the others; a push has none of them."""
    port: int | None = None
    """Where invoke.yaml says that it listens; the Dockerfile's EXPOSE counts otherwise."""
    publish: int | None = None
    """The port of this machine at which it is published, where that is another one."""
    budget: int | None = None
    """Bytes that its image may have."""
    health: str | None = None
    """The path that answers 2xx when it is well."""
    slow: str | None = None
    """A path whose answer takes some seconds."""
    ready: str | None = None
    """The path that tells its version and revision as JSON."""
    metrics: str | None = None
    """The path of its Prometheus metrics."""
    skip_checks: tuple[str, ...] = ()
    """Checks of a verification that do not apply to it."""
    memory: int | None = None
    """Bytes that its container may have."""
    tmpfs: tuple[str, ...] = ()
    """Folders that its container may write, in memory."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What its container has in its environment beside what the image says."""

    def arguments(self, *, local: bool) -> Mapping[str, str]:
        """Return the build arguments of an image that stays here, or of one that leaves."""
        return {**self.args, **self.local_args} if local else self.args

    @property
    def dockerfile(self) -> str:
        """The path of its Dockerfile, relative to the root."""
        return join(self.folder, self.file)

    @property
    def context(self) -> str:
        """The path of its build context, relative to the root."""
        return self.folder if self.own_context else "."

    @property
    def task_name(self) -> str:
        """What Invoke can call it: dots would be sub-collections, underscores become dashes."""
        return self.name.replace(".", "-").replace("_", "-")

    @property
    def target(self) -> str:
        """What bake can call it: a target's name has no dots, and ``default`` is bake's own group."""
        return "default_" if self.name == "default" else self.name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository whose tasks.py Invoke loaded."""

    root: Path
    services: tuple[Service, ...]
    folders: tuple[str, ...] = ("services",)
    """Where services are looked for: patterns of the folders above them."""
    refused: ConfigError | None = None
    """Why its folders cannot be services; only a look at what is wrong goes on then."""

    def select(self, names: Sequence[str], *, source: str) -> tuple[Service, ...]:
        """Return the named services in the repository's order.

        Raises ConfigError for an unknown one, with the choices.
        """
        from .plan.names import is_service

        known = {service.name for service in self.services}
        for name in names:
            if name in known:
                continue
            for above in folders_above(self.root, self.folders):
                if is_service(name) and (self.root / above / name).is_dir():
                    raise ConfigError(f"{source}: {join(above, name)} has no Dockerfile", hint="add one")
            choices = ", ".join(sorted(known)) or f"none: add {self.folders[0]}/<name>/Dockerfile"
            raise ConfigError(f"{source}: there is no service {name!r}", hint=f"choose from {choices}")
        return tuple(service for service in self.services if service.name in names)


def folders_above(root: Path, patterns: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders whose sub-folders are services; a pattern's are sorted."""
    for pattern in patterns:
        if pattern == "." or not any(letter in pattern for letter in "*?["):
            yield pattern.rstrip("/") or "."
        else:
            yield from sorted(path.relative_to(root).as_posix() for path in root.glob(pattern) if path.is_dir())


def join(above: str, name: str) -> str:
    """Return a path below a folder, as it is written relative to the root."""
    return name if above == "." else f"{above}/{name}"


def read_dockerfile(repository: Repository, service: Service) -> str:
    """Return a service's Dockerfile.

    Raises ConfigError when it is no regular file, lies outside the repository, is empty,
    or is not text.
    """
    path = repository.root / service.dockerfile
    if not service.dockerfile.isprintable():
        raise ConfigError(f"{service.dockerfile!r} cannot be shown or handed on as text", hint="rename it")
    try:
        kind = path.stat().st_mode
    except OSError as error:
        if not os.path.lexists(path):
            raise ConfigError(
                f"there is no {service.dockerfile}",
                hint=f"add it, or mend container.services.{service.name}.dockerfile",
            ) from error
        raise ConfigError(f"{service.dockerfile} cannot be read: {error.strerror}", hint=_UNREAD) from error
    if not stat.S_ISREG(kind):
        what = "named pipe" if stat.S_ISFIFO(kind) else "folder" if stat.S_ISDIR(kind) else "special file"
        raise ConfigError(f"{service.dockerfile} is a {what}", hint="a Dockerfile is a regular file")
    if not path.resolve().is_relative_to(repository.root.resolve()):
        raise ConfigError(
            f"{service.dockerfile} lies outside the repository, at {path.resolve()}",
            hint="copy it in: what is built must be what is committed",
        )
    if leads_out(path.parent, path.name):
        raise ConfigError(
            f"{service.dockerfile} is a link out of its folder, which BuildKit does not follow",
            hint="put a file there, or link within the folder",
        )
    try:
        text = path.read_bytes().decode()  # a heredoc keeps the ends of its lines
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{service.dockerfile} is not UTF-8 text: {error.reason} at byte {error.start}", hint="save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{service.dockerfile} cannot be read: {error.strerror}", hint=_UNREAD) from error
    if not text.strip():
        raise ConfigError(f"{service.dockerfile} is empty", hint="it needs at least a FROM")
    return text
