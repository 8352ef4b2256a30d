"""Which images were made of what, in the cache folder: every checkout of this machine knows what another has built.

A fingerprint is a label, and what is built on an image, or committed from it, inherits its labels. So it counts only
on an image that is known to have been made of just that.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from . import cache, workspace

_FOLDER = "made"
_IMAGE = re.compile(r"sha256:[0-9a-f]{64}")
_PLAIN = re.compile(r"[0-9A-Za-z-]+")
_MOST = 16
"""Images of one fingerprint that are kept: a build without a cache makes another each time."""
_FILES = 64
"""Fingerprints that are kept in each of 256 folders; beyond them the oldest go."""


def of(fingerprint: str) -> frozenset[str]:
    """Return the images that builds on this machine have made of a fingerprint, and pulls have brought of it."""
    try:
        return frozenset(_images(_path(fingerprint)))
    except (OSError, ValueError):
        return frozenset()


def keep(fingerprint: str, image: str) -> None:
    """Remember that an image was made of a fingerprint; where that cannot be, it is built once more elsewhere."""
    if not _IMAGE.fullmatch(image):
        return
    with contextlib.suppress(OSError, ValueError):
        path = _path(fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        known = list(_images(path)) if path.exists() else []
        if image in known:
            return
        _write(path, [*known[1 - _MOST :], image])
        _forget(path.parent)


def _path(fingerprint: str) -> Path:
    if not _PLAIN.fullmatch(fingerprint):
        raise ValueError(fingerprint)
    return cache.home() / _FOLDER / fingerprint[-2:] / fingerprint


def _images(path: Path) -> Iterator[str]:
    text = workspace.content(path).decode("ascii", "replace")
    return (line for line in text.splitlines() if _IMAGE.fullmatch(line))


def _write(path: Path, images: list[str]) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with workspace.fresh(new) as file:
            file.write("".join(f"{image}\n" for image in images).encode())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _forget(folder: Path) -> None:
    files = [Path(entry.path) for entry in os.scandir(folder)]
    if len(files) > _FILES:
        for path in sorted(files, key=lambda one: one.stat().st_mtime)[: len(files) - _FILES]:
            path.unlink(missing_ok=True)
