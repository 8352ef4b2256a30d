"""What git knows of the checkout: its commit, its version, and whether the work tree is clean."""

import re
from pathlib import Path

from ..errors import ConfigError, EngineError
from .process import Completed, run

ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}
"""Asking changes nothing in the checkout, and git's words are those of every machine."""


def _git(root: Path, *words: str) -> str | None:
    try:
        done = run("git", "-C", root, *words, env=ENVIRONMENT)
    except EngineError:
        return None
    return done.stdout if done.ok else None


def complaint(done: Completed) -> str:
    """Return why git could not do what it was asked, in its own words."""
    said = next((line for line in done.stderr.splitlines() if line.startswith("fatal:")), done.last_line)
    return said.removeprefix("fatal: ")


def head(root: Path) -> str | None:
    """Return the short name of the commit checked out; None outside a checkout or before the first commit."""
    text = _git(root, "rev-parse", "--short", "HEAD")
    return text.strip() if text else None


def head_in_full(root: Path) -> str:
    """Return the whole name of the commit checked out.

    Raises ConfigError outside a checkout and before the first commit.
    """
    text = _git(root, "rev-parse", "HEAD")
    if not text:
        raise ConfigError("git knows no commit here", hint="git init, git commit: a release names its commit")
    return text.strip()


def describe(root: Path) -> str | None:
    """Return what git calls the commit checked out, by its nearest tag; None outside a checkout.

    Raises ConfigError, in git's own words, where there is a commit and git cannot describe it: its index is damaged.
    """
    try:
        done = run("git", "-C", root, "describe", "--tags", "--always", "--dirty", env=ENVIRONMENT)
    except EngineError:
        return None
    if not done.ok and head(root) is not None:
        raise ConfigError(
            f"git cannot tell the version: {complaint(done)}",
            hint="git status shows what is wrong with the checkout; or write one into VERSION",
        )
    return done.stdout.strip() if done.ok else None


_PLAIN = re.compile(r"(?:[a-z+]+://)?(?:[^/@\s]*@)?[^@?#\s]*")


def remotes_are_plain(root: Path) -> bool:
    """Return whether a login in an address of another repository could only stand where every tool looks for one."""
    text = _git(root, "config", "--get-regexp", r"^remote\..*url$")
    addresses = (line.partition(" ")[2] for line in (text or "").splitlines())
    return all(_PLAIN.fullmatch(address) for address in addresses)


def uncommitted(root: Path) -> tuple[str, ...]:
    """Return the paths that differ from the commit checked out.

    Raises ConfigError, in git's own words, where it cannot tell: no checkout, or somebody else's.
    """
    done = run("git", "-C", root, "status", "--porcelain", "-z", "--untracked-files=normal", env=ENVIRONMENT)
    if not done.ok:
        said = complaint(done)
        raise ConfigError(
            f"what is pushed must have a commit; git says: {said}",
            hint="git init and git commit; for another user's checkout: git config --global --add safe.directory PATH",
        )
    entries = iter(done.stdout.split("\0"))
    found = []
    for entry in entries:
        state, path = entry[:2], entry[3:]
        if path:
            found.append(path)
        if "R" in state or "C" in state:
            next(entries, None)  # the path that it was moved or copied from
    return tuple(found)
