"""Try an image: start, ask, stop, kill and start it again, and write down what happens."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from ..plan.conditions import SETTLED, Health
from ..plan.evidence import Answer, Image, Runs, Start, Stop, Subject
from .relay import UNHEARD
from .specimens import Network, Seen, Specimen

if TYPE_CHECKING:
    from .relay import Relay

USUAL = "1000:1000"
_LOOK = 0.2  # seconds between two looks
_ANSWER = 5.0  # seconds that an answer may take
_SLOW = 20.0  # and one that is slow on purpose
_UNDER_WAY = 0.6  # seconds until a request is in flight
_SURELY_UNDER_WAY = 1.8  # and on a machine that has too much to do
_STUCK = 12.0  # seconds in which a stopped process has to be noticed: a look every second, each of at most five
_END = 6.0  # seconds until a container that does not end is killed
_LINES = 8
_KILLED = 137  # the exit code of what SIGKILL has ended
_FOREIGN = "exec format error"


class Over(Exception):  # noqa: N818 - no error: a person has had enough
    """The run is being stopped."""


def run(network: Network, subject: Subject, image: Image, *, foreign: bool, going: Callable[[], bool]) -> Runs:
    """Try an image in every way.

    ``foreign``: whether the engine needs emulation for it; ``going`` says whether to go on.
    Raises Over when not, and EngineError.
    """
    return _Trial(network, subject, image, foreign=foreign, going=going).run()


class _EndedByItself(Exception):  # noqa: N818 - no error: what is tried has ended before it was asked to
    def __init__(self, start: Start) -> None:
        super().__init__(start.fault)
        self.start = start


class _Trial:
    def __init__(
        self, network: Network, subject: Subject, image: Image, *, foreign: bool, going: Callable[[], bool]
    ) -> None:
        if "answers" in subject.skipped:  # what is ruled out does not decide whether it is well
            subject = replace(subject, paths=replace(subject.paths, health=None))
        self._network, self._subject, self._image = network, subject, image
        self._foreign, self._going = foreign, going
        self._began = 0.0
        self._relay: Relay | None = network.relay if subject.port is not None else None

    def run(self) -> Runs:
        subject, paths = self._subject, self._subject.paths
        deaf = (
            "no image here has nc or bash to ask it with: docker pull busybox"
            if self._network.relay is None and subject.port is not None
            else ""
        )
        specimen = self._network.specimen(subject, self._image, USUAL)
        first = self._start(specimen)
        if self._foreign and first.fault and _FOREIGN in "\n".join((first.fault, *first.lines)):
            return Runs(
                impossible=f"{subject.platform} does not run on this engine: inv container-setup --emulation",
                user=USUAL,
            )
        ready = metrics = again = stop = other = None
        stuck, below = None, 0
        if not first.fault:
            ready, metrics = self._get(paths.ready), self._get(paths.metrics)
        user = str(random.SystemRandom().randint(100_000, 2_000_000_000))
        try:
            if first.well:
                self._require_up(specimen)
                if first.health is Health.HEALTHY:
                    below = specimen.started()
                    stuck = self._stuck(specimen)
                again, successor = self._again(specimen)
                if again.well:
                    stop = self._stop(successor)
                successor.signal("SIGKILL")  # the port has to be free; all containers go together, which is quicker
                specimen = self._network.specimen(subject, self._image, user)
                other = self._start(specimen)
                if other.well and (stop is None or _came_too_late(stop)):
                    stop = self._stop(specimen, head=_UNDER_WAY if stop is None else _SURELY_UNDER_WAY)
        except _EndedByItself as ended:
            first, other = (ended.start, None) if other is None else (first, ended.start)
        specimen.signal("SIGKILL")
        return Runs(
            deaf=deaf,
            user=f"uid {USUAL.partition(':')[0]}",
            first=first,
            ready=ready,
            metrics=metrics,
            stuck=stuck,
            below=below,
            again=again,
            stop=stop,
            other_user=f"uid {user}",
            other=other,
        )

    def _require(self) -> None:
        if not self._going():
            raise Over

    def _require_up(self, specimen: Specimen) -> None:
        """Raise _EndedByItself where it runs no more, and nothing has asked it to end."""
        if not (state := specimen.seen()).running:
            fault = f"{_how(state)} by itself after {time.monotonic() - self._began:.1f} s with exit code {state.code}"
            raise _EndedByItself(Start(fault=fault, lines=specimen.last_lines(_LINES)))

    def _get(self, path: str | None, seconds: float = _ANSWER, *, port: int | None = None) -> Answer | None:
        self._require()
        own = self._subject.port
        if self._relay is None or path is None or own is None:
            return None
        answer = self._relay.get(port or own, path, seconds)
        return answer if port in {None, own} else replace(answer, path=f":{port}{answer.path}")

    def _start(self, specimen: Specimen) -> Start:
        """Start it, and wait until all that can be asked is well, or until it cannot be any more."""
        self._require()
        fault = specimen.start()
        began = self._began = time.monotonic()
        if fault:
            return Start(fault=fault)
        healthy = answered = None
        answer: Answer | None = None
        while True:
            self._require()
            state = specimen.seen()
            if "healthy" in self._subject.skipped:
                state = replace(state, health=Health.NONE)
            passed = time.monotonic() - began
            if not state.running:
                if state.code == _KILLED and not state.out_of_memory:  # the engine hears of the reason a little later
                    time.sleep(_LOOK)
                    state = specimen.seen()
                return Start(
                    fault=f"{_how(state)} after {passed:.1f} s with exit code {state.code}",
                    lines=specimen.last_lines(_LINES),
                )
            if healthy is None and state.health is Health.HEALTHY:
                healthy = passed
            if answered is None:
                answer = self._get(self._subject.paths.health, port=self._subject.paths.health_port)
                if answer is not None and answer.well:
                    answered = time.monotonic() - began
            waiting = (state.health is not Health.NONE and healthy is None) or (answer is not None and answered is None)
            if passed >= self._image.allowed or not (
                waiting or (healthy is None and answered is None and passed < SETTLED)
            ):
                break
            time.sleep(_LOOK)
        start = Start(
            health=Health.HEALTHY if healthy is not None else state.health,
            probe=state.probe,
            healthy=healthy,
            answer=answer,
            answered=answered,
            allowed=self._image.allowed,
        )
        return start if start.well else replace(start, lines=specimen.last_lines(_LINES))

    def _stuck(self, specimen: Specimen) -> float | None:
        """Stop its process, and return the seconds until its health says so; it is not continued."""
        self._require()
        specimen.signal("SIGSTOP")
        began = time.monotonic()
        while (passed := time.monotonic() - began) < _STUCK:
            self._require()
            if specimen.seen().health is Health.UNHEALTHY:
                return passed
            time.sleep(_LOOK)
        return None

    def _again(self, specimen: Specimen) -> tuple[Start, Specimen]:
        """Kill it, and start its successor: a container of its own, with the same volumes.

        The same container would do for an engine, but runc (1.1) gives its folder in memory another mode then.
        """
        specimen.signal("SIGKILL")
        self._ended(specimen, time.monotonic(), _END)
        successor = self._network.specimen(self._subject, self._image, USUAL, after=specimen)
        return self._start(successor), successor

    def _stop(self, specimen: Specimen, *, head: float = _UNDER_WAY) -> Stop:
        """Send it its stop signal while a slow request is in flight, where there is one, ``head`` seconds before."""
        name = self._image.stop_signal or "SIGTERM"
        with ThreadPoolExecutor(1) as pool:
            request = (
                None if self._subject.paths.slow is None else pool.submit(self._get, self._subject.paths.slow, _SLOW)
            )
            if request is not None:
                time.sleep(head)
            before = request is not None and request.done()
            self._require_up(specimen)
            began = time.monotonic()
            specimen.signal(name)
            seconds = self._ended(specimen, began, _END)
            code = specimen.seen().code if seconds is not None else None
            if seconds is None:
                specimen.signal("SIGKILL")
            answer = None if request is None else request.result()
        return Stop(signal=name, seconds=seconds, code=code, answer=answer, before=before)

    def _ended(self, specimen: Specimen, began: float, most: float) -> float | None:
        """Wait until it does not run, and return the seconds since; None when it still does."""
        while (passed := time.monotonic() - began) < most:
            self._require()
            if not specimen.seen().running:
                return passed
            time.sleep(_LOOK / 2)
        return None


def _how(state: Seen) -> str:
    return "was killed: out of memory" if state.out_of_memory else "ended"


def _came_too_late(stop: Stop) -> bool:
    """Whether the slow request had reached nobody when the signal came: a busy machine, and nothing of the image's."""
    return stop.answer is not None and stop.answer.fault == UNHEARD
