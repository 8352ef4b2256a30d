"""Read what lies at the root: text of a regular file, and YAML of a shape that Invoke can take."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .errors import ConfigError

LARGEST = 1_000_000  # bytes; what is longer was not written by a person
MOST = 10_000  # values in one YAML file, each as often as an alias repeats it
_LONGEST_NUMBER = 18  # digits
_INT = "tag:yaml.org,2002:int"
_MERGE = "tag:yaml.org,2002:merge"  # a file may have several: their keys are only what nothing else says


def read_text(path: Path, called: str = "") -> str:
    """Return a file's text; errors call it by its name where they are told no other.

    Raises FileNotFoundError where there is none, and ConfigError when it cannot be read, is no
    regular file, or is no text that a person has written: nothing here waits for a pipe.
    """
    name = called or path.name
    try:
        kind = path.stat()
        if not stat.S_ISREG(kind.st_mode):
            raise ConfigError(f"{name} is no regular file", hint="put a file of text there")
        if kind.st_size > LARGEST:
            raise ConfigError(f"{name} has {kind.st_size} bytes", hint=f"at most {LARGEST}")
        return path.read_bytes().decode()  # with the line ends that are there
    except FileNotFoundError:
        if os.path.lexists(path):
            raise ConfigError(f"{name} points to a file that is not there", hint="put a file there") from None
        raise
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} cannot be read: {error}", hint="save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error}", hint="make it a file that you may read") from error


def leads_out(folder: Path, name: str) -> bool:
    """Return whether a link on the way to a file leads out of a folder, from which BuildKit follows none.

    A link that is absolute, or that leaves and comes back, is out, too.
    """
    place, waiting = folder, [*reversed(Path(name).parts)]
    while waiting:
        part = waiting.pop()
        if part == "..":
            if place == folder:
                return True
            place = place.parent
        elif (place / part).is_symlink():
            target = (place / part).readlink()
            if target.is_absolute():
                return True
            waiting += reversed(target.parts)
        else:
            place /= part
    return False


class Respelled(int):
    """A number that YAML 1.1 reads out of other words than its own: 0755 is 493 there, and 1:30 is 90."""

    def __new__(cls, value: int, written: str) -> Self:
        """Return the number, which remembers how it is written."""
        one = super().__new__(cls, value)
        one.written = written
        return one

    written: str


def parse_yaml(text: str, name: str) -> object:
    """Return what YAML makes of a file's text, with the loader of Invoke, which reads it too.

    Raises ConfigError that names the file and the line, also for a key that stands twice in one section:
    YAML forbids it, and the loader would take the last without a word.
    """
    from invoke.util import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: object) -> object:
            node = super().compose_mapping_node(anchor)  # type: ignore[no-untyped-call]  # Invoke's own copy
            seen: dict[tuple[str, str], Any] = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                    continue
                mark = seen.setdefault((key.tag, key.value), key.start_mark)
                if mark is not key.start_mark:
                    twice = f"{key.value!r} stands in line {mark.line + 1} already"
                    raise yaml.MarkedYAMLError(problem=twice, problem_mark=key.start_mark)  # type: ignore[no-untyped-call]
            return node

        def construct_whole(self, node: yaml.ScalarNode) -> int:
            value: int = self.construct_yaml_int(node)  # type: ignore[no-untyped-call]
            return value if str(value) == node.value else Respelled(value, node.value)

    Loader.add_constructor(_INT, Loader.construct_whole)  # type: ignore[no-untyped-call]
    try:
        return yaml.load(text, Loader)  # type: ignore[no-untyped-call]
    except RecursionError:
        raise ConfigError(f"{name} is broken: it is nested too deeply", hint="settings are a few levels deep") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that the calendar does not have
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error) or "no YAML"
        raise ConfigError(f"{name} is broken{place}: {problem}", hint="mend that line") from error


def key_line(text: str, keys: Sequence[str]) -> int | None:
    """Return the line, from 1, of a key in YAML below others, or of the last of those that is there; else None."""
    from invoke.util import yaml

    try:
        node = yaml.compose(text, yaml.SafeLoader)  # type: ignore[no-untyped-call]
    except (yaml.YAMLError, RecursionError):
        return None
    line: int | None = None
    for wanted in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        key, node = next(((key, value) for key, value in pairs if key.value == wanted), (None, None))
        if key is None:
            break
        line = key.start_mark.line + 1
    return line


def check_shape(content: object, name: str) -> None:
    """Refuse YAML that never ends, or whose aliases make little text into too much.

    Raises ConfigError that names the file.
    """
    waiting: list[tuple[str, object]] = [("", content)]
    count = 0
    while waiting:
        place, value = waiting.pop()
        count += 1
        if count > MOST:
            raise ConfigError(f"{name} holds more than {MOST} values", hint="an alias may repeat too much, or itself")
        if isinstance(value, dict):
            waiting += [(place, key) for key in value]
            waiting += [(f"{place}.{key}".lstrip("."), one) for key, one in value.items()]
        elif isinstance(value, list | tuple | set):
            waiting += [(place, one) for one in value]
        elif isinstance(value, int) and abs(value) >= 10**_LONGEST_NUMBER:
            below = f" below {place}" if place else ""
            raise ConfigError(
                f"{name} holds a number of more than {_LONGEST_NUMBER} digits{below}", hint="put it in quotes"
            )


def check_variables(content: Mapping[str, Any], name: str) -> None:
    """Refuse keys and values that Invoke cannot set beside its ``INVOKE_…`` variables: it ends in a traceback.

    Raises ConfigError that names the file.
    """
    from invoke.env import Environment
    from invoke.exceptions import AmbiguousEnvVar, UncastableEnvVar

    odd = _odd_key(content)
    if odd is not None:
        raise ConfigError(f"{name}: the key {odd!r} is not text", hint="put it in quotes")
    try:
        Environment(content, prefix="INVOKE_").load()  # type: ignore[arg-type]  # it reads any mapping
    except (AmbiguousEnvVar, UncastableEnvVar, ValueError, TypeError) as error:
        raise ConfigError(
            f"{name} and the variables INVOKE_… do not fit together: {error}",
            hint="unset the variable, or rename the key",
        ) from error


def _odd_key(content: Mapping[Any, Any]) -> object:
    for key, value in content.items():
        if not isinstance(key, str):
            return repr(key) if key is None else key
        inner = _odd_key(value) if isinstance(value, dict) else None
        if inner is not None:
            return inner
    return None
