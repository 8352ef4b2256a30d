"""The Debian root file system that the stand-in bases start from (mmdebstrap, root)."""

import json
from collections.abc import Iterator
from pathlib import Path

from ...errors import EngineError
from .. import cache, process
from . import files, packages

_SECONDS = 900.0
# Manuals and translations are of no use in a build.
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
_FILE = "rootfs.tar"


def ensure() -> Path:
    """Return the tar file, made where it was missing.

    Raises EngineError that says from where it could not be made.
    """
    tar = cache.home() / "rootfs" / _FILE
    origin = packages.debian_mirror()
    recipe = command(Path(_FILE), origin, tuple(apt_options()))
    if tar.is_file() and files.read_json(tar.with_name("recipe.json")).get("command") == list(recipe):
        return tar
    packages.ensure_installed({"mmdebstrap": "mmdebstrap"})
    with files.staged(tar.parent) as folder:
        done = process.run(*recipe, cwd=folder, timeout=_SECONDS)
        if not done.ok:
            raise EngineError(
                f"no Debian root file system could be made from {origin}: {done.last_line}",
                hint=f"let this machine reach {origin}, then again: inv container-setup",
            )
        files.write_json(folder / "recipe.json", {"command": recipe})
    return tar


def command(tar: Path, origin: str, options: tuple[str, ...]) -> tuple[str, ...]:
    """Return the mmdebstrap command; pure."""
    return (
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=apt",
        "--include=ca-certificates",
        '--aptopt=Acquire::Languages "none"',
        *(f"--aptopt={option}" for option in options),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        packages.SUITE,
        str(tar),
        *(f"deb {origin} {suite} main" for suite in (packages.SUITE, packages.BACKPORTS)),
    )


def apt_options() -> Iterator[str]:
    """Yield what this machine's apt is told about proxies: the new root's apt goes out the same way."""
    for line in process.check("apt-config", "dump", "--format", "%f %v%n").splitlines():
        key, _, value = line.partition(" ")
        if key.lower() in ("acquire::http::proxy", "acquire::https::proxy", "acquire::check-valid-until") and value:
            yield f"{key} {json.dumps(value)}"
