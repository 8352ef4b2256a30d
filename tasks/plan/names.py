"""What may be a registry, a tag, a service, a project or a path: checked before any tool sees it.

The grammar is that of the OCI distribution specification and of the reference package
(github.com/distribution/reference). The patterns are written as editors take them, too: the schema of
invoke.yaml has the same ones.
"""

import re
from collections.abc import Iterable, Sequence

from ..errors import ConfigError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST_LABEL = r"(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])"
# From 1 to 65535, in at most five digits.
PORT = (
    r"(?![0-9]{6})0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])(?![0-9])"
)
_HOST = rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-f:]+\])(?::{PORT})?"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
# The rule of distribution/reference: otherwise "aic-sos/agent" would name a host.
_NAMES_A_HOST = r"(?=[^/]*[.:]|localhost(?:/|$))"
REGISTRY = rf"(?:{_NAMES_A_HOST}{_HOST}(?:/{_PATH})?|(?!{_NAMES_A_HOST}){_PATH})"
TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
SERVICE = _COMPONENT
ARTIFACT = rf"(?=[^,/]*/){REGISTRY}(?::{TAG})?(?:@sha256:[0-9a-f]{{64}})?"
"""What a registry holds, other than an image: its place, with a tag or a digest."""
LONGEST_REGISTRY = 255
CONTEXTS = ("root", "service")
ADDRESS_PATH = r"/[!-~]*"
"""What an HTTP request line can hold as it is written."""
_LETTER = "[A-Za-z0-9_.@+-]"  # no comma and no colon: the engine reads options behind them
FOLDER = rf"(?:/(?!\.{{1,2}}(?!{_LETTER})){_LETTER}+)+"
"""A folder inside a container."""
RESERVED = frozenset({"amd64", "arm64"})
"""Platforms that a task of their own builds every service for: no service can have their names."""
LONGEST_SERVICE = 57  # on 80 columns Invoke's list has no room for more, and ends in a traceback


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant; None where none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, n=1)), None)


def references(registry: str, service: str, tags: Sequence[str], suffix: str = "") -> tuple[str, ...]:
    """Return the references of a service's image: one a tag, each with the suffix."""
    return tuple(f"{registry}/{service}:{tag}{suffix}" for tag in tags)


def split_list(text: str, *, source: str) -> tuple[str, ...]:
    """Return the items of a comma-separated list; ``source`` is named in errors.

    Raises ConfigError when the list or an item is empty, or an item holds white space.
    """
    absent = f"give {source} a value, or leave it out"
    if not text.strip():
        raise ConfigError(f"{source} is empty", hint=absent)
    items = tuple(text.split(","))
    for item in items:
        if not item:
            raise ConfigError(f"{source}: {text!r} has an empty item", hint="separate items by single commas")
        if re.search(r"\s", item):
            mended = ",".join(text.replace(",", " ").split())
            raise ConfigError(f"{source}: {item!r} has white space in it", hint=f"write {mended}" if mended else absent)
    return items


def check_registry(registry: str, *, source: str) -> str:
    """Return the registry, with its path, as it was given.

    Raises ConfigError for anything that is not ``host[:port][/path]`` or a path alone.
    """
    if not registry:
        raise ConfigError(f"{source} is empty", hint="for example ghcr.io/my-organisation")
    if "://" in registry:
        bare = registry.partition("://")[2].rstrip("/")
        raise ConfigError(f"{source}: {registry!r} has a scheme", hint=f"write {bare or 'host/path'}")
    if registry.endswith("/"):
        bare = registry.rstrip("/")
        raise ConfigError(f"{source}: {registry!r} ends with a slash", hint=f"write {bare or 'host/path'}")
    if not re.fullmatch(REGISTRY, registry.lower()):
        raise ConfigError(f"{source}: {_shorten(registry)!r} is not a registry", hint="write host[:port]/path")
    if registry != registry.lower():
        raise ConfigError(f"{source}: {registry!r} has upper case", hint=f"write {registry.lower()}")
    if len(registry) > LONGEST_REGISTRY:
        raise ConfigError(f"{source} has {len(registry)} characters", hint=f"at most {LONGEST_REGISTRY}")
    return registry


def is_loopback(registry: str) -> bool:
    """Whether a registry can only be this machine."""
    host = registry.partition("/")[0]
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name in {"localhost", "::1"} or re.fullmatch(r"127(?:\.\d{1,3}){3}", name) is not None


def check_tags(tags: Sequence[str], *, source: str) -> tuple[str, ...]:
    """Return the tags, each once.

    Raises ConfigError for one that the specification does not allow.
    """
    for tag in tags:
        if not is_tag(tag):
            raise ConfigError(f"{source}: {_shorten(tag)!r} cannot be a tag: {_why_no_tag(tag)}", hint=_tag_hint(tag))
    return tuple(dict.fromkeys(tags))


def is_tag(text: str) -> bool:
    """Whether the specification allows a tag."""
    return re.fullmatch(TAG, text) is not None


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - what fits a line


def _why_no_tag(tag: str) -> str:
    if len(tag) > 128:  # noqa: PLR2004 - the specification's own limit
        return f"{len(tag)} characters, at most 128"
    if tag[:1] in {"-", "."}:
        return f"it begins with {tag[0]!r}"
    bad = re.search(r"[^a-zA-Z0-9._-]", tag)
    return f"it holds {bad[0]!r}" if bad else "it is empty"


def _tag_hint(tag: str) -> str:
    mended = re.sub(r"[^a-zA-Z0-9._-]", "-", tag).strip(".-_")[:128]
    return f"for example {_shorten(mended)}" if mended else "letters, digits, '.', '_' and '-'"


def is_service(name: str) -> bool:
    """Whether a folder's name can be the last component of an image's name."""
    return len(name) <= LONGEST_SERVICE and re.fullmatch(SERVICE, name) is not None


def check_project(name: str, *, source: str) -> str:
    """Return the project's name, which marks its images and cache mounts.

    Raises ConfigError unless it could be an image's name.
    """
    if not is_service(name):
        raise ConfigError(f"{source}: {name!r} cannot mark images", hint="lower-case letters, digits and single dashes")
    return name
