"""The command that mends what a look has found, with the names of this machine and this checkout in it."""

import os
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...plan.bases import repository_of
from ...plan.commands import edit, quoted
from .. import cache, registry, trust
from . import disk, packages
from .check import Site
from .refusals import edit_key, line_of

_ELSEWHERE = Path("/var/tmp")  # noqa: S108 - a folder of its own is made in it
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


def as_root(command: str) -> str:
    """Return a command that takes root, as this user types it."""
    return command if packages.is_root() else f"sudo {command}"


def full() -> Path:
    """Return which of the places that tasks write to outside a checkout has no room; the cache folder for none."""
    places = (cache.home(), Path(tempfile.gettempdir()))
    return next((place for place in places if disk.is_full(place)), places[0])


def room(place: Path) -> str:
    """Return what lets the tasks keep elsewhere what has no room at a place, or else shows what fills it."""
    kept = place == cache.home()
    variable, usual = ("XDG_CACHE_HOME", Path.home() / ".cache") if kept else ("TMPDIR", Path("/tmp"))  # noqa: S108
    if kept and sys.platform == "darwin":
        variable = ""  # its cache folder is always the same
    if variable and os.environ.get(variable) and not disk.is_full(usual, least=disk.MINIMUM):
        return f"unset {variable}"
    if variable and not disk.is_full(_ELSEWHERE, least=disk.MINIMUM):
        return f'export {variable}="$(mktemp -d -p {_ELSEWHERE})"'
    own = "inv container-clean; " if kept else ""
    return f"{own}du -xhd1 {quoted(next(one for one in (place, *place.parents) if one.exists()))}"


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
    return edit_key(site.root, name, f"container.{key}") if name else None


def trusted(site: Site) -> str:
    """Return what changes which authorities builds trust."""
    variable = next((name for name in trust.VARIABLES if Path(os.environ.get(name, "")).is_file()), None)
    if site.ca == "auto" and variable is not None:
        return f"unset {variable}"
    return setting(site, "ca") or "export INVOKE_CONTAINER_CA=none"


def from_line(site: Site, reference: str) -> str:
    """Return what opens the Dockerfile that names an image at that line; an argument may have been put in there."""
    short = reference.partition("@")[0]
    for wanted in (re.escape(short), re.escape(repository_of(reference))):
        for name in site.dockerfiles:
            line = line_of(site.root / name, rf"(?i)\s*(?:FROM|ARG)\b.*{wanted}")
            if line is not None:
                return edit(name, line)
    return edit(site.dockerfiles[0]) if site.dockerfiles else edit("invoke.yaml")
