"""Every failure a person can act on, each with its own exit code.

* TaskError
  - ConfigError (2)    settings, names or files that do not fit
  - EngineError (3)    docker or buildx missing, unreachable or too old; no room on its disk
  - BuildError (4)     an image did not build
  - PushError (5)      the registry is out of reach, refused, or must not have this image
  - VerifyError (6)    an image does not run as it has to, or holds what it must not
  - SignError (8)      an image cannot be signed, or is not signed by whom it has to be
  - ScanError (7)      an image was not scanned, or has what must not leave with it
  - Interrupted (130)  a person or a supervisor ended the run

Anything else is a bug: it keeps its traceback and exits with 1.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from invoke.exceptions import Exit

from .printable import for_runner, line, masked, spelled

# The lines of a list are indented; any other comes from a value.
_OWN_LINE = re.compile(r"\n(?!  )")
# What is refused may have any length; its begin and its end tell which it is.
_TOO_LONG = re.compile(r"^(.{600}).{401,}(.{200})$", re.MULTILINE)


class TaskError(Exit):
    """Printed to stderr as what went wrong and what mends it, without a traceback."""

    exit_code: ClassVar[int] = 1
    record: Mapping[str, Any] | None = None
    """What the task has to tell programs all the same, where it has come so far."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Say in ``message`` what and which; in ``hint`` the command or setting that mends it."""
        self.reason = masked(message)
        self.hint = hint if hint is None else masked(hint)
        said = _OWN_LINE.sub(r"\\n", f"error: {message}")  # no value writes a hint of its own
        said = _TOO_LONG.sub(r"\1…\2", said)
        text = spelled(masked(said if hint is None else f"{said}\nhint: {line(hint)}"))
        text = for_runner(text)
        super().__init__(text, self.exit_code)
        self.args = (text,)  # Exit leaves str(error) empty


class ConfigError(TaskError):
    """Settings, names or files do not fit together."""

    exit_code = 2


class EngineError(TaskError):
    """The container engine or buildx is missing, unreachable or too old."""

    exit_code = 3


class BuildError(TaskError):
    """An image did not build."""

    exit_code = 4


class PushError(TaskError):
    """The registry is out of reach, refused, or must not have this image."""

    exit_code = 5


class VerifyError(TaskError):
    """An image does not run as it has to, or holds what it must not."""

    exit_code = 6


class SignError(TaskError):
    """An image cannot be signed, or is not signed by whom it has to be."""

    exit_code = 8


class ScanError(TaskError):
    """An image was not scanned, or has what must not leave with it."""

    exit_code = 7


class Interrupted(TaskError):  # noqa: N818 - not an error of anything
    """The run was ended from outside; its children are gone."""

    exit_code = 130
