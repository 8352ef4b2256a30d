"""Which place decides a setting, and what it says there: a flag, the environment, a file, or nobody."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .errors import ConfigError

if TYPE_CHECKING:
    from invoke.context import Context

    from .elsewhere import Files


@dataclass(frozen=True, slots=True)
class Reader:
    """Finds the place that decides a setting, and names it for the errors."""

    flags: Mapping[str, Any]
    config: Mapping[str, Any]
    """What Invoke has made of its files and of ``INVOKE_CONTAINER_*``."""
    files: "Files"
    environment: Mapping[str, str]
    sources: dict[str, str] = field(default_factory=dict)
    """What has been read, with its place."""

    def first(self, key: str, variable: str | None = None, *, default: str) -> tuple[str, str]:
        """Return the value of the first place that gives one, and that place's name."""
        value, source = self.optional(key, variable)
        return (default, f"the default of {key}") if value is None else (value, source)

    def flag(self, key: str, *, default: str) -> tuple[str, str]:
        """Return the value of what is only a flag."""
        given = self.flags.get(key)
        self.sources[key] = "default" if given is None else f"--{key}"
        return (default, f"the default of {key}") if given is None else (str(given), f"--{key}")

    def switch(self, key: str) -> bool:
        """Return whether what is only a flag was given."""
        given = bool(self.flags.get(key))
        self.sources[key] = f"--{key.replace('_', '-')}" if given else "default"
        return given

    def configured(self, key: str, *, default: str) -> tuple[str, str]:
        """Return the value of the environment or the file, and that place's name."""
        return replace(self, flags={}).first(key, default=default)

    def optional(self, key: str, variable: str | None = None) -> tuple[str | None, str]:
        """Return the value of the first place that gives one, if there is any, and that place's name."""
        value, source = self._find(key, variable)
        self.sources[key] = source or "default"
        return value, source

    def _find(self, key: str, variable: str | None) -> tuple[str | None, str]:
        if self.flags.get(key) is not None:
            return str(self.flags[key]), f"--{key}"
        overruled = self.files.overruled(key)
        if variable is not None and variable in self.environment and not overruled:
            return self.environment[variable], variable
        value = self.config.get(key)
        if value is None:
            return None, ""
        from_environment = f"INVOKE_CONTAINER_{key.upper()}"
        in_environment = from_environment in self.environment and not overruled
        source = from_environment if in_environment else f"container.{key} in {self.files.deciding(key)}"
        if isinstance(value, list | tuple):
            return ",".join(str(item) for item in value), source
        if isinstance(value, str | int):
            return str(value), source
        raise ConfigError(f"{source} is a {type(value).__name__}", hint="write text")


def of(c: "Context", flags: Mapping[str, Any]) -> Reader:
    """Return what reads the settings of one run, whose flags these are.

    Raises ConfigError for a file that cannot be read.
    """
    from . import elsewhere

    section = c.config.get("container", {})
    return Reader(flags=flags, config=section, files=elsewhere.read(c.config), environment=os.environ)
