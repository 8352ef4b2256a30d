"""On a real engine: what a build reads is told as the build reads it, and never less."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tasks.engine.digests import Digests
from tasks.engine.machine import stand_in_record
from tasks.engine.tree import Tree
from tasks.engine.walk import Walks
from tasks.plan.fingerprint import Inputs
from tasks.plan.ignore import Ignore, Matches, NotUnderstood, parse
from tasks.plan.platforms import Platform
from tasks.plan.reads import Reads, reads
from tests.property import cases
from tests.property.cases import hostile as tries
from tests.support import BASE, environment

pytestmark = pytest.mark.docker

FOLDERS = ("", "a", "a/b", "a/b/c", "shared", "shared/x", "services/one", "services/two")
NAMES = ("f", "g", "x.go", "y.md", ".hidden", "l", "m", "x", "b", "one", "o d", "é", "*", "[q]", "-n", "a\nb", "empty")
TEXTS = ("", "one", "two")
TARGETS = (
    "f",
    "a",
    "b",
    "../f",
    "../shared",
    "/a/b",
    "a/b/../f",
    ".",
    "..",
    "none",
    "l",
    "m",
    "l/x",
    "/etc/passwd",
    "*",
)
PATTERNS = (
    "*",
    "**",
    "**/x",
    "*/f",
    "*.go",
    "**/*.md",
    "a",
    "a/b",
    "shared/*",
    "services/**",
    "l",
    "?",
    "[a-g]",
    "x/",
    ".*",
)
SOURCES = (".", "*", "a/*", "*/*", "s*/x", "*.go", "?", "[a-m]", "./a/../*")


@dataclass(frozen=True)
class Node:
    """What lies at a path: a file with its content, a link with its text, or a folder."""

    kind: str
    text: str = ""
    mode: int = 0o644


Context = Mapping[str, Node]


def whole(found: Context) -> Context:
    """Return a context in which each path has folders above it, and nothing that would be below a file."""
    made: dict[str, Node] = {}
    for path, node in sorted(found.items()):
        above = ["/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 1)]
        if all(made.get(folder, Node("folder")).kind == "folder" for folder in above):
            made |= {folder: Node("folder", mode=0o755) for folder in above if folder not in made}
            made[path] = node
    return made


nodes = st.one_of(
    st.builds(Node, st.just("file"), st.sampled_from(TEXTS), st.sampled_from([0o644, 0o755, 0o600, 0o4711])),
    st.builds(Node, st.just("link"), st.sampled_from(TARGETS)),
    st.builds(Node, st.just("folder"), st.just(""), st.sampled_from([0o755, 0o700, 0o1777])),
)
paths = st.builds(lambda folder, name: f"{folder}/{name}".lstrip("/"), st.sampled_from(FOLDERS), st.sampled_from(NAMES))
contexts = st.dictionaries(paths, nodes, min_size=3, max_size=14).map(whole)
ignores = st.lists(
    st.builds(str.__add__, st.sampled_from(["", "", "!", "/"]), st.one_of(st.sampled_from(PATTERNS), paths)), max_size=4
).map(lambda lines: "\n".join(line.replace("\n", "?") for line in lines))


def kept(context: Context, ignore: str) -> list[str]:
    """Return the paths that an ignore file leaves, so that builds find what they copy."""
    rules, found = understood(ignore), []
    for path in context:
        above: Matches | None = None
        for count in range(1, path.count("/") + 2):
            ignored, above = rules.ignores("/".join(path.split("/")[:count]), above)
        if not ignored and context[path] != Node("link", "none"):
            found.append(path)
    return sorted(found)


@st.composite
def changed(draw: st.DrawFn, before: Context, ignore: str) -> tuple[Context, str]:
    """Draw one thing that is other: a file, a link, a mode, a name, a line that ignores; or nothing but the times."""
    how = draw(st.sampled_from(["text", "text", "mode", "add", "remove", "rename", "replace", "ignore", "touch"]))
    if how == "ignore":
        return before, draw(ignores)
    after = dict(before)
    wanted = {"text": {"file", "link"}, "mode": {"file", "folder"}}.get(how, {"file", "link", "folder"})
    paths_left = [path for path in kept(before, ignore) if before[path].kind in wanted]
    path = draw(st.sampled_from(paths_left or sorted(before)))
    node = before[path]
    if how == "text":
        others = TARGETS if node.kind == "link" else TEXTS
        after[path] = replace(node, text=draw(st.sampled_from(others).filter(lambda text: text != node.text)))
    elif how == "mode":
        after[path] = replace(node, mode=draw(st.sampled_from([0o700, 0o711])))
    elif how == "add":
        beside = paths if draw(st.booleans()) else st.sampled_from(NAMES).map(f"{path.rpartition('/')[0]}/".__add__)
        after.setdefault(draw(beside).lstrip("/"), draw(nodes))
    elif how != "touch":
        after = {name: below for name, below in after.items() if name != path and not name.startswith(f"{path}/")}
        if how != "remove":
            after[draw(paths) if how == "rename" else path] = node if how == "rename" else draw(nodes)
    return whole(after), ignore


def spelled(words: Sequence[str], *, as_json: bool) -> str:
    plain = all(word.isascii() and not set(word) & set(" \n") and word[0] != "-" for word in words)
    return " ".join(words) if plain and not as_json else json.dumps(words, ensure_ascii=False)


@st.composite
def dockerfiles(draw: st.DrawFn, context: Context, ignore: str) -> str:
    """Draw a Dockerfile whose every source comes into the image."""
    there = kept(context, ignore) or ["."]
    pattern = st.sampled_from(there).map(lambda path: f"{path[:1]}*{path[path.rfind('/') :] if '/' in path else ''}")
    source = st.one_of(*[st.sampled_from(there)] * 3, pattern, st.sampled_from(SOURCES))
    copied = []
    for number in range(draw(st.integers(1, 2))):
        words = [*draw(st.lists(source, min_size=1, max_size=2)), f"/{number}/"]
        flag = draw(st.sampled_from(["", "", "--chmod=700 ", "--chown=7:8 "]))
        copied.append(f"COPY {flag}{spelled(words, as_json=draw(st.booleans()))}\n")
    kind = draw(st.sampled_from(["plain", "plain", "staged", "mounted"]))
    if kind == "plain":
        return f"FROM scratch\n{''.join(copied)}"
    text = "FROM scratch AS unused\nCOPY . /\n"
    if kind == "staged":
        return f"{text}FROM scratch AS one\n{''.join(copied)}FROM scratch\nCOPY --from=one / /one/\n"
    mounted = draw(st.sampled_from([path for path in there if not set(path) & set(" *[\n,é")] or ["."]))
    way = draw(st.sampled_from(["source={},target=/in", "type=bind,src={},dst=/in,rw"])).format(mounted)
    base = stand_in_record.recorded().get("alpine", BASE)
    return f"{text}FROM {base} AS one\nRUN --mount={way} cp -a /in /out\nFROM scratch\nCOPY --from=one /out /one\n"


@st.composite
def differing(draw: st.DrawFn) -> tuple[str, tuple[Context, str], tuple[Context, str]]:
    """Draw a Dockerfile, and a context and its ignore file before and after a change."""
    before = draw(contexts), draw(st.one_of(st.just(""), ignores))
    return draw(dockerfiles(*before)), before, draw(changed(*before))


def understood(text: str) -> Ignore:
    try:
        return parse(text)
    except NotUnderstood:
        return Ignore()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "context"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def laid_out(root: Path, context: Context, ignore: str) -> None:
    """Make a folder this context, and nothing else."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for path, node in sorted(context.items()):
        target = root / path
        if node.kind == "folder":
            target.mkdir()
        elif node.kind == "link":
            target.symlink_to(node.text)
        else:
            target.write_text(node.text, encoding="utf-8")
            target.chmod(node.mode)
    for path, node in context.items():
        if node.kind == "folder":
            (root / path).chmod(node.mode)
    (root / ".dockerignore").write_text(ignore, encoding="utf-8")


def built(root: Path, dockerfile: str) -> dict[str, str] | None:
    """Return what a build puts into its image, as a tree tells it; None where it fails."""
    result = root.parent / "result.tar"
    done = subprocess.run(
        ["docker", "buildx", "build", "--output", f"type=tar,dest={result}", "--file", "-", root],
        input=dockerfile.encode(),
        env=environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        assert b"failed to solve" in done.stderr, done.stderr
        return None
    found = {}
    with tarfile.open(result) as archive:
        for member in archive:
            path = member.name.rstrip("/")
            if member.issym():
                found[path] = f"link {member.linkname}"
            elif member.isdir():
                found[path] = f"folder {member.mode:o}"
            else:
                held = archive.extractfile(member)
                assert held is not None, path
                found[path] = f"file {member.mode:o} {hashlib.sha256(held.read()).hexdigest()}"
    return found


def inputs(root: Path, dockerfile: str, ignore: str) -> Inputs:
    found: Reads = reads(dockerfile, stage=None, args={}, platforms=[Platform.AMD64], native=Platform.AMD64)
    assert not found.always
    files = Walks(Tree(root, Digests(root))).read(found.sources, understood(ignore))
    return Inputs(dockerfile=hashlib.sha256(dockerfile.encode()).hexdigest(), files=files)


@tries(9, 250, case=differing())
def test_a_build_that_would_give_another_image_reads_something_else(
    root: Path, case: tuple[str, tuple[Context, str], tuple[Context, str]]
) -> None:
    dockerfile, *states = case
    images, read = [], []
    for context, ignore in states:
        laid_out(root, context, ignore)
        images.append(built(root, dockerfile))
        read.append(inputs(root, dockerfile, ignore))
    if images[0] != images[1]:
        assert read[0].fingerprint != read[1].fingerprint, images
    elif images[0] is not None:
        cases.measure("inputs that differ though the image is the same", so=read[0] != read[1])


@tries(7, 150, context=contexts, ignore=ignores)
def test_a_copy_of_all_has_exactly_what_the_ignore_file_leaves(root: Path, context: Context, ignore: str) -> None:
    laid_out(root, context, ignore)
    found = Walks(Tree(root, Digests(root))).read(["."], understood(ignore))
    there = {path: told for path, told in found.items() if told != "missing"}
    image = built(root, "FROM scratch\nCOPY . /\n")
    assert (image or {}) == there
