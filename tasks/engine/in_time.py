"""A limit for all of a request: what asks over HTTP limits the wait for the next byte, and not how many there are."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

Answer = TypeVar("Answer")


def in_time(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """Return what a request brings; what it takes longer for is left alone, and ends with its connection.

    Raises requests' Timeout after so many seconds, and whatever the request raises.
    """
    import requests

    brought: SimpleQueue[tuple[Answer | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            brought.put((ask(), None))
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            brought.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        got = brought.get(timeout=seconds)
    except Empty:
        got = None
    if got is None:
        raise requests.ReadTimeout(f"no whole answer within {seconds:g} s")
    answer, error = got
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # there is one where there is no error
