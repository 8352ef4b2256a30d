"""Other ways to write the services' Dockerfiles, to measure ours against."""

from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# Where the part of a service's Dockerfile that compiles begins, and where it ends.
_BEGIN = {"rust": "FROM ${TARGETARCH}-on-${BUILDARCH} AS build", "go": "FROM --platform="}
_END = "FROM build AS test"


def _each(change: Callable[[str], str]) -> Callable[[Path], None]:
    """Return what rewrites the Dockerfile of every service below a root."""

    def rewrite(root: Path) -> None:
        for path in root.glob("services/*/Dockerfile"):
            path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return rewrite


def _compiled_by(design: str) -> Callable[[Path], None]:
    """Return what puts a design in the place of the part that compiles; the test stage goes with it."""

    def rewrite(root: Path) -> None:
        for path in root.glob("services/*/Dockerfile"):
            language = "go" if (path.parent / "go.mod").exists() else "rust"
            text = path.read_text(encoding="utf-8")
            begin, test = text.index(_BEGIN[language]), text.index(_END)
            end = text.index("FROM --platform=", test)
            compiling = (FOLDER / f"{design}.{language}.Dockerfile").read_text(encoding="utf-8")
            changed = f"{text[:begin]}{compiling.replace('SERVICE', path.parent.name)}\n{text[end:]}"
            path.write_text(changed, encoding="utf-8")

    return rewrite


def _copied(dockerfile: str) -> str:
    """Copy the sources where they were mounted."""
    service = dockerfile.partition("# The ")[2].partition(" service")[0]
    mount = f"RUN --mount=type=bind,source=services/{service},target=/src"
    before, _, after = dockerfile.partition(mount)
    return f"{before}COPY services/{service}/ ./\nRUN {after.partition(chr(92))[2].lstrip()}"


def _as_it_is(_root: Path) -> None:
    pass


def _released(root: Path) -> None:
    path = root / "invoke.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "local_args" not in line), encoding="utf-8")


def _codegen_units(root: Path) -> None:
    _released(root)
    for path in root.glob("services/*/Cargo.toml"):
        text = path.read_text(encoding="utf-8").replace("codegen-units = 1\n", "codegen-units = 16\n")
        path.write_text(text, encoding="utf-8")


def _lld(dockerfile: str) -> str:
    flags = (
        "-Clink-arg=-fuse-ld=lld -Clink-arg=-B$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-musl/bin/gcc-ld"
    )
    return dockerfile.replace("    cargo build", f'    export RUSTFLAGS="{flags}"\n    cargo build')


DESIGNS: dict[str, Callable[[Path], None]] = {
    "ours: shared cache mounts, locked; Rust incremental": _as_it_is,
    "the same without a lock": _each(lambda text: text.replace(",sharing=locked", "")),
    "the same, sources copied": _each(_copied),
    "the same, Rust as released (1 codegen unit, not incremental)": _released,
    "the same, Rust as released with 16 codegen units": _codegen_units,
    "the same, Rust linked by lld": _each(_lld),
    "identical warm-up stages, no cache mounts": _compiled_by("warm"),
    "one builder stage a language": _compiled_by("one"),
}
