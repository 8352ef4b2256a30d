"""Two states of the repository as git knows them: a commit's, and that of the work tree.

Git itself says what differs, so that its filters, line ends and modes are its own. What it ignores is in neither.
"""

import contextlib
import os
import posixpath
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError, EngineError
from . import workspace
from .git import ENVIRONMENT, complaint
from .process import Completed, run_bytes

_SUBMODULE = 0o160000
"""The mode of what is a commit of another repository; no file system has it."""


class Entry(NamedTuple):
    """What is at a path."""

    st_mode: int
    """Its kind and whether it is executable: git knows no more."""
    content: str
    """The name of what it holds, or the text of a link."""


_LINKS = 40
"""As many as Linux follows."""
Entries = Mapping[str, Entry]
"""By path, relative to the repository's root; without folders."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What git says of the work tree beside a commit."""

    commit: str
    before: Entries
    now: Entries
    changed: frozenset[str]
    """The paths whose entries differ."""


def compare(root: Path, ref: str, *, source: str) -> Comparison:
    """Compare the work tree with the commit where HEAD left ``ref``: what ``git diff REF...`` starts from.

    ``source`` is the flag that named it, for errors.
    Raises ConfigError, with what mends it, where git is missing or does not know that commit.
    """
    git = Git(root, source)
    commit = git.base(ref)
    before = dict(git.entries(commit))
    now = dict(before)
    changed = set()
    for path, entry in git.differing(commit):
        changed.add(path)
        if entry is None:
            now.pop(path, None)
        elif entry == before.get(path):  # a repository within this one, with changes of its own
            now[path] = Entry(entry.st_mode, f"{entry.content} in the work tree")
        else:
            now[path] = entry
    links = [path for path, entry in before.items() if stat.S_ISLNK(entry.st_mode)]
    texts = git.read([before[path].content for path in links])
    for path, text in zip(links, texts, strict=True):
        before[path] = Entry(before[path].st_mode, os.fsdecode(text))
        if path not in changed:
            now[path] = before[path]
    return Comparison(commit, before, now, frozenset(changed))


def lay(root: Path, compared: Comparison, folder: Path, paths: Sequence[str]) -> None:
    """Write files as they were at the commit into a folder, links as what they led to.

    What has not changed is taken from the work tree, where git has put it through its filters.
    Raises ConfigError where git does not have a content.
    """
    wanted: dict[str, Entry] = {}
    for path in paths:
        place = _followed(compared.before, path)
        content = None if place in compared.changed else _here(root / place)
        if content is not None:
            _write(folder / path, content)
        elif place in compared.before:
            wanted[path] = compared.before[place]
    names = [entry.content for entry in wanted.values()]
    for path, content in zip(wanted, Git(root, "git").read(names), strict=True):
        _write(folder / path, content)


def _followed(entries: Entries, path: str) -> str:
    """Return where a path's links end, or something odd lies."""
    for _ in range(_LINKS):
        entry = entries.get(path)
        if entry is None or not stat.S_ISLNK(entry.st_mode):
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.content))
    return path


def _here(path: Path) -> bytes | None:
    try:
        return workspace.content(path)
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    if ".." in path.parts:  # no git writes such a path, but a commit can have it
        raise ConfigError(
            f"{path.name} lies outside the repository", hint="no git writes such a path: compare with another commit"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@dataclass(frozen=True, slots=True)
class Git:
    """Git's answers about one checkout; each raises ConfigError, in its own words, where there is none."""

    root: Path
    source: str
    """What asks, for errors."""

    def base(self, ref: str) -> str:
        """Return the commit where HEAD left a reference."""
        if not ref.strip() or ref.startswith("-") or not ref.isprintable():
            raise ConfigError(f"{self.source}: {ref!r} cannot be a commit", hint="a branch, a tag or a commit's name")
        mend = "git branch --all shows the branches, and git fetch brings those of the remote"
        if self.shallow():
            mend = "this clone is shallow: git fetch --unshallow (actions/checkout: fetch-depth: 0)"
        for name in ("HEAD", ref):
            if not self._tried("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
                raise ConfigError(f"{self.source}: git knows no commit {name}", hint=mend)
        common = self._tried("merge-base", ref, "HEAD")
        if not common:
            raise ConfigError(f"{self.source}: git knows no commit that {ref} and HEAD have in common", hint=mend)
        return common.split()[0].decode()

    def shallow(self) -> bool:
        """Return whether the history ends early."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def tracked(self) -> Mapping[str, int]:
        """Return the paths that git has, with their modes."""
        found = {}
        for record in self._run("ls-files", "--stage", "-z").split(b"\0"):
            if record:
                told, _, path = record.partition(b"\t")
                found[os.fsdecode(path)] = int(told[:6], 8)
        return found

    def entries(self, commit: str) -> Iterator[tuple[str, Entry]]:
        """Yield what a commit has."""
        for record in self._run("ls-tree", "-r", "-z", commit).split(b"\0"):
            if record:
                told, _, path = record.partition(b"\t")
                mode, _, name = told.decode().split(" ")
                yield os.fsdecode(path), Entry(int(mode, 8), name)

    def differing(self, commit: str, limit: Sequence[str] = ()) -> Iterator[tuple[str, Entry | None]]:
        """Yield the paths where the work tree differs from a commit, with what is there now.

        ``limit``: patterns of the paths that count; all without any.
        """
        options = ("--raw", "-z", "--no-renames", "--no-abbrev", "--relative", "--no-ext-diff")
        with self._own_index() as env:
            self._look_everywhere(env, limit)
            answer = self._run("diff", *options, "--ignore-submodules=none", commit, "--", *limit, env=env)
        told = iter(answer.split(b"\0"))
        for record in told:
            if not record:
                break
            _, mode, _, name, state = record.decode().split(" ")
            path = os.fsdecode(next(told))
            if state == "D":
                yield path, None
            else:
                yield path, self._here(path, int(mode, 8), "" if set(name) == {"0"} else name)
        for place in self._run("ls-files", "--others", "--exclude-standard", "-z", "--", *limit).split(b"\0"):
            path = os.fsdecode(place)
            if path.endswith("/"):  # a repository of its own
                yield path.removesuffix("/"), Entry(_SUBMODULE, "untracked")
            elif path:
                yield path, self._here(path, None, "")

    def _look_everywhere(self, env: Mapping[str, str], limit: Sequence[str]) -> None:
        """Take from an index what tells git not to look at files that are there: a build reads them all the same."""
        flagged: dict[str, list[bytes]] = {"--no-assume-unchanged": [], "--no-skip-worktree": []}
        for record in self._run("ls-files", "-v", "-z", "--", *limit, env=env).split(b"\0"):
            mark, path = record[:1], record[2:]
            if mark.islower():
                flagged["--no-assume-unchanged"].append(path)
            left_out = mark in {b"S", b"s"}
            if left_out and os.path.lexists(self.root / os.fsdecode(path)):  # else the checkout is a sparse one
                flagged["--no-skip-worktree"].append(path)
        for flag, paths in flagged.items():
            if paths:
                self._run("update-index", flag, "-z", "--stdin", stdin=b"\0".join(paths) + b"\0", env=env)

    def _here(self, path: str, mode: int | None, name: str) -> Entry:
        """Return what is at a path of the work tree; ``name`` is what git calls its content, where it knows."""
        try:
            there = mode or os.lstat(self.root / path).st_mode
            if stat.S_ISLNK(there):
                return Entry(there, os.readlink(self.root / path))  # noqa: PTH115 - as it is written
        except OSError:  # it went, or git has a link where this system cannot
            there = mode or stat.S_IFREG
        return Entry(there, name or "in the work tree")

    def read(self, names: Sequence[str]) -> list[bytes]:
        """Return what git's objects of these names hold."""
        answer = self._run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode())
        found, place = [], 0
        for name in names:
            start = answer.index(b"\n", place) + 1
            told = answer[place:start].split()
            if len(told) != 3:  # noqa: PLR2004 - name, kind and size; or that it is missing
                raise ConfigError(f"{self.source}: git does not have {name} here", hint="git fetch; git fsck")
            end = start + int(told[2])
            found.append(answer[start:end])
            place = end + 1
        return found

    @contextlib.contextmanager
    def _own_index(self) -> Iterator[Mapping[str, str]]:
        """Give git a copy of its index: it writes what it finds out, and locks out who commits meanwhile."""
        index = self.root / os.fsdecode(self._run("rev-parse", "--git-path", "index").removesuffix(b"\n"))
        with tempfile.TemporaryDirectory(prefix="container-git-") as folder:
            try:
                shutil.copy2(index, f"{folder}/index")  # with its time: what is newer, git looks at again
            except FileNotFoundError:  # nothing was added yet
                pass
            except OSError as error:
                raise ConfigError(
                    f"{self.source}: git's index cannot be read: {error.strerror}", hint=f"make it yours: ls -l {index}"
                ) from error
            yield {"GIT_INDEX_FILE": f"{folder}/index"}

    def _run(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        output, done = self._ask(*words, stdin=stdin, env=env)
        if not done.ok:
            raise ConfigError(
                f"{self.source}: git says: {complaint(done)}",
                hint="it takes a checkout of git; for another user's: git config --global --add safe.directory PATH",
            )
        return output

    def _tried(self, *words: str) -> bytes:
        """Return what git answers to a question that may have no answer."""
        output, done = self._ask(*words)
        return output.strip() if done.ok else b""

    def _ask(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> tuple[bytes, Completed]:
        try:
            return run_bytes("git", "-C", self.root, *words, env={**ENVIRONMENT, **(env or {})}, stdin=stdin)
        except EngineError as error:
            said = str(error).partition("\n")[0].removeprefix("error: ")
            raise ConfigError(f"{self.source}: {said}", hint="install git: it alone knows what differs") from error
