"""Try again what a registry refused for the moment: one patience for every step of a run."""

import random
import time
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from ..errors import PushError
from ..plan.retrying import Patience

Result = TypeVar("Result")
_TICK = 0.1  # seconds between two looks at whether somebody has ended the run
_SHARE = 0.5  # of a wait that is left to chance, so that several who wait do not come back at once


class PassingError(PushError):
    """A registry's refusal or failure that can pass by itself."""

    def __init__(
        self, message: str, *, hint: str | None = None, after: float | None = None, times: int | None = None
    ) -> None:
        """``after``: seconds after which the registry wants to be asked again, where it says so.

        ``times``: how often a further try is worth it, where that is less than the patience of the run.
        """
        super().__init__(message, hint=hint or "run the same command again when the registry answers")
        self.after, self.times = after, times


class Retries:
    """The waits of one run; any thread may try through it."""

    def __init__(self, patience: Patience, note: Callable[[str], object] = lambda _: None) -> None:
        """``note`` is told of each wait, in a sentence."""
        self._patience, self._note = patience, note
        self._lock = Lock()
        self._waited = 0.0
        self.ended: Callable[[], bool] = lambda: False
        """Asked while it waits: whether somebody has ended the run, and there is nothing to wait for."""

    def anew(self) -> "Retries":
        """Return the same with nothing waited yet."""
        return Retries(self._patience, self._note)

    def call(self, what: str, step: Callable[[], Result]) -> Result:
        """Return what a step returns, trying it again for as long as a PassingError may pass.

        ``what`` names the step in the notes. Raises the step's last error.
        """
        from tenacity import RetryCallState, Retrying, retry_if_exception_type

        def spent(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            own = error.times if isinstance(error, PassingError) else None
            most = self._patience.times if own is None else min(own, self._patience.times)
            if state.attempt_number > most or self.ended():
                return True
            with self._lock:
                if self._waited + state.upcoming_sleep > self._patience.limit:
                    self._note(
                        f"{what}: the next try would be in {state.upcoming_sleep:.0f} s, and retry_limit leaves "
                        f"{self._patience.limit - self._waited:.0f} s"
                    )
                    return True
                self._waited += state.upcoming_sleep
                return False

        def before(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            reason = error.reason if isinstance(error, PassingError) else str(error)
            self._note(f"{what}: {reason}; again in {state.upcoming_sleep:.1f} s")

        return Retrying(
            retry=retry_if_exception_type(PassingError),
            wait=self._wait,
            stop=spent,
            before_sleep=before,
            sleep=self._sleep,
            reraise=True,
        )(step)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.ended():
            time.sleep(min(left, _TICK))

    def _wait(self, state: "object") -> float:
        number: int = state.attempt_number  # type: ignore[attr-defined]  # tenacity's state of a call
        error = state.outcome.exception()  # type: ignore[attr-defined]
        patience = self._patience
        own = min(patience.wait * 2.0 ** (number - 1), patience.longest)
        own *= 1.0 + random.uniform(0.0, _SHARE)  # noqa: S311 - no secret depends on it
        asked: float | None = getattr(error, "after", None)
        return own if asked is None else max(own, asked)
