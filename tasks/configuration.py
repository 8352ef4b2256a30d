"""invoke.yaml: what ``container:`` may hold, checked before Invoke needs it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError

# What `container:` in invoke.yaml may hold. None: not set. Text, so that INVOKE_* arrives unchanged.
DEFAULTS: dict[str, Any] = {
    "project": None,
    "registry": None,
    "platforms": None,
    "tags": None,
    "mirror": None,
    "ca": None,
    "builder": None,
    "jobs": None,
    "budgets": {},
}


def check_file(root: Path) -> None:
    """Check invoke.yaml before Invoke needs it: Invoke itself answers a broken one with a traceback.

    Raises ConfigError for what is not YAML, and for keys under ``container:`` that nothing reads.
    """
    path = root / "invoke.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"invoke.yaml cannot be read: {error}") from error
    from invoke.util import yaml

    try:
        content = yaml.safe_load(text)  # type: ignore[no-untyped-call]  # Invoke's own copy
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that the calendar does not have
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error) or "no YAML"
        raise ConfigError(f"invoke.yaml is broken{place}: {problem}", hint="mend that line") from error
    if content is None:
        return
    if not isinstance(content, dict):
        raise ConfigError(f"invoke.yaml holds a {type(content).__name__}", hint="write key: value lines")
    _check_kinds(content)
    section = _lines_of(content, "container", "container")
    _lines_of(section, "budgets", "container.budgets")
    for key, value in section.items():
        if key not in DEFAULTS:
            raise ConfigError(f"invoke.yaml: nothing reads container.{key}", hint=_nearest(str(key)))
        if key != "budgets":
            _check_value(key, value)


def _check_kinds(content: Mapping[str, Any]) -> None:
    """Refuse a section that Invoke cannot merge into its own."""
    from invoke.config import AmbiguousMergeError, Config, merge_dicts

    for key, known in Config.global_defaults().items():
        try:
            merge_dicts({key: known}, {key: content.get(key, {})})
        except AmbiguousMergeError:
            raise ConfigError(
                f"invoke.yaml: {key} is Invoke's own section, and does not hold what Invoke reads there",
                hint="https://docs.pyinvoke.org shows its settings",
            ) from None


def _lines_of(parent: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    section = parent.get(key, {})
    if not isinstance(section, dict):
        what = "is empty" if section is None else f"holds a {type(section).__name__}"
        raise ConfigError(f"invoke.yaml: {name} {what}", hint="write key: value lines below it, or leave it out")
    return section


def _check_value(key: str, value: object) -> None:
    source = f"container.{key} in invoke.yaml"
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool) or not isinstance(item, str | int | None):
            raise ConfigError(f"{source}: {item!r} is not text", hint="put it in quotes")
    # Invoke makes of a variable's text what the file has, a number or a list, and fails with a traceback.
    variable = f"INVOKE_CONTAINER_{key.upper()}"
    text = os.environ.get(variable)
    if text is None or not isinstance(value, int | list):
        return
    if isinstance(value, list):
        raise ConfigError(
            f"{variable} cannot replace the list of {source}",
            hint=f"write it as text there: {','.join(map(str, value))}",
        )
    if not text.removeprefix("-").isdecimal():
        raise ConfigError(f"{variable}: {text!r} is not a whole number", hint=f"as {source} is")


def _nearest(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, DEFAULTS, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(DEFAULTS)}"
