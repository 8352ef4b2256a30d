"""One frozen Settings, from flags, environment and invoke.yaml: checked once, before anything starts.

A flag wins over the Makefile's variables, they win over Invoke's configuration
(``INVOKE_CONTAINER_*``, then ``container:`` in invoke.yaml), and that over the defaults.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError

if TYPE_CHECKING:
    from invoke.context import Context

    from .plan.platforms import Platform
    from .services import Repository, Service

VERSION_FILE = "VERSION"
PROGRESS = ("auto", "plain", "quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a person can decide about a build."""

    root: Path
    project: str
    """Marks this repository's images, and begins the ids of its cache mounts."""
    version: str
    services: "tuple[Service, ...]"
    platforms: "tuple[Platform, ...]"
    registry: str
    tags: tuple[str, ...]
    mirror: str | None
    ca: str
    """``auto`` (the machine's own bundle), ``none``, or the path of one."""
    builder: str | None
    jobs: int
    budgets: Mapping[str, int]
    """Bytes that an image of a service may have."""
    progress: str
    no_cache: bool
    pull: bool
    fail_fast: bool


def load(
    c: "Context", repository: "Repository", flags: Mapping[str, Any], *, platforms: "tuple[Platform, ...]" = ()
) -> Settings:
    """Read, merge and check every setting; ``platforms`` given here are the task's own.

    Raises ConfigError that names the flag, variable or key, and what mends it.
    """
    from .plan import names
    from .plan import platforms as known

    read = _Reader(flags=flags, config=c.config.get("container", {}), environment=os.environ)
    version = _version(repository.root)
    services, source = read.first("services", default=",".join(service.name for service in repository.services))
    if not repository.services:
        raise ConfigError("there is no service to build", hint="add services/<name>/Dockerfile")
    wanted, platform_source = read.first("platforms", "BUILD_PLATFORMS", default=known.Platform.AMD64.value)
    tags, tags_source = read.first("tags", "DOCKER_TAGS", default=f"latest,v{version}")
    mirror, mirror_source = read.optional("mirror")
    project, project_source = read.first("project", default=_default_project(repository.root))
    names.check_project(project, source=project_source)
    registry, registry_source = read.first("registry", "DOCKER_REGISTRY", default=f"ghcr.io/{project}")
    return Settings(
        root=repository.root,
        project=project,
        version=version,
        services=repository.select(names.split_list(services, source=source), source=source),
        platforms=platforms or known.parse(names.split_list(wanted, source=platform_source), source=platform_source),
        registry=names.check_registry(registry, source=registry_source),
        tags=names.check_tags(names.split_list(tags, source=tags_source), source=tags_source),
        mirror=None if mirror is None else names.check_registry(mirror, source=mirror_source),
        ca=read.first("ca", default="auto")[0],
        builder=_builder(*read.optional("builder")),
        jobs=_count(*read.first("jobs", default=str(max(5, 2 * (os.cpu_count() or 1))))),
        budgets=read.budgets(repository),
        progress=_choice(*read.first("progress", default=PROGRESS[0])),
        no_cache=bool(flags.get("no_cache")),
        pull=bool(flags.get("pull")),
        fail_fast=bool(flags.get("fail_fast")),
    )


def project_of(c: "Context", repository: "Repository") -> str:
    """Return the project's name alone, for tasks that build nothing.

    Raises ConfigError when it could not mark images.
    """
    from .plan.names import check_project

    project, source = _Reader({}, c.config.get("container", {}), os.environ).first(
        "project", default=_default_project(repository.root)
    )
    return check_project(project, source=source)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Finds the place that decides a setting, and names it for the errors."""

    flags: Mapping[str, Any]
    config: Mapping[str, Any]
    environment: Mapping[str, str]

    def first(self, key: str, variable: str | None = None, *, default: str) -> tuple[str, str]:
        """Return the value of the first place that gives one, and that place's name."""
        value, source = self.optional(key, variable)
        return (default, f"the default of {key}") if value is None else (value, source)

    def optional(self, key: str, variable: str | None = None) -> tuple[str | None, str]:
        if self.flags.get(key) is not None:
            return str(self.flags[key]), f"--{key}"
        if variable is not None and variable in self.environment:
            return self.environment[variable], variable
        value = self.config.get(key)
        if value is None:
            return None, ""
        from_environment = f"INVOKE_CONTAINER_{key.upper()}"
        source = from_environment if from_environment in self.environment else f"container.{key} in invoke.yaml"
        if isinstance(value, list | tuple):
            return ",".join(str(item) for item in value), source
        if isinstance(value, str | int):
            return str(value), source
        raise ConfigError(f"{source} is a {type(value).__name__}", hint="write text")

    def budgets(self, repository: "Repository") -> Mapping[str, int]:
        given = dict(self.config.get("budgets") or {})
        known = {service.name for service in repository.services}
        return {
            name: _size(str(text), source=f"container.budgets.{name}") for name, text in given.items() if name in known
        }


def _builder(name: str | None, source: str) -> str | None:
    if name is not None and (not name or name.startswith("-") or not name.isprintable() or " " in name):
        raise ConfigError(f"{source}: {name!r} cannot be a builder", hint="docker buildx ls shows them")
    return name


def _count(text: str, source: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ConfigError(f"{source}: {text!r} is not a whole number above 0", hint="for example --jobs 2")
    return int(text)


def _choice(text: str, source: str) -> str:
    if text not in PROGRESS:
        raise ConfigError(f"{source}: {text!r} is not a kind of progress", hint=f"choose from {', '.join(PROGRESS)}")
    return text


def _size(text: str, *, source: str) -> int:
    number, unit = text[:-2].strip(), text[-2:].upper()
    factors = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
    if unit not in factors or not (number.isascii() and number.isdigit()):
        raise ConfigError(f"{source}: {text!r} is not a size", hint="for example 100MB")
    return int(number) * factors[unit]


def _version(root: Path) -> str:
    path = root / VERSION_FILE
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ConfigError(f"there is no file {VERSION_FILE} at the root", hint=f"echo 0.1.0 > {VERSION_FILE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{VERSION_FILE} cannot be read: {error}") from error
    from .plan.names import check_tags

    check_tags((f"v{text}",), source=f"the version in {VERSION_FILE}")
    return text


def _default_project(root: Path) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in root.name.lower()).strip("-")
