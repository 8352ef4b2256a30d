"""What leaves this machine for a registry goes through here: its door, its lock, its builder, its signatures."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from .engine import cache, git, trust, workspace
from .engine import registry as door
from .engine.distribution import Distribution
from .engine.retries import Retries
from .errors import ConfigError
from .plan.release import REPOSITORY, may_be_name
from .report import style

if TYPE_CHECKING:
    from .settings import Settings

_OWN_DRIVER = "docker"
"""The engine's own BuildKit: it cannot push by digest."""


def registry(settings: "Settings") -> Distribution:
    """Return the door to the registry of the settings."""
    bundle = trust.bundle(settings.ca, settings.root)
    return Distribution(settings.registry, retries(settings), bundle, seconds=float(settings.registry_timeout))


def require_clean(root: Path) -> None:
    """See that what is released is what a commit says.

    Raises ConfigError that names what differs.
    """
    changed = git.uncommitted(root)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""  # noqa: PLR2004 - three names fit a line
        raise ConfigError(
            f"the work tree is not clean: {', '.join(changed[:3])}{more}",
            hint="commit or stash it: what is pushed must be what a commit says",
        )


def require_tags(settings: "Settings") -> None:
    """See that no tag is one under which signatures are kept, and that the version is none that people follow.

    Raises ConfigError that names it.
    """
    if not re.search(r"[0-9]", settings.version) or not re.match(r"\w", settings.version):
        raise ConfigError(
            f"the version {settings.version} is none that a release could have: its tag is never moved again",
            hint="echo 0.1.0 > VERSION",
        )
    for tag in settings.tags:
        if not may_be_name(tag):
            raise ConfigError(
                f"the tag {tag} is one under which cosign keeps signatures", hint="choose another: container.tags"
            )


def require_room_for_records(settings: "Settings") -> None:
    """See that no service has the name under which the records of releases lie.

    Raises ConfigError that names it.
    """
    if any(service.name == REPOSITORY for service in settings.services):
        raise ConfigError(
            f"a service is called {REPOSITORY}, and that is where the records of releases lie",
            hint="give it another name: container.services.<name>.folder says where it lies",
        )


def require_registry(settings: "Settings") -> None:
    """See that the registry answers before anything is built.

    Raises PushError when it does not.
    """
    bundle, seconds = trust.bundle(settings.ca, settings.root), min(door.TIMEOUT, float(settings.registry_timeout))
    retries(settings).call(settings.registry, lambda: door.require(settings.registry, bundle, seconds=seconds))


def retries(settings: "Settings") -> Retries:
    """Return the patience of the settings; each wait is told."""
    return Retries(settings.patience, lambda words: style.note(style.safe(words)))


@contextmanager
def alone(settings: "Settings") -> Iterator[None]:
    """Let one run at a time of this machine move a registry's tags, whatever checkout it is in."""
    folder = cache.home() / "registries"
    name = f"{sha256(settings.registry.encode()).hexdigest()[:16]}.lock"
    with workspace.alone_in(folder, name, lambda: style.note(f"another run releases to {settings.registry}; waiting")):
        yield


def with_builder(settings: "Settings") -> "Settings":
    """Return the settings with a builder that can push by digest: the one in use, else one of our own.

    Raises ConfigError for a builder that was asked for and cannot, EngineError where none can be had.
    """
    from .engine import buildx
    from .engine.machine import release_builder

    if settings.builder is not None and settings.builder in release_builder.existing(settings.project):
        _ready(settings.builder, settings.project)  # one that has died comes back
        return settings
    found = buildx.inspect(settings.builder)
    if found.driver != _OWN_DRIVER:
        if found.name in release_builder.existing(settings.project):
            _ready(found.name, settings.project)
        return settings
    if settings.builder is not None:
        raise ConfigError(
            f"the builder {settings.builder} is the engine's own, which cannot push by digest",
            hint="leave --builder out: one of our own is made; or inv container-setup --release-builder",
        )
    name = release_builder.default_name(settings.project)
    _ready(name, settings.project)
    return replace(settings, builder=name)


def _ready(name: str, project: str) -> None:
    from .engine.machine import prepare, release_builder

    with prepare.alone(lambda _: style.note("another set-up runs here; waiting for it")):
        if name not in release_builder.existing(project):
            style.say(f"No builder here can push by digest, so one is made: {name}. The first time takes minutes.")
        release_builder.ensure(name, project=project)
