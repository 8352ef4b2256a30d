"""The docker client's own file, config.json: looked at first, because the SDK and buildx stumble over a damaged one."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import EngineError

# Sections that the SDK or the command line opens, and what each of their entries has to be.
_SECTIONS = {"auths": dict, "credHelpers": str, "proxies": dict, "HttpHeaders": str}


def names_plugin_folders() -> bool:
    """Return whether it says where else the client looks for plugins.

    Raises EngineError when it is damaged.
    """
    return bool(_read(_path()).get("cliPluginsExtraDirs"))


def _path() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"


def require() -> str | None:
    """See that the docker client's file can be read, and that the context that is chosen is there.

    Returns the context that the file names. Raises EngineError that names the file or the context, and the way out.
    """
    path = _path()
    content = _read(path)
    chosen: str | None = content.get("currentContext")
    if os.environ.get("DOCKER_HOST"):
        return chosen
    named = os.environ.get("DOCKER_CONTEXT")
    name, source = (named, "DOCKER_CONTEXT") if named else (chosen, f"currentContext in {path}")
    if name and name != "default":
        _require_context(str(name), source)
    return chosen


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if not path.is_file():
            if path.exists():
                raise _damaged(path, "it is no regular file")
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(
            f"the docker client's file {path} cannot be read: {error.strerror}",
            hint=f"make it yours: ls -ld {path} shows whose it is; DOCKER_CONFIG names another folder",
        ) from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise _damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise _damaged(path, f"it holds a {type(content).__name__}")
    for section, kind in _SECTIONS.items():
        entries = {} if content.get(section) is None else content[section]
        if not isinstance(entries, dict) or not all(isinstance(entry, kind) for entry in entries.values()):
            raise _damaged(path, f"{section} is not what it has to be")
    if not isinstance(content.get("currentContext") or "", str):
        raise _damaged(path, "currentContext is not text")
    return content


def _damaged(path: Path, why: str) -> EngineError:
    return EngineError(
        f"the docker client's file {path} is damaged: {why}",
        hint=f"mend it, or begin a new one: mv {path} {path}.old; then docker login where it was needed",
    )


def _require_context(name: str, source: str) -> None:
    """Refuse a context that is not there: the SDK would quietly ask the usual socket instead."""
    from docker.context import ContextAPI

    known = [context.Name for context in ContextAPI.contexts()]
    if name not in known:
        raise EngineError(
            f"{source}: there is no context {name!r}",
            hint=f"choose from {', '.join(known)}: docker context use {known[0]}; docker context ls shows them",
        )
