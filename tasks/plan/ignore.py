"""Which paths an ignore file keeps out of a build context: the rules of BuildKit, in Python.

Written here because the docker SDK's matcher answers otherwise for ``!**/x``, ``!*/x``, ``[^a]*`` and
``../a``. The rules are those that https://docs.docker.com/build/concepts/context/#dockerignore-files
describes and that moby/patternmatcher has: the last pattern that matches a path, or a folder above
it, decides.
"""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

# What Go takes for space around a pattern.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
# Of other classes, Go's and Python's expressions say different things.
_CLASS = re.compile(r"\[\^?(?:\w(?:-\w)?)+\]", re.ASCII)
Matches = tuple[bool, ...]
"""For each pattern, whether it matched a path or a folder above it."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    keeps: bool
    """Whether it begins with ``!`` and takes paths back in."""
    text: str
    rule: re.Pattern[str] | None
    """None: the path has to be the text itself, or to begin or end with it."""
    begins: bool = False
    ends: bool = False

    def matches(self, path: str) -> bool:
        if self.rule is not None:
            return self.rule.match(path) is not None
        if self.ends:
            end = self.text[2:]
            return path.endswith(end) or (end.startswith("/") and path == end[1:])
        return path.startswith(self.text[:-2]) if self.begins else path == self.text


class _Any:
    """All patterns at once: whether any of them matches a path, as each would."""

    def __init__(self, patterns: Iterable[_Pattern]) -> None:
        told = tuple(patterns)
        plain = [one for one in told if one.rule is None]
        ends = [one.text[2:] for one in plain if one.ends]
        whole = [one.text for one in plain if not one.ends and not one.begins]
        self._whole = frozenset([*whole, *(end[1:] for end in ends if end.startswith("/"))])
        self._begins = tuple(one.text[:-2] for one in plain if not one.ends and one.begins)
        self._ends = tuple(ends)
        rules = [one.rule.pattern for one in told if one.rule is not None]
        self._rule = re.compile("|".join(f"(?:{rule})" for rule in rules)) if rules else None

    def matches(self, path: str) -> bool:
        return (
            path in self._whole
            or path.endswith(self._ends)
            or path.startswith(self._begins)
            or (self._rule is not None and self._rule.match(path) is not None)
        )


@dataclass(frozen=True, slots=True)
class Ignore:
    """The patterns of one ignore file, in order."""

    patterns: tuple[_Pattern, ...] = ()
    _any: _Any = field(init=False, compare=False, repr=False)
    _none: Matches = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the answer for the many paths that no pattern matches."""
        object.__setattr__(self, "_any", _Any(self.patterns))
        object.__setattr__(self, "_none", (False,) * len(self.patterns))

    def ignores(self, path: str, above: Matches | None = None) -> tuple[bool, Matches]:
        """Return whether a path is kept out, and what its own paths below need to know.

        ``above``: what this returned for the folder that the path is in; None at the top.
        """
        if (above is None or above is self._none) and not self._any.matches(path):
            return False, self._none
        ignored, found = False, []
        for number, pattern in enumerate(self.patterns):
            matched = above is not None and above[number]
            if not matched and pattern.keeps == ignored:  # else it could change nothing
                matched = pattern.matches(path)
            found.append(matched)
            if matched:
                ignored = not pattern.keeps
        return ignored, tuple(found)

    def may_keep_below(self, folder: str) -> bool:
        """Return whether anything below a folder that is kept out may be taken back in."""
        for pattern in self.patterns:
            if pattern.keeps:
                plain = _without_trailing_glob(pattern.text)
                if any(letter in plain for letter in "*[]?^") or f"{plain}/".startswith(f"{folder}/"):
                    return True
        return False


def _without_trailing_glob(text: str) -> str:
    for ending in ("**", "*"):
        text = text.removesuffix(f"/{ending}")
    return text


class NotUnderstood(Exception):  # noqa: N818 - what it is, not a fault of anyone
    """A pattern whose meaning is BuildKit's alone."""


@lru_cache(maxsize=64)
def parse(text: str) -> Ignore:
    """Read an ignore file.

    Raises NotUnderstood for a pattern that BuildKit refuses, or of which only BuildKit knows what it matches.
    """
    patterns = []
    for line in text.removeprefix("\ufeff").split("\n"):
        written = line.strip(_SPACE)
        if line.startswith("#") or not written:
            continue
        mark = "!" if written.startswith("!") else ""
        # BuildKit cleans twice: once the path, once the path with its mark.
        clean = _clean(f"{mark}{_below_root(_clean(written.removeprefix(mark).strip(_SPACE)))}".strip(_SPACE))
        if clean == "!":
            raise NotUnderstood(line)
        patterns.append(_compiled(clean.removeprefix("!"), keeps=clean.startswith("!")))
    return Ignore(tuple(patterns))


def _clean(path: str) -> str:
    clean = posixpath.normpath(path) if path else ""
    return clean[1:] if clean.startswith("//") else clean  # POSIX keeps two slashes, Go does not


def _below_root(path: str) -> str:
    return path[1:] if len(path) > 1 and path.startswith("/") else path


def _compiled(text: str, *, keeps: bool) -> _Pattern:
    expression, kind = _translated(text)
    try:
        rule = re.compile(expression) if kind == "rule" else None
    except re.error as error:
        raise NotUnderstood(text) from error
    return _Pattern(keeps, text, rule, begins=kind == "begins", ends=kind == "ends")


def _translated(text: str) -> tuple[str, str]:
    """Return a regular expression, and whether it is needed: ``rule``, or ``same``, ``begins``, ``ends``."""
    expression, kind, place = "", "same", 0
    while place < len(text):
        letter, following = text[place], text[place + 1 : place + 2]
        if letter == "*" and following == "*":
            after = place + (3 if text[place + 2 : place + 3] == "/" else 2)
            if after < len(text):
                more, kind = "(?:.*/)?", "rule"
            else:
                more, kind = (".*", "rule") if kind != "same" else ("", "begins")
            if place == 0:
                kind = "ends"
        elif letter == "[":
            found = _CLASS.match(text, place)
            if found is None:
                raise NotUnderstood(text)
            more, kind, after = found[0], "rule", found.end()
        elif letter == "\\":
            if not following or following.isalnum() or not following.isascii():
                raise NotUnderstood(text)
            more, kind, after = re.escape(following), "rule", place + 2
        else:
            more, after = {"*": "[^/]*", "?": "[^/]", "^": "^"}.get(letter, re.escape(letter)), place + 1
            kind = "rule" if letter in "*?]" else kind
        expression += more
        place = after
    return f"{expression}\\Z", kind
