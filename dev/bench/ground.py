"""Copies of this repository to build in, whose builds share no step and no cache mount with any other build."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
GO_SERVICE, RUST_SERVICE = "indexer", "agent"
"""The ones that get a line or a dependency more."""
# A module without dependencies of its own, and its lines of go.sum.
_MODULE = "github.com/google/uuid v1.6.0"
_SUMS = (
    f"{_MODULE} h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\n"
    f"{_MODULE}/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n"
)


@dataclass(frozen=True, slots=True)
class Ground:
    """One copy; its project has a name that no other has, and so have its images and cache mounts."""

    root: Path
    project: str

    @property
    def environment(self) -> dict[str, str]:
        """What the commands that build in it are given."""
        # The last one would have Python compile our modules anew in each run, as few people have it.
        unset = {"BUILD_PLATFORMS", "DOCKER_TAGS", "BUILDX_BUILDER", "PYTHONDONTWRITEBYTECODE"}
        own = {"INVOKE_CONTAINER_PROJECT": self.project, "DOCKER_REGISTRY": f"localhost/{self.project}"}
        return {key: value for key, value in os.environ.items() if key not in unset} | own

    def add_line(self, service: str) -> None:
        """Change one line of a service's source, as no build has seen it."""
        word = uuid4().hex
        if service == GO_SERVICE:
            source, line = "main.go", f'\nvar Bench{word} = "{word}"\n'
        else:
            source, line = "src/main.rs", f'\n#[used]\nstatic BENCH_{word.upper()}: &str = "{word}";\n'
        with (self.root / "services" / service / source).open("a", encoding="utf-8") as file:
            file.write(line)

    def add_dependency(self) -> None:
        """Let the Go service stand on one module more; files that no build has seen."""
        folder = self.root / "services" / GO_SERVICE
        module, sums = folder / "go.mod", folder / "go.sum"
        if _MODULE not in module.read_text(encoding="utf-8"):
            _append(module, f"\nrequire {_MODULE}\n")
            _append(sums, _SUMS)
        _append(module, f"\n// {uuid4().hex}\n")
        code = f'package main\n\nimport "github.com/google/uuid"\n\nvar Bench = uuid.NewString() + "{uuid4().hex}"\n'
        (folder / "bench.go").write_text(code, encoding="utf-8")


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def ground(folder: Path, rewrite: Callable[[Path], None] | None = None) -> Iterator[Ground]:
    """Make a copy below ``folder`` and rewrite it; afterwards take it away, with its images and cache mounts."""
    project = f"bench-{uuid4().hex[:8]}"
    made = Ground(folder / project, project)
    lay_out(made, rewrite)
    try:
        _commit(made.root)
        yield made
    finally:
        clean = (sys.executable, "-m", "invoke", "container-clean", "--yes")
        subprocess.run(clean, cwd=made.root, env=made.environment, capture_output=True, check=False)  # noqa: S603
        shutil.rmtree(made.root, ignore_errors=True)


def lay_out(made: Ground, rewrite: Callable[[Path], None] | None = None) -> None:
    """Copy this repository's files, rewrite them, and set their Dockerfiles apart from those of every other build."""
    _copy(made.root)
    if rewrite is not None:
        rewrite(made.root)
    for path in (*made.root.glob("services/*/Dockerfile"), *made.root.glob("dev/bench/**/*Dockerfile")):
        path.write_text(_apart(path.read_text(encoding="utf-8"), made.project), encoding="utf-8")


def _copy(root: Path) -> None:
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - a list
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)


def _apart(dockerfile: str, project: str) -> str:
    """Give the cache mounts ids of their own, and make every step one that no builder has run."""
    mounts = re.sub(r"(?<=,id=)aic-sos-", f"{project}-", dockerfile)
    return re.sub(r"^(FROM (?!scratch).*)$", rf"\1\nENV BENCH={project}", mounts, flags=re.MULTILINE)


def _commit(root: Path) -> None:
    git = ("git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "bench")):
        subprocess.run((*git, *words), cwd=root, check=True)  # noqa: S603 - a list
