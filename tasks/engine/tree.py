"""A build context on this disk: the kind, mode and content of each file in it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .digests import Digests


@dataclass(slots=True)
class Tree:
    """The files below a folder; each is read once, however many services read it."""

    root: Path
    digests: Digests

    def status(self, path: str) -> os.stat_result | None:
        """Return what is at a path itself; None where there is nothing that could be told."""
        try:
            return os.lstat(f"{self.root}/{path}")
        except (OSError, ValueError):
            return None

    def entries(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the names in a folder with what is there; what goes meanwhile is not there.

        Raises OSError for a folder that cannot be read.
        """
        with os.scandir(f"{self.root}/{folder}") as found:
            for entry in found:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                yield entry.name, status

    def link(self, path: str) -> str:
        """Return the text of the link at a path.

        Raises OSError where it is gone.
        """
        return os.readlink(f"{self.root}/{path}")  # noqa: PTH115 - as it is written

    def describe(self, path: str, status: os.stat_result) -> str:
        """Return the kind and mode of what is at a path, and what it holds."""
        mode = f"{stat.S_IMODE(status.st_mode):o}"
        if stat.S_ISREG(status.st_mode):
            return f"file {mode} {self.digests.of(f'{self.root}/{path}', status)}"
        if stat.S_ISLNK(status.st_mode):
            try:
                return f"link {self.link(path)}"
            except OSError as error:
                return f"unreadable {error.errno}"
        if stat.S_ISDIR(status.st_mode):
            return f"folder {mode}"
        return f"special {stat.S_IFMT(status.st_mode):o} {mode} {status.st_rdev:x}"
