"""container-verify on real images: each flaw fails the check that is for it, and no other."""

import json
import signal
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tasks.plan.checks import NAMES
from tests.support import BASE, GO, ROOT, TASKS_PY, Repo, Result, docker, environment, loopback_registry

pytestmark = pytest.mark.docker

SOURCE = ROOT / "tests/integration/specimen/main.go"
BUILD = f"""\
FROM {GO} AS build
COPY specimen/main.go /src/
RUN cd /src && CGO_ENABLED=0 GOCACHE=/tmp/cache go build -trimpath -ldflags='-s -w' -o /specimen main.go \\
    && rm -rf /tmp/cache
"""
HEALTH = 'HEALTHCHECK --interval=30s CMD wget -q -T 2 -O /dev/null "http://127.0.0.1:$PORT/ready"'
USER = "USER 1000:1000"
MARK = "container-tasks.verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with an image, by the lines of its Dockerfile and of invoke.yaml."""

    lines: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    settings: str = ""
    files: Mapping[str, bytes] | None = None
    after: Callable[[Repo, str], None] | None = None
    """What is done once the image is built."""


def program(*, machine: int = 62, interpreter: bool = False, symbols: bool = False) -> bytes:
    """Return the smallest file that is an ELF program of some kind."""
    segments = struct.pack("<II6Q", 3, 4, 0, 0, 0, 0, 0, 0) if interpreter else b""
    sections = struct.pack("<II", 0, 2) + b"\0" * 56 if symbols else b""
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    places = (64 if segments else 0, 64 if sections else 0)
    counts = (56, 1 if segments else 0, 64, 1 if sections else 0, 0)
    return head + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, *places, 0, 64, *counts) + segments + sections


def edited(before: str, after: str) -> Callable[[Repo, str], None]:
    """Change a Dockerfile once its image is built."""

    def edit(repo: Repo, name: str) -> None:
        path = repo.root / f"services/{name}/Dockerfile"
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")

    return edit


def verified_before(repo: Repo, name: str) -> None:
    repo.write(f".container/verified/{name}-amd64.json", '{"size": 1}')


def published_before(repo: Repo, name: str) -> None:
    registry = next(
        line for line in (repo.root / "invoke.yaml").read_text(encoding="utf-8").splitlines() if "host" in line
    )
    docker(
        "buildx",
        "imagetools",
        "create",
        "-t",
        f"{registry.split()[1]}/{name}:latest",
        "localhost:5000/stand-ins/alpine:1",
    )


FLAWS: Mapping[str, Flaw] = {
    "start": Flaw(),
    "healthy": Flaw(lines=("HEALTHCHECK CMD wget -q -O /dev/null http://127.0.0.1:1/ready",)),
    "answers": Flaw(),
    "version": Flaw(),
    "metrics": Flaw(),
    "restart": Flaw(lines=("USER root", "RUN mkdir -m 1777 /data", "VOLUME /data", USER)),
    "random-user": Flaw(
        lines=("COPY --chown=1000:1000 --chmod=0400 services/random-user/settings /",), files={"settings": b"x"}
    ),
    "stuck": Flaw(lines=('HEALTHCHECK CMD ["true"]',)),
    "stop": Flaw(),
    "drain": Flaw(),
    "architecture": Flaw(lines=("COPY services/architecture/tool /tool",), files={"tool": program(machine=183)}),
    "static": Flaw(lines=("COPY services/static/tool /tool",), files={"tool": program(interpreter=True)}),
    "stripped": Flaw(lines=("COPY services/stripped/tool /tool",), files={"tool": program(symbols=True)}),
    "setuid": Flaw(lines=("COPY --chmod=4755 services/setuid/tool /tool",), files={"tool": b"#!/bin/sh\n"}),
    "secrets": Flaw(
        lines=("USER root", "COPY services/secrets/env /etc/app/.env", "RUN rm /etc/app/.env", USER),
        files={"env": b"A=b\n"},
    ),
    "leftovers": Flaw(lines=("COPY services/leftovers/history /home/app/.ash_history",), files={"history": b"ls\n"}),
    "user": Flaw(without=(USER,)),
    "port": Flaw(lines=("ENV PORT=9000",), settings="port: 9000"),
    "labels": Flaw(lines=('LABEL word="one two"',), after=edited('"one two"', "three")),
    "base": Flaw(after=edited(f"FROM {BASE}", f"FROM {GO}")),
    "stop-signal": Flaw(after=edited(USER, f"{USER}\nSTOPSIGNAL SIGINT")),
    "budget": Flaw(settings="budget: 1MB"),
    "growth": Flaw(after=verified_before),
    "published": Flaw(after=published_before),
}


def specimen(repo: Repo, name: str, flaw: Flaw) -> None:
    """Add a service that is well but for a flaw."""
    lines = [
        f"FROM {BASE}",
        "COPY --from=build --chmod=0755 /specimen /usr/local/bin/specimen",
        f"COPY services/{name}/seed /",
        "ARG VERSION=dev",
        f"ENV PORT=8080 SERVICE_VERSION=$VERSION FLAW={name}",
        "EXPOSE 8080",
        HEALTH,
        USER,
        *flaw.lines,
        'CMD ["/usr/local/bin/specimen"]',
    ]
    repo.write(
        f"services/{name}/Dockerfile", BUILD + "\n".join(line for line in lines if line not in flaw.without) + "\n"
    )
    repo.write(f"services/{name}/seed", repo.seed)
    for file, content in (flaw.files or {}).items():
        (repo.root / f"services/{name}/{file}").write_bytes(content)


def described(repo: Repo, registry: str, services: Mapping[str, Flaw]) -> None:
    entries = []
    for name, flaw in services.items():
        entries += [f"    {name}:", "      health: /health", "      slow: /slow"]
        entries += [f"      {flaw.settings}"] if flaw.settings else []
        entries += [] if "budget" in flaw.settings else ["      budget: 50MB"]
    head = ["container:", "  project: specimens", f"  registry: {registry}", "  services:"]
    repo.write("invoke.yaml", "\n".join([*head, *entries, ""]))


@dataclass(frozen=True, slots=True)
class Shop:
    """A repository of specimens, verified."""

    repo: Repo
    registry: str
    result: Result
    found: Mapping[str, Any]

    def checks(self, name: str) -> Mapping[str, str]:
        image = next(one for one in self.found["images"] if one["name"] == name)
        return {check["name"]: check["result"] for check in image["checks"]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One specimen without a flaw and one for each check, built and verified once."""
    root = tmp_path_factory.mktemp("verify") / "specimens"
    root.mkdir()
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1.2.3\n")
    repo.write("specimen/main.go", SOURCE.read_text(encoding="utf-8"))
    services = {"good": Flaw(), **FLAWS}
    for name, flaw in services.items():
        specimen(repo, name, flaw)
    with loopback_registry(root.parent) as address:
        registry = f"{address}/specimens"
        described(repo, registry, services)
        repo.inv("container-build").ok()
        for name, flaw in services.items():
            if flaw.after is not None:
                flaw.after(repo, name)
        result = repo.inv("container-verify")
        yield Shop(repo, registry, result, read(repo))
        repo.inv("container-clean", "--yes")


def read(repo: Repo) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((repo.root / ".container/verify.json").read_text(encoding="utf-8"))
    return found


def left() -> str:
    return docker("ps", "-aq", "--filter", f"label={MARK}")


def test_there_is_a_flaw_for_each_check() -> None:
    assert tuple(FLAWS) == NAMES


@pytest.mark.parametrize("name", FLAWS)
def test_a_flaw_fails_the_check_that_is_for_it_and_no_other(shop: Shop, name: str) -> None:
    checks = shop.checks(name)
    assert [check for check, result in checks.items() if result == "failed"] == [name], shop.result.all


def test_without_a_flaw_every_check_says_ok_but_those_with_nothing_to_compare(shop: Shop) -> None:
    said = {check: result for check, result in shop.checks("good").items() if result != "ok"}
    assert said == {"growth": "not run", "published": "not run"}, shop.result.all
