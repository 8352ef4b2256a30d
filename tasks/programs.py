"""``--json``: what a task did, said to programs: its record on standard output, and nothing else there."""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from .errors import ConfigError, Interrupted, TaskError

_JSON = "--json"
Work = Callable[[], Mapping[str, Any] | None]


class _Answer:
    """The one document on standard output that a task's record is."""

    def __init__(self, task: str) -> None:
        self._task, self._out = task, sys.stdout
        self._started, self._began = datetime.now(UTC), time.monotonic()

    def give(self, content: Mapping[str, Any] | None, error: BaseException | None = None) -> None:
        from .plan import record

        seconds = time.monotonic() - self._began
        frame = record.frame(self._task, self._started, seconds, record.ending(error))
        try:
            self._out.write(record.dumps({**frame, **(content or {})}))
            self._out.flush()
        except OSError:
            _silence(self._out)
            if error is None:  # which says more than that nobody reads
                raise


def answer(task: str, work: Work) -> None:
    """Do a task's work and print its record, however it ends; what the task says to people goes to standard error.

    The work returns what the record tells beside how the task ended, or raises an error that carries it.
    """
    said = _Answer(task)
    try:
        with contextlib.redirect_stdout(sys.stderr), in_order():
            content = work()
    except BaseException as error:
        said.give(getattr(error, "record", None), error)
        raise
    with in_order():
        said.give(content)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Tell programs, too, what is refused before there is any task."""
    try:
        yield
    except TaskError as error:
        if _JSON in sys.argv and error.record is None:  # one that has a record has given it
            _Answer(next((word for word in sys.argv[1:] if not word.startswith("-")), "")).give(None, error)
        raise


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Turn Ctrl-C and an output that ends into errors for people; without a reader there is nobody to tell."""
    try:
        yield
    except KeyboardInterrupt:  # Invoke would say nothing and exit with 1
        raise Interrupted("stopped by Ctrl-C") from None
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        _silence(sys.stdout)
        if error.errno == errno.ENOSPC:
            raise ConfigError(
                "the output cannot be written: no space is left where it goes", hint="make room there"
            ) from None


def _silence(out: TextIO) -> None:
    """Give up an output for good: not even the end of the process may write what is left in it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)


def open_closed() -> None:
    """Give the process the outputs that whoever began it has closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - as long as the process
