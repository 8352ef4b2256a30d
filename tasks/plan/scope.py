"""Which files of the repository a build reads: those that are there, and those that were or may come."""

from collections.abc import Mapping
from dataclasses import dataclass

from .ignore import Ignore, Matches
from .reads import is_pattern, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a service's build reads, to be asked about any path."""

    context: str
    """Relative to the root."""
    sources: tuple[str, ...]
    """Relative to the context."""
    ignore: Ignore
    own: tuple[str, ...]
    """The Dockerfile and its ignore files, relative to the root."""
    files: Mapping[str, str]
    """What there is of the sources and of what their links lead to, relative to the context: its kind, and more."""

    def covers(self, path: str) -> bool:
        """Return whether the build reads a path, or would if it were there; it is relative to the root."""
        if path in self.own:
            return True
        inside = path if self.context == "." else path.removeprefix(f"{self.context}/")
        if self.context != "." and inside == path:
            return False
        if inside in self.files:
            return True
        return any(_may_be_of(source, inside) for source in self.sources) and not self._ignored(inside)

    def present(self) -> tuple[str, ...]:
        """Return the files and links that are there, relative to the root."""
        there = (path for path, told in self.files.items() if not told.startswith(("folder", "missing")))
        return tuple(there if self.context == "." else (f"{self.context}/{path}" for path in there))

    def folders(self) -> tuple[str, ...]:
        """Return paths, relative to the root, that everything which it covers lies at or below."""
        found = {_fixed(source) for source in self.sources}
        beyond = (path for path in self.files if not any(_below(path, folder) for folder in found))
        places = {place for place in (*found, *beyond) if place != "."} if "." not in found else {"."}
        inside = (place if self.context == "." else f"{self.context}/{place}".removesuffix("/.") for place in places)
        return tuple(sorted({*inside, *self.own}))

    def _ignored(self, path: str) -> bool:
        ignored = False
        above: Matches | None = None
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            ignored, above = self.ignore.ignores("/".join(parts[:count]), above)
        return ignored


def _may_be_of(source: str, path: str) -> bool:
    return matches(source, path) if is_pattern(source) else _below(path, source)


def _below(path: str, folder: str) -> bool:
    return folder in {".", path} or path.startswith(f"{folder}/")


def _fixed(source: str) -> str:
    """Return the folder that all of what a source means lies in; of a plain source, itself."""
    if not is_pattern(source):
        return source
    parts = source.split("/")
    fixed = parts[: next(number for number, part in enumerate(parts) if is_pattern(part))]
    return "/".join(fixed) or "."
