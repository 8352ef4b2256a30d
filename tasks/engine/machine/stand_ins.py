"""Stand-ins for the base images on a machine that reaches no image registry: built from Debian packages.

The recipe lies in ``recipe/``. The images are pushed to a registry on the loopback, and a record in the cache
folder says which repository each replaces.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import EngineError
from ...plan.commands import tail
from ...plan.platforms import Platform, of_machine
from .. import cache, process, trust
from . import bases, files, packages, registry, rootfs, stand_in_record

NAMES = ("alpine", "golang", "rust")
"""The repositories that there is a recipe for."""

LABEL = "container-tasks.bases"
"""Label of every stand-in; its value is ``stand-in``."""

_RECIPE = Path(__file__).parent / "recipe"
_SERIES = "1.27"  # of Go, where the reference names none
_SECONDS = 3600.0
_CA = "ca.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What has to stand in, and how it is made."""

    names: tuple[str, ...]
    go_series: str
    platform: Platform
    """The one that builds; alpine alone is needed for the other as well."""


def serving() -> bool:
    """Return whether the loopback registry answers and holds every recorded stand-in."""
    state = stand_in_record.read()
    return state is not None and all(
        registry.holds(state.port, stand_in_record.path_of(name), digest) for name, digest in state.digests.items()
    )


def wanted(references: Iterable[str]) -> Wanted:
    """Return which stand-ins these base references need on this machine.

    Raises EngineError that names the bases for which there is none.
    """
    by_name = {bases.short_name(reference): reference for reference in references}
    unknown = sorted(set(by_name) - set(NAMES))
    if unknown:
        raise EngineError(
            f"no image registry is in reach, and there is no stand-in for {', '.join(unknown)}",
            hint="set container.mirror in invoke.yaml to a registry that has them",
        )
    series = bases.series(by_name.get("golang", "")) or _SERIES
    return Wanted(names=tuple(sorted(by_name)), go_series=series, platform=of_machine())


def fingerprint(want: Wanted) -> str:
    """Return the hash of all that decides what the stand-ins are."""
    digest = hashlib.sha256(f"{want.platform} {want.go_series} {packages.SUITE}\n".encode())
    for path in sorted(_RECIPE.iterdir()):
        if path.is_file():
            digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def missing(want: Wanted) -> tuple[str, ...]:
    """Return the names that must be built: all of them when the recipe is no longer the one recorded."""
    state = stand_in_record.read()
    if state is None or state.fingerprint != fingerprint(want):
        return want.names
    return tuple(name for name in want.names if name not in state.digests)


def ensure_served() -> bool:
    """Have the recorded stand-ins served and used; return whether anything had to be done for it.

    Raises EngineError when the registry does not get up.
    """
    state = stand_in_record.read()
    if state is None:
        return False
    port, started = registry.ensure_started()
    now = replace(state, port=port, used=True)
    if now != state:
        stand_in_record.write(now)
    return started or now != state


def build(want: Wanted, names: tuple[str, ...]) -> None:
    """Build ``names`` of what is wanted, push them to the loopback registry and record them.

    Raises EngineError with the log's place when a build fails or packages cannot be had.
    """
    before = stand_in_record.read()
    recipe = fingerprint(want)
    if names == want.names:  # nothing of before is of use
        stand_in_record.place().unlink(missing_ok=True)
        registry.empty()
    port, _ = registry.ensure_started()
    tar = rootfs.ensure()
    with files.scratch(cache.home() / "stand-ins") as folder:
        for path in _RECIPE.iterdir():
            if path.is_file():
                shutil.copy(path, folder)
        os.link(tar, folder / tar.name)
        ca = _copy_ca_bundle(folder)
        digests = _bake(folder, definition(want, names, port, ca=ca))
    old = dict(before.digests) if before else {}
    kept = {} if names == want.names else old
    stand_in_record.write(stand_in_record.Record(fingerprint=recipe, port=port, digests={**kept, **digests}, used=True))
    for digest in set(old.values()) - {*kept.values(), *digests.values()}:
        # The engine keeps what its tag was taken from; one that a container uses stays.
        process.run("docker", "image", "rm", digest)


def retire() -> bool:
    """Have the real bases used from now on; return whether stand-ins were. They stay, for the next time."""
    state = stand_in_record.read()
    if state is None or not state.used:
        return False
    stand_in_record.write(replace(state, used=False))
    return True


def definition(want: Wanted, names: Iterable[str], port: int, *, ca: bool) -> dict[str, Any]:
    """Return the bake definition: alpine for both platforms, the compilers for the one that builds; pure."""
    common: dict[str, Any] = {"context": ".", "attest": ["type=provenance,disabled=true"], "pull": False}
    if ca:
        common["secret"] = [f"id=ca,src={_CA}"]
    targets = {
        name: {
            **common,
            "target": name,
            "platforms": [*Platform] if name == "alpine" else [want.platform],
            "args": {"GO_SERIES": want.go_series} if name == "golang" else {},
            "output": [f"type=image,name=localhost:{port}/{stand_in_record.path_of(name)}:1,push=true"],
        }
        for name in names
    }
    return {"group": {"default": {"targets": sorted(targets)}}, "target": targets}


def _bake(folder: Path, definition: dict[str, Any]) -> dict[str, str]:
    """Build and push, and return each image's digest."""
    files.write_json(folder / "bake.json", definition)
    log = cache.home() / "logs" / "stand-ins.log"
    done = process.run(
        *("docker", "buildx", "bake", "--builder", _builder(), "--file", "bake.json"),
        *("--progress", "plain", "--metadata-file", "metadata.json"),
        cwd=folder,
        timeout=_SECONDS,
    )
    files.write_text(log, done.stdout + done.stderr)
    if not done.ok:
        raise EngineError(f"the stand-in bases did not build: {done.last_line}", hint=tail(log))
    told = files.read_json(folder / "metadata.json")
    return {name: str(told[name]["containerimage.digest"]) for name in definition["target"]}


def _builder() -> str:
    """Return the engine's own builder, whatever builder a person has chosen: it bears its context's name."""
    return process.check("docker", "context", "show").strip() or "default"


def _copy_ca_bundle(folder: Path) -> bool:
    """Lay the machine's CA bundle beside the recipe where packages come over https; return whether it was.

    Steps that download have it mounted as a secret; none copies it.
    """
    bundle = trust.bundle("auto", folder) if packages.debian_mirror().startswith("https://") else None
    if bundle is not None:
        shutil.copyfile(bundle, folder / _CA)
    return bundle is not None
