"""The one door to other programs: an argument list in, text out; never a shell."""

import contextlib
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import EngineError

_CHUNK = 1 << 16
_LAST = 19  # the nicest that a thread can be
_WORDS = 12  # of a command that an error shows


class TimedOut(EngineError):  # noqa: N818 - how it ended
    """A program has outlasted its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What a program left behind."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0

    @property
    def last_line(self) -> str:
        """The last line it wrote, for a message."""
        lines = [line for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit code {self.code}"


def run(
    *argv: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    drop: Collection[str] = (),
    stdin: str | None = None,
    timeout: float | None = None,
) -> Completed:
    """Run a program to its end and return what it said, whatever its exit code.

    ``env`` is added to this process's environment, from which the variables of ``drop`` are taken; ``timeout``
    is in seconds.
    Output that is not UTF-8 is kept with replacement characters.

    Raises EngineError when the program is not there, TimedOut when it outlasts its time.
    """
    words = tuple(str(word) for word in argv)
    with _explained(words[0], timeout):
        done = subprocess.run(  # noqa: S603 - a list, never a shell string
            words,
            cwd=cwd,
            env={**{name: value for name, value in os.environ.items() if name not in drop}, **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    return Completed(argv=words, code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def run_bytes(*argv: str | Path, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> tuple[bytes, Completed]:
    """Run a program as ``run`` does, and return its output as it is, beside all else that it left behind."""
    words = tuple(str(word) for word in argv)
    with _explained(words[0]):
        done = subprocess.run(  # noqa: S603 - a list, never a shell string
            words, env={**os.environ, **(env or {})}, input=stdin, capture_output=True, check=False
        )
    said = done.stderr.decode("utf-8", "replace")
    return done.stdout, Completed(argv=words, code=done.returncode, stdout="", stderr=said)


def stream(*argv: str | Path, env: Mapping[str, str] | None = None) -> Generator[bytes]:
    """Run a program and yield what it says up to each NUL, while it runs; it ends when nobody asks for more.

    Raises EngineError when the program is not there.
    """
    words = tuple(str(word) for word in argv)
    with (
        _explained(words[0]),
        subprocess.Popen(  # noqa: S603 - a list, never a shell string
            words,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child,
    ):
        output, rest = child.stdout, b""
        try:
            while output is not None and (chunk := os.read(output.fileno(), _CHUNK)):
                *whole, rest = (rest + chunk).split(b"\0")
                yield from whole
            if rest:
                yield rest
        finally:
            child.kill()


def unrunnable(program: str, error: OSError) -> EngineError:
    """Return the error of a program that is there, and that the system does not run."""
    return EngineError(
        f"{program} cannot be run: {error.strerror}",
        hint=f"see what lies in its place: ls -l $(command -v {shlex.quote(program)})",
    )


@contextlib.contextmanager
def _explained(program: str, timeout: float | None = None) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise EngineError(f"{program} is not on PATH", hint="inv container-setup") from error
    except OSError as error:
        raise unrunnable(program, error) from error
    except subprocess.TimeoutExpired as error:
        raise TimedOut(
            f"{program} did not answer within {timeout:g} s", hint="again; does it answer by itself?"
        ) from error


def check(
    *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float | None = None
) -> str:
    """Run a program that has to succeed and return its output.

    Raises EngineError with its last line otherwise.
    """
    done = run(*argv, cwd=cwd, env=env, timeout=timeout)
    if not done.ok:
        words, more = shlex.join(done.argv[:_WORDS]), " …" if done.argv[_WORDS:] else ""
        raise EngineError(
            f"{' '.join(done.argv[:3])} … has failed: {done.last_line}",
            hint=f"by itself it may say more: {words}{more}",
        )
    return done.stdout


def spawn_daemon(*argv: str | Path, log: Path, env: Mapping[str, str] | None = None, drop: Sequence[str] = ()) -> None:
    """Start a program that outlives this process, its session and its terminal; what it says goes to ``log``.

    It inherits no open file and no standard input. ``env`` is added to this process's environment, from
    which every variable that begins with a word of ``drop`` is taken first. Whether it got up is for the
    caller to find out: nobody waits for it here.

    Raises EngineError when the program is not there.
    """
    words = tuple(str(word) for word in argv)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(tuple(drop))}
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as output:
            # setsid --fork leaves at once, so the daemon becomes a child of init and never a zombie of ours.
            subprocess.run(  # noqa: S603 - a list, never a shell string
                ("setsid", "--fork", *words),  # noqa: S607 - of the person's own PATH
                cwd="/",
                env={**kept, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=True,
            )
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(f"{words[0]} could not be started: {error}", hint=f"what it said is in {log}") from error


def give_way() -> None:
    """Let everything else come before this thread, where a thread can be told so: on Linux."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)
