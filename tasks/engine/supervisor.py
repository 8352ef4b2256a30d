"""Run several programs side by side: none outlives the run, none stops another unless asked.

Each child leads a process group of its own, so that a Ctrl-C at the terminal reaches this
supervisor alone, which then ends them in order.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import EngineError, Interrupted
from .process import unrunnable

# Seconds that a child has to clean up behind itself; all are gone within two.
GRACE = 1.2
# Seconds to read the last words of a child that is gone.
PATIENCE = 0.3
_CHUNK = 65536
_TICK = 0.5  # seconds between two looks at whether there is hope


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One program to run."""

    key: str
    argv: tuple[str, ...]
    stdin: bytes
    cwd: Path
    env: Mapping[str, str] | None = None
    """Its environment; None for this process's own."""
    output: Path | None = None
    """The file that its standard output goes to; None for nowhere."""
    hopeless: Callable[[float], bool] | None = None
    """Asked again and again, with the seconds that it has run, whether to end it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int | None
    """Its exit code; None when it was stopped, became hopeless, or was never begun."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What to call as jobs go on, with their key."""

    begun: Callable[[str], None]
    wrote: Callable[[str, bytes], None]
    ended: Callable[[str, Ended], None]
    wanted: Callable[[str], bool] = lambda _: True
    """Asked when a job's turn has come: one that has become pointless is not begun."""
    again: "Callable[[str, Ended], Job | None]" = lambda _key, _ended: None
    """Asked when a program has ended, unless the run is stopped: what to try in its place before the job ends."""


def run_all(jobs: Sequence[Job], callbacks: Callbacks, *, limit: int, fail_fast: bool) -> None:
    """Run every job, at most ``limit`` at once.

    Raises Interrupted after SIGINT, SIGTERM or SIGHUP, when every child is gone and
    ``ended`` has been called for each job.
    """
    received = asyncio.run(_Run(callbacks, fail_fast).all(jobs, limit))
    if received is not None:
        raise Interrupted(f"stopped by {'Ctrl-C' if received is signal.SIGINT else received.name}; its builds are gone")


class _Run:
    def __init__(self, callbacks: Callbacks, fail_fast: bool) -> None:
        self._callbacks = callbacks
        self._fail_fast = fail_fast
        self._stopping = asyncio.Event()
        self._received: signal.Signals | None = None
        self._children: set[int] = set()
        self._error: Exception | None = None

    async def all(self, jobs: Sequence[Job], limit: int) -> signal.Signals | None:
        loop = asyncio.get_running_loop()
        # What is ignored stays so: nohup means that the end of the terminal ends nothing.
        caught = [
            number
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) is not signal.SIG_IGN
        ]
        for number in caught:
            loop.add_signal_handler(number, self._receive, number)
        try:
            places = asyncio.Semaphore(limit)
            await asyncio.gather(*(self._one(job, places) for job in jobs))
        finally:
            for number in caught:
                loop.remove_signal_handler(number)
        if self._error is not None:
            raise self._error
        return self._received

    def _tell(self, callback: Callable[..., None], *values: object) -> None:
        """Call back; an error there stops the run, and is raised when every child is gone."""
        try:
            callback(*values)
        except Exception as error:  # noqa: BLE001 - raised again by all()
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._stopping.set()

    def _receive(self, number: signal.Signals) -> None:
        if self._received is not None:  # asked twice: no more grace
            for group in self._children:
                _signal(group, signal.SIGKILL)
        self._received = number
        self._stopping.set()

    async def _one(self, job: Job, places: asyncio.Semaphore) -> None:
        async with places:
            if self._stopping.is_set() or not self._callbacks.wanted(job.key):
                self._tell(self._callbacks.ended, job.key, Ended(None, 0.0))
                return
            self._tell(self._callbacks.begun, job.key)
            began = time.monotonic()
            trying: Job | None = job
            while trying is not None:
                try:
                    code = await self._run(trying)
                except EngineError as error:
                    code = None
                    self._fail(error)
                ended = Ended(code, time.monotonic() - began)
                trying = self._another(job.key, ended)
            self._tell(self._callbacks.ended, job.key, ended)
            if code not in {0, None} and self._fail_fast:
                self._stopping.set()

    def _another(self, key: str, ended: Ended) -> Job | None:
        if self._stopping.is_set():
            return None
        try:
            return self._callbacks.again(key, ended)
        except Exception as error:  # noqa: BLE001 - raised again by all()
            self._fail(error)
            return None

    async def _run(self, job: Job) -> int | None:
        # A pipe of our own: asyncio's would tie the end of the child to the end of all who hold it.
        reading, writing = os.pipe()
        words, pipe = await _open(reading)
        try:
            with open(job.output or os.devnull, "wb") as output:  # noqa: ASYNC230, PTH123 - a file of this machine
                child = await asyncio.create_subprocess_exec(
                    *job.argv,
                    cwd=job.cwd,
                    env=job.env,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=writing,
                    start_new_session=True,
                )
        except OSError as error:
            pipe.close()
            raise unrunnable(str(job.argv[0]), error) from error
        finally:
            os.close(writing)
        self._children.add(child.pid)
        try:
            end = asyncio.create_task(self._attend(child, words, job))
            stop = asyncio.create_task(self._stopping.wait())
            began = time.monotonic()
            while not await _any_done(end, stop, seconds=None if job.hopeless is None else _TICK):
                if job.hopeless is not None and job.hopeless(time.monotonic() - began):
                    break
            stopped = not end.done()
            if stopped:
                _signal(child.pid, signal.SIGINT)
                await asyncio.wait({end}, timeout=GRACE)
                _signal(child.pid, signal.SIGKILL)
                # What left the group may hold the pipe open for ever.
                await asyncio.wait({end}, timeout=PATIENCE)
            stop.cancel()
            if not end.done():
                end.cancel()
                await child.wait()
                return None
            await end
            return None if stopped else child.returncode
        finally:
            if child.returncode is None:  # an error of our own, not the child's
                _signal(child.pid, signal.SIGKILL)
            self._children.discard(child.pid)
            pipe.close()

    async def _attend(self, child: asyncio.subprocess.Process, words: asyncio.StreamReader, job: Job) -> None:
        if child.stdin is None:
            raise AssertionError(job.key)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            child.stdin.write(job.stdin)
            await child.stdin.drain()
        child.stdin.close()
        while chunk := await words.read(_CHUNK):
            self._tell(self._callbacks.wrote, job.key, chunk)
        await child.wait()


async def _any_done(*tasks: "asyncio.Task[Any]", seconds: float | None) -> bool:
    return bool((await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED))[0])


async def _open(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader, transport


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
