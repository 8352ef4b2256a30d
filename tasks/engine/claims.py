"""Which services a container-run of this machine follows: locks say so, and go with its process."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from . import cache, workspace
from .machine import reach


@contextmanager
def claimed(project: str, services: Iterable[str]) -> Iterator[None]:
    """Say for so long that these services of a project are followed here."""
    with ExitStack() as taken:
        for place in map(_place(project), services):
            with suppress(OSError):  # without a cache folder nobody can tell
                place.parent.mkdir(parents=True, exist_ok=True)
                let_go = workspace.at_once(place)
                if let_go is not None:
                    taken.callback(let_go)
                    taken.callback(place.unlink, missing_ok=True)
        yield


def elsewhere(project: str, services: Iterable[str]) -> frozenset[str]:
    """Return those of these services that another run follows."""
    place = _place(project)
    return frozenset(service for service in services if workspace.held(place(service)))


def _place(project: str) -> Callable[[str], Path]:
    of_project = sha256(f"{reach.endpoint()}\0{project}".encode()).hexdigest()[:16]
    return lambda service: cache.home() / "runs" / f"{of_project}-{service}.lock"
