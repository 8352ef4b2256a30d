"""Each ingredient of a fingerprint is needed: without it, two builds that differ would be taken for the same."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tasks.engine.digests import Digests
from tasks.engine.tree import Tree
from tasks.engine.walk import Walks
from tasks.plan.fingerprint import Inputs
from tasks.plan.ignore import parse
from tasks.plan.platforms import Platform
from tasks.plan.reads import reads

FILES = {"d/f": ("text", 0o644), "t": ("target", 0o644)}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Build:
    """A small build: its Dockerfile, its context, and how it is asked for."""

    dockerfile: str = "FROM scratch AS one\nCOPY d l /\nFROM scratch\nCOPY d l /"
    files: Mapping[str, tuple[str, int]] = field(default_factory=lambda: FILES)
    link: str = "t"
    ignore: str = ""
    stage: str = ""
    args: tuple[tuple[str, str], ...] = ()
    base: str = ""

    def inputs(self, root: Path) -> Inputs:
        """Return what it reads."""
        (root / "d").mkdir(parents=True)
        for path, (text, mode) in self.files.items():
            (root / path).write_text(text)
            (root / path).chmod(mode)
        (root / "d").chmod(0o755)
        (root / "l").symlink_to(self.link)
        args = dict(self.args)
        found = reads(
            self.dockerfile, stage=self.stage or None, args=args, platforms=[Platform.AMD64], native=Platform.AMD64
        )
        files = Walks(Tree(root, Digests(root))).read(found.sources, parse(self.ignore))
        return Inputs(
            dockerfile=digest(self.dockerfile),
            ignore=digest(self.ignore) if self.ignore.startswith("# own") else "",
            stage=self.stage,
            args=args,
            bases={"base": self.base},
            files=files,
        )


def files(change: Callable[[str, str], str | None]) -> Callable[[Inputs], Inputs]:
    """Return what drops something of each file; None drops all of it."""

    def without(inputs: Inputs) -> Inputs:
        told = {path: change(path, entry) for path, entry in inputs.files.items()}
        return replace(inputs, files={path: entry for path, entry in told.items() if entry is not None})

    return without


def of_kind(kind: str, part: int) -> Callable[[Inputs], Inputs]:
    """Return what drops one word of the entries of a kind."""

    def change(path: str, entry: str) -> str:
        words = entry.split(" ")
        return " ".join(words[:part] + words[part + 1 :]) if words[0] == kind else entry

    return files(change)


FIRST = Build()
BASE = replace(FIRST, dockerfile="FROM base\nCOPY d l /")
INGREDIENTS: dict[str, tuple[Build, Build, Callable[[Inputs], Inputs]]] = {
    "contents": (FIRST, replace(FIRST, files={**FILES, "d/f": ("other", 0o644)}), of_kind("file", 2)),
    "modes": (FIRST, replace(FIRST, files={**FILES, "d/f": ("text", 0o755)}), of_kind("file", 1)),
    "what links lead to": (
        FIRST,
        replace(FIRST, files={**FILES, "t": ("other", 0o644)}),
        files(lambda path, entry: None if path == "t" else entry),
    ),
    "the texts of links": (
        replace(FIRST, dockerfile="FROM scratch\nCOPY . /"),
        replace(FIRST, dockerfile="FROM scratch\nCOPY . /", link="d/../t"),
        of_kind("link", 1),
    ),
    "names": (
        FIRST,
        replace(FIRST, files={"d/g": ("text", 0o644), "t": ("target", 0o644)}),
        files(lambda path, entry: None if path.startswith("d/") else entry),
    ),
    "ignored files": (
        FIRST,
        replace(FIRST, ignore="d/f"),
        files(lambda path, entry: None if path == "d/f" else entry),
    ),
    "the ignore file of its own": (
        FIRST,
        replace(FIRST, ignore="# own"),
        lambda inputs: replace(inputs, ignore=""),
    ),
    "the Dockerfile": (
        FIRST,
        replace(FIRST, dockerfile=f"{FIRST.dockerfile}\nUSER 1"),
        lambda inputs: replace(inputs, dockerfile=""),
    ),
    "the stage": (FIRST, replace(FIRST, stage="one"), lambda inputs: replace(inputs, stage="")),
    "arguments": (
        replace(FIRST, args=(("A", "1"),)),
        replace(FIRST, args=(("A", "2"),)),
        lambda inputs: replace(inputs, args={}),
    ),
    "bases": (
        replace(BASE, base="sha256:1"),
        replace(BASE, base="sha256:2"),
        lambda inputs: replace(inputs, bases={}),
    ),
}


@pytest.mark.parametrize(("before", "after", "dropped"), INGREDIENTS.values(), ids=INGREDIENTS)
def test_without_an_ingredient_two_builds_that_differ_are_taken_for_the_same(
    tmp_path: Path, before: Build, after: Build, dropped: Callable[[Inputs], Inputs]
) -> None:
    first, second = before.inputs(tmp_path / "1"), after.inputs(tmp_path / "2")
    assert first.fingerprint != second.fingerprint
    assert dropped(first).fingerprint == dropped(second).fingerprint


def test_the_same_build_elsewhere_has_the_same_fingerprint(tmp_path: Path) -> None:
    assert FIRST.inputs(tmp_path / "1").fingerprint == FIRST.inputs(tmp_path / "2").fingerprint
