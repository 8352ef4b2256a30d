"""Both cosigns that the distribution has, keys for them, and images to sign: no engine is needed."""

import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.engine.cosign import Cosign
from tasks.engine.distribution import INDEX, MANIFEST, Distribution, Manifest
from tasks.engine.machine import packages
from tasks.engine.machine.prepare import alone
from tasks.engine.retries import Retries
from tasks.plan.retrying import Patience
from tests.support import loopback_registry

# Debian's next: cosign 3. What the set-up takes is its last release, with cosign 2.
NEXT = packages.Bundle(name="cosign-sid", debian=("cosign",), ubuntu=("cosign",), suite="sid")
BUNDLES = {"2": packages.COSIGN, "3": NEXT}
BOTH = pytest.mark.parametrize("version", BUNDLES)
PATIENCE = Retries(Patience(times=0))
_PLATFORMS = ("amd64", "arm64")


@dataclass(frozen=True, slots=True)
class Keys:
    """A key pair and its password."""

    private: Path
    public: Path
    password: str


def unpacked(bundle: packages.Bundle, program: str) -> Path:
    """Return a program of a bundle, fetched where it is not there yet; a machine that cannot have it skips the test."""
    root = packages.root_of(bundle)
    if not root.is_dir():
        if not packages.can_install():
            pytest.skip(f"{bundle.name} comes from packages of Debian or Ubuntu, to root")
        with alone(lambda _: None):
            root = packages.unpacked(bundle)
    return root / program


def cosign(version: str) -> Cosign:
    """Return cosign 2 or 3."""
    return Cosign(str(unpacked(BUNDLES[version], "usr/bin/cosign")))


def make_keys(folder: Path, name: str, password: str = "") -> Keys:
    """Make a key pair, with a password that nobody knows unless one is given."""
    password = password or f"{name}-{uuid.uuid4().hex}"
    subprocess.run(
        [cosign("2").path, "generate-key-pair", "--output-key-prefix", name],
        cwd=folder,
        env={**os.environ, "COSIGN_PASSWORD": password},
        check=True,
        capture_output=True,
    )
    return Keys(folder / f"{name}.key", folder / f"{name}.pub", password)


@contextlib.contextmanager
def registry(folder: Path, **more: str) -> Iterator[str]:
    """Serve an empty registry without an engine, and yield its address."""
    unpacked(packages.REGISTRY, "usr/bin/docker-registry")
    with loopback_registry(folder, **more) as address:
        yield address


def push_index(address: str, name: str = "team/one") -> tuple[str, tuple[str, ...]]:
    """Push an image for two platforms that nobody has pushed before; return the whole references of all.

    The first is that of the index, the others those of the platforms.
    """
    there = Distribution(address, PATIENCE)
    entries = []
    for architecture in _PLATFORMS:
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
        content = json.dumps({**config, "author": uuid.uuid4().hex}).encode()
        described = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": there.upload(name, content),
            "size": len(content),
        }
        told = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
        one = Manifest(MANIFEST, json.dumps(told).encode())
        there.put(name, one.digest, one)
        platform = {"os": "linux", "architecture": architecture}
        entries.append({"mediaType": MANIFEST, "digest": one.digest, "size": len(one.content), "platform": platform})
    index = Manifest(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode())
    there.put(name, index.digest, index)
    place = f"{address}/{name}"
    return f"{place}@{index.digest}", tuple(f"{place}@{entry['digest']}" for entry in entries)


def tag(reference: str, name: str) -> None:
    """Let a tag lead to an image that was pushed."""
    place, _, digest = reference.partition("@")
    address, _, path = place.partition("/")
    there = Distribution(address, PATIENCE)
    found = there.manifest(path, digest)
    assert found is not None
    there.put(path, name, found)
