"""What the last build of each service read, kept beside its log, to say later what changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from . import workspace


def _path(root: Path, service: str) -> Path:
    return root / workspace.FOLDER / "inputs" / f"{service}.json"


def read(root: Path, service: str) -> Mapping[str, Any] | None:
    """Return a service's record; None where there is none that can be used."""
    try:
        content = json.loads(_path(root, service).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def write(root: Path, service: str, record: Mapping[str, Any]) -> None:
    """Keep a service's record, whole or not at all.

    Raises ConfigError where the checkout cannot be written.
    """
    path = _path(root, service)
    new = path.with_suffix(".new")
    try:
        workspace.prepare(root)
        with workspace.fresh(new) as file:
            file.write(json.dumps(record, ensure_ascii=True).encode())
        new.replace(path)
    except OSError as error:
        raise ConfigError(f"{workspace.FOLDER}/inputs/{service}.json cannot be written: {error.strerror}") from error
