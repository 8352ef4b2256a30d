"""What a build reads of its context, as the Dockerfile says it: the sources of COPY, ADD and bind mounts.

Where a Dockerfile says more than is understood here, the answer is wider and never narrower: the whole
context, or a build each time, with the reason for people.
"""

import itertools
import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .dockerfile import Instruction, expand, flags, instructions
from .platforms import Platform

_KNOWN = frozenset(
    {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"}
    | {"ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|.*\.git(?:#|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reads:
    """What a build reads of its context."""

    sources: tuple[str, ...] = ()
    """Paths and patterns relative to the context; ``.`` is all of it."""
    images: tuple[str, ...] = ()
    """The images from outside that it takes, as the Dockerfile writes them, variables replaced."""
    whole: str = ""
    """Why all of the context counts, though the Dockerfile may read less."""
    always: str = ""
    """Why nothing can tell that a build would change nothing."""


@dataclass(slots=True)
class _Stage:
    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


def reads(
    text: str, *, stage: str | None, args: Mapping[str, str], platforms: Sequence[Platform], native: Platform
) -> Reads:
    """Return what building a stage, by default the last, reads of its context, on any of the platforms."""
    if re.match(r"(?:\s*#\s*\w+\s*=.*\n)*\s*#\s*syntax\s*=", text, re.IGNORECASE):
        return Reads(always="its # syntax= line hands the Dockerfile to another program")
    unknown = next((one.name for one in instructions(text) if one.name not in _KNOWN), None)
    if unknown is not None:
        return Reads(always=f"the instruction {unknown} is not known here")
    stages, known = _stages(text, args)
    needed: set[int] = set()
    images: dict[str, None] = {}
    for platform in platforms:
        try:
            for number, outside in _needed(stages, stage, known | _platform_args(platform, native)):
                needed.add(number)
                images |= dict.fromkeys(outside)
        except LookupError as error:
            return Reads(always=str(error.args[0]))
    sources: dict[str, None] = {}
    whole = ""
    for number in sorted(needed):
        for instruction in stages[number].instructions:
            found = _read_by(instruction)
            if found.always:
                return found
            whole = whole or found.whole
            sources |= dict.fromkeys(found.sources)
    return Reads((".",) if whole else tuple(sources), tuple(images), whole)


def _platform_args(platform: Platform, native: Platform) -> dict[str, str]:
    found: dict[str, str] = {}
    for prefix, one in (("TARGET", platform), ("BUILD", native)):
        found |= {f"{prefix}PLATFORM": one.value, f"{prefix}OS": "linux"}
        found |= {f"{prefix}ARCH": one.arch, f"{prefix}VARIANT": ""}
    return found


def _stages(text: str, args: Mapping[str, str]) -> tuple[list[_Stage], dict[str, str]]:
    """Return the stages, and the values of the ARGs that stand before the first."""
    stages: list[_Stage] = []
    known: dict[str, str] = {}
    for instruction in instructions(text):
        if instruction.name == "FROM":
            words = [word for word in instruction.value.split() if not word.startswith("--")]
            name = words[2].lower() if len(words) > 2 else ""  # noqa: PLR2004 - FROM image AS name
            stages.append(_Stage(name, words[0].strip("\"'") if words else ""))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.name == "ARG":
            for word in _words(instruction.value):
                name, equals, default = word.partition("=")
                value = args.get(name, expand(default, known) if equals else None)
                if value is not None:
                    known[name] = value
    return stages, known


def _needed(stages: list[_Stage], wanted: str | None, known: Mapping[str, str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the stages that a stage is made from, itself included, each with the images that it takes from outside.

    Raises LookupError, with a reason for people, where that cannot be told.
    """
    names = {stage.name: number for number, stage in enumerate(stages) if stage.name}
    start = len(stages) - 1 if wanted is None else names.get(wanted.lower())
    if start is None or start < 0:
        raise LookupError(f"there is no stage {wanted}")
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        number = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        outside = []
        for written in (stages[number].base, *_taken_from(stages[number])):
            name = expand(written, known)
            if name is None:
                raise LookupError(f"{written} has a variable that nothing sets")
            inside = [place for place, stage in enumerate(stages) if stage.name == name.lower() and stage.name]
            if name.isascii() and name.isdigit() and int(name) < len(stages):
                waiting.append(int(name))
            elif inside:
                waiting += inside
            elif name != "scratch":
                outside.append(name)
        yield number, outside


def _taken_from(stage: _Stage) -> Iterator[str]:
    for instruction in stage.instructions:
        for flag in flags(instruction):
            if flag.startswith("--from="):
                yield flag.removeprefix("--from=")
            if flag.startswith("--mount="):
                yield from (part[5:] for part in flag[8:].split(",") if part.startswith("from="))


def _read_by(instruction: Instruction) -> Reads:
    """Return what one instruction reads."""
    if instruction.name == "ONBUILD":
        return Reads(whole="ONBUILD reads what only the next image knows")
    if instruction.name == "RUN":
        return _mounted(instruction)
    if instruction.name not in {"COPY", "ADD"}:
        return Reads()
    given = flags(instruction)
    if any(flag.startswith("--from=") for flag in given):
        return Reads()
    rest = instruction.value
    for flag in given:
        rest = rest.removeprefix(flag).lstrip()
    words = _json_words(rest) or _words(rest)
    sources = words[:-1]
    if instruction.name == "ADD" and any(_REMOTE.match(source) for source in sources):
        return Reads(always="ADD fetches from elsewhere, which may have changed")
    return _of(sources, f"a source of {instruction.name}")


def _mounted(instruction: Instruction) -> Reads:
    found: list[str] = []
    for flag in flags(instruction):
        if not flag.startswith("--mount="):
            continue
        if any(letter in flag for letter in "$\"'\\"):
            return Reads(whole=f"a mount is not plain text: {flag}")
        parts = (part.partition("=") for part in flag.removeprefix("--mount=").split(","))
        options = {key.lower(): value for key, _, value in parts}
        if options.get("type", "bind").lower() == "bind" and "from" not in options:
            found.append(options.get("source", options.get("src", ".")))
    return _of(found, "a bind mount")


def _of(sources: Sequence[str], what: str) -> Reads:
    for source in sources:
        if "$" in source or "\\" in source or "<<" in source or '"' in source or "'" in source:
            return Reads(whole=f"{what} is not plain text: {source}")
    return Reads(tuple(_relative(source) for source in sources))


def _relative(source: str) -> str:
    """Return a source as a path below the context: BuildKit takes no way out of it."""
    return posixpath.normpath(f"/{source}").lstrip("/") or "."


def _json_words(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        return []
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else []


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, posix=True) if "\\" not in text else text.split()
    except ValueError:  # a quote that never ends: BuildKit says so
        return text.split()


def is_pattern(source: str) -> bool:
    """Return whether a source matches several paths."""
    return any(letter in source for letter in "*?[")


def matches(source: str, path: str) -> bool:
    """Return whether a source pattern may mean a path, or what is below or above it; rather too much."""
    wanted, parts = source.split("/"), path.split("/")
    for pattern, part in itertools.zip_longest(wanted, parts[: len(wanted)]):
        if pattern is None or pattern == "**" or "[" in pattern:
            return True
        if part is None:
            return True  # a folder on the way
        expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
        if not re.fullmatch(expression, part, re.DOTALL):
            return False
    return True
