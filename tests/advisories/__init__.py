"""A vulnerability database of the tests' own, and the program that writes it: Go, with modules that it calls bad."""

import functools
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.oci import Registry

MEDIA_TYPE = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
MUSL, BUSYBOX, BBOLT = "CVE-2026-10001", "CVE-2026-10002", "CVE-2026-10003"
LIST = [
    {"Bucket": "alpine 3.24", "Package": "musl", "ID": MUSL, "Severity": "HIGH", "Title": "musl", "Fixed": "1.2.6-r0"},
    {
        "Bucket": "alpine 3.24",
        "Package": "busybox",
        "ID": BUSYBOX,
        "Severity": "LOW",
        "Title": "busybox",
        "Fixed": "9.0-r0",
    },
    {
        "Bucket": "go::the tests' own",
        "Package": "go.etcd.io/bbolt",
        "ID": BBOLT,
        "Severity": "CRITICAL",
        "Title": "bbolt",
        "Vulnerable": "<99.0.0",
    },
]
_HERE = Path(__file__).parent
_TOOLCHAIN = "go1.26.8"


def program(architecture: str) -> Path:
    """Return the program, compiled for a processor; once, into the cache folder."""
    from tasks.engine import cache

    sources = [_HERE / name for name in ("main.go", "go.mod", "go.sum")]
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    target = cache.home() / "tests" / f"advisories-{mark}-{architecture}"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / "advisories"
            _go("build", "-trimpath", "-ldflags=-s -w", "-o", str(built), ".", env={"GOARCH": architecture})
            built.replace(target)
    return target


def _go(*words: str, env: Mapping[str, str]) -> None:
    from tasks.engine.machine import gobuild

    settled = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": _TOOLCHAIN, "GOWORK": "off"}
    done = subprocess.run(
        [gobuild.go(), *words],
        cwd=_HERE,
        env={**os.environ, **settled, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@functools.cache
def _database(architecture: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program(architecture), folder], input=json.dumps(LIST), text=True, check=True)
        return (Path(folder) / "trivy.db").read_bytes()


def push(registry: Registry, name: str, *, age: timedelta = timedelta()) -> str:
    """Put the database into a registry, as one that is so old, and return its reference."""
    updated = datetime.now(UTC) - age
    metadata = {
        "Version": 2,
        "UpdatedAt": updated.isoformat(),
        "NextUpdate": (updated + timedelta(days=1)).isoformat(),
        "DownloadedAt": "0001-01-01T00:00:00Z",
    }
    content = {"trivy.db": _database(_machine()), "metadata.json": json.dumps(metadata).encode()}
    return registry.push_file(name, gzip.compress(_archive(content)), MEDIA_TYPE, "db.tar.gz")


def _machine() -> str:
    from tasks.plan.platforms import of_machine

    return of_machine().arch


def _archive(content: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
