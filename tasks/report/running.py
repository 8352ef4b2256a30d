"""What a person sees of a run: what is on its way up, the table of addresses, and the logs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from colorama import Fore

from ..plan.conditions import READ_ONLY, Condition, Health
from ..plan.freshness import Ages
from ..plan.running import Container, Launch
from ..printable import masked
from . import grid, style

LAST_LINES = 20
_HEADS = ("service", "state", "url", "container")
# Red and green say bad and good elsewhere.
_COLOURS = (Fore.CYAN, Fore.YELLOW, Fore.MAGENTA, Fore.BLUE, Fore.LIGHTCYAN_EX, Fore.LIGHTMAGENTA_EX, Fore.LIGHTBLUE_EX)
_STATES = {
    Health.HEALTHY: ("healthy", style.GOOD),
    Health.UNHEALTHY: ("unhealthy", style.BAD),
    Health.STARTING: ("starting", style.BUSY),
    Health.NONE: ("no health check", style.WARN),
}


def replaced(containers: Sequence[Container]) -> None:
    """Say which containers of an earlier run go."""
    if containers:
        style.say(f"Replaces what an earlier run left: {', '.join(one.name for one in containers)}")


def several_ports(service: str, ports: Sequence[int]) -> None:
    """Say that a service is published nowhere, because its image does not say which port is the one."""
    style.say(
        f"{service}: its image has the ports {', '.join(map(str, ports))}, so none is published: "
        f"set container.services.{service}.port"
    )


@contextmanager
def coming(services: Sequence[str]) -> Iterator[Callable[[Sequence[str]], None]]:
    """Show which services are not up yet: in one live line on a terminal, once elsewhere."""
    if not style.live():
        style.say(f"Starting {', '.join(services)}")
        yield lambda _: None
        return
    from rich.console import Console

    style.ready()
    console = Console(no_color=not style.coloured(), highlight=False)
    with console.status(_waiting(services)) as status:
        yield lambda names: status.update(_waiting(names))


def _waiting(services: Sequence[str]) -> str:
    return f"Waiting for {', '.join(services)}"


def show(launches: Sequence[Launch], conditions: Sequence[Condition]) -> None:
    """Print the table of services and their addresses."""
    states = {condition.service: condition for condition in conditions}
    rows = [
        (launch.service, _state(states[launch.service]), launch.health_url or launch.url, launch.name)
        for launch in launches
    ]
    grid.show(_HEADS, rows, giving=("container",), told=("url",))


def ages(found: Ages | None, flags: str) -> None:
    """Say whose images are older than their sources, or may be; ``flags`` are those that a build needs, too."""
    if found is None:
        return
    for what, services in (
        ("Older than the sources", found.outdated),
        ("Perhaps older than the sources, which only a build can tell", found.unsure),
    ):
        if services:
            names, command = ", ".join(services), f"inv container-build --services {','.join(services)}{flags}"
            style.say(f"{style.paint(what, style.WARN)}: {names}. Build: {command}")


def answer(launches: Sequence[Launch], conditions: Sequence[Condition], found: Ages | None = None) -> Mapping[str, Any]:
    """Return each service with its address, and what is old or may be, where that is known, for programs."""
    states = {condition.service: condition.health.value for condition in conditions}
    return {
        "services": [
            {
                "name": launch.service,
                "health": states[launch.service],
                "url": launch.url or None,
                "health_url": launch.health_url or None,
                "container": launch.name,
            }
            for launch in launches
        ],
        "outdated": None if found is None else list(found.outdated),
        "unsure": None if found is None else list(found.unsure),
    }


def _state(condition: Condition) -> str:
    word, colour = _STATES[condition.health]
    return style.paint(word, colour)


def failure(condition: Condition, lines: Sequence[str]) -> None:
    """Print what is wrong with a service, and the last it wrote."""
    style.say(f"{style.paint(condition.service, style.STRONG)} {style.paint(style.safe(condition.problem), style.BAD)}")
    for line in lines:
        style.say(f"    | {style.safe(masked(line))}")
    if not lines:
        style.say("    it has written nothing")
    if any(READ_ONLY in line.lower() for line in lines):
        style.say("    its root cannot be written: data belongs in a volume, what is temporary in memory (tmpfs)")


class Log:
    """Lines of several services, each with its service in front; threads may share it."""

    def __init__(self, services: Sequence[str]) -> None:
        """Give each service its colour."""
        self._lock = Lock()
        width = max(map(len, services), default=0)
        self._fronts = {
            service: style.paint(f"{service:<{width}} |", _COLOURS[number % len(_COLOURS)])
            for number, service in enumerate(services)
        }

    def line(self, service: str, text: str) -> None:
        """Print a line that a service wrote.

        Raises BrokenPipeError when nobody reads any more: to follow logs for nobody would never end.
        """
        with self._lock:
            style.emit(f"{self._fronts[service]} {style.safe(masked(text))}")

    def ended(self, service: str, how: str, *, bad: bool, others: int) -> None:
        """Print that a service has ended, while so many others go on."""
        rest = f"; {others} {'goes' if others == 1 else 'go'} on" if others else ""
        with self._lock:
            style.emit(f"{self._fronts[service]} {style.paint(how, style.BAD if bad else style.WARN)}{rest}")


def detached(launches: Sequence[Launch]) -> None:
    """Say what to type next, now that they are left running."""
    style.say(f"Left running; logs: docker logs -f {launches[0].name}")
    style.say("Next: inv container-stop")


def following() -> None:
    """Say how the logs that follow end."""
    style.say("Ctrl-C stops all of them. Their logs:")


def stopping(count: int, word: str) -> None:
    """Say that the end has begun."""
    if style.live():
        style.say()  # the terminal has written ^C
    style.say(f"{word}: stopping {_counted(count)}; again to kill")


def stopped(count: int) -> None:
    """Say that nothing is left."""
    style.say(f"Stopped {_counted(count)}; nothing of this run is left.")


def _counted(count: int) -> str:
    return f"{count} service{'' if count == 1 else 's'}"
