"""Distribution packages: unpacked under the cache folder, or installed where the machine itself needs them."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import EngineError
from .. import cache, process
from . import apt, files

INSTALL_DOCKER = "install Docker: https://docs.docker.com/engine/install/"
# Debian's release whose docker.io (26.1) is the first with a containerd image store, and its backports,
# where current compilers are. It runs on Debian 12 as well, with that release's own runc.
SUITE = "trixie"
BACKPORTS = "trixie-backports"

_ETC = Path("/etc")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_ADMIN_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # not on everybody's PATH
_APT_SECONDS = 900.0
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Packages that are unpacked together under one folder."""

    name: str
    debian: tuple[str, ...]
    ubuntu: tuple[str, ...]
    suite: str = SUITE
    """Debian's; on Ubuntu they come from the machine's own release."""


ENGINE = Bundle(name="engine", debian=("docker.io", "containerd", "tini"), ubuntu=("docker.io", "containerd", "tini"))
CLIENT = Bundle(name="client", debian=("docker-cli", "docker-buildx"), ubuntu=("docker.io", "docker-buildx"))
# Not from sid, which has a newer one: what is there changes from day to day, and may ask for a newer libc.
COSIGN = Bundle(name="cosign", debian=("cosign",), ubuntu=("cosign",))
REGISTRY = Bundle(name="registry", debian=("docker-registry",), ubuntu=("docker-registry",))


def golang(series: str) -> Bundle:
    """Return the Go compiler of that series (``1.27``)."""
    names = (f"golang-{series}-go", f"golang-{series}-src")
    return Bundle(name=f"golang-{series}", debian=names, ubuntu=names, suite=BACKPORTS)


def distribution() -> apt.Distribution:
    """Return what this machine runs."""
    try:
        return apt.distribution((_ETC / "os-release").read_text(encoding="utf-8"))
    except OSError:
        return apt.Distribution(name="unknown", codename="")


def can_install() -> bool:
    """Return whether packages of the distribution can be had here: root, on Debian or Ubuntu, with apt."""
    return is_root() and distribution().is_known and shutil.which("apt-get") is not None


def is_root() -> bool:
    """Return whether this process may change the machine."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def debian_mirror() -> str:
    """Return where this machine gets Debian's packages from.

    Raises EngineError where it is no Debian, or its sources name no such place.
    """
    system = distribution()
    if system.is_debian:
        found = apt.mirror(_sources(), system.codename)
        if found is not None:
            return found
    raise EngineError(
        "apt's sources of this machine name no Debian mirror",
        hint=f"add one under /etc/apt/sources.list.d, or {INSTALL_DOCKER}",
    )


def root_of(bundle: Bundle) -> Path:
    """Return the folder that a bundle is unpacked under, whether or not it is there."""
    return cache.home() / "packages" / bundle.name


def unpacked(bundle: Bundle) -> Path:
    """Return the folder that a bundle is unpacked under, after fetching and unpacking what is missing.

    Raises EngineError that names what could not be downloaded, and from where.
    """
    root = root_of(bundle)
    if root.is_dir():
        return root
    names = bundle.debian if distribution().is_debian else bundle.ubuntu
    debs = _debs(names, bundle.suite)
    with files.staged(root) as folder:
        for deb in debs:
            done = process.run("dpkg", "-x", deb, folder, timeout=_APT_SECONDS)
            if not done.ok:
                deb.unlink(missing_ok=True)  # damaged: fetched anew the next time
                raise EngineError(f"{deb.name} could not be unpacked: {done.last_line}", hint="inv container-setup")
    return root


def which(program: str) -> str | None:
    """Return where a program of this machine is, in the administrator's folders as well."""
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(_ADMIN_PATH))


def ensure_installed(programs: Mapping[str, str]) -> tuple[str, ...]:
    """Install the packages of those programs that this machine lacks, and return their names.

    Raises EngineError that names what could not be installed.
    """
    missing = tuple(sorted({package for program, package in programs.items() if which(program) is None}))
    install(missing)
    return missing


def install(names: Sequence[str]) -> None:
    """Install packages of this machine's own release, without what they merely recommend."""
    if not names:
        return
    command = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", "--no-install-recommends", "install", *names)
    if process.run(*command, env=_QUIET, timeout=_APT_SECONDS).ok:
        return
    # Machines in containers start with no package lists.
    process.run("apt-get", "-q", "update", env=_QUIET, timeout=_APT_SECONDS)
    done = process.run(*command, env=_QUIET, timeout=_APT_SECONDS)
    if not done.ok:
        raise EngineError(
            f"could not install {', '.join(names)}: {_reason(done)}",
            hint=f"apt-get update && apt-get install {' '.join(names)}",
        )


def _sources() -> list[apt.Source]:
    folder = _ETC / "apt" / "sources.list.d"
    found: list[apt.Source] = []
    for path in sorted(folder.glob("*.sources")):
        found.extend(apt.deb822_sources(path.read_text(encoding="utf-8", errors="replace")))
    for path in (_ETC / "apt" / "sources.list", *sorted(folder.glob("*.list"))):
        if path.is_file():
            found.extend(apt.one_line_sources(path.read_text(encoding="utf-8", errors="replace")))
    return found


def _debs(names: Sequence[str], suite: str) -> list[Path]:
    """Return a .deb for each name, fetched where none was before."""
    folder = cache.home() / "debs"
    if suite not in {SUITE, BACKPORTS}:  # the same names, other versions
        folder /= suite
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not list(folder.glob(f"{name}_*.deb"))]
    if missing:
        options, origin = _archive(suite)
        with files.scratch(folder) as fresh:
            # Without this mode an update that reaches nobody ends with 0.
            for action in (("-o", "APT::Update::Error-Mode=any", "update"), ("download", *missing)):
                done = process.run("apt-get", "-q", *options, *action, cwd=fresh, env=_QUIET, timeout=_APT_SECONDS)
                if not done.ok:
                    raise EngineError(
                        f"could not download {', '.join(missing)} from {origin}: {_reason(done)}",
                        hint=f"let this machine reach {origin}, then again: inv container-setup; or {INSTALL_DOCKER}",
                    )
            for deb in fresh.glob("*.deb"):
                deb.replace(folder / deb.name)
    return [max(folder.glob(f"{name}_*.deb")) for name in names]


def _archive(suite: str) -> tuple[list[str], str]:
    """Return apt's options for reading that suite, and its place for a message."""
    common = ["-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30"]
    if not distribution().is_debian:
        return common, "the sources of /etc/apt"
    if not _KEYRING.is_file():
        install(("debian-archive-keyring",))
    origin = debian_mirror()
    state = cache.home() / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    sources = state / f"{suite}.list"
    files.write_text(sources, f"deb [signed-by={_KEYRING}] {origin} {suite} main\n")
    # Lists of its own: the machine's stay as they are. The user's folder may be closed to apt's own user.
    own = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::Lists": state / "lists",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "root",
    }
    return common + [word for key, value in own.items() for word in ("-o", f"{key}={value}")], origin


def _reason(done: process.Completed) -> str:
    """Return apt's first error: the ones after it only follow from it."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
    return errors[0].removeprefix("E: ") if errors else done.last_line
