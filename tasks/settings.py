"""One frozen Settings, from flags, environment and invoke.yaml: checked once, before anything starts.

A flag wins over the file of -f, that over the Makefile's variables, they over ``INVOKE_CONTAINER_*``, that over
``container:`` in invoke.yaml, that over ~/.invoke.yaml and /etc/invoke.yaml, and those over the defaults.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import reader, version
from .errors import ConfigError
from .plan import names, values

if TYPE_CHECKING:
    from invoke.context import Context

    from .plan.platforms import Platform
    from .plan.retrying import Patience
    from .reader import Reader
    from .services import Repository, Service

_PATIENCE = {"tries": 6, "retry_wait": 1, "retry_limit": 300, "registry_timeout": 120}
# What a second try does not need to say.
_NOT_AGAIN = frozenset({"services", "failed", "print", "json", "task", "chosen_by", "detach"})
# What a build does not know, where another task builds what it lacks.
_OF_OTHERS = frozenset({"require", "skip", "image"})


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
    cache: tuple[str, ...]
    """The caches that builds read and write beside the builder's own, each with its place."""
    severity: tuple[str, ...]
    """Findings of a scan that fail."""
    scan_db: str | None
    """Where the scanner's vulnerability database is published; None for its own places."""
    jobs: int
    provenance: str
    """How much a pushed image says of its build: ``min`` or ``max``."""
    tries: int
    """How often a step that talks to a registry is tried in all."""
    retry_wait: int
    """Seconds before the second try."""
    retry_limit: int
    """Seconds that all waiting for further tries may take."""
    registry_timeout: int
    """Seconds without a word from a registry until a step counts as hung."""
    progress: str
    reuse: bool
    """Whether to pull what the registry has of the same fingerprint, instead of building it."""
    force: bool
    no_cache: bool
    pull: bool
    fail_fast: bool
    sign: str
    """``auto``, ``key``, ``keyless`` or ``none``: who signs what is pushed."""
    sign_key: str | None
    """Where the private key is, as it was written; never the key itself."""
    verify_key: str | None
    identity: str | None
    """A regular expression for all of who is trusted without a key."""
    issuer: str
    task: str = "container-build"
    """What was typed."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each setting came from, by its key."""
    again: str = ""
    """The flags as they were typed, other than --services: what a second try has to say too."""

    @property
    def patience(self) -> "Patience":
        """How patiently a registry is waited for."""
        from .plan.retrying import Patience

        return Patience(times=self.tries - 1, wait=float(self.retry_wait), limit=float(self.retry_limit))


def load(
    c: "Context", repository: "Repository", flags: Mapping[str, Any], *, platforms: "tuple[Platform, ...]" = ()
) -> Settings:
    """Read, merge and check every setting; ``platforms`` given here are the task's own.

    Raises ConfigError that names the flag, variable or key, and what mends it.
    """
    from .plan import platforms as known
    from .plan import signing

    read = reader.of(c, flags)
    found = version.find(repository.root, *read.optional("version"))
    services, source = read.flag("services", default=",".join(service.name for service in repository.services))
    if not repository.services:
        raise ConfigError("there is no service to build", hint=f"add {repository.folders[0]}/<name>/Dockerfile")
    wanted, platform_source = read.first("platforms", "BUILD_PLATFORMS", default=known.Platform.AMD64.value)
    tags, tags_source = read.first("tags", "DOCKER_TAGS", default=f"latest,v{found}")
    mirror, mirror_source = read.optional("mirror")
    project, project_source = read.first("project", default=_default_project(repository.root))
    names.check_project(project, source=project_source)
    registry, registry_source = read.first("registry", "DOCKER_REGISTRY", default=f"ghcr.io/{project}")
    return Settings(
        root=repository.root,
        project=project,
        version=found,
        services=repository.select(names.split_list(services, source=source), source=source),
        platforms=platforms or known.parse(names.split_list(wanted, source=platform_source), source=platform_source),
        registry=names.check_registry(registry, source=registry_source),
        tags=names.check_tags(names.split_list(tags, source=tags_source), source=tags_source),
        mirror=None if mirror is None else names.check_registry(mirror, source=mirror_source),
        ca=values.not_empty(*read.first("ca", default="auto"), hint="auto, none, or a file"),
        builder=values.builder(*read.optional("builder")),
        cache=values.cache(*read.first("cache", default="none"), registry=registry),
        severity=values.severity(*read.first("severity", default="HIGH,CRITICAL")),
        scan_db=values.scan_db(*read.optional("scan_db")),
        jobs=values.jobs(*read.first("jobs", default=str(max(5, 2 * (os.cpu_count() or 1))))),
        provenance=_provenance(*read.first("provenance", default=values.PROVENANCE[0])),
        **{key: _number(read, key, default) for key, default in _PATIENCE.items()},
        progress=values.progress(*read.flag("progress", default=values.PROGRESS[0])),
        reuse=_reuse(read),
        force=read.switch("force"),
        no_cache=read.switch("no_cache"),
        pull=read.switch("pull"),
        fail_fast=read.switch("fail_fast"),
        sign=values.one_of(signing.Choice, *read.first("sign", default=signing.Choice.AUTO)),
        sign_key=values.optional(signing.check_key, *read.optional("sign_key")),
        verify_key=values.optional(signing.check_key, *read.optional("verify_key")),
        identity=values.optional(signing.check_identity, *read.optional("identity")),
        issuer=signing.check_issuer(*read.first("issuer", default=signing.GITHUB)),
        task=str(flags.get("task") or "container-build"),
        sources=_sources(read, flags, platforms),
        again=_again(flags, platforms),
    )


def _sources(read: "Reader", flags: Mapping[str, Any], platforms: "tuple[Platform, ...]") -> Mapping[str, str]:
    chosen = {"services": str(flags["chosen_by"])} if flags.get("chosen_by") else {}
    return {**read.sources, **chosen, **({"platforms": "the task"} if platforms else {})}


def _again(flags: Mapping[str, Any], platforms: "tuple[Platform, ...]") -> str:
    from shlex import quote

    words = [f"--platforms {','.join(platforms)}"] if platforms else []
    left_out = _NOT_AGAIN if flags.get("task") == "container-push" else _NOT_AGAIN | _OF_OTHERS
    for key, value in flags.items():
        if key not in left_out and value not in {None, False}:
            flag = f"--{key.replace('_', '-')}"
            words.append(flag if value is True else f"{flag} {quote(str(value))}")
    return "".join(f" {word}" for word in words)


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting as it stands, and the place that decided it."""

    key: str
    value: str
    source: str


def explain(c: "Context", repository: "Repository") -> tuple[Explained, ...]:
    """Return every setting with its value and where that came from: environment, a file or default.

    Raises ConfigError for a value that cannot be used.
    """
    from .plan.keys import SETTINGS

    read = reader.of(c, {})
    decided = load(c, repository, {}) if repository.services else None
    found = []
    for setting in SETTINGS:
        value, source = read.optional(setting.key, setting.variable)
        if value is None:
            known = getattr(decided, setting.key, None)
            text = ",".join(known) if isinstance(known, tuple) else str(known or "")
            found.append(Explained(setting.key, text or setting.default, "default"))
        else:
            found.append(Explained(setting.key, value, source))
    return tuple(found)


def project_of(c: "Context", repository: "Repository") -> str:
    """Return the project's name alone, for tasks that build nothing.

    Raises ConfigError when it could not mark images.
    """
    project, source = reader.of(c, {}).first("project", default=_default_project(repository.root))
    return names.check_project(project, source=source)


def _number(read: "Reader", key: str, default: int) -> int:
    text, source = read.first(key, default=str(default))
    return values.whole_number(text, source, hint=f"for example {default}")


def _reuse(read: "Reader") -> bool:
    return read.switch("reuse") or values.reuse(*read.configured("reuse", default=values.REUSE[0]))


def _provenance(text: str, source: str) -> str:
    from .engine import github

    chosen = values.provenance(text, source)
    if chosen != values.PROVENANCE[0]:
        return chosen
    return "max" if github.is_public() else "min"


def _default_project(root: Path) -> str:
    """Return the folder's name as images can have it; a hash keeps apart what would otherwise be one name."""
    from hashlib import sha256

    name = root.name
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower()).split()
    if not words or any(letter.isalnum() and not letter.isascii() for letter in name):
        words.append(sha256(os.fsencode(name)).hexdigest()[:8])
    return "-".join(words)
