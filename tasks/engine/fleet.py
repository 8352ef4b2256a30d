"""Several containers side by side: start them together, hear of them all, stop them together."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from ..plan.conditions import Condition, Exit
from ..plan.running import Launch
from .containers import Containers
from .interrupts import Interrupts

_TICK = 0.1  # seconds between two looks at whether a person has lost patience
_REMOVAL = 0.5  # seconds in which a container that was stopped from outside is removed, too
_LAST_WORDS = 2.0  # seconds for what is still to be read of containers that are gone


@dataclass(frozen=True, slots=True)
class Asked:
    """A signal came."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A container ended."""

    service: str
    exit: Exit


@dataclass(frozen=True, slots=True)
class Broke:
    """What follows a container cannot go on."""

    error: Exception


Event = Asked | Ended | Broke


class Fleet:
    """The containers that one run has started."""

    def __init__(self, door: Containers) -> None:
        """Begin with none."""
        self._door = door
        self._ids: dict[str, str] = {}
        self._followers: list[Thread] = []
        self._events: SimpleQueue[Event] = SimpleQueue()

    @property
    def services(self) -> tuple[str, ...]:
        """The services that have a container, in the order of their start."""
        return tuple(self._ids)

    def wake(self) -> None:
        """Let whoever waits for an event know of a signal."""
        self._events.put(Asked())

    def next(self, seconds: float | None = None) -> Event | None:
        """Return the next event; None when none came in time."""
        try:
            return self._events.get(timeout=seconds)
        except Empty:
            return None

    def start(self, launches: Sequence[Launch]) -> None:
        """Create and start the containers, all at once.

        Raises the first TaskError when every one has been tried; what has been created is
        this fleet's, and ``stop`` removes it.
        """
        with ThreadPoolExecutor(len(launches)) as pool:
            futures = [pool.submit(self._start, launch) for launch in launches]
        _raise_first(futures)
        self._ids = {launch.service: self._ids[launch.service] for launch in launches}

    def _start(self, launch: Launch) -> None:
        self._ids[launch.service] = self._door.create(launch)
        self._door.start(launch, self._ids[launch.service])

    def conditions(self) -> tuple[Condition, ...]:
        """Return how each container is."""
        return tuple(self._door.condition(service, container) for service, container in self._ids.items())

    def last_lines(self, service: str, count: int) -> tuple[str, ...]:
        """Return the last lines that a service has written."""
        return self._door.last_lines(self._ids[service], count)

    def follow(self, say: Callable[[str, str], None]) -> None:
        """Hand every line of every service to ``say``, from threads; each end becomes an event."""
        for service, container in self._ids.items():
            # A daemon: an engine that never hangs up must not keep this process.
            follower = Thread(target=self._follow, args=(service, container, say), daemon=True)
            self._followers.append(follower)
            follower.start()

    def _follow(self, service: str, container: str, say: Callable[[str, str], None]) -> None:
        try:
            for line in self._door.output(container):
                say(service, line)
            self._door.wait(container)
            time.sleep(_REMOVAL)
            found = self._door.condition(service, container)
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for events
            self._events.put(Broke(error))
        else:
            self._events.put(Ended(service, found.exit or Exit(code=None)))

    def stop(self, interrupts: Interrupts) -> bool:
        """Stop and remove every container, and return whether they had to be killed."""
        killed = stop(self._door, self._ids.values(), interrupts)
        for follower in self._followers:
            follower.join(_LAST_WORDS)
        return killed


def stop(door: Containers, containers: Iterable[str], interrupts: Interrupts) -> bool:
    """Stop and remove containers, all at once; a signal from now on kills those that take their time.

    Return whether that happened. Raises the first EngineError when every one has been tried.
    """
    ids = tuple(containers)
    if not ids:
        return False
    before, killed = interrupts.count, False
    with ThreadPoolExecutor(len(ids)) as pool:
        futures = {pool.submit(door.stop, container): container for container in ids}
        while pending := wait(futures, timeout=_TICK).not_done:
            if interrupts.count > before and not killed:
                killed = True
                for future in pending:
                    door.kill(futures[future])
    _raise_first(futures)
    return killed


def _raise_first(futures: Iterable[Future[None]]) -> None:
    for error in (future.exception() for future in futures):
        if error is not None:
            raise error
