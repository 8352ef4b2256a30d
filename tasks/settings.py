"""One frozen Settings, from flags, environment and invoke.yaml: checked once, before anything starts.

A flag wins over the file of -f, that over the Makefile's variables, they over ``INVOKE_CONTAINER_*``, that over
``container:`` in invoke.yaml, that over ~/.invoke.yaml and /etc/invoke.yaml, and those over the defaults.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError
from .texts import read_text

if TYPE_CHECKING:
    from invoke.context import Context

    from .elsewhere import Files
    from .plan.platforms import Platform
    from .plan.retrying import Patience
    from .services import Repository, Service

VERSION_FILE = "VERSION"
PROGRESS = ("auto", "plain", "quiet")
REUSE = ("none", "registry")
PROVENANCE = ("auto", "min", "max")
LONGEST_COUNT = 6  # digits
_PATIENCE = {"tries": 6, "retry_wait": 1, "retry_limit": 300, "registry_timeout": 120}
# What a second try does not need to say.
_NOT_AGAIN = frozenset({"services", "failed", "print", "json", "task", "chosen_by", "detach"})


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
    from .plan import names, signing
    from .plan import platforms as known

    read = _reader(c, flags)
    version = _version(repository.root, *read.optional("version"))
    services, source = read.flag("services", default=",".join(service.name for service in repository.services))
    if not repository.services:
        raise ConfigError("there is no service to build", hint=f"add {repository.folders[0]}/<name>/Dockerfile")
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
        ca=_not_empty(*read.first("ca", default="auto"), hint="auto, none, or a file"),
        builder=_builder(*read.optional("builder")),
        cache=_cache(*read.first("cache", default="none"), registry=registry),
        severity=_severity(*read.first("severity", default="HIGH,CRITICAL")),
        scan_db=_scan_db(*read.optional("scan_db")),
        jobs=_count(*read.first("jobs", default=str(max(5, 2 * (os.cpu_count() or 1))))),
        provenance=_provenance(*read.first("provenance", default=PROVENANCE[0])),
        **{key: _number(read, key, default) for key, default in _PATIENCE.items()},
        progress=_choice(*read.flag("progress", default=PROGRESS[0])),
        reuse=_reuse(read),
        force=read.switch("force"),
        no_cache=read.switch("no_cache"),
        pull=read.switch("pull"),
        fail_fast=read.switch("fail_fast"),
        sign=_one_of(signing.Choice, *read.first("sign", default=signing.Choice.AUTO)),
        sign_key=_optional(signing.check_key, *read.optional("sign_key")),
        verify_key=_optional(signing.check_key, *read.optional("verify_key")),
        identity=_optional(signing.check_identity, *read.optional("identity")),
        issuer=signing.check_issuer(*read.first("issuer", default=signing.GITHUB)),
        task=str(flags.get("task") or "container-build"),
        sources=_sources(read, flags, platforms),
        again=_again(flags, platforms),
    )


def _sources(read: "_Reader", flags: Mapping[str, Any], platforms: "tuple[Platform, ...]") -> Mapping[str, str]:
    chosen = {"services": str(flags["chosen_by"])} if flags.get("chosen_by") else {}
    return {**read.sources, **chosen, **({"platforms": "the task"} if platforms else {})}


def _again(flags: Mapping[str, Any], platforms: "tuple[Platform, ...]") -> str:
    from shlex import quote

    words = [f"--platforms {','.join(platforms)}"] if platforms else []
    for key, value in flags.items():
        if key not in _NOT_AGAIN and value not in {None, False}:
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
    from .configuration import SETTINGS

    read = _reader(c, {})
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
    from .plan.names import check_project

    project, source = _reader(c, {}).first("project", default=_default_project(repository.root))
    return check_project(project, source=source)


def _reader(c: "Context", flags: Mapping[str, Any]) -> "_Reader":
    from . import elsewhere

    section = c.config.get("container", {})
    return _Reader(flags=flags, config=section, files=elsewhere.read(c.config), environment=os.environ)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Finds the place that decides a setting, and names it for the errors."""

    flags: Mapping[str, Any]
    config: Mapping[str, Any]
    """What Invoke has made of its files and of ``INVOKE_CONTAINER_*``."""
    files: "Files"
    environment: Mapping[str, str]
    sources: dict[str, str] = field(default_factory=dict)
    """What has been read, with its place."""

    def first(self, key: str, variable: str | None = None, *, default: str) -> tuple[str, str]:
        """Return the value of the first place that gives one, and that place's name."""
        value, source = self.optional(key, variable)
        return (default, f"the default of {key}") if value is None else (value, source)

    def flag(self, key: str, *, default: str) -> tuple[str, str]:
        """Return the value of what is only a flag."""
        given = self.flags.get(key)
        self.sources[key] = "default" if given is None else f"--{key}"
        return (default, f"the default of {key}") if given is None else (str(given), f"--{key}")

    def switch(self, key: str) -> bool:
        """Return whether what is only a flag was given."""
        given = bool(self.flags.get(key))
        self.sources[key] = f"--{key.replace('_', '-')}" if given else "default"
        return given

    def configured(self, key: str, *, default: str) -> tuple[str, str]:
        """Return the value of the environment or the file, and that place's name."""
        return replace(self, flags={}).first(key, default=default)

    def optional(self, key: str, variable: str | None = None) -> tuple[str | None, str]:
        """Return the value of the first place that gives one, if there is any, and that place's name."""
        value, source = self._find(key, variable)
        self.sources[key] = source or "default"
        return value, source

    def _find(self, key: str, variable: str | None) -> tuple[str | None, str]:
        if self.flags.get(key) is not None:
            return str(self.flags[key]), f"--{key}"
        overruled = self.files.overruled(key)
        if variable is not None and variable in self.environment and not overruled:
            return self.environment[variable], variable
        value = self.config.get(key)
        if value is None:
            return None, ""
        from_environment = f"INVOKE_CONTAINER_{key.upper()}"
        in_environment = from_environment in self.environment and not overruled
        source = from_environment if in_environment else f"container.{key} in {self.files.deciding(key)}"
        if isinstance(value, list | tuple):
            return ",".join(str(item) for item in value), source
        if isinstance(value, str | int):
            return str(value), source
        raise ConfigError(f"{source} is a {type(value).__name__}", hint="write text")


def _builder(name: str | None, source: str) -> str | None:
    if name is not None and (not name or name.startswith("-") or not name.isprintable() or " " in name):
        raise ConfigError(f"{source}: {name!r} cannot be a builder", hint="docker buildx ls shows them")
    return name


def _not_empty(text: str, source: str, *, hint: str) -> str:
    if not text.strip():
        raise ConfigError(f"{source} is empty", hint=hint)
    return text


def _provenance(text: str, source: str) -> str:
    from .engine import github

    if text not in PROVENANCE:
        raise ConfigError(f"{source}: {text!r} is no provenance", hint=f"choose from {', '.join(PROVENANCE)}")
    if text != PROVENANCE[0]:
        return text
    return "max" if github.is_public() else "min"


def _number(read: "_Reader", key: str, default: int) -> int:
    text, source = read.first(key, default=str(default))
    return whole_number(text, source, hint=f"for example {default}")


def _count(text: str, source: str) -> int:
    return whole_number(text, source, hint="for example --jobs 2")


def whole_number(text: str, source: str, *, hint: str) -> int:
    """Return a number above 0 that a person wrote; ``source`` is named in errors.

    Raises ConfigError for anything else.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_COUNT and int(text) > 0):
        raise ConfigError(f"{source}: {text!r} is not a whole number above 0", hint=hint)
    return int(text)


def _choice(text: str, source: str) -> str:
    if text not in PROGRESS:
        raise ConfigError(f"{source}: {text!r} is not a kind of progress", hint=f"choose from {', '.join(PROGRESS)}")
    return text


def _one_of(choices: Iterable[str], text: str, source: str) -> str:
    known = [str(choice) for choice in choices]
    if text not in known:
        raise ConfigError(f"{source}: {text!r} is none of its values", hint=f"choose from {', '.join(known)}")
    return text


def _optional(check: Callable[[str, str], str], text: str | None, source: str) -> str | None:
    return None if text is None else check(text, source)


def _cache(text: str, source: str, *, registry: str) -> tuple[str, ...]:
    from .plan import caches, names

    words = names.split_list(text, source=source)
    return tuple(map(str, caches.parse(words, registry=registry, source=source)))


def _severity(text: str, source: str) -> tuple[str, ...]:
    """Return the severities that fail; who names one means all that are worse, too, and has to say so."""
    from .plan import names
    from .plan.severities import SEVERITIES, left_out

    found = names.split_list(text, source=source)
    for word in found:
        if word not in SEVERITIES:
            raise ConfigError(f"{source}: {word!r} is no severity", hint=f"choose from {', '.join(SEVERITIES)}")
    lacking = left_out(found)
    if lacking:
        raise ConfigError(
            f"{source}: {text} would let {', '.join(lacking)} pass", hint=f"write {','.join((*found, *lacking))}"
        )
    return tuple(word for word in SEVERITIES if word in found)


def _scan_db(text: str | None, source: str) -> str | None:
    from .plan.names import ARTIFACT

    if text is not None and not re.fullmatch(ARTIFACT, text):
        raise ConfigError(f"{source}: {text!r} cannot be a database", hint="host[:port]/path[:tag]")
    return text


def _reuse(read: _Reader) -> bool:
    if read.switch("reuse"):
        return True
    text, source = read.configured("reuse", default=REUSE[0])
    if text not in REUSE:
        raise ConfigError(f"{source}: {text!r} is nothing to reuse", hint=f"choose from {', '.join(REUSE)}")
    return text != REUSE[0]


def _version(root: Path, choice: str | None, source: str) -> str:
    """Return the version that tags and labels carry: of the file VERSION, of git, or as it is written."""
    if choice is None:
        choice = "file" if (root / VERSION_FILE).exists() else "git"
        source = VERSION_FILE if choice == "file" else "git describe"
        text = _version_of_file(root) if choice == "file" else _version_of_git(root) or "dev"
    elif choice == "file":
        text = _version_of_file(root)
    elif choice == "git":
        found = _version_of_git(root)
        if found is None:
            raise ConfigError(f"{source}: git knows no version here", hint="git init, git commit; or write a version")
        text = found
    else:
        text = _not_empty(choice, source, hint="file, git, or a version")
    from .plan.names import check_tags

    check_tags((f"v{text}",), source=f"the version ({source})")
    return text


def _version_of_file(root: Path) -> str:
    try:
        text = read_text(root / VERSION_FILE).strip().removeprefix("v")
        if not text:
            raise ConfigError(f"{VERSION_FILE} is empty", hint=f"echo 0.1.0 > {VERSION_FILE}")
        return text  # noqa: TRY300 - the empty file is an error of its own
    except FileNotFoundError:
        raise ConfigError(f"there is no file {VERSION_FILE} at the root", hint=f"echo 0.1.0 > {VERSION_FILE}") from None


def _version_of_git(root: Path) -> str | None:
    from .engine import git

    text = git.describe(root)
    # Git allows what tags of images cannot have. The part before a slash stays: app/v1 and lib/v1 are two versions.
    return None if text is None else re.sub(r"[^\w.-]", "-", text.removeprefix("v"), flags=re.ASCII)


def _default_project(root: Path) -> str:
    """Return the folder's name as images can have it; a hash keeps apart what would otherwise be one name."""
    from hashlib import sha256

    name = root.name
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower()).split()
    if not words or any(letter.isalnum() and not letter.isascii() for letter in name):
        words.append(sha256(os.fsencode(name)).hexdigest()[:8])
    return "-".join(words)
