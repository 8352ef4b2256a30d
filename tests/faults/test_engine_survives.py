"""The private engine, its registry and BuildKit against what happens to processes, files and networks.

Everything runs in a cache folder of its own, and the engine in a network namespace that has nothing but a
loopback: it cannot touch another engine's rules, and no package can be downloaded.
"""

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.engine import cache
from tasks.engine.machine import buildkitd, mounts, packages, private, processes, records, registry
from tasks.errors import EngineError
from tests.support import TASKS_PY, Repo, Result, environment

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(not packages.can_install(), reason="needs root on Debian or Ubuntu"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2"),
]

BUNDLES = (packages.ENGINE, packages.CLIENT, packages.REGISTRY)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine within the machine: a cache folder and a network namespace."""

    home: Path
    namespace: str
    repo: Repo

    @property
    def socket(self) -> Path:
        return self.home / "docker.sock"

    @property
    def cache(self) -> Path:
        return self.home / "container-tasks"

    @property
    def environment(self) -> dict[str, str]:
        more = {
            "XDG_CACHE_HOME": str(self.home),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.home / "config"),
        }
        return environment(more)

    def command(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *words]

    def start(self, *flags: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(sys.executable, "-m", "invoke", "container-setup", *flags),
            cwd=self.repo.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def setup(self, *flags: str) -> Result:
        process = self.start(*flags)
        out, err = process.communicate(timeout=120)
        return Result(subprocess.CompletedProcess(process.args, process.returncode, out, err))

    def docker(self, *words: str, data: bytes | None = None) -> str:
        done = subprocess.run(
            ["docker", *words], env=self.environment, input=data, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def pids(self, program: str) -> tuple[int, ...]:
        config = self.cache / "engine" / "daemon.json"
        containerd = self.cache / "engine" / "run" / "containerd" / "containerd.toml"
        word = str(config if program == "dockerd" else containerd)
        return processes.find(processes.Mark(program=program, word=word))

    def kill(self, *programs: str) -> None:
        pids = [pid for program in programs for pid in self.pids(program)]
        assert len(pids) >= len(programs), f"no {programs} to kill"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 10
        while any(processes.command_line(pid) for pid in pids) and time.monotonic() < until:
            time.sleep(0.02)


def stocked(home: Path) -> None:
    """Give a cache folder the packages that this machine has already: by hard links where the disk is the same."""
    target = home / "container-tasks"
    for bundle in BUNDLES:
        source = packages.unpacked(bundle)
        names = bundle.debian if packages.distribution().is_debian else bundle.ubuntu
        shutil.copytree(source, target / "packages" / bundle.name, symlinks=True, copy_function=link)
        (target / "debs").mkdir(exist_ok=True)
        for name in names:
            for deb in (cache.home() / "debs").glob(f"{name}_*.deb"):
                link(str(deb), str(target / "debs" / deb.name))


def link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="ct-", dir="/var/tmp") as folder:
        home = Path(folder)
        stocked(home)
        repo = Repo(home / "repo")
        repo.write("tasks.py", TASKS_PY)
        repo.write("VERSION", "1.0.0\n")
        repo.write("services/one/Dockerfile", "FROM scratch\nCOPY services/one/Dockerfile /\n")
        namespace = f"ct-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        found = Machine(home, namespace, repo)
        subprocess.run(found.command("ip", "link", "set", "lo", "up"), check=True)
        try:
            yield found
        finally:
            found.setup("--down").ok()
            subprocess.run(["ip", "netns", "delete", namespace], check=True)


@pytest.fixture
def running(machine: Machine) -> Machine:
    machine.setup().ok()
    return machine


@pytest.fixture
def stopped(machine: Machine) -> Machine:
    machine.setup("--down").ok()
    return machine


@contextlib.contextmanager
def somebody() -> Iterator["subprocess.Popen[bytes]"]:
    """A live process that is none of ours."""
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            yield process
            assert process.poll() is None, "a foreign process was ended"
        finally:
            process.kill()


def tiny_image() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("file"))
    return buffer.getvalue()


def test_a_second_setup_changes_nothing_and_is_quick(running: Machine) -> None:
    before = running.pids("dockerd")
    begun = time.monotonic()
    told = running.setup().ok()
    assert time.monotonic() - begun < 5
    assert "changed" not in told.out
    assert running.pids("dockerd") == before


@pytest.mark.parametrize("victims", [("dockerd",), ("containerd",), ("dockerd", "containerd")], ids="+".join)
def test_after_a_kill_the_engine_comes_back_with_its_images(running: Machine, victims: tuple[str, ...]) -> None:
    running.docker("import", "-", "kept:1", data=tiny_image())
    running.kill(*victims)
    running.setup().ok()
    assert "kept" in running.docker("images", "--format", "{{.Repository}}")
    assert len(running.pids("dockerd")) == 1


def test_down_stops_all_and_up_finds_the_images_again(running: Machine) -> None:
    running.docker("import", "-", "kept:2", data=tiny_image())
    running.setup("--down").ok()
    assert (running.pids("dockerd"), running.pids("containerd")) == ((), ())
    assert mounts.below(running.home) == []
    running.setup().ok()
    assert "2" in running.docker("images", "--format", "{{.Tag}}", "kept")


def test_what_a_builder_can_no_longer_read_goes_without_the_images(
    running: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of dockerd's log is written here: the thousands of steps that it takes would need ten minutes."""
    for number in range(3):
        running.repo.write("services/one/Dockerfile", f"FROM scratch\nCOPY tasks.py /{number}\n")
        running.docker(
            "build",
            "--tag",
            f"kept:{number}",
            "--file",
            f"{running.repo.root}/services/one/Dockerfile",
            str(running.repo.root),
        )
    running.setup("--down").ok()
    monkeypatch.setenv("XDG_CACHE_HOME", str(running.home))
    place = private.layout()
    unreadable = running.home / "dockerd.log"
    unreadable.write_text('level=info msg="Daemon has completed initialization"\ncontext deadline exceeded\n')
    assert records.are_too_many(unreadable)
    assert not records.are_too_many(place.log), "this one has listened"
    records.drop(place)
    running.setup().ok()
    assert records.release(place) >= 3
    assert records.release(place) == 0
    assert set(running.docker("images", "--format", "{{.Tag}}", "kept").split()) == {"0", "1", "2"}
    running.docker("create", "--name", "of-kept", "kept:1", "/x")
    assert "Build Cache 0" in running.docker("system", "df", "--format", "{{.Type}} {{.TotalCount}}")


def test_pidfiles_that_name_somebody_else_neither_stop_nor_harm_anyone(stopped: Machine) -> None:
    run = stopped.cache / "engine" / "run"
    with somebody() as foreign:
        for name in ("dockerd.pid", "containerd/containerd.pid"):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text(str(foreign.pid), encoding="ascii")
        stopped.setup().ok()
        stopped.setup("--down").ok()


def test_sockets_left_behind_are_in_nobodys_way(running: Machine) -> None:
    running.kill("dockerd", "containerd")
    assert running.socket.exists()
    assert "started" in running.setup().ok().out


def test_a_half_finished_unpack_is_done_again(stopped: Machine) -> None:
    root = stopped.cache / "packages" / "engine"
    root.rename(root.with_name("engine.partial-killed"))
    (root.with_name("engine.partial-killed") / "usr/sbin/dockerd").unlink()
    stopped.setup().ok()
    assert (root / "usr/sbin/dockerd").is_file()
    assert not list(root.parent.glob("*.partial-*"))


def test_a_damaged_package_is_named_then_fetched_and_without_a_network_that_is_said(stopped: Machine) -> None:
    root = stopped.cache / "packages" / "engine"
    (deb,) = (stopped.cache / "debs").glob("containerd_*.deb")
    whole = deb.with_suffix(".whole")
    deb.rename(whole)
    deb.write_bytes(whole.read_bytes()[:100_000])
    kept = root.rename(root.with_name("kept"))
    try:
        stopped.setup().fails(3, deb.name, "hint: ")
        assert not deb.exists()
        stopped.setup().fails(
            3, "could not download containerd from ", "hint: let this machine reach ", "docs.docker.com"
        )
    finally:
        shutil.rmtree(root, ignore_errors=True)
        kept.rename(root)
        whole.rename(deb)


def test_two_setups_at_once_start_one_engine(stopped: Machine) -> None:
    both = [stopped.start(), stopped.start()]
    told = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert len(stopped.pids("dockerd")) == 1


def test_a_folder_that_may_not_be_written_is_an_error_with_a_way_out(machine: Machine) -> None:
    environment = {**machine.environment, "XDG_CACHE_HOME": "/proc/nowhere"}
    done = subprocess.run(
        machine.command(sys.executable, "-m", "invoke", "container-setup"),
        cwd=machine.repo.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    Result(done).fails(3, "/proc/nowhere", "hint: ")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with the packages and programs of this machine's own."""
    real = cache.home()
    packages.unpacked(packages.REGISTRY)
    (tmp_path / "packages").symlink_to(real / "packages")
    if (real / "buildkit" / buildkitd.VERSION).is_dir():
        (tmp_path / "buildkit").mkdir()
        (tmp_path / "buildkit" / buildkitd.VERSION).symlink_to(real / "buildkit" / buildkitd.VERSION)
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    return tmp_path


def end(mark: processes.Mark) -> None:
    for pid in processes.find(mark):
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 5
    while processes.find(mark) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.2)  # a process that is being ended loses its name before its sockets


def test_the_registry_comes_back_on_its_port(home: Path) -> None:
    try:
        port, started = registry.ensure_started()
        assert started
        assert registry.ensure_started() == (port, False)
        end(registry.mark())
        assert not registry.answers(port)
        assert registry.ensure_started() == (port, True)
    finally:
        registry.stop()


def test_a_registry_whose_port_was_taken_meanwhile_moves(home: Path) -> None:
    try:
        port, _ = registry.ensure_started()
        end(registry.mark())
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind((registry.HOST, port))
            other.listen()
            moved, started = registry.ensure_started()
        assert started
        assert moved != port
        assert registry.answers(moved)
    finally:
        registry.stop()


@pytest.fixture(scope="session")
def buildkit() -> None:
    """BuildKit's programs are in the user's cache folder."""
    buildkitd.ensure_started("programs")
    buildkitd.delete("programs")


def test_buildkit_comes_back_and_goes_without_a_trace(buildkit: None, home: Path) -> None:
    name = "faulty"
    try:
        assert buildkitd.ensure_started(name)
        assert not buildkitd.ensure_started(name)
        end(processes.Mark(program="buildkitd", word=str(home / "buildkit/builders" / name / "root")))
        assert buildkitd.ensure_started(name)
    finally:
        assert buildkitd.delete(name)
    assert buildkitd.names() == ()
    assert not buildkitd.stop(name)


def test_a_daemon_that_does_not_get_up_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "registry").mkdir()
    monkeypatch.setattr(registry, "configuration", lambda place, number: {"version": "none"})
    with pytest.raises(EngineError, match=r"did not get up: .*\n.*tail -n 40 "):
        registry.ensure_started()
