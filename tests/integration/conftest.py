"""Repositories and images for the tests with a real engine."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import cosigns, faulty, shops
from tests.cosigns import Keys
from tests.faulty import Faulty
from tests.shops import Shop
from tests.support import BUILDER, ROOT, TASKS_PY, Repo, docker, loopback_registry

OWN_REGISTRY = "images.test/aic-sos"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Repo]:
    """A repository with no service yet; its images and cache mounts go when the test ends."""
    root = tmp_path / "tiny"
    root.mkdir()
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1.2.3\n")
    repo.write("invoke.yaml", "container:\n  project: tiny\n  registry: images.test/tiny\n")
    yield repo
    repo.inv("container-clean", "--yes")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A clone of this repository as it stands, uncommitted changes too."""
    root = tmp_path_factory.mktemp("clone") / "aic-sos"
    subprocess.run(["git", "clone", "-q", ROOT, root], check=True)
    repo = Repo(root)
    changed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--modified", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, changed.split("\0")):
        if (ROOT / name).is_file():
            repo.write(name, (ROOT / name).read_text(encoding="utf-8"))
    if changed:
        repo.commit()
    return repo


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A builder that can push by digest: one for all tests, since what each has of its own takes seconds to make."""
    root = tmp_path_factory.mktemp("builder")
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1\n")
    repo.write("invoke.yaml", f"container: {{project: {BUILDER.removesuffix('-release')}}}\n")
    repo.inv("container-setup", "--release-builder", timeout=1200).ok()
    yield BUILDER
    repo.inv("container-clean", "--yes").ok()


@pytest.fixture(scope="session")
def trivy(checkout: Repo) -> Path:
    """The Trivy that a set-up brings."""
    checkout.inv("container-setup", "--scanner", timeout=2400).ok()
    from tasks.engine.machine import scanner

    found = scanner.program()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def native() -> str:
    """The engine's own processor, as tags name it."""
    return docker("version", "--format", "{{.Server.Arch}}").strip()


@pytest.fixture(scope="session")
def images(checkout: Repo) -> Iterator[str]:
    """All services built for both platforms, under a registry's name of the tests' own; yields that name."""
    checkout.inv(
        "container-build", "--platforms", "linux/amd64,linux/arm64", "--registry", OWN_REGISTRY, timeout=1800
    ).ok()
    yield OWN_REGISTRY
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={OWN_REGISTRY}/*")
    docker("rmi", "-f", *listed.split(), check=False)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """An empty registry on this machine; what the engine keeps under its name goes with it."""
    with loopback_registry(tmp_path) as address:
        yield address
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    docker("rmi", "-f", *(name for name in listed if name.startswith(f"{address}/")), check=False)


@pytest.fixture(scope="session")
def emulation(checkout: Repo) -> None:
    """This machine runs images of the other architecture."""
    checkout.inv("container-setup", "--emulation").ok()


@pytest.fixture
def buildx_config(plugin: str, tmp_path: Path) -> Path:
    """A docker configuration whose only buildx is the one named ``plugin``."""
    from tasks.engine.machine.plugin import build_latest, known_plugins

    if plugin == "latest":
        build_latest()
    folder = tmp_path / "config" / "cli-plugins"
    folder.mkdir(parents=True)
    (folder / "docker-buildx").symlink_to(known_plugins()[plugin])
    return folder.parent


@pytest.fixture
def shop(builder: str, tmp_path: Path, registry: str) -> Shop:
    """A repository of two services and an empty registry."""
    return shops.make(tmp_path / "shop", registry, registry, shops.own_cache(tmp_path / "cache"))


@pytest.fixture
def spoilt_shop(builder: str, tmp_path: Path, registry: str) -> Iterator[tuple[Shop, Faulty]]:
    """The same behind a proxy that a test may spoil."""
    with faulty.faulty(registry) as spoilt:
        yield shops.make(tmp_path / "shop", spoilt.address, registry, shops.own_cache(tmp_path / "cache")), spoilt


@pytest.fixture(scope="session")
def every_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keys, Keys]:
    """Our key and somebody else's."""
    folder = tmp_path_factory.mktemp("keys")
    return cosigns.make_keys(folder, "ours"), cosigns.make_keys(folder, "theirs")
