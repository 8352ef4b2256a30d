"""invoke.yaml: what stands in it, checked before Invoke needs it."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .plan import names
from .plan.keys import MAPPINGS, SERVICE_SETTINGS, SETTINGS, Setting
from .texts import Respelled, check_shape, check_variables, parse_yaml, read_text

FILE = "invoke.yaml"
_KINDS = ((dict, "key: value lines"), (list, "a list"), (type(None), "nothing"))
"""What YAML makes of more than one value, or of none, in words."""


# What Invoke is told. None: not set. Text, so that INVOKE_CONTAINER_* arrives unchanged.
DEFAULTS: dict[str, Any] = {**{setting.key: None for setting in SETTINGS}, "services": {}}


def read_file(root: Path) -> Mapping[str, Any]:
    """Return the section ``container`` of invoke.yaml; Invoke itself answers a broken file with a traceback.

    Raises ConfigError for what is not YAML, for keys and variables that nothing reads, and for values of the
    wrong kind.
    """
    try:
        text = read_text(root / FILE)
    except FileNotFoundError:
        text = ""
    content = parsed(text, FILE)
    _check_indentation(content, text)
    _check_names(content)
    check_kinds(content, FILE)
    section = lines_of(content, "container", "container", FILE)
    check_settings(section, FILE)
    for name, service in lines_of(section, "services", "container.services", FILE).items():
        place = f"container.services.{name}"
        if not isinstance(service, dict):
            raise ConfigError(f"{FILE}: {place} holds no key: value lines", hint=f"for example {name}: {{port: 8080}}")
        _check_section(service, SERVICE_SETTINGS, place, also=MAPPINGS, file=FILE)
        for key in MAPPINGS:
            for name_of_one, value in lines_of(service, key, f"{place}.{key}", FILE).items():
                _check_text(value, f"{place}.{key}.{name_of_one} in {FILE}")
    check_variables({**content, "container": {**DEFAULTS, **section}}, FILE)
    return section


def parsed(text: str, file: str) -> dict[str, Any]:
    """Return what a file of settings holds.

    Raises ConfigError for what is not YAML, or no key: value lines.
    """
    content = parse_yaml(text, file)
    check_shape(content, file)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds a {type(content).__name__}", hint="write key: value lines")
    return content


def check_settings(section: Mapping[str, Any], file: str) -> None:
    """See that a section ``container`` holds keys that are read, and values of their kind.

    Raises ConfigError otherwise.
    """
    _check_section(section, SETTINGS, "container", also={"services"}, file=file)


def _check_indentation(content: Mapping[str, Any], text: str) -> None:
    """Refuse our own keys at the top of a file that begins indented: the line above them is still a comment."""
    ours = next((key for key in content if key in DEFAULTS), None)
    first = next((line for line in text.splitlines() if line.partition("#")[0].strip()), "")
    if ours is not None and "container" not in content and first[:1].isspace():
        raise ConfigError(f"{FILE}: {ours} stands below nothing", hint="take the # from the line container: as well")


def _check_names(content: Mapping[str, Any]) -> None:
    """Refuse what is nearly ``container``, and variables that look like its settings' and that nothing reads."""
    from difflib import get_close_matches

    for key, value in content.items():
        if key != "container" and isinstance(value, dict) and get_close_matches(str(key), ["container"], cutoff=0.85):
            raise ConfigError(f"{FILE}: nothing reads {key}", hint="did you mean container?")
    known = {_variable(setting.key) for setting in SETTINGS} | {f"INVOKE_{str(key).upper()}" for key in content}
    for variable in sorted(os.environ):
        if variable.startswith(_variable("")) and variable not in known:
            raise ConfigError(
                f"nothing reads {variable}", hint=_nearest(variable, sorted(known - {"INVOKE_CONTAINER"}))
            )


def _variable(key: str) -> str:
    return f"INVOKE_CONTAINER_{key.upper()}"


def check_kinds(content: Mapping[str, Any], file: str) -> None:
    """See that Invoke can merge each section that is its own.

    Raises ConfigError otherwise.
    """
    from invoke.config import AmbiguousMergeError, Config, merge_dicts

    for key, known in Config.global_defaults().items():
        try:
            merge_dicts({key: known}, {key: content.get(key, {})})
        except AmbiguousMergeError:
            raise ConfigError(
                f"{file}: {key} is Invoke's own section, and does not hold what Invoke reads there",
                hint="https://docs.pyinvoke.org shows its settings",
            ) from None


def lines_of(parent: Mapping[str, Any], key: str, name: str, file: str) -> Mapping[str, Any]:
    """Return the key: value lines below a key, if there are any.

    Raises ConfigError for anything else there.
    """
    section = parent.get(key, {})
    if not isinstance(section, dict):
        what = "is empty" if section is None else f"holds a {type(section).__name__}"
        raise ConfigError(f"{file}: {name} {what}", hint="write key: value lines below it, or leave it out")
    return section


def _check_section(
    section: Mapping[str, Any], known: tuple[Setting, ...], place: str, *, also: Collection[str], file: str
) -> None:
    keys = {setting.key: setting for setting in known}
    for key, value in section.items():
        if key not in keys and key not in also:
            raise ConfigError(f"{file}: nothing reads {place}.{key}", hint=_nearest(str(key), [*keys, *also]))
        if key in keys and key not in also:
            _check_value(keys[key], value, f"{place}.{key} in {file}", settable=place == "container")


def _check_value(setting: Setting, value: object, source: str, *, settable: bool) -> None:
    if isinstance(value, list) and not setting.several:
        raise ConfigError(f"{source} is a list", hint=f"write one value: {setting.example}")
    for item in value if isinstance(value, list) else [] if value is None else [value]:
        _check_text(item, source)
    # Invoke makes of a variable's text what the file has, a number or a list, and fails with a traceback.
    variable = _variable(setting.key)
    text = os.environ.get(variable) if settable else None
    if text is None or not isinstance(value, int | list):
        return
    if isinstance(value, list):
        raise ConfigError(
            f"{variable} cannot replace the list of {source}",
            hint=f"write it as text there: {','.join(map(str, value))}",
        )
    if not text.removeprefix("-").isdecimal():
        raise ConfigError(f"{variable}: {text!r} is not a whole number", hint=f"as {source} is")


def _check_text(value: object, source: str) -> None:
    """Refuse what YAML has made something else of: true, 1.10, 010 and dates do not come back as they were written."""
    if isinstance(value, Respelled):
        raise ConfigError(f"{source}: {value.written} is the number {int(value)} there", hint="put it in quotes")
    if isinstance(value, bool) or not isinstance(value, str | int):
        kind = next((word for kind, word in _KINDS if isinstance(value, kind)), None)
        if kind is not None:
            raise ConfigError(f"{source} holds {kind}, which is not text", hint="write one value behind the colon")
        raise ConfigError(f"{source}: {_as_yaml(value)} is not text", hint="put it in quotes")


def _as_yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _nearest(key: str, known: list[str]) -> str:
    near = names.nearest(key, known)
    return f"known: {', '.join(known)}" if near is None else f"did you mean {near}?"
