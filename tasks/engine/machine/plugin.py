"""The docker client and its buildx plugin: there, or linked in from what was unpacked or built.

A plugin is judged by what it does, never by its version: one built from its Go module calls itself v0.0.0.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ...errors import EngineError
from .. import cache, client_file, process
from . import gobuild, mending, packages

LATEST = "v0.36.1"
"""The buildx that ``--latest-buildx`` builds."""

_MODULE = "github.com/docker/buildx/cmd/buildx"
_NAME = "docker-buildx"
_PROBE_SECONDS = 20.0
_DEFINITION = '{"target": {"probe": {"dockerfile-inline": "FROM scratch"}}}'
_LINKS = Path("/usr/local/bin")
# Where docker's client looks after the user's own folder (docker/cli, cli-plugins/manager).
_SYSTEM_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


def user_link() -> Path:
    """Return where the user's own buildx plugin belongs: DOCKER_CONFIG is honoured."""
    folder = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    return Path(folder) / "cli-plugins" / _NAME


def chosen() -> Path | None:
    """Return the buildx that the docker client would choose; None where only the client itself can tell."""
    if client_file.names_plugin_folders():
        return None
    first = next((path for path in (user_link(), *_system_plugins()) if os.path.lexists(path)), None)
    return first if first is not None and first.is_file() and os.access(first, os.X_OK) else None


def _system_plugins() -> tuple[Path, ...]:
    return tuple(Path(folder) / _NAME for folder in _SYSTEM_FOLDERS)


def known_plugins() -> Mapping[str, Path]:
    """Return the buildx plugins of this machine that can be tried one by one: ``packaged`` and ``latest``."""
    unpacked = packages.root_of(packages.CLIENT) / "usr/libexec/docker/cli-plugins" / _NAME
    packaged = next((path for path in (unpacked, *_system_plugins()) if path.is_file()), None)
    found = {"packaged": packaged, "latest": _latest_path()}
    return {name: path for name, path in found.items() if path is not None and path.is_file()}


def is_there() -> bool:
    """Return whether docker has a buildx plugin at all."""
    return process.run("docker", "buildx", "version", timeout=_PROBE_SECONDS).ok


def lacking(*command: str) -> str | None:
    """Return what a buildx lacks that builds here need, or None; ``docker buildx`` unless another is named."""
    buildx = command or ("docker", "buildx")
    try:
        if not process.run(*buildx, "bake", "--help", timeout=_PROBE_SECONDS).ok:
            return "bake"
        if not process.run(*buildx, "imagetools", "create", "--help", timeout=_PROBE_SECONDS).ok:
            return "imagetools create"
        with tempfile.TemporaryDirectory() as folder:
            definition = Path(folder) / "bake.json"
            definition.write_text(_DEFINITION, encoding="utf-8")
            # 0.13 has rawjson and does not list it in --help; a mode that it does not know is an error.
            probe = ("bake", "--file", definition, "--progress", "rawjson", "--print", "probe")
            if not process.run(*buildx, *probe, cwd=Path(folder), timeout=_PROBE_SECONDS).ok:
                return "bake --progress rawjson"
    except EngineError as error:
        return str(error).partition("\n")[0].removeprefix("error: ")
    return None


def ensure_client() -> Path | None:
    """Put ``docker`` on PATH where it is not; return the link that was made.

    Raises EngineError when there is none, and none can be had.
    """
    if packages.which("docker") is not None:
        return None
    _require_packages("docker is not on PATH")
    program = packages.unpacked(packages.CLIENT) / "usr/bin/docker"
    link = _LINKS / "docker"
    if not _link(link, program):
        raise EngineError(f"{link} is in the way: it is no program", hint=f"remove it, or put {program} on PATH")
    return link


def ensure_plugin() -> Path | None:
    """Give docker a buildx plugin that can do what builds here need; return the link that was made.

    Raises EngineError that names the feature that is missing, and what mends it.
    """
    lack = lacking()
    if lack is None:
        return None
    _require_packages(f"docker has no buildx plugin that fits (missing: {lack})")
    program = known_plugins().get("latest")
    if program is None:
        program = packages.unpacked(packages.CLIENT) / "usr/libexec/docker/cli-plugins" / _NAME
    link = user_link()
    if not _link(link, program):
        raise EngineError(
            f"the buildx plugin {link} lacks {lack}", hint=f"remove it, or replace it: ln -sf {program} {link}"
        )
    lack = lacking()
    if lack is not None:
        raise EngineError(f"the buildx plugin {program} lacks {lack}", hint="inv container-setup --latest-buildx")
    return link


def latest_is_built() -> bool:
    """Return whether the pinned buildx is in the cache folder."""
    return _latest_path().is_file()


def build_latest() -> bool:
    """Build the pinned buildx into the cache folder where it is missing; return whether it was.

    Raises EngineError when it cannot be built.
    """
    if latest_is_built():
        return False
    # A program installed by version says v0.0.0 of itself; this is how its own releases are named.
    version = {"github.com/docker/buildx/version.Version": LATEST}
    gobuild.install(f"{_MODULE}@{LATEST}", _latest_path(), set_text=version)
    return True


def ensure_latest() -> tuple[Path, bool]:
    """Build the pinned buildx where it is missing and link it; return the link, and whether anything changed.

    Raises EngineError when it cannot be built, or somebody else's plugin is in the way.
    """
    path = _latest_path()
    built = build_latest()
    link = user_link()
    linked = _points_to(link, path)
    if not linked and not _link(link, path):
        raise EngineError(f"{link} is not one of ours and was left alone", hint=f"ln -sf {path} {link}")
    return link, built or not linked


def _latest_path() -> Path:
    return cache.home() / "buildx" / LATEST / _NAME


def _points_to(link: Path, program: Path) -> bool:
    return link.is_symlink() and link.readlink() == program


def _link(link: Path, program: Path) -> bool:
    """Make ``link`` lead to ``program``; False where something is there that is not ours."""
    if link.is_symlink():
        ours = link.readlink().is_relative_to(cache.home())
        if not ours and link.exists():
            return False
    elif link.exists():
        return False
    link.parent.mkdir(parents=True, exist_ok=True)
    partial = link.with_name(f".{link.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.symlink_to(program)
    partial.replace(link)
    return True


def _require_packages(problem: str) -> None:
    if not packages.can_install():
        raise EngineError(f"{problem}, which Docker's packages bring", hint=mending.install_docker())
