"""What an engine is and has, asked for before the rest of the code is loaded: the one takes as long as the other."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.api import Engine
    from .plan.freshness import Stored
    from .settings import Settings

    Images = tuple[tuple[str, ...], Mapping[str, Stored]]


@dataclass(frozen=True, slots=True)
class Ahead:
    """Questions to an engine; an answer is waited for where it is needed."""

    _engine: "Future[Engine]"
    _images: "Future[Images] | None"

    def engine(self) -> "Engine":
        """Return the engine that answers.

        Raises EngineError without one.
        """
        return self._engine.result()

    def stored(self, references: "Sequence[str]") -> "Mapping[str, Stored]":
        """Return those of these images that the engine has, by reference.

        Raises EngineError.
        """
        asked, found = ((), {}) if self._images is None else self._images.result()
        return found if set(asked) == set(references) else self.engine().stored(references)


def ask(settings: "Settings", *, images: bool = True) -> Ahead:
    """Ask the engine for itself, and then, while our caller goes on, for the images of the settings."""
    engine = _connected()
    if not images or engine.exception() is not None:
        return Ahead(engine, None)
    pool = ThreadPoolExecutor(1)
    stored = pool.submit(_stored, settings, engine.result())
    pool.shutdown(wait=False)
    return Ahead(engine, stored)


@contextmanager
def alone(settings: "Settings", *, images: bool = True) -> Iterator[Ahead]:
    """Let one run at a time build in this checkout, and ask when it is our turn.

    Raises ConfigError where the checkout cannot be written, and Interrupted.
    """
    from .engine import workspace
    from .report import style

    with workspace.alone(settings.root, lambda: style.note("another run builds in this checkout; waiting for it")):
        yield ask(settings, images=images)


def _connected() -> "Future[Engine]":
    from .engine import api
    from .errors import EngineError

    answer: Future[Engine] = Future()
    try:
        answer.set_result(api.connect())
    except EngineError as error:  # which not everybody needs
        answer.set_exception(error)
    return answer


def _stored(settings: "Settings", engine: "Engine") -> "Images":
    from .plan import names, platforms

    suffix = platforms.suffix(settings.platforms, engine.native())
    wanted = tuple(
        reference
        for service in settings.services
        for reference in names.references(settings.registry, service.name, settings.tags, suffix)
    )
    return wanted, engine.stored(wanted)
