"""The version that tags and labels carry."""

import re
from pathlib import Path

from .engine import git
from .errors import ConfigError
from .plan import names, values
from .texts import read_text

VERSION_FILE = "VERSION"


def find(root: Path, choice: str | None, source: str) -> str:
    """Return the version that tags and labels carry: of the file VERSION, of git, or as it is written.

    ``choice`` is what ``source`` says of it, if anything. Raises ConfigError where there is none, or no tag could
    have it.
    """
    if choice is None:
        choice = "file" if (root / VERSION_FILE).exists() else "git"
        source = VERSION_FILE if choice == "file" else "git describe"
        text = _of_file(root) if choice == "file" else _of_git(root) or "dev"
    elif choice == "file":
        text = _of_file(root)
    elif choice == "git":
        found = _of_git(root)
        if found is None:
            raise ConfigError(f"{source}: git knows no version here", hint="git init, git commit; or write a version")
        text = found
    else:
        text = values.not_empty(choice, source, hint="file, git, or a version")
    names.check_tags((f"v{text}",), source=f"the version ({source})")
    return text


def _of_file(root: Path) -> str:
    try:
        text = read_text(root / VERSION_FILE).strip().removeprefix("v")
        if not text:
            raise ConfigError(f"{VERSION_FILE} is empty", hint=f"echo 0.1.0 > {VERSION_FILE}")
        return text  # noqa: TRY300 - the empty file is an error of its own
    except FileNotFoundError:
        raise ConfigError(f"there is no file {VERSION_FILE} at the root", hint=f"echo 0.1.0 > {VERSION_FILE}") from None


def _of_git(root: Path) -> str | None:
    text = git.describe(root)
    # Git allows what tags of images cannot have. The part before a slash stays: app/v1 and lib/v1 are two versions.
    return None if text is None else re.sub(r"[^\w.-]", "-", text.removeprefix("v"), flags=re.ASCII)
