"""What a build reads of its context, as the Dockerfile says it: the sources of COPY, ADD and bind mounts.

Where a Dockerfile says more than is understood here, the answer is wider and never narrower: the whole
context, or a build each time, with the reason for people.
"""

import itertools
import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..printable import line
from .dockerfile import (
    DECIDED,
    LONGEST,
    Instruction,
    Stage,
    expand,
    flags,
    heredocs_are_plain,
    instructions,
    split_flags,
    stages,
    words_of,
)
from .platforms import Platform

_KNOWN = frozenset(
    {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"}
    | {"ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|[^/]+@[^/]*:|.*\.git(?:#|$)", re.IGNORECASE)
# A first line that names the program of a script does not end them, nor does a mark of the byte order.
_SYNTAX = re.compile(r"\ufeff?(?:#!.*\n)?(?:\s*#\s*\w+\s*=.*\n)*\s*#\s*syntax\s*=", re.IGNORECASE)
# Neither the name of a stage nor that of an image has anything else.
_ODD_NAME = re.compile(r"[^\w.:/@+-]", re.ASCII)
_ODD_SOURCE = re.compile(r"[$\\`'\"\s]|<<")
_ODD_WORD = re.compile(r"[$\\`'\"]|[^\S ]|<<")
"""The same of a list in JSON, whose words are not split at spaces."""
_ODD_SPACE = re.compile(r"[^\S ]")
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_TEXT = re.compile(r"\d*<<-?[^<>\s'\"$\\]+")
"""A source that stands in the Dockerfile itself."""


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


def reads(
    text: str, *, stage: str | None, args: Mapping[str, str], platforms: Sequence[Platform], native: Platform
) -> Reads:
    """Return what building a stage, by default the last, reads of its context, on any of the platforms."""
    if foreign := _foreign(text, args):
        return Reads(always=foreign)
    there = stages(text)
    needed: set[int] = set()
    images: dict[str, None] = {}
    for platform in platforms:
        known, unsure = _before_stages(text, args, _platform_args(platform, native))
        try:
            for number, outside in _needed(there, stage, known, unsure):
                needed.add(number)
                images |= dict.fromkeys(outside)
        except LookupError as error:
            return Reads(always=str(error.args[0]))
    sources: dict[str, None] = {}
    whole = ""
    for number in sorted(needed):
        for instruction in there[number].instructions:
            found = _read_by(instruction)
            if found.always:
                return found
            whole = whole or found.whole
            sources |= dict.fromkeys(found.sources)
    return Reads((".",) if whole else tuple(sources), tuple(images), whole)


def stage_names(text: str, args: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return what a target may be, as BuildKit compares it: in small letters; None where that cannot be told."""
    return None if _foreign(text, args) else tuple(stage.name for stage in stages(text) if stage.name)


def _foreign(text: str, args: Mapping[str, str]) -> str:
    """Return what of a Dockerfile is not to be read here at all, or nothing."""
    if _SYNTAX.match(text) or "BUILDKIT_SYNTAX" in args:
        return "its # syntax= line hands the Dockerfile to another program"
    for one in instructions(text):
        if one.name not in _KNOWN:
            return f"the instruction {line(one.name)} is not known here"
        if not heredocs_are_plain(one):
            return f"the heredoc in line {one.line} is not plain text"
        # BuildKit splits flags byte by byte, and arguments at any space of Unicode.
        if any(not flag.isascii() for flag in flags(_triggered(one) if one.name == "ONBUILD" else one)):
            return f"the flags in line {one.line} are not plain text"
        if one.name == "ARG" and _ODD_SPACE.search(one.value):
            return f"the spaces in line {one.line} are not plain"
    return ""


def _platform_args(platform: Platform, native: Platform) -> dict[str, str]:
    found: dict[str, str] = {}
    for prefix, one in (("TARGET", platform), ("BUILD", native)):
        found |= {f"{prefix}PLATFORM": one.value, f"{prefix}OS": "linux"}
        found |= {f"{prefix}ARCH": one.arch, f"{prefix}VARIANT": ""}
    return found


def _before_stages(
    text: str, args: Mapping[str, str], automatic: Mapping[str, str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Return the values of what the first stage's FROM knows, and the names whose value cannot be told."""
    known = {name: args.get(name, value) for name, value in automatic.items()}
    unsure: set[str] = set()
    decided = DECIDED - args.keys()
    for instruction in itertools.takewhile(lambda one: one.name != "FROM", instructions(text)):
        for word in _words(instruction.value) if instruction.name == "ARG" else ():
            name, equals, default = word.partition("=")
            if name in decided:
                unsure.add(name)
            elif name in args:
                known[name] = args[name]
            elif equals:
                value = None if _mentions(default, unsure) else expand(default, known)
                if value is None or len(value) > LONGEST:
                    unsure.add(name)
                else:
                    known[name] = value
                    unsure.discard(name)
            elif name in known:  # some versions of BuildKit empty it
                unsure.add(name)
    return known, frozenset(unsure)


def _mentions(text: str, names: Iterable[str]) -> bool:
    return any(name in text for name in names)


def _needed(
    there: Sequence[Stage], wanted: str | None, known: Mapping[str, str], unsure: frozenset[str]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the stages that a stage is made from, itself included, each with the images that it takes from outside.

    Raises LookupError, with a reason for people, where that cannot be told.
    """
    names = {stage.name: number for number, stage in enumerate(there) if stage.name}
    start = names.get(wanted.lower()) if wanted else len(there) - 1
    if start is None or start < 0:
        raise LookupError(f"there is no stage {wanted}" if wanted else "there is no stage")
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        number = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        base = None if _mentions(there[number].base, unsure) else expand(there[number].base, known)
        if base is None:
            raise LookupError(f"{line(there[number].base)} has a variable that nothing sets")
        outside = []
        for name, from_stage in ((base, False), *((name, True) for name in _taken_from(there[number]))):
            if not name:
                raise LookupError("a FROM names no image")
            if _ODD_NAME.search(name):
                raise LookupError(f"{line(name)} is not the plain name of a stage or an image")
            # FROM sees what stands above it alone, which may bear the name of an image from outside.
            seen_from_here = there if from_stage else there[:number]
            inside = [place for place, stage in enumerate(seen_from_here) if stage.name == name.lower()]
            if from_stage and _NUMBER.fullmatch(name) and 0 <= int(name) < len(there):
                inside.append(int(name))
            waiting += inside
            if not any(place < number for place in inside) and name != "scratch":
                outside.append(name)
        yield number, outside


def _taken_from(stage: Stage) -> Iterator[str]:
    for one in stage.instructions:
        instruction = _triggered(one) if one.name == "ONBUILD" else one
        for flag in flags(instruction):
            if flag.startswith("--from="):
                yield from filter(None, [flag.removeprefix("--from=")])
            if flag.startswith("--mount="):
                yield from (value for key, value in _options(flag) if key == "from" and value)


def _triggered(instruction: Instruction) -> Instruction:
    """Return what ONBUILD holds back."""
    name, _, value = instruction.value.partition(" ")
    return Instruction(instruction.line, name.upper(), value.strip())


def _options(flag: str) -> list[tuple[str, str]]:
    """Return the settings of a mount in order; the last of a name counts."""
    parts = (part.partition("=") for part in flag.removeprefix("--mount=").split(","))
    return [(key.strip("\"'").lower(), value.strip("\"'")) for key, _, value in parts]


def _read_by(instruction: Instruction) -> Reads:
    """Return what one instruction reads."""
    if instruction.name == "ONBUILD":
        found = _read_by(_triggered(instruction))
        return found if found.always else Reads(whole="ONBUILD reads what only the next image knows")
    if instruction.name == "RUN":
        return _mounted(instruction)
    if instruction.name not in {"COPY", "ADD"}:
        return Reads()
    given, rest = split_flags(instruction.value)
    if any(flag.startswith("--from=") and flag != "--from=" for flag in given):
        return Reads()
    listed = _json_words(rest)
    words = listed or [word for word in _words(rest) if not _TEXT.fullmatch(word)]
    sources, odd = [rest] if "\\" in rest else words[:-1], _ODD_WORD if listed else _ODD_SOURCE
    if instruction.name == "ADD" and any(_REMOTE.match(source) or odd.search(source) for source in sources):
        return Reads(always="ADD fetches from elsewhere, which may have changed")
    return _of(sources, f"a source of {instruction.name}", odd)


def _mounted(instruction: Instruction) -> Reads:
    found: list[str] = []
    for flag in flags(instruction):
        if not flag.startswith("--mount="):
            continue
        options = dict(pairs := _options(flag))
        plain = not any(letter in options.get("type", "") for letter in "$\"'\\")
        if options.get("from") or (plain and options.get("type", "bind").lower() != "bind"):
            continue
        if not plain or any(letter in flag for letter in "\"'\\"):
            return Reads(whole=f"a mount is not plain text: {line(flag)}")
        found += [value for key, value in pairs if key in {"source", "src"}] or ["."]
    return _of(found, "a bind mount")


def _of(sources: Sequence[str], what: str, odd: re.Pattern[str] = _ODD_SOURCE) -> Reads:
    for source in sources:
        if odd.search(source):
            return Reads(whole=f"{what} is not plain text: {line(source)}")
    # A space may have been several, or a tab: what is read here has one of each.
    return Reads(tuple(_relative(source.replace(" ", "*")) for source in sources))


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
        return shlex.split(text, posix=True) if "\\" not in text else words_of(text)
    except ValueError:  # a quote that never ends: BuildKit says so
        return words_of(text)


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
