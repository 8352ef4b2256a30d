"""What invoke.yaml says of one service: checked, and put into its Service."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .errors import ConfigError
from .plan.names import ADDRESS_PATH, CONTEXTS, FOLDER, nearest
from .services import Service

# Engines refuse less: it is what runc itself needs.
LEAST_MEMORY = 6 * 2**20


def described(service: Service, entry: Mapping[str, Any], place: str) -> Service:
    """Return a service with what its entry says; ``place`` is the entry's, for errors.

    Raises ConfigError for a value that cannot be used.
    """
    from .plan.sizes import parse_size

    budget = entry.get("budget")
    return replace(
        service,
        file=word(entry.get("dockerfile"), f"{place}.dockerfile") or service.file,
        own_context=own_context(entry.get("context"), f"{place}.context", otherwise=service.own_context),
        stage=word(entry.get("target"), f"{place}.target"),
        args=_named(entry.get("args"), f"{place}.args", "cannot be a build argument"),
        local_args=_named(entry.get("local_args"), f"{place}.local_args", "cannot be a build argument"),
        port=_port(entry.get("port"), f"{place}.port"),
        publish=_port(entry.get("publish"), f"{place}.publish"),
        budget=None if budget is None else parse_size(str(budget), source=f"{place}.budget"),
        health=_address_path(entry.get("health"), f"{place}.health"),
        slow=_address_path(entry.get("slow"), f"{place}.slow"),
        ready=_address_path(entry.get("ready"), f"{place}.ready"),
        metrics=_address_path(entry.get("metrics"), f"{place}.metrics"),
        skip_checks=_checks(entry.get("skip_checks"), f"{place}.skip_checks"),
        memory=_memory(entry.get("memory"), f"{place}.memory"),
        tmpfs=_folders(entry.get("tmpfs"), f"{place}.tmpfs"),
        env=_named(entry.get("env"), f"{place}.env", "cannot be set in an environment"),
    )


def word(value: object, place: str) -> str | None:
    """Return what was written, if anything was.

    Raises ConfigError for a word that is none.
    """
    if value is not None and not str(value).strip():
        raise ConfigError(f"{place} is empty", hint="give it a value, or leave it out")
    return None if value is None else str(value)


def own_context(value: object, place: str, *, otherwise: bool = False) -> bool:
    """Return whether a service's own folder is its build context.

    Raises ConfigError for a word that says neither.
    """
    if value is None:
        return otherwise
    if value not in CONTEXTS:
        raise ConfigError(f"{place}: {value!r} is not a kind of context", hint=f"choose from {', '.join(CONTEXTS)}")
    return value == "service"


def _port(value: object, place: str) -> int | None:
    from .plan.names import PORT

    if value is None:
        return None
    text = str(value)
    if not re.fullmatch(PORT, text):
        raise ConfigError(f"{place}: {value!r} is not a port", hint="a number from 1 to 65535")
    return int(text)


def _address_path(value: object, place: str) -> str | None:
    if value is None:
        return None
    if not re.fullmatch(ADDRESS_PATH, str(value)):
        raise ConfigError(
            f"{place}: {value!r} is not a path of an address",
            hint="it begins with / and has neither spaces nor letters beyond ASCII: /health",
        )
    return str(value)


def _checks(value: object, place: str) -> tuple[str, ...]:
    if value is None:
        return ()
    return check_names(
        tuple(str(item) for item in (value if isinstance(value, list) else str(value).split(","))), place
    )


def check_names(names: tuple[str, ...], place: str) -> tuple[str, ...]:
    """Return names of checks as they are; ``place`` is named in errors.

    Raises ConfigError for one that there is not, with the nearest.
    """
    from .plan.checks import NAMES

    for name in names:
        if name not in NAMES:
            near = nearest(name, NAMES)
            raise ConfigError(
                f"{place}: there is no check {name!r}",
                hint=f"choose from {', '.join(NAMES)}" if near is None else f"did you mean {near}?",
            )
    return names


def _memory(value: object, place: str) -> int | None:
    from .plan.sizes import parse_size

    if value is None:
        return None
    size = parse_size(str(value), source=place)
    if size < LEAST_MEMORY:
        raise ConfigError(f"{place}: {value!r} is less than an engine can give", hint="at least 7MB")
    return size


def _folders(value: object, place: str) -> tuple[str, ...]:
    if value is None:
        return ()
    folders = tuple(str(item).rstrip("/") for item in (value if isinstance(value, list) else str(value).split(",")))
    for folder in folders:
        if not re.fullmatch(FOLDER, folder):
            raise ConfigError(
                f"{place}: {folder!r} is not a folder that can be laid in memory",
                hint="whole paths below /, of letters, digits and . _ @ + -: /tmp",
            )
    return tuple(dict.fromkeys(folders))


def _named(entries: Mapping[str, Any] | None, place: str, use: str) -> dict[str, str]:
    found = {str(key): str(value) for key, value in (entries or {}).items()}
    for key, value in found.items():
        if not key or "=" in key or "\0" in value or not key.isprintable() or " " in key:
            raise ConfigError(f"{place}: {key!r} {use}", hint="LETTERS: text")
    return found
