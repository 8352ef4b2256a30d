"""container-clean beside what belongs to others."""

import os
import pty
import subprocess
import sys

import pytest

from tests.support import BASE, Repo, docker, environment

pytestmark = pytest.mark.docker

MOUNT = "RUN --mount=type=cache,id={id},target=/cached echo {id} > /cached/file"


@pytest.fixture
def beside(tiny: Repo) -> object:
    """Our image, layer and cache mount, and a foreign image, one made from ours, a builder, mount and layer."""
    tiny.service("one", MOUNT.format(id="tiny-mount"), "COPY services/one/word /word")
    tiny.inv("container-build").ok()
    foreign = Repo(tiny.root.parent / "foreign")
    foreign.root.mkdir()
    for name in ("tasks.py", "VERSION"):
        foreign.write(name, (tiny.root / name).read_text(encoding="utf-8"))
    foreign.write("invoke.yaml", "container: {project: foreign, registry: images.test/foreign}\n")
    foreign.service("theirs", MOUNT.format(id="tinyish-mount"), "RUN echo a layer of theirs > /layer")
    foreign.inv("container-build").ok()
    child = tiny.write("child/Dockerfile", "FROM images.test/tiny/one:latest\nRUN true\n")
    docker("buildx", "build", "-q", "--load", "-t", "images.test/foreign/child:latest", str(child.parent))
    docker("buildx", "create", "--name", "foreign-builder", "--driver", "remote", "tcp://127.0.0.1:9")
    yield foreign
    docker("buildx", "rm", "foreign-builder", check=False)
    docker("rmi", "-f", "images.test/foreign/child:latest", check=False)
    foreign.inv("container-clean", "--yes")


def _mounts() -> str:
    return docker("buildx", "du", "--builder", "default", "--verbose")


def test_only_its_own_goes(tiny: Repo, beside: Repo) -> None:
    shown = tiny.inv("container-clean", "--dry-run").ok().out
    for word in ("images.test/tiny/one:latest", "tiny-mount", "no owner"):
        assert word in shown
    for word in ("foreign", "tinyish"):
        assert word not in shown
    assert "tiny-mount" in _mounts(), "--dry-run removed something"
    tiny.inv("container-clean", "--yes").ok()
    assert not docker("images", "-q", "images.test/tiny/one")
    mounts = _mounts()
    assert '"/tiny-mount"' not in mounts
    assert '"/tinyish-mount"' in mounts
    assert "a layer of theirs" in mounts
    assert docker("images", "-q", "images.test/foreign/theirs")
    assert docker("images", "-q", "images.test/foreign/child")
    assert "foreign-builder" in docker("buildx", "ls")
    assert "Nothing of tiny is here" in tiny.inv("container-clean", "--yes").ok().out


def test_the_mount_of_a_project_with_a_longer_name_stays_and_is_named_with_its_end(tiny: Repo) -> None:
    tiny.service("one", MOUNT.format(id="tiny-mount"), MOUNT.format(id="tiny-x-mount"))
    tiny.inv("container-build").ok()
    tiny.service("one", MOUNT.format(id="tiny-mount"))  # as if the other mount were tiny-x's
    shown = tiny.inv("container-clean", "--yes").ok().out
    assert "cache mounts" in shown
    mounts = _mounts()
    assert '"/tiny-mount"' not in mounts
    assert '"/tiny-x-mount"' in mounts
    (line,) = (line for line in shown.splitlines() if "tiny-x-mount" in line)
    command = line.rpartition("no Dockerfile here names: ")[2].split()
    docker(*command[1:], "--force")
    assert '"/tiny-x-mount"' not in _mounts()


def test_nobody_to_ask_needs_yes(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build").ok()
    tiny.inv("container-clean").fails(2, "--yes")
    assert docker("images", "-q", "images.test/tiny/one")


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", True), (b"\n", True), (b"y\n", False)])
def test_on_a_terminal_it_asks(tiny: Repo, answer: bytes, left: bool) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build").ok()
    leader, follower = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "invoke", "container-clean"],
        cwd=tiny.root,
        env=environment(),
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.write(leader, answer)
    said = run.communicate(timeout=60)[0].decode()
    os.close(leader)
    os.close(follower)
    assert run.returncode == 0, said
    assert bool(docker("images", "-q", "images.test/tiny/one")) is left


def test_an_image_in_use_stays_and_is_named(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build").ok()
    container = docker("run", "-d", "images.test/tiny/one:latest", "sleep", "60").strip()
    try:
        shown = tiny.inv("container-clean", "--yes").ok().out
        assert "in use by" in shown
        assert docker("images", "-q", "images.test/tiny/one")
    finally:
        docker("rm", "-f", container)


def test_the_base_of_a_clean_is_left_alone(tiny: Repo) -> None:
    before = docker("images", "-q", BASE.partition(":")[0])
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build").ok()
    tiny.inv("container-clean", "--yes").ok()
    assert docker("images", "-q", BASE.partition(":")[0]) == before
