"""container-doctor: what is wrong with an engine or this machine, on engines that have exactly that."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.machine import buildkitd, emulation, packages, processes
from tests import engines
from tests.doctors import Told, fill, plugins, with_file
from tests.support import Repo, docker, environment, free_port

pytestmark = pytest.mark.docker


@pytest.fixture
def repo(tiny: Repo) -> Repo:
    """A repository with a service and a commit, in which nothing is wrong."""
    fill(tiny)
    return tiny


def same(answer: Any) -> Any:  # noqa: ANN401 - JSON
    return answer


def through(repo: Repo, path: str, spoil: engines.Spoil) -> Told:
    """Look at this machine's engine through a door that spoils one answer."""
    with engines.before(engines.address(), path, spoil) as place:
        return Told(repo, env={"DOCKER_HOST": place})


@pytest.mark.parametrize(("hours", "word"), [(1, " s ahead of"), (-1, " s behind")])
def test_an_engine_whose_clock_is_apart_is_told(repo: Repo, hours: int, word: str) -> None:
    def apart(about: Any) -> Any:  # noqa: ANN401 - JSON
        return {**about, "SystemTime": (datetime.now(UTC) + timedelta(hours=hours)).isoformat()}

    told = through(repo, "/info", apart)
    told.says("clock", "warning", "the engine's clock", word, "hwclock -s")
    told.only(through(repo, "/info", same), "clock")
    assert told.code == 0


def test_more_cached_steps_than_an_engine_can_read_again_are_told(repo: Repo) -> None:
    version = docker("version", "-f", "{{.Server.Version}}")
    if tuple(int(part) for part in version.split(".")[:2]) >= (27, 4):
        pytest.skip("this engine reads them all")

    def full(usage: Any) -> Any:  # noqa: ANN401 - JSON
        record = {"ID": "x", "Type": "regular", "Size": 1000, "InUse": False, "Description": ""}
        return {**usage, "BuildCache": [record] * 4400}

    told = through(repo, "/system/df", full)
    told.says("build cache", "warning", "4400 records", "docker builder prune")
    told.only(through(repo, "/system/df", lambda usage: {**usage, "BuildCache": []}), "build cache")


def test_a_client_that_speaks_with_another_engine_is_told(repo: Repo) -> None:
    asked: list[Any] = []

    def changing(about: Any) -> Any:  # noqa: ANN401 - JSON
        asked.append(about)
        return {**about, "ID": f"another-{len(asked)}"}

    told = through(repo, "/info", changing)
    told.says("api", "cannot", "does not speak with the engine", "unset DOCKER_HOST DOCKER_CONTEXT")
    told.only(through(repo, "/info", same), "api", unseen=True)
    assert told.code == 3


@pytest.fixture
def dockerd() -> Path:
    """The program of an engine of the tests' own."""
    program = packages.root_of(packages.ENGINE) / "usr/sbin/dockerd"
    found = program if program.is_file() else Path(shutil.which("dockerd") or "/none")
    if os.geteuid() != 0 or not found.is_file():
        pytest.skip("takes root and a dockerd, to start an engine")
    return found


@pytest.fixture
def usual(repo: Repo, dockerd: Path) -> Told:
    """What is found of an engine of the tests' own in which nothing is wrong."""
    with engines.own(dockerd) as place:
        return Told(repo, env={"DOCKER_HOST": place})


def test_an_engine_with_the_older_image_store_is_told(repo: Repo, dockerd: Path, usual: Told) -> None:
    with engines.own(dockerd, containerd=False) as place:
        told = Told(repo, env={"DOCKER_HOST": place})
    told.says("store", "warning", "one platform an image", "containerd-snapshotter")
    told.only(usual, "store")
    assert told.code == 0


def test_an_engine_whose_disk_is_small_is_told(repo: Repo, dockerd: Path, usual: Told, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", disk], check=True)
    try:
        with engines.own(dockerd, data=disk) as place:
            told = Told(repo, env={"DOCKER_HOST": place})
    finally:
        subprocess.run(["umount", "-R", disk], check=True)
    told.says("disk", "warning", f"free for the engine's data ({disk})", "inv container-clean")
    told.only(usual, "disk")


def test_a_second_look_leaves_no_more_with_the_engine_than_the_first(repo: Repo, dockerd: Path) -> None:
    with engines.own(dockerd) as place:
        env = {"DOCKER_HOST": place}
        kept = []
        for _ in range(2):
            Told(repo, env=env).says("build", "ok")
            kept.append(docker("buildx", "du", "--verbose", env=env).count("ID:"))
    assert kept[0] == kept[1]


def in_a_register(repo: Repo, flags: str) -> Told:
    """Look in a user namespace, whose register of emulators is its own: the machine's stays as it is."""
    foreign = emulation.foreign()
    program = shutil.which(foreign.program)
    if program is None:
        pytest.skip("there is no emulator")
    line = foreign.line(Path(program)).removesuffix("PF") + flags
    script = 'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf "%s" "$1" >/proc/sys/fs/binfmt_misc/register'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*words, script, "sh", line], check=False, capture_output=True).returncode:
        pytest.skip("this kernel has one register for all")

    class Inside(Repo):
        """The same repository, in there."""

        def inv(self, *given: str, env: Any = None, timeout: float = 600) -> Any:  # noqa: ANN401 - as its base
            from tests.support import Result

            command = [*words, f'{script} && shift && exec "$@"', "sh", line, sys.executable, "-m", "invoke", *given]
            return Result(
                subprocess.run(
                    command,
                    cwd=self.root,
                    env=environment(env),
                    capture_output=True,
                    text=True,
                    timeout=timeout,
                    check=False,
                )
            )

    return Told(Inside(repo.root, repo.seed))


def test_an_emulator_that_serves_no_containers_is_told(repo: Repo) -> None:
    told = in_a_register(repo, "P")
    told.says("emulation", "warning", "without flag F", "echo -1 >/proc/sys/fs/binfmt_misc/qemu-")
    told.only(in_a_register(repo, "PF"), "emulation")


def test_a_scanner_that_does_not_start_is_told(repo: Repo, tmp_path: Path) -> None:
    def with_trivy(code: int) -> Told:
        program = tmp_path / "trivy"
        program.write_text(f"#!/bin/sh\necho no such thing >&2; exit {code}\n", encoding="utf-8")
        program.chmod(0o755)
        return Told(repo, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    well, told = with_trivy(0), with_trivy(1)
    told.says("scanner", "warning", "does not start: no such thing", f"rm {tmp_path}/trivy")
    told.only(well, "scanner")


def test_a_key_that_is_not_there_is_told(repo: Repo) -> None:
    told = Told(repo, env={"INVOKE_CONTAINER_SIGN_KEY": "keys/none.key"})
    told.says("signing", "warning", "a push is refused")
    told.only(Told(repo), "signing")


def test_a_step_that_does_not_run_is_told(repo: Repo, tmp_path: Path) -> None:
    """docker has a buildx that answers all that it is asked, and builds nothing."""
    config = plugins(tmp_path / "docker")
    env = with_file(config)
    well = Told(repo, env=env)
    plugin = config / "cli-plugins/docker-buildx"
    real = plugin.resolve()
    plugin.unlink()
    refuse = 'case "$*" in *--output*type=local*) echo "ERROR: no space left on device" >&2; exit 1 ;; esac'
    plugin.write_text(f'#!/bin/sh\n{refuse}\nexec {real} "$@"\n', encoding="utf-8")
    plugin.chmod(0o755)
    told = Told(repo, env=env)
    told.says("build", "cannot", "a tiny build fails: no space left on device", "inv container-setup")
    told.only(well, "build")
    assert told.code == 4


@pytest.fixture
def revived(repo: Repo, builder: str) -> Iterator[str]:
    """A release builder that runs again after the test."""
    if builder not in buildkitd.names():
        pytest.skip("this machine's release builder runs in a container")
    yield builder
    repo.inv("container-setup", timeout=1200).ok()


def test_a_release_builder_whose_buildkit_has_ended_is_told_and_started_again(repo: Repo, revived: str) -> None:
    well = Told(repo)
    processes.stop(buildkitd.mark(revived))
    told = Told(repo)
    told.says("release builder", "warning", f"the BuildKit of {revived} does not run", "inv container-setup")
    told.only(well, "release builder")
    used = Told(repo, env={"INVOKE_CONTAINER_BUILDER": revived})
    used.says("builder", "cannot", f"{revived} (remote), in use", "inv container-setup")
    Told(repo, "--fix").says("release builder", "changed", f"the BuildKit of {revived} was started again")
    assert Told(repo).states()["release builder"] == {"ok"}


def test_a_mirror_named_in_the_repositorys_file_is_opened_at_its_line(repo: Repo) -> None:
    port = free_port()
    text = (repo.root / "invoke.yaml").read_text(encoding="utf-8")
    repo.write("invoke.yaml", f"{text}  mirror: localhost:{port}/hub\n")
    repo.commit()
    Told(repo).says("bases", "cannot", f"localhost:{port}/hub/library/alpine", "${EDITOR:-vi} +4 invoke.yaml")
