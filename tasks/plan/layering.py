"""The file system that layers make, one upon the other; OCI image specification, layer.md: whiteouts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .evidence import Entry, Kind, Layer


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry of the file system, and which layer it comes from, counted from 0."""

    entry: Entry
    layer: int


def merged(layers: Sequence[Layer]) -> Mapping[str, Placed]:
    """Return what a container sees, by path."""
    found: dict[str, Placed] = {}
    for number, layer in enumerate(layers):
        for entry in layer.entries:  # a whiteout counts for the layers below alone
            if entry.kind in {Kind.GONE, Kind.EMPTIED}:
                for path in list(_below(found, entry)):
                    del found[path]
        for entry in layer.entries:
            if entry.kind in {Kind.GONE, Kind.EMPTIED}:
                continue
            if entry.kind is not Kind.FOLDER and (old := found.get(entry.path)) and old.entry.kind is Kind.FOLDER:
                for path in [path for path in found if path.startswith(f"{entry.path}/")]:
                    del found[path]
            found[entry.path] = Placed(entry, number)
    return found


def _below(found: Mapping[str, Placed], whiteout: Entry) -> Iterator[str]:
    within = f"{whiteout.path}/" if whiteout.path else ""
    for path in found:
        if path.startswith(within) or (whiteout.kind is Kind.GONE and path == whiteout.path):
            yield path


def above(image: Sequence[Layer], base: Sequence[str]) -> int | None:
    """Return how many layers of an image are its base's; None when it does not stand on that base."""
    digests = [layer.digest for layer in image]
    return len(base) if digests[: len(base)] == list(base) else None
