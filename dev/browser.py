"""A headless Chromium for the tests and the pictures: the machine's own, or one unpacked below the cache folder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.engine import cache, process
from tasks.engine.machine import files, packages
from tasks.errors import EngineError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome-stable", "google-chrome")
_PACKAGE = "chromium-headless-shell"
_SECONDS = 600.0


@contextmanager
def browser() -> Iterator["Browser"]:
    """Start a browser, and end it.

    Raises EngineError where none can be had.
    """
    from playwright.sync_api import sync_playwright

    program, environment = _found()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program,
            env={**os.environ, **environment},
            chromium_sandbox=not packages.is_root(),  # which refuses root
        )
        try:
            yield started
        finally:
            started.close()


def _found() -> tuple[str, dict[str, str]]:
    """Return the program, and what it needs in its environment."""
    for name in _PROGRAMS:
        program = shutil.which(name)
        if program:
            return program, {}
    root = cache.home() / "packages" / _PACKAGE
    if not _runs(root):
        _unpack(root)
    if not _runs(root):
        raise EngineError(f"the Chromium in {root} does not start", hint="apt-get install chromium")
    return _program(root), _environment(root)


def _program(root: Path) -> str:
    return str(root / "usr/lib/chromium" / _PACKAGE)


def _environment(root: Path) -> dict[str, str]:
    folders = {path.parent for path in root.glob("usr/lib/**/*.so*")} - {root / "usr/lib/chromium"}
    found = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, sorted(folders)))}
    if (root / "etc/fonts/fonts.conf").is_file():  # fetched, because the machine has no fonts
        found["FONTCONFIG_SYSROOT"] = str(root)
    return found


def _runs(root: Path) -> bool:
    program = _program(root)
    return Path(program).is_file() and process.run(program, "--version", env=_environment(root), timeout=60).ok


def _unpack(root: Path) -> None:
    """Unpack it with what it needs and this machine lacks; the machine stays as it is."""
    hint = "apt-get install chromium, or Google Chrome"
    if not packages.can_install():
        raise EngineError("there is no Chromium on PATH, and packages can only be had as root on Debian", hint=hint)
    shutil.rmtree(root, ignore_errors=True)
    with files.scratch(root.parent) as debs:
        (debs / "partial").mkdir()
        apt = ("apt-get", "-q", "-y", "-o", f"Dir::Cache::archives={debs}", "-o", "APT::Sandbox::User=root")
        fetch = (*apt, "--no-install-recommends", "--download-only", "install", _PACKAGE)
        done = process.run(*fetch, timeout=_SECONDS)
        if not done.ok:
            process.run(*apt, "update", timeout=_SECONDS)  # machines in containers start with no package lists
            done = process.run(*fetch, timeout=_SECONDS)
        if not done.ok:
            raise EngineError(f"Chromium could not be downloaded: {done.last_line}", hint=hint)
        with files.staged(root) as folder:
            for deb in sorted(debs.glob("*.deb")):
                done = process.run("dpkg", "-x", deb, folder, timeout=_SECONDS)
                if not done.ok:
                    raise EngineError(f"{deb.name} could not be unpacked: {done.last_line}", hint=hint)
