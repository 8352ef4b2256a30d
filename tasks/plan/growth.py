"""How an image's layers differ from those of the run before."""

from collections import defaultdict, deque
from dataclasses import dataclass

from .lastrun import Service


@dataclass(frozen=True, slots=True)
class Change:
    """A layer now and before; None where there was none."""

    created_by: str
    now: int | None
    before: int | None

    @property
    def grown(self) -> int:
        """Bytes more than before; fewer when negative."""
        return (self.now or 0) - (self.before or 0)


def grown(service: Service) -> int | None:
    """Return by how many bytes an image has grown; None where there is nothing to hold it against."""
    if service.size is None or service.before is None or service.before.size is None:
        return None
    return service.size - service.before.size


def layers(service: Service) -> tuple[Change, ...]:
    """Return an image's layers, each beside the one that its instruction made before; then those that are gone."""
    earlier: dict[str, deque[int]] = defaultdict(deque)
    for layer in service.before.layers if service.before else ():
        earlier[layer.created_by].append(layer.size)
    found = [
        Change(layer.created_by, layer.size, earlier[layer.created_by].popleft() if earlier[layer.created_by] else None)
        for layer in service.layers
    ]
    gone = [Change(created_by, None, size) for created_by, sizes in earlier.items() for size in sizes]
    return (*found, *gone)
