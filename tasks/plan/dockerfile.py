"""What a Dockerfile says about images: instructions, and the references it takes from outside.

Written here because the parsers that PyPI has (dockerfile-parse, dockerfile) do not know
heredocs or the escape directive, or need a Go compiler. The rules are those of
https://docs.docker.com/reference/dockerfile/.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# Go's unicode.IsSpace, which is not what str.isspace says: that has \x1c to \x1f, too.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*")
_BLANKS = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})  # any other line ends them
# A word of its own, as in BuildKit: neither `$((1<<3))` nor text in quotes opens one.
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)(['\"]?)([^\s<'\"]+)\2(?!\S)")
_QUOTED = re.compile(r"""(?<!<<)(?<!<<-)(?:'[^']*'|"(?:\\.|[^"\\])*")""")
# With any of these, it takes BuildKit to say which word the heredoc is.
_UNSURE = re.compile(r"['\"\\\x1c-\x1f]|\$\{[^}]*[\s$]")
_HEREDOC_INSTRUCTIONS = frozenset({"ADD", "COPY", "RUN"})
_VARIABLE = re.compile(r"\\(.)|\$(?:(\w+)|\{(\w+)(?:(:?)([-+])([^}]*))?\})")
_FLAG = re.compile(r"""\s*(--(?:\\.|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s'"\\])*)(?!\S)""", re.ASCII)
_FLAG_QUOTES = re.compile(r"""\\(.)|'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)\"""")
_PORT = re.compile(r"([0-9]{1,5})(?:-[0-9]{1,5})?")
_LAST_PORT = 65535
LONGEST = 4096  # letters of a variable; each may repeat those before it, and forty of them fill any memory
DECIDED = frozenset({"VERSION", "REVISION"})
"""The build arguments whose value the tasks decide for each build: its default says nothing of one."""
_MOUNT_ID = re.compile(r"\bid=([^,\s]+)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continuation lines joined."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows it."""

    name: str
    """In small letters, as BuildKit compares them; empty where it has none."""
    base: str
    """As the Dockerfile writes it."""
    instructions: list[Instruction] = field(default_factory=list)


def instructions(text: str) -> tuple[Instruction, ...]:
    """Return the instructions in order; the lines of a heredoc belong to the one that opens it."""
    return tuple(_instructions(text))


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    escape = _escape(lines)
    number = 0
    while number < len(lines):
        start = number
        joined, number = _join(lines, number, escape)
        if not joined:
            continue
        name, _, value = joined.partition(" ")
        if name.upper() in _HEREDOC_INSTRUCTIONS:
            for dash, _, end in _HEREDOC.findall(_QUOTED.sub("''", value)):
                while number < len(lines) and (lines[number].lstrip("\t") if dash else lines[number]) != end:
                    number += 1
                number += 1
        yield Instruction(start + 1, name.upper(), value.strip(SPACES))


def stages(text: str) -> tuple[Stage, ...]:
    """Return the stages in order; what stands before the first FROM is in none."""
    found: list[Stage] = []
    for instruction in instructions(text):
        if instruction.name == "FROM":
            found.append(_stage(instruction))
        elif found:
            found[-1].instructions.append(instruction)
    return tuple(found)


def _stage(instruction: Instruction) -> Stage:
    words = [word for word in words_of(instruction.value) if not word.startswith("--")]
    name = words[2].lower() if len(words) > 2 else ""  # noqa: PLR2004 - FROM image AS name
    return Stage(name, words[0].strip("\"'") if words else "")


def heredocs_are_plain(instruction: Instruction) -> bool:
    """Return whether the lines that were taken for an instruction's heredocs are BuildKit's, too."""
    if instruction.name == "ONBUILD":
        return "<<" not in instruction.value
    unquoted = _QUOTED.sub("", instruction.value) if instruction.name in _HEREDOC_INSTRUCTIONS else ""
    return "<<" not in unquoted or _UNSURE.search(_HEREDOC.sub("", unquoted)) is None


def _escape(lines: list[str]) -> str:
    for line in lines:
        words = line.lstrip(SPACES)
        found = _DIRECTIVE.fullmatch(words[1:].lstrip(SPACES)) if words.startswith("#") else None
        if not found or found[1].lower() not in _DIRECTIVES:
            break
        if found[1].lower() == "escape":
            return found[2]
    return "\\"


def _join(lines: list[str], number: int, escape: str) -> tuple[str, int]:
    """Return an instruction, and the number of the line after it; a word may go on in the next line."""
    parts: list[str] = []
    while number < len(lines):
        line = lines[number]
        number += 1
        words = line.lstrip(SPACES)
        if not words or words.startswith("#"):
            if parts:
                continue  # a comment or nothing between continuation lines
            return "", number
        ahead = line.rstrip("\t ")  # nothing else may stand behind an escape that joins lines
        if not ahead.endswith(escape) or ahead.endswith(escape * 2):
            parts.append(line)
            break
        parts.append(ahead.removesuffix(escape))
    return " ".join(words_of("".join(parts).strip(SPACES))), number


def words_of(text: str) -> list[str]:
    """Split at BuildKit's blanks alone: a name may hold any other space."""
    return [word for word in _BLANKS.split(text) if word]


def references(text: str, args: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the images that a Dockerfile takes from outside, as written there, each once.

    Stages, ``scratch`` and numbers are not outside. A reference with a variable that neither
    a global ARG nor ``args`` sets, or that is far too long, is left out: BuildKit decides it.
    """
    known = dict(args or {})
    above: set[str] = set()
    found: dict[str, None] = {}
    for instruction in instructions(text):
        if instruction.name == "ARG" and not above:
            for name, default in _defaults(instruction.value):
                value = expand(default, known) or ""
                if name not in known and len(value) <= LONGEST:
                    known[name] = value
            continue
        for written in _taken(instruction):
            reference = expand(written, known)
            if reference and reference.lower() not in above and reference != "scratch" and not reference.isdigit():
                found[reference] = None
        if instruction.name == "FROM":
            above.add(_stage(instruction).name or f"#{len(above)}")
    return tuple(found)


def _defaults(value: str) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(value)
    except ValueError:  # a quote that never ends: BuildKit says so
        return
    for word in words:
        name, equals, default = word.partition("=")
        if equals:
            yield name, default


def flags(instruction: Instruction) -> tuple[str, ...]:
    """Return the words with ``--`` that an instruction begins with."""
    return split_flags(instruction.value)[0]


def split_flags(value: str) -> tuple[tuple[str, ...], str]:
    """Return the words with ``--`` that a value begins with, their quotes taken off, and the rest."""
    found: list[str] = []
    place = 0
    while word := _FLAG.match(value, place):
        if word[1] == "--":
            return tuple(found), value[word.end() :].strip()
        found.append(_FLAG_QUOTES.sub(lambda part: part[1] or part[2] or part[3] or "", word[1]))
        place = word.end()
    return tuple(found), value[place:].strip()


def _taken(instruction: Instruction) -> Iterator[str]:
    if instruction.name == "FROM":
        yield _stage(instruction).base
    for flag in flags(instruction):
        if instruction.name == "COPY" and flag.startswith("--from="):
            yield flag.removeprefix("--from=")
        if instruction.name == "RUN" and flag.startswith("--mount="):
            parts = flag.removeprefix("--mount=").split(",")
            yield from (part.removeprefix("from=") for part in parts if part.startswith("from="))


def expand(text: str, known: Mapping[str, str]) -> str | None:
    """Replace variables as BuildKit does in FROM; None when one is not known."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        escaped, bare, name, colon, operator, word = found.groups()
        if escaped:
            return str(escaped)
        current = known.get(bare or name)
        there = bool(current) if colon else current is not None
        if operator == "-":
            return str(current if there else word)
        if operator == "+":
            return str(word) if there else ""
        missing = missing or current is None
        return current or ""

    replaced = _VARIABLE.sub(value, text)
    return None if missing else replaced


def cache_ids(text: str) -> tuple[str, ...]:
    """Return the ids of the cache mounts, each once; a mount without an id gives its target."""
    found: dict[str, None] = {}
    for instruction in instructions(text):
        for word in flags(instruction):
            if instruction.name == "RUN" and word.startswith("--mount=") and "type=cache" in word:
                named = _MOUNT_ID.search(word)
                target = re.search(r"\b(?:target|dst|destination)=([^,\s]+)", word)
                found[named[1] if named else target[1] if target else ""] = None
    return tuple(found)


def exposed_port(text: str, stage: str | None = None) -> int | None:
    """Return the first TCP port that the image of a stage, by default the last, says it listens on.

    What the stage says itself comes before what it has from the stages below it. None where
    that is no plain number, or where there is none: then only the image knows.
    """
    for instruction in _of_image(text, stage):
        if instruction.name == "EXPOSE":
            for word in instruction.value.split():
                port, _, protocol = word.lower().partition("/")
                if protocol in {"", "tcp"}:
                    found = _PORT.fullmatch(port)
                    return int(found[1]) if found and 0 < int(found[1]) <= _LAST_PORT else None
    return None


def _of_image(text: str, stage: str | None) -> Iterator[Instruction]:
    """Yield the instructions of a stage, then those of the stages that it stands on."""
    for found in image_stages(text, stage)[0]:
        yield from found


def image_stages(text: str, stage: str | None = None) -> tuple[tuple[tuple[Instruction, ...], ...], str | None]:
    """Return the instructions of a stage, by default the last, of the one that it stands on, and so on down.

    Beside them stands the image from outside that the lowest of them is made from, as written;
    None where there is no such stage.
    """
    there = stages(text)
    wanted = (stage or "").lower()
    number = next((index for index, one in enumerate(there) if one.name == wanted), -1) if wanted else len(there) - 1
    found: list[tuple[Instruction, ...]] = []
    below = None
    while number >= 0:
        found.append(tuple(there[number].instructions))
        below = there[number].base
        # Only what stands above can be meant: a later stage of the same name is none to stand on.
        number = next((index for index in reversed(range(number)) if there[index].name == below.lower()), -1)
    return tuple(found), below
