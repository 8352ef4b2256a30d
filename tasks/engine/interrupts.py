"""Ctrl-C and its like as something to ask about, for runs that end in order."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from ..errors import Interrupted

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """While it is entered, signals that end a run are counted instead of raised.

    What is ignored stays so: nohup means that the end of the terminal ends nothing. Only the
    main thread may enter it.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """``wake`` is called at each signal; it may do no more than put into a SimpleQueue."""
        self._wake = wake
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
        self.received: list[signal.Signals] = []

    def __enter__(self) -> Self:
        """Begin to count."""
        for number in _ENDING:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was there."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(signal.Signals(number))
        self._wake()

    @property
    def count(self) -> int:
        """How many have come."""
        return len(self.received)

    @property
    def word(self) -> str:
        """What to call the last one."""
        return _word(self.received[-1] if self.received else signal.SIGINT)


@contextmanager
def ending(state: str, hint: str) -> Iterator[None]:
    """Let every signal that ends a run do it as Ctrl-C does: what is being done is left in order.

    ``state`` is how things are then, for a person, and ``hint`` what goes on from there. Only the main thread may
    enter it. Raises Interrupted.
    """
    received = []

    def receive(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, receive)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped by {_word(received[-1] if received else signal.SIGINT)}; {state}", hint=hint
        ) from None
    except Interrupted as error:
        if error.hint is not None:
            raise
        raise Interrupted(f"{error.reason}; {state}", hint=hint) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _word(number: signal.Signals) -> str:
    return "Ctrl-C" if number is signal.SIGINT else number.name
