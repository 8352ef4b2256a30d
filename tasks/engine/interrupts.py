"""Ctrl-C and its like as something to ask about, for runs that end in order."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

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
        last = self.received[-1] if self.received else signal.SIGINT
        return "Ctrl-C" if last is signal.SIGINT else last.name
