"""Find the Dockerfile and the line that buildx blames: it prints the lines, and of the file only its last name."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..plan.failures import Excerpt
from ..plan.targets import Target
from ..printable import masked

OF_TARGET = re.compile(r"\[(_[\w-]+) ")
"""How a step of an image that others of the run stand on begins."""
_SHOWN = re.compile(r"\s*(\d+) \| (?:>>>|   ) ?(.*)")


def find(words: Sequence[str], step: str, root: Path, target: Target, support: Iterable[Target]) -> Excerpt:
    """Return what buildx shows between two rules, and whose it is: the target's, or of an image that it stands on."""
    rules = [number for number, line in enumerate(words) if line and set(line) == {"-"}]
    if len(rules) < 2 or rules[0] == 0:  # noqa: PLR2004 - a rule above and one below
        return Excerpt()
    _, _, line = words[rules[-2] - 1].rpartition(":")
    lines = tuple(words[rules[-2] + 1 : rules[-1]])
    named = OF_TARGET.match(step)
    candidates = sorted((target, *support), key=lambda one: named is None or one.name != named[1])
    blamed = next((one for one in candidates if _has(root / path(one), lines)), target)
    return Excerpt(path(blamed), int(line) if line.isdecimal() else None, tuple(map(masked, lines)))


def path(target: Target) -> str:
    """Return where a target's Dockerfile lies, relative to the root."""
    return target.dockerfile if target.context == "." else f"{target.context}/{target.dockerfile}"


def _has(file: Path, shown: Sequence[str]) -> bool:
    try:
        text = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    said = [(int(found[1]), found[2]) for line in shown if (found := _SHOWN.fullmatch(line))]
    there = dict(enumerate(text, start=1))  # buildx shows the empty line after the last
    return bool(said) and all(there.get(number, "").strip() == line.strip() for number, line in said)
