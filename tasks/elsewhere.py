"""Invoke's files beside invoke.yaml (/etc/invoke.yaml, ~/.invoke.yaml, that of -f): what they may say of ``container``.

A person and a machine may say there where and how images are built. What the repository is, it says itself: two
people have the same services, and the same images of them.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .configuration import FILE, check_kinds, check_settings, lines_of, parsed
from .errors import ConfigError
from .texts import read_text

if TYPE_CHECKING:
    from invoke.config import Config
    from invoke.parser.parser import ParseResult

OF_REPOSITORY = ("project", "services_dir", "dockerfile", "context", "services")
"""What invoke.yaml alone says."""
# Of each Invoke reads the first that is there.
_SUFFIXES = ("yaml", "yml", "json", "py")
_PREFIXES = ("/etc/invoke", "~/.invoke")
_RUNTIME = "INVOKE_RUNTIME_CONFIG"


def check(root: Path) -> None:
    """See that what the other files say can be used, before Invoke meets it and ends in a traceback.

    Raises ConfigError that names the file.
    """
    for prefix in _PREFIXES:
        path = _first(prefix)
        if path is not None and path.suffix != ".py":
            _check(_content(path), _name(path))
    own = _first(str(root / "invoke"))
    if own is not None and own.name != FILE and own.suffix != ".py":
        _refuse_own(_content(own), own.name)
    asked = _asked_for()
    if asked is not None:
        _require(asked)
        if Path(asked).suffix != ".py":
            _check(_content(_expanded(asked)), asked)


@dataclass(frozen=True, slots=True)
class Files:
    """What each file says of ``container``, by the file's name; the one that wins first."""

    runtime: Mapping[str, Mapping[str, Any]]
    """The file of -f, which wins over the environment, too."""
    others: Mapping[str, Mapping[str, Any]]

    def deciding(self, key: str) -> str:
        """Return the name of the file that decides a setting; the repository's own where none of these says it."""
        said = (name for name, section in {**self.runtime, **self.others}.items() if key in section)
        return next(said, FILE)

    def overruled(self, key: str) -> bool:
        """Return whether the file of -f decides a setting, whatever the environment says."""
        return any(section.get(key) is not None for section in self.runtime.values())


def read(config: "Config") -> Files:
    """Return what Invoke's files say.

    Raises ConfigError for what only the repository says, and for a file that is not there.
    """
    asked = getattr(config, "_runtime_path", None)
    if asked is not None:
        _require(asked)
    project = _level(config, "project")
    for name, section in project.items():
        if name != FILE:
            _refuse_own({"container": section}, name)
    return Files(_level(config, "runtime"), {**project, **_level(config, "user"), **_level(config, "system")})


def _level(config: "Config", level: str) -> Mapping[str, Mapping[str, Any]]:
    """Return a file's section by its name; Invoke keeps in attributes of its own alone which file said what."""
    path, content = getattr(config, f"_{level}_path", None), getattr(config, f"_{level}", None)
    if path is None or not isinstance(content, dict) or "container" not in content:
        return {}
    name = str(path) if level == "runtime" else _name(Path(path))
    if level != "project":
        _check(content, name)
    return {Path(path).name if level == "project" else name: lines_of(content, "container", "container", name)}


def _check(content: Mapping[str, Any], name: str) -> None:
    check_kinds(content, name)
    section = lines_of(content, "container", "container", name)
    for key in section:
        if key in OF_REPOSITORY:
            raise ConfigError(
                f"{name}: container.{key} is what a repository says of itself",
                hint=f"write it into {FILE} at the repository's root",
            )
    check_settings(section, name)


def _refuse_own(content: Mapping[str, Any], name: str) -> None:
    if "container" in content:
        way_out = f"write it into {FILE}" if name.endswith(".py") else f"mv {name} {FILE}"
        raise ConfigError(f"{name}: container is read from {FILE} alone", hint=way_out)


def _require(asked: str) -> None:
    """See that the file of -f is one; Invoke goes on without a word where there is none."""
    path = _expanded(asked)
    if not path.is_file():
        raise ConfigError(f"-f: there is no file {asked!r}", hint=f"mend its path, or leave out -f and {_RUNTIME}")
    if path.suffix.lstrip(".") not in _SUFFIXES:
        raise ConfigError(f"-f: Invoke cannot read {asked}", hint=f"its name ends with {', '.join(_SUFFIXES)}")


def _content(path: Path) -> Mapping[str, Any]:
    name = _name(path)
    text = read_text(path, name)
    if path.suffix != ".json":
        return parsed(text, name)
    try:
        json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name} is broken: {error}", hint="mend that line") from error
    return parsed(text.replace("\t", " "), name)  # YAML has no tabs; between values of JSON they mean nothing


def _first(prefix: str) -> Path | None:
    paths: Iterator[Path] = (_expanded(f"{prefix}.{suffix}") for suffix in _SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _name(path: Path) -> str:
    """Return a file as a person calls it."""
    return f"~/{path.name}" if path.parent == _expanded("~") else str(path)


def _expanded(path: str) -> Path:
    """Return a path as Invoke finds it; a process whose user has no home is no failure."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of Path raises there


def core(words: Sequence[str]) -> "ParseResult | None":
    """Return what Invoke's own parser reads before the name of a task; None for what Invoke is about to refuse."""
    from invoke.exceptions import ParseError
    from invoke.parser import Parser
    from invoke.program import Program

    try:
        return Parser(initial=Program().initial_context, ignore_unknown=True).parse_argv(list(words))
    except ParseError:
        return None


def _asked_for() -> str | None:
    """Return the file of -f as Invoke's own parser reads it, before the name of a task.

    Behind one only Invoke knows whether -f is the task's.
    """
    said = core(sys.argv[1:])
    if said is None:
        return None
    found: str | None = said[0].args["config"].value
    return found or os.environ.get(_RUNTIME)
