"""The command that mends what a look has found, with the names of this machine and this checkout in it."""

import os
import re
import shutil
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...errors import ConfigError, TaskError
from ...plan.bases import repository_of
from ...plan.commands import edit, quoted
from ...plan.names import is_service
from .. import cache, registry, trust
from . import packages
from .check import Site

_FILE = "invoke.yaml"
_MOUNTS = Path("/proc/self/mountinfo")  # man proc_pid_mountinfo: the fourth word is a mount's root, the fifth its place
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_KEY = re.compile(r"\bcontainer\.(?:\w+\.)*(\w+)")
_LINE = re.compile(r"\bline (\d+)")
_NO_NAME = re.compile(r"(.*)'(.*)' cannot be an image's name")
_TAKEN = re.compile(r"(.+/)([^/:]+): container-build-\2 already builds")


def as_root(command: str) -> str:
    """Return a command that takes root, as this user types it."""
    return command if packages.is_root() else f"sudo {command}"


def writable_again(folder: Path) -> str:
    """Return what mounts the file system of a folder for writing; one that is bound from elsewhere says so."""
    path = folder.resolve()
    mounts: dict[Path, bool] = {}
    with suppress(OSError):
        for line in _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            part, place = line.split(" ")[3:5]
            mounts[Path(place.encode("utf-8", "surrogateescape").decode("unicode_escape"))] = part != "/"
    mount = next((one for one in (path, *path.parents) if one in mounts), None)
    if mount is None:
        mount = next(one for one in (path, *path.parents) if one.is_mount())
    return f"mount -o remount,rw{',bind' if mounts.get(mount) else ''} {quoted(mount)}"


def room() -> str:
    """Return what lets the tasks keep what they need elsewhere, or shows what fills the place."""
    for name in ("XDG_CACHE_HOME", "TMPDIR"):
        if os.environ.get(name):
            return f"unset {name}"
    return f"du -xhd1 {quoted(cache.home())}"


def login(host: str) -> str:
    """Return what logs in to a registry; Docker Hub's needs no name."""
    return "docker login" if host == registry.HUB else f"docker login {host}"


def install_git() -> str:
    """Return what brings git to this machine."""
    if sys.platform == "darwin":
        return "xcode-select --install"
    return as_root(f"{'apt-get' if shutil.which('apt-get') else 'dnf'} install git")


def install_docker() -> str:
    """Return what brings docker and buildx to this machine: on Linux the script of Docker's own packages."""
    if sys.platform == "darwin":
        return "brew install --cask docker-desktop"
    return f"curl -fsSL https://get.docker.com | {as_root('sh')}"


def set_clock(ahead: float) -> str:
    """Return what sets this machine's clock, which a better one is ahead of by so many seconds."""
    if sys.platform == "darwin":
        return "sudo sntp -sS time.apple.com"
    if shutil.which("timedatectl"):
        return as_root("timedatectl set-ntp true")
    right = datetime.now(UTC) + timedelta(seconds=ahead)
    return as_root(f"date -u -s '{right:%Y-%m-%d %H:%M:%S}'")


def setting(site: Site, key: str) -> str | None:
    """Return what takes a setting back, or opens the file that has it; None where nobody has set it."""
    source = site.sources.get(key, "default")
    if _VARIABLE.fullmatch(source):
        return f"unset {source}"
    name = source.partition(" in ")[2]
    return edit_key(site.root, name, key) if name else None


def trusted(site: Site) -> str:
    """Return what changes which authorities builds trust."""
    variable = next((name for name in trust.VARIABLES if os.environ.get(name)), None)
    if site.ca == "auto" and variable is not None:
        return f"unset {variable}"
    return setting(site, "ca") or "export INVOKE_CONTAINER_CA=none"


def edit_key(root: Path, name: str, key: str) -> str:
    """Return what opens a file of settings at a key."""
    return edit(name, line_of(_place(root, name), rf"\s*['\"]?{re.escape(key)}['\"]?\s*:"))


def from_line(site: Site, reference: str) -> str:
    """Return what opens the Dockerfile that names an image at that line; an argument may have been put in there."""
    short = reference.partition("@")[0]
    for wanted in (re.escape(short), re.escape(repository_of(reference))):
        for name in site.dockerfiles:
            line = line_of(site.root / name, rf"(?i)\s*(?:FROM|ARG)\b.*{wanted}")
            if line is not None:
                return edit(name, line)
    return edit(site.dockerfiles[0]) if site.dockerfiles else edit(_FILE)


def line_of(path: Path, pattern: str) -> int | None:
    """Return the first line of a file that begins as a pattern says, counted from 1."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((number for number, line in enumerate(lines, 1) if re.match(pattern, line)), None)


def of_error(error: TaskError, root: Path) -> str:
    """Return what mends an error whose own hint is a sentence: by the variable, file or folder that it names."""
    if not isinstance(error, ConfigError):
        return "inv container-setup"
    said = error.reason
    variable = next((name for name in _VARIABLE.findall(said) if name in os.environ), None)
    if variable is not None:
        return f"unset {variable}"
    return _renaming(said, root) or _opening(said, root)


def _renaming(said: str, root: Path) -> str | None:
    found = _NO_NAME.search(said)
    if found is not None and (root / found[1] / found[2]).is_dir():
        name = re.sub("[^a-z0-9]+", "-", found[2].lower()).strip("-")
        return f"mv {quoted(found[1] + found[2])} {quoted(found[1] + (name if is_service(name) else 'service'))}"
    found = _TAKEN.search(said)
    if found is not None and (root / found[1] / found[2]).is_dir():
        return f"mv {quoted(found[1] + found[2])} {quoted(f'{found[1]}{found[2]}-service')}"
    return None


def _opening(said: str, root: Path) -> str:
    words = [word.strip("'\",:;()") for word in said.split()]
    file = next((word for word in words if word and _place(root, word).is_file()), _FILE)
    line, key = _LINE.search(said), _KEY.search(said)
    if line is None and key is not None:
        return edit_key(root, file, key[1])
    return edit(file, int(line[1]) if line else None)


def _place(root: Path, name: str) -> Path:
    return root / os.path.expanduser(name)  # noqa: PTH111 - no home is no failure
