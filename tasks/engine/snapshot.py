"""A build context as a commit, or git's view of the work tree, has it."""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .commits import Entries, Entry

_FOLDER = Entry(stat.S_IFDIR, "")


@dataclass(slots=True)
class Snapshot:
    """The files below one folder of a repository: kind, whether it is executable, and git's name of the content."""

    below: str
    """The folder, relative to the repository's root."""
    _folders: Mapping[str, Mapping[str, Entry]]

    def status(self, path: str) -> Entry | None:
        """Return what is at a path itself; None where there is nothing."""
        folder, _, name = self._place(path).rpartition("/")
        return self._folders.get(folder, {}).get(name)

    def entries(self, folder: str) -> Iterator[tuple[str, Entry]]:
        """Yield the names in a folder with what is there."""
        yield from self._folders.get(self._place(folder), {}).items()

    def link(self, path: str) -> str:
        """Return the text of the link at a path."""
        status = self.status(path)
        return "" if status is None else status.content

    def describe(self, path: str, status: Entry) -> str:  # noqa: ARG002 - others have to look there
        """Return the kind of what is at a path, and git's name of what it holds."""
        return f"{status.st_mode:o} {status.content}"

    def _place(self, path: str) -> str:
        return path if self.below == "." else f"{self.below}/{path}".removesuffix("/")


def folders_of(entries: Entries) -> Mapping[str, Mapping[str, Entry]]:
    """Return what is in each folder, by name; the root's path is empty."""
    found: dict[str, dict[str, Entry]] = {"": {}}
    for path, entry in entries.items():
        folder, _, name = path.rpartition("/")
        there = entry
        while folder not in found:
            found[folder] = {name: there}
            there = _FOLDER
            folder, _, name = folder.rpartition("/")
        found[folder][name] = there
    return found
