"""The docker client's own file, config.json: looked at first, because the SDK and buildx stumble over a damaged one."""

import base64
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import EngineError

DEFAULT = "default"
"""The context that is the usual socket."""
# Sections that the SDK or the command line opens, and what each of their entries has to be.
_SECTIONS = {"auths": dict, "credHelpers": str, "proxies": dict, "HttpHeaders": str}


def names_plugin_folders() -> bool:
    """Return whether it says where else the client looks for plugins.

    Raises EngineError when it is damaged.
    """
    return bool(content().get("cliPluginsExtraDirs"))


def content() -> Mapping[str, Any]:
    """Return what it says; nothing where it is not there.

    Raises EngineError when it is damaged.
    """
    return _read(path())


def unreadable_login() -> str | None:
    """Return a registry whose login cannot be read, over which the SDK stumbles; None where there is none.

    Raises EngineError when the file is damaged.
    """
    for host, entry in (content().get("auths") or {}).items():
        try:
            _, joint, _ = base64.b64decode(entry.get("auth") or "Og==").decode().partition(":")
        except (ValueError, TypeError):  # no base64, no text
            return str(host)
        if not joint:
            return str(host)
    return None


def path() -> Path:
    """Return where it lies: DOCKER_CONFIG is honoured."""
    return Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"


def require() -> str:
    """See that the docker client's file can be read, and that the context that is chosen is there.

    Returns the name of that context; DOCKER_HOST wins over it. Raises EngineError that names the file or the context,
    and the way out.
    """
    name, source = context()
    if not os.environ.get("DOCKER_HOST") and name != DEFAULT:
        _require_context(name, source)
    return name


def context() -> tuple[str, str]:
    """Return the context that is chosen, and what chose it, if anything did; DOCKER_HOST wins over it.

    Raises EngineError when the file is damaged.
    """
    chosen, named = content().get("currentContext"), os.environ.get("DOCKER_CONTEXT")
    if named:
        return named, "DOCKER_CONTEXT"
    return (str(chosen), f"currentContext in {path()}") if chosen else (DEFAULT, "")


def _read(place: Path) -> Mapping[str, Any]:
    try:
        if not place.is_file():
            if place.exists():
                raise _damaged(place, "it is no regular file")
            return {}
        said = json.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(
            f"the docker client's file {place} cannot be read: {error.strerror}",
            hint=f'sudo chown -R "$USER" {shlex.quote(str(place.parent))}',
        ) from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise _damaged(place, str(error)) from error
    if not isinstance(said, dict):
        raise _damaged(place, f"it holds a {type(said).__name__}")
    for section, kind in _SECTIONS.items():
        entries = {} if said.get(section) is None else said[section]
        if not isinstance(entries, dict) or not all(isinstance(entry, kind) for entry in entries.values()):
            raise _damaged(place, f"{section} is not what it has to be")
    if not isinstance(said.get("currentContext") or "", str):
        raise _damaged(place, "currentContext is not text")
    return said


def _damaged(place: Path, why: str) -> EngineError:
    return EngineError(
        f"the docker client's file {place} is damaged: {why}",
        hint=shlex.join(["mv", str(place), f"{place}.old"]),
    )


def _require_context(name: str, source: str) -> None:
    """Refuse a context that is not there: the SDK would quietly ask the usual socket instead."""
    from docker.context import ContextAPI

    known = [context.Name for context in ContextAPI.contexts()]
    if name not in known:
        choose = f"docker context use {shlex.quote(known[0])} && docker context ls"
        raise EngineError(
            f"{source}: there is no context {name!r}",
            hint=f"unset {source}" if source in os.environ else choose,
        )
