"""Trivy, which scans images: the one on PATH, else one built from its Go module into the cache folder."""

from collections.abc import Iterator
from pathlib import Path

from ...errors import EngineError
from ...plan.commands import quoted
from .. import cache, process
from . import gobuild, mending, packages
from .check import Site
from .findings import Finding, Say, changed, doing, ok, warning

VERSION = "v0.74.0"
"""Of the Trivy that is built."""

_MODULE = "github.com/aquasecurity/trivy"
_PROGRAM = "trivy"
_SECONDS = 30.0
# It asks for an experiment of Go 1.26 which Go 1.27 no longer has by that name.
_TOOLCHAIN = "go1.26.8"
_EXPERIMENTS = "jsonv2"


def program() -> Path | None:
    """Return the Trivy of this machine: the one on PATH, else the one of the cache folder; None for neither."""
    found = packages.which(_PROGRAM)
    if found is not None:
        return Path(found)
    built = _folder() / _PROGRAM
    return built if built.is_file() else None


def ensure() -> tuple[Path, bool]:
    """Return the Trivy of this machine, and whether it had to be built, which takes six minutes on two cores.

    Raises EngineError when it cannot be built.
    """
    found = program()
    if found is not None:
        return found, False
    gobuild.build(
        _MODULE,
        VERSION,
        (_PROGRAM,),
        _folder(),
        # Built from its module it would call itself "dev".
        gobuild.Manner(
            toolchain=_TOOLCHAIN,
            experiments=_EXPERIMENTS,
            texts={f"{_MODULE}/pkg/version/app.ver": VERSION.removeprefix("v")},
        ),
    )
    return _folder() / _PROGRAM, True


def look(_site: Site) -> Iterator[Finding]:
    """Say whether there is one."""
    found = program()
    if found is None:
        yield ok("scanner", "none; to scan images: inv container-setup --scanner")
        return
    fault = _fault(found)
    if fault:
        way_out = f"{mending.as_root(f'rm {quoted(found)}')} && inv container-setup --scanner"
        yield warning("scanner", f"{found} does not start: {fault}", way_out=way_out)
    else:
        yield ok("scanner", str(found))


def _fault(trivy: Path) -> str:
    try:
        done = process.run(trivy, "--version", timeout=_SECONDS)
    except EngineError as error:
        return error.reason
    return "" if done.ok else done.last_line


def mend(_site: Site, say: Say) -> None:
    """Have one there.

    Raises EngineError when it cannot be built.
    """
    there = program()
    if there is not None and _fault(there):
        return  # whose it is, and what else it is for, is not known
    if there is None:
        say(doing("scanner", f"building Trivy {VERSION}, up to 10 minutes"))
    found, built = ensure()
    say((changed if built else ok)("scanner", f"{found} was built" if built else str(found)))


def _folder() -> Path:
    return cache.home() / "trivy" / VERSION
