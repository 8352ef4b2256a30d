"""What the text of a setting may be, and what it means: one function a setting.

``source`` is where it stands, for the errors. The schema that editors read says the same (rules).
"""

import re
from collections.abc import Callable, Iterable

from ..errors import ConfigError
from . import caches, names
from .severities import SEVERITIES, left_out

PROGRESS = ("auto", "plain", "quiet")
REUSE = ("none", "registry")
PROVENANCE = ("auto", "min", "max")
LONGEST_COUNT = 6
"""Digits of a number."""


def builder(name: str | None, source: str) -> str | None:
    """Return the name of a builder, where one is given.

    Raises ConfigError for anything else.
    """
    if name is not None and (not name or name.startswith("-") or not name.isprintable() or " " in name):
        raise ConfigError(f"{source}: {name!r} cannot be a builder", hint="docker buildx ls shows them")
    return name


def not_empty(text: str, source: str, *, hint: str) -> str:
    """Return what a person wrote, where that is more than nothing.

    Raises ConfigError for anything else.
    """
    if not text.strip():
        raise ConfigError(f"{source} is empty", hint=hint)
    return text


def provenance(text: str, source: str) -> str:
    """Return how much a pushed image says of its build; the first of the choices leaves it to the machine.

    Raises ConfigError for anything else.
    """
    if text not in PROVENANCE:
        raise ConfigError(f"{source}: {text!r} is no provenance", hint=f"choose from {', '.join(PROVENANCE)}")
    return text


def jobs(text: str, source: str) -> int:
    """Return how many builds run at once.

    Raises ConfigError for anything else than a whole number above 0.
    """
    return whole_number(text, source, hint="for example --jobs 2")


def whole_number(text: str, source: str, *, hint: str) -> int:
    """Return a number above 0, of at most six digits, that a person wrote; ``source`` is named in errors.

    Raises ConfigError for anything else.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_COUNT and int(text) > 0):
        raise ConfigError(
            f"{source}: {text!r} is not a whole number above 0, of at most {LONGEST_COUNT} digits", hint=hint
        )
    return int(text)


def progress(text: str, source: str) -> str:
    """Return a kind of progress.

    Raises ConfigError for anything else.
    """
    if text not in PROGRESS:
        raise ConfigError(f"{source}: {text!r} is not a kind of progress", hint=f"choose from {', '.join(PROGRESS)}")
    return text


def one_of(choices: Iterable[str], text: str, source: str) -> str:
    """Return one of several words.

    Raises ConfigError for anything else.
    """
    known = [str(choice) for choice in choices]
    if text not in known:
        raise ConfigError(f"{source}: {text!r} is none of its values", hint=f"choose from {', '.join(known)}")
    return text


def optional(check: Callable[[str, str], str], text: str | None, source: str) -> str | None:
    """Return what a check returns of a text, where there is one; raises what the check raises."""
    return None if text is None else check(text, source)


def cache(text: str, source: str, *, registry: str) -> tuple[str, ...]:
    """Return the caches that are named, each with its place.

    Raises ConfigError for anything else.
    """
    words = names.split_list(text, source=source)
    return tuple(map(str, caches.parse(words, registry=registry, source=source)))


def severity(text: str, source: str) -> tuple[str, ...]:
    """Return the severities that fail; who names one means all that are worse, too, and has to say so.

    Raises ConfigError otherwise.
    """
    found = names.split_list(text, source=source)
    for word in found:
        if word not in SEVERITIES:
            raise ConfigError(f"{source}: {word!r} is no severity", hint=f"choose from {', '.join(SEVERITIES)}")
    lacking = left_out(found)
    if lacking:
        raise ConfigError(
            f"{source}: {text} would let {', '.join(lacking)} pass", hint=f"write {','.join((*found, *lacking))}"
        )
    return tuple(word for word in SEVERITIES if word in found)


def scan_db(text: str | None, source: str) -> str | None:
    """Return where a vulnerability database is, where it is said.

    Raises ConfigError for anything else.
    """
    if text is not None and not re.fullmatch(names.ARTIFACT, text):
        raise ConfigError(f"{source}: {text!r} cannot be a database", hint="host[:port]/path[:tag]")
    return text


def reuse(text: str, source: str) -> bool:
    """Return whether what a registry has is taken instead of built.

    Raises ConfigError for anything else than the choices.
    """
    if text not in REUSE:
        raise ConfigError(f"{source}: {text!r} is nothing to reuse", hint=f"choose from {', '.join(REUSE)}")
    return text != REUSE[0]
