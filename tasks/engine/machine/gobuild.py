"""Programs that are had as Go modules: built once into the cache folder."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import EngineError
from .. import process
from . import files, packages

# buildx and BuildKit ask for a newer Go than most machines have; the go command fetches this one itself.
TOOLCHAIN = "go1.27.3"

_SERIES = "1.27"  # of Debian's package, where no go is on PATH
_SECONDS = 1800.0


def install(module: str, target: Path, *, set_text: Mapping[str, str] | None = None) -> None:
    """Build the program ``path@version`` as ``target``; ``set_text`` gives values to its string variables.

    Raises EngineError with the go command's last line.
    """
    flags = " ".join(f"-X {name}={value}" for name, value in (set_text or {}).items())
    with files.staged(target.parent) as folder:
        _run(
            "install", "-trimpath", f"-ldflags=-s -w {flags}".rstrip(), module, cwd=folder, binaries=folder, what=module
        )
        # Its name is the module's last word.
        program = module.partition("@")[0].rpartition("/")[2]
        (folder / program).rename(folder / target.name)


def build(module: str, version: str, programs: Sequence[str], folder: Path) -> None:
    """Build several programs of one module version into ``folder``, from an empty module that requires it.

    Raises EngineError with the go command's last line.
    """
    names = [f"{module}/cmd/{program}" for program in programs]
    with files.staged(folder) as target, tempfile.TemporaryDirectory() as empty:
        where = Path(empty)
        (where / "go.mod").write_text("module builder\n", encoding="utf-8")
        what = f"{module}@{version}"
        _run("get", "-tool", *(f"{name}@{version}" for name in names), cwd=where, binaries=target, what=what)
        _run("build", "-trimpath", "-ldflags=-s -w", "-o", f"{target}/", *names, cwd=where, binaries=target, what=what)


def _run(*arguments: str, cwd: Path, binaries: Path, what: str) -> None:
    environment = {
        "CGO_ENABLED": "0",
        "GOBIN": str(binaries),
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": TOOLCHAIN,
        "GOWORK": "off",
        "GO111MODULE": "on",
    }
    done = process.run(_go(), *arguments, cwd=cwd, env=environment, timeout=_SECONDS)
    if not done.ok:
        raise EngineError(
            f"{what} could not be built: {done.last_line}",
            hint="let this machine reach the Go module proxy (GOPROXY), then again: inv container-setup",
        )


def _go() -> str:
    """Return the go command: the one on PATH, else Debian's, unpacked."""
    found = packages.which("go")
    if found is not None:
        return found
    if not packages.can_install():
        raise EngineError("go is not on PATH", hint="install Go: https://go.dev/doc/install")
    return str(packages.unpacked(packages.golang(_SERIES)) / f"usr/lib/go-{_SERIES}/bin/go")
