"""The ways to build that are compared: what each runs, and what the compilers alone cost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .ground import GO_SERVICE, RUST_SERVICE, Ground

PAUSE = 2.0  # seconds before each measured run: BuildKit goes on writing its history after a client has left


class Way(StrEnum):
    """A way to build all services."""

    OURS = "inv container-build"
    BAKE = "docker buildx bake"
    CLASSIC = "classic Dockerfiles, one after the other"
    ONE = "docker buildx build of the one service"
    """Not all services: only the one that changed, on the same Dockerfile and caches as ours."""
    ALONE = "inv container-build of the one service"


class BenchError(Exception):
    """A command of the benchmark that failed; without it there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Processor seconds of the compilers alone, divided by the processors: no build of all services is faster."""

    cold: float
    go_line: float
    rust_line: float


def seconds(way: Way, ground: Ground, platforms: Sequence[str], service: str = "", *, pause: float = PAUSE) -> float:
    """Build in a way and return the wall seconds that it took; ``service`` is the one that changed.

    Raises BenchError when it fails.
    """
    commands = _commands(way, ground, platforms, service)
    time.sleep(pause)
    began = time.perf_counter()
    for command in commands:
        _run(command, ground)
    return time.perf_counter() - began


def built(ground: Ground, service: str, args: Mapping[str, str]) -> str:
    """Build one service for this machine with arguments of its own, and return the image's name.

    Raises BenchError when that fails.
    """
    target = _definition(ground, ("linux/amd64",))["target"][service]
    name = f"{target['tags'][0].rpartition(':')[0]}:{'-'.join(args.values())}"
    arguments = _pairs("--build-arg", {**target["args"], **args})
    _run(_build({**target, "tags": [name]}, "--file", target["dockerfile"], *arguments, "."), ground)
    return name


def _commands(way: Way, ground: Ground, platforms: Sequence[str], service: str) -> list[tuple[str, ...]]:
    if way in {Way.OURS, Way.ALONE}:
        words = ("container-build", "--platforms", ",".join(platforms), "--progress", "quiet")
        alone = ("--services", service) if way is Way.ALONE else ()
        return [(sys.executable, "-m", "invoke", *words, *alone)]
    definition = _definition(ground, platforms)
    if way is Way.BAKE:
        file = ground.root / ".container/bench.json"
        file.write_text(json.dumps(definition), encoding="utf-8")
        return [("docker", "buildx", "bake", "--file", str(file))]
    targets = definition["target"]
    if way is Way.ONE:
        words = ("--file", targets[service]["dockerfile"], *_pairs("--build-arg", targets[service]["args"]))
        return [_build(targets[service], *words, ".")]
    return [_build(target, *_classic(ground, name)) for name, target in targets.items()]


def _definition(ground: Ground, platforms: Sequence[str]) -> dict[str, Any]:
    words = ("container-build", "--platforms", ",".join(platforms), "--print")
    printed = _run((sys.executable, "-m", "invoke", *words), ground)
    return json.loads(printed)  # type: ignore[no-any-return]


def _classic(ground: Ground, service: str) -> tuple[str, ...]:
    folder = ground.root / "services" / service
    language = "go" if (folder / "go.mod").exists() else "rust"
    file = ground.root / f"dev/bench/classic/{language}.Dockerfile"
    return ("--file", str(file), "--build-arg", f"SERVICE={service}", str(folder))


def _build(target: Mapping[str, Any], *words: str) -> tuple[str, ...]:
    """Return a ``docker buildx build`` with a target's platforms, bases and certificates."""
    return (
        *("docker", "buildx", "build", "--quiet", "--provenance=false", "--platform", ",".join(target["platforms"])),
        *_pairs("--build-context", target.get("contexts", {})),
        *(word for secret in target.get("secret", ()) for word in ("--secret", secret)),
        *_pairs("--label", target["labels"]),  # by which the copy's images are found and removed
        *("--tag", target["tags"][0]),
        *words,
    )


def _pairs(flag: str, values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for key, value in values.items() for word in (flag, f"{key}={value}"))


def _run(command: Sequence[str], ground: Ground) -> str:
    done = subprocess.run(  # noqa: S603 - a list
        command,
        cwd=ground.root,
        env=ground.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise BenchError(f"{' '.join(command[:4])} … ended with {done.returncode}:\n{last}")
    return done.stdout


def limit(ground: Ground, platforms: Sequence[str]) -> Limit:
    """Run the compilers alone and return what they cost at least, all processors busy.

    Raises BenchError when they fail.
    """
    targets = _definition(ground, platforms)["target"]
    target = targets[RUST_SERVICE]
    bases = {**targets[GO_SERVICE].get("contexts", {}), **target.get("contexts", {})}
    arguments = {
        "ARCHITECTURES": " ".join(platform.rpartition("/")[2] for platform in platforms),
        "GO_SERVICES": _services(ground, "go.mod"),
        "GO_CHANGED": GO_SERVICE,
        "RUST_SERVICES": _services(ground, "Cargo.toml"),
        "RUST_CHANGED": RUST_SERVICE,
        "PROFILE": target["args"].get("PROFILE", "release"),
    }
    result = ground.root / ".container/times"
    output = ("--target", "times", "--output", f"type=local,dest={result}")
    words = ("--file", "dev/bench/limit.Dockerfile", *_pairs("--build-arg", arguments), *output, ".")
    _run(_build({**target, "platforms": platforms[:1], "contexts": bases}, *words), ground)
    processors = len(os.sched_getaffinity(0))
    (go, go_both), (rust, rust_both) = (
        (float(line) / processors for line in (result / language).read_text(encoding="utf-8").split())
        for language in ("go", "rust")
    )
    return Limit(cold=go + rust, go_line=go_both - go, rust_line=rust_both - rust)


def _services(ground: Ground, sign: str) -> str:
    return " ".join(sorted(path.parent.name for path in ground.root.glob(f"services/*/{sign}")))
