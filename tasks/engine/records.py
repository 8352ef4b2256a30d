"""What the last build of each service read and made, and the records of the last runs, all below ``.container/``."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from . import workspace

LAST = f"{workspace.FOLDER}/last-run.json"
INPUTS, VERIFIED = "inputs", "verified"
PAGE = "report.html"


def _path(root: Path, service: str, kind: str) -> Path:
    return root / workspace.FOLDER / kind / f"{service}.json"


def read(root: Path, service: str, kind: str = INPUTS) -> Mapping[str, Any] | None:
    """Return a service's record; None where there is none that can be used."""
    return _read(_path(root, service, kind))


def read_last(root: Path) -> Mapping[str, Any] | None:
    """Return the record of the last run; None where there is none that can be used."""
    return _read(root / LAST)


def read_file(root: Path, name: str) -> Mapping[str, Any] | None:
    """Return the record in a file of the folder; None where there is none that can be used."""
    return _read(root / workspace.FOLDER / name)


def last_is_there(root: Path) -> bool:
    """Whether there is a record of a last run, or something in its place."""
    return os.path.lexists(root / LAST)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        content = json.loads(workspace.content(path))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def write(root: Path, service: str, record: Mapping[str, Any], kind: str = INPUTS) -> None:
    """Keep a service's record, whole or not at all.

    Raises ConfigError where the checkout cannot be written.
    """
    try:
        _write(root, _path(root, service, kind), json.dumps(record, ensure_ascii=True))
    except OSError as error:
        raise ConfigError(
            f"{workspace.FOLDER}/{kind}/{service}.json cannot be written: {error.strerror}", hint=workspace.WAY_OUT
        ) from error


def write_last(root: Path, text: str) -> None:
    """Keep the record of a run, whole; where that cannot be, none: an older one would tell of another run.

    Raises ConfigError where the checkout cannot be written.
    """
    try:
        _write(root, root / LAST, text)
    except OSError as error:
        with contextlib.suppress(OSError):
            (root / LAST).unlink(missing_ok=True)
        raise ConfigError(f"{LAST} cannot be written: {error.strerror}", hint=workspace.WAY_OUT) from error


def remove_files(root: Path, *names: str) -> None:
    """Remove files of the folder; nothing where they are not there.

    Raises ConfigError where the checkout cannot be written.
    """
    for name in names:
        try:
            (root / workspace.FOLDER / name).unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{workspace.FOLDER}/{name} cannot be removed: {error.strerror}", hint=workspace.WAY_OUT
            ) from error


def write_file(root: Path, name: str, text: str) -> None:
    """Write a file of the folder, whole or not at all.

    Raises ConfigError where the checkout cannot be written.
    """
    try:
        _write(root, root / workspace.FOLDER / name, text)
    except OSError as error:
        raise ConfigError(
            f"{workspace.FOLDER}/{name} cannot be written: {error.strerror}", hint=workspace.WAY_OUT
        ) from error


def _write(root: Path, path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    workspace.prepare(root)
    try:
        with workspace.fresh(new) as file:
            file.write(text.encode())
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
