"""Programs that are had as Go modules: built once into the cache folder."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import EngineError
from .. import process
from . import files, packages

# buildx and BuildKit ask for a newer Go than most machines have; the go command fetches this one itself.
TOOLCHAIN = "go1.27.3"

_SERIES = "1.27"  # of Debian's package, where no go is on PATH
_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a program is compiled."""

    toolchain: str = TOOLCHAIN
    """The Go that does it; the go command fetches one that it is not."""
    experiments: str = ""
    """That Go's experiments which the program asks for."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Values of its string variables."""

    @property
    def flags(self) -> tuple[str, str]:
        """The compiler's."""
        return "-trimpath", " ".join(("-ldflags=-s -w", *(f"-X {name}={text}" for name, text in self.texts.items())))


_PLAIN = Manner()


def install(module: str, target: Path, *, set_text: Mapping[str, str] | None = None) -> None:
    """Build the program ``path@version`` as ``target``; ``set_text`` gives values to its string variables.

    Raises EngineError with the go command's last line.
    """
    manner = Manner(texts=set_text or {})
    with files.staged(target.parent) as folder:
        _run("install", *manner.flags, module, cwd=folder, binaries=folder, what=module, manner=manner)
        # Its name is the module's last word.
        program = module.partition("@")[0].rpartition("/")[2]
        (folder / program).rename(folder / target.name)


def build(module: str, version: str, programs: Sequence[str], folder: Path, manner: Manner = _PLAIN) -> None:
    """Build several programs of one module version into ``folder``, from an empty module that requires it.

    Raises EngineError with the go command's last line.
    """
    names = [f"{module}/cmd/{program}" for program in programs]
    with files.staged(folder) as target, tempfile.TemporaryDirectory() as empty:
        where = Path(empty)
        (where / "go.mod").write_text("module builder\n", encoding="utf-8")
        wanted = [f"{name}@{version}" for name in names]
        what = f"{module}@{version}"
        _run("get", "-tool", *wanted, cwd=where, binaries=target, what=what, manner=manner)
        _run("build", *manner.flags, "-o", f"{target}/", *names, cwd=where, binaries=target, what=what, manner=manner)


def _run(*arguments: str, cwd: Path, binaries: Path, what: str, manner: Manner) -> None:
    environment = {
        "CGO_ENABLED": "0",
        "GOBIN": str(binaries),
        "GOEXPERIMENT": manner.experiments,
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": manner.toolchain,
        "GOWORK": "off",
        "GO111MODULE": "on",
    }
    done = process.run(go(), *arguments, cwd=cwd, env=environment, timeout=_SECONDS)
    if not done.ok:
        raise EngineError(
            f"{what} could not be built: {done.last_line}",
            hint="let this machine reach the Go module proxy (GOPROXY), then again: inv container-setup",
        )


def go() -> str:
    """Return the go command: the one on PATH, else Debian's, unpacked."""
    found = packages.which("go")
    if found is not None:
        return found
    if not packages.can_install():
        raise EngineError("go is not on PATH", hint="install Go: https://go.dev/doc/install")
    return str(packages.unpacked(packages.golang(_SERIES)) / f"usr/lib/go-{_SERIES}/bin/go")
