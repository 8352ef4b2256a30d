"""Looks at one checkout: its git, what an interrupted run has left in it, what is around it that decides a build."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ...errors import ConfigError, EngineError
from ...plan import surroundings
from ...plan.commands import edit, quoted
from .. import api, client_file, commits, git, registry, trust, workspace
from ..containers import Containers
from ..specimens import VERIFY_LABEL, mark_of
from . import mending, mounts
from .check import Site
from .findings import Finding, Say, cannot, changed, ok, warning

_LOCKS = {"lock": "a build", "verify.lock": "a verification"}
_SHOWN = 3
_GIT_DIR = "GIT_DIR"
_LEAST_ROOM = 1_000_000  # bytes: a record and a page of a run


def state(site: Site) -> Iterator[Finding]:
    """Say whether git knows a commit for what is built, and all of its history."""
    try:
        uncommitted = git.uncommitted(site.root)
    except EngineError:
        yield warning("git", "it is not on PATH: no label names a commit", way_out=mending.install_git())
        return
    except ConfigError as error:
        yield warning("git", error.reason, way_out=_begun(error.reason, site.root))
        return
    head = git.head(site.root)
    if head is None:
        told = "there is no commit: labels name none, and a push is refused"
        yield warning("git", told, way_out="git add -A && git commit")
        return
    if commits.Git(site.root, "git").shallow():
        told = "this clone is shallow: labels cannot tell which commit last changed a service"
        told += " (actions/checkout: fetch-depth: 0)"
        yield warning("git", told, way_out="git fetch --unshallow")
    if uncommitted:
        names = ", ".join(uncommitted[:_SHOWN]) + (", …" if len(uncommitted) > _SHOWN else "")
        told = f"{len(uncommitted)} paths differ from {head}: {names}; labels say -dirty, and a push is refused"
        yield warning("git", told, way_out="git add -A && git commit")
    else:
        yield ok("git", f"{head}, nothing uncommitted")


def _begun(reason: str, root: Path) -> str:
    if "dubious ownership" in reason:
        return f"git config --global --add safe.directory {quoted(root)}"
    if "not a git repository" in reason:
        return f"unset {_GIT_DIR}" if os.environ.get(_GIT_DIR) else "git init && git add -A && git commit"
    return "git status"


def leftovers(site: Site) -> Iterator[Finding]:
    """Say what runs that were killed have left in the checkout."""
    folder = site.root / workspace.FOLDER
    if folder.is_symlink():
        yield cannot("leftovers", f"{workspace.FOLDER} is a link, which no run follows", way_out=f"rm {quoted(folder)}")
        return
    if link := next((path for path in sorted(folder.glob("*")) if path.is_symlink() and path.is_dir()), None):
        told = f"{_shown([link], site.root)} is a link, which no run follows"
        yield cannot("leftovers", told, way_out=f"rm {quoted(link.relative_to(site.root))}")
        return
    unwritable = _unwritable(folder if folder.is_dir() else site.root)
    if unwritable is not None:
        yield unwritable
        return
    if not folder.is_dir():
        yield ok("leftovers", f"no {workspace.FOLDER}/ yet: nothing was built here")
        return
    foreign = [path for path in (folder, *folder.iterdir()) if not os.access(path, os.W_OK)]
    if foreign:
        told = f"{_shown(foreign, site.root)} cannot be written by this user"
        yield cannot("leftovers", told, way_out=mending.as_root(f'chown -R "$USER" {workspace.FOLDER}'))
        return
    busy = [what for name, what in _LOCKS.items() if workspace.held(folder / name)]
    if busy:
        yield ok("leftovers", f"{' and '.join(busy)} runs in this checkout just now")
        return
    partial = _partial(folder)
    if partial:
        told = f"a killed run left {_shown(partial, site.root)}"
        yield warning("leftovers", told, way_out="inv container-doctor --fix")
    else:
        yield ok("leftovers", f"{workspace.FOLDER}/ is in order, and no lock is held")


def _unwritable(folder: Path) -> Finding | None:
    """Return what keeps everybody from writing there, even root."""
    told = os.statvfs(folder)
    if told.f_flag & os.ST_RDONLY:
        way_out = mending.as_root(mounts.writable_again(folder))
        return cannot("leftovers", f"{folder} is on a mount that is read-only", way_out=way_out)
    if told.f_bavail * told.f_frsize < _LEAST_ROOM or (told.f_files and not told.f_favail):
        place = quoted(folder)
        own = f"rm -r {place}; " if folder.name == workspace.FOLDER else ""  # what is there is made anew
        way_out = f"{own}df -h {quoted(folder.parent)}; df -i {quoted(folder.parent)}"
        return cannot("leftovers", f"there is no room where {folder} is", way_out=way_out)
    return None


def tidy(site: Site, say: Say) -> None:
    """Remove the half-written files of runs that were killed."""
    folder = site.root / workspace.FOLDER
    if any(workspace.held(folder / name) for name in _LOCKS):
        return
    for path in _partial(folder):
        path.unlink(missing_ok=True)
        say(changed("leftovers", f"removed {path.relative_to(site.root)}"))


def _partial(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.new")) if path.is_file() or path.is_symlink()]


def _shown(paths: list[Path], root: Path) -> str:
    told = ", ".join(str(path.relative_to(root)) for path in paths[:_SHOWN])
    return told + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")


def containers(site: Site) -> Iterator[Finding]:
    """Say which containers of ours were left behind: ended ones of a run, any of a verification that is over."""
    ended, tried = _left(site)
    if ended:
        told = f"{', '.join(ended.values())} of container-run ended and {'are' if len(ended) > 1 else 'is'} still there"
        yield warning("containers", told, way_out="inv container-stop")
    if tried:
        told = f"a killed verification left {len(tried)} container{'s' if len(tried) > 1 else ''}"
        yield warning("containers", told, way_out="inv container-doctor --fix")
    if not ended and not tried:
        yield ok("containers", "none was left behind")


def remove(site: Site, say: Say) -> None:
    """Remove those that were left behind."""
    ended, tried = _left(site)
    with closing(api.client()) as client:
        door = Containers(client)
        for container, name in {**ended, **tried}.items():
            door.remove(container)
            say(changed("containers", f"removed {name}"))


def _left(site: Site) -> tuple[dict[str, str], dict[str, str]]:
    """Return the ids and names of ended containers of a run, and of those that a verification forgot."""
    with closing(api.client()) as client:
        found = Containers(client).found()
    verifies = workspace.held(site.root / workspace.FOLDER / "verify.lock")
    mark = mark_of(site.project, site.root)
    return (
        {one.id: one.name for one in found if one.ended and one.runs_for(site.project)},
        {} if verifies else {one.id: one.name for one in found if one.labels.get(VERIFY_LABEL) == mark},
    )


def environment(site: Site) -> Iterator[Finding]:
    """Say what around this run changes what a build does, and what only seems to."""
    try:
        files = {path.name for path in site.root.iterdir()}
    except OSError:
        files = set()
    found = surroundings.influences(os.environ, files)
    for one in found:
        if one.stops:
            yield cannot("environment", f"{one.name}: {one.told}", way_out=one.way_out)
        elif one.decides:
            yield warning("environment", f"{one.name} is set: {one.told}", way_out=one.way_out)
        else:
            yield ok("environment", f"{one.name}: {one.told}")
    untrue = trust.faults()
    for name, fault in untrue.items():
        yield warning("environment", f"{name} names {fault}", way_out=f"unset {name}")
    proxies = surroundings.unheard_proxies(os.environ, client_file.content())
    silent = registry.silent_proxies(proxies)
    if silent:
        told = f"{', '.join(silent)} of this shell: nobody answers at that proxy"
        yield warning("proxy", told, way_out=f"unset {' '.join(silent)}")
    elif proxies:
        yield unheard(proxies)
    if not found and not untrue:
        yield ok("environment", "nothing in it changes a result")


def unheard(proxies: tuple[str, ...]) -> Finding:
    """Say that builds do not hear of a shell's proxies, and where docker's client takes theirs from."""
    names = {f"{name.lower().removesuffix('_proxy')}Proxy": name for name in reversed(proxies)}
    place = client_file.path()
    told = f"{', '.join(proxies)} of this shell reach no build: {place} names no proxies.default.{min(names)}"
    if place.exists():
        return warning("proxy", told, way_out=edit(place, 1))
    said = ", ".join(f'"{key}": "%s"' for key in sorted(names))
    values = " ".join(f'"${names[key]}"' for key in sorted(names))
    form = f'\'{{"proxies": {{"default": {{{said}}}}}}}\\n\''
    way_out = f"mkdir -p {quoted(place.parent)} && printf {form} {values} >{quoted(place)}"
    return warning("proxy", told, way_out=way_out)
