"""The command that mends what an error of settings refuses: by the variable, the file and its line, or the folder."""

import os
import re
from pathlib import Path

from ...errors import ConfigError, TaskError
from ...plan.commands import edit, quoted
from ...plan.names import is_service
from ...texts import key_line

_FILE = "invoke.yaml"
_RUNTIME = "INVOKE_RUNTIME_CONFIG"
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_KEY = re.compile(r"\bcontainer(?:\.[\w-]+)+")
_TOP = re.compile(r": nothing reads ([\w-]+)$|: ([\w-]+) stands below nothing")
_LINE = re.compile(r"\bline (\d+)")
_BYTE = re.compile(r"codec can't decode byte \S+ in position (\d+)")
_NO_NAME = re.compile(r"(.*)'(.*)' cannot be an image's name")
_TAKEN = re.compile(r"(.+/)([^/:]+): container-build-\2 already builds")
_NO_FILE = re.compile(r"(.+) (?:is no regular file|points to a file that is not there)$")
_CLOSED = re.compile(r"(.+) cannot be read: .*Permission denied")


def of_error(error: TaskError, root: Path) -> str:
    """Return what mends an error whose own hint is a sentence."""
    if not isinstance(error, ConfigError):
        return "inv container-setup"
    said = error.reason
    variable = next((name for name in _VARIABLE.findall(said) if name in os.environ), None)
    if variable is not None:
        return f"unset {variable}"
    if said.startswith("-f: "):
        return f"unset {_RUNTIME}" if os.environ.get(_RUNTIME) else "inv container-doctor"
    return _renaming(said, root) or _unlocking(said, root) or _opening(said, root)


def edit_key(root: Path, name: str, key: str) -> str:
    """Return what opens a file of settings at a key, which is told with those above it."""
    return edit(name, _line_of_key(_place(root, name), key.split(".")))


def line_of(path: Path, pattern: str) -> int | None:
    """Return the first line of a file that begins as a pattern says, counted from 1."""
    lines = _text(path).splitlines()
    return next((number for number, line in enumerate(lines, 1) if re.match(pattern, line)), None)


def _line_of_key(path: Path, keys: list[str]) -> int | None:
    found = key_line(_text(path), keys)
    return line_of(path, rf"\s*['\"]?{re.escape(keys[-1])}['\"]?\s*:") if found is None else found


def _renaming(said: str, root: Path) -> str | None:
    found = _NO_NAME.search(said)
    if found is not None and (root / found[1] / found[2]).is_dir():
        name = re.sub("[^a-z0-9]+", "-", found[2].lower()).strip("-")
        return f"mv {quoted(found[1] + found[2])} {quoted(found[1] + (name if is_service(name) else 'service'))}"
    found = _TAKEN.search(said)
    if found is not None and (root / found[1] / found[2]).is_dir():
        return f"mv {quoted(found[1] + found[2])} {quoted(f'{found[1]}{found[2]}-service')}"
    found = _NO_FILE.match(said)
    if found is not None and os.path.lexists(_place(root, found[1])):
        return f"mv {quoted(found[1])} {quoted(f'{found[1]}.old')}"
    return None


def _unlocking(said: str, root: Path) -> str | None:
    """Return what lets this user read a file that is there."""
    found = _CLOSED.match(said)
    try:
        owner = None if found is None else _place(root, found[1]).stat().st_uid
    except OSError:
        return None
    if found is None or owner is None:
        return None
    name = quoted(found[1])
    return f"chmod u+rw {name}" if owner == os.geteuid() else f'sudo chown "$USER" {name} && chmod u+rw {name}'


def _opening(said: str, root: Path) -> str:
    words = [word.strip("'\",:;()") for word in said.split()]
    file = next((word for word in words if word and _place(root, word).is_file()), _FILE)
    line, byte, key, top = (pattern.search(said) for pattern in (_LINE, _BYTE, _KEY, _TOP))
    if line is not None:
        return edit(file, int(line[1]))
    if byte is not None:
        return edit(file, _text(_place(root, file), "latin-1")[: int(byte[1])].count("\n") + 1)
    if key is not None:
        return edit_key(root, file, key[0])
    return edit(file) if top is None else edit_key(root, file, top[1] or top[2])


def _text(path: Path, encoding: str = "utf-8") -> str:
    """Return what a file holds; nothing where it is none, or may not be read."""
    try:
        return path.read_bytes().decode(encoding, "replace") if path.is_file() else ""
    except OSError:
        return ""


def _place(root: Path, name: str) -> Path:
    return root / os.path.expanduser(name)  # noqa: PTH111 - no home is no failure
