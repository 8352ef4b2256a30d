"""container-run and container-stop as a person uses them, on small services and a real engine."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support import BASE, Repo, docker, environment, free_port, get, wait_for

pytestmark = pytest.mark.docker

REGISTRY = "images.test/tiny"
SERVE = """\
#!/bin/sh
trap 'echo {name} says goodbye; exit 0' TERM
echo {name} listens
while :; do
    nc -l -p {port} -e /answer >/dev/null 2>&1 &
    wait $!
done
"""
ANSWER = """\
#!/bin/sh
while read -r line && [ ${{#line}} -gt 1 ]; do :; done
printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello from {name}\\n'
"""


def add(repo: Repo, name: str, command: str, *lines: str) -> None:
    """Add a service that runs a shell command."""
    words = [f"FROM {BASE}", f"COPY services/{name}/seed /", *lines, f"CMD {json.dumps(['sh', '-c', command])}", ""]
    repo.write(f"services/{name}/Dockerfile", "\n".join(words))
    repo.write(f"services/{name}/seed", repo.seed)


def serving(repo: Repo, name: str, health: str | None = "true", port: int | None = None) -> int:
    """Add a service that answers on a port, by default one of its own, and says goodbye, and return the port."""
    port = free_port() if port is None else port
    repo.write(f"services/{name}/serve", SERVE.format(name=name, port=port))
    repo.write(f"services/{name}/answer", ANSWER.format(name=name))
    add(
        repo,
        name,
        "exec /serve",
        f"COPY --chmod=0755 services/{name}/serve services/{name}/answer /",
        f"EXPOSE {port}",
        "" if health is None else f"HEALTHCHECK --interval=1s --retries=2 CMD {health}",
    )
    return port


class Run:
    """A container-run that goes on, with what it has written."""

    def __init__(self, repo: Repo, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "invoke", "container-run", *words],
            cwd=repo.root,
            env=environment({"FORCE_COLOR": ""}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.text = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line.decode()

    def says(self, words: str, seconds: float = 120) -> None:
        def said() -> bool:
            assert words in self.text or self.process.poll() is None, self.text
            return words in self.text

        wait_for(said, seconds, what=lambda: self.text)

    def end(self, number: signal.Signals | None = signal.SIGINT, seconds: float = 30) -> int:
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join()
        assert "Traceback" not in self.text, self.text
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def shop(tiny: Repo) -> Iterator[Repo]:
    """The repository of ``tiny``, without a container of it before and after."""
    remove_all()
    yield tiny
    remove_all()


def remove_all() -> None:
    docker("rm", "-f", "-v", *names(), check=False)


def names() -> list[str]:
    return docker("ps", "-a", "--filter", "label=container-tasks.run=tiny", "--format", "{{.Names}}").split()


def inspect(container: str) -> dict[str, dict[str, object]]:
    found: list[dict[str, dict[str, object]]] = json.loads(docker("inspect", container))
    return found[0]


@contextlib.contextmanager
def foreign(*options: str) -> Iterator[str]:
    container = docker("run", "-d", *options, f"{REGISTRY}/one:latest", "sleep", "300").strip()
    try:
        yield container
    finally:
        docker("rm", "-f", container, check=False)


def test_missing_images_are_built_all_answer_and_ctrl_c_leaves_nothing(shop: Repo) -> None:
    ports = {name: serving(shop, name) for name in ("one", "two")}
    shop.inv("container-build", "--services", "one").ok()
    with Run(shop) as run:
        for name, port in ports.items():
            run.says(f"{name} | {name} listens")
            assert f"http://127.0.0.1:{port}" in run.text
            assert get(f"http://127.0.0.1:{port}/") == f"hello from {name}\n"
        assert names() != []
        began = time.monotonic()
        assert run.end() == 0, run.text
        assert time.monotonic() - began < 5
    assert "Not in the image store, so built first: two" in run.text
    assert "one | one says goodbye" in run.text
    assert "Stopped 2 services; nothing of this run is left." in run.text
    assert names() == []


def test_detached_they_stay_the_next_run_replaces_and_container_stop_ends_them(shop: Repo) -> None:
    ports = {name: serving(shop, name) for name in ("one", "two")}
    result = shop.inv("container-run", "--detach").ok()
    for word in ("healthy", f"http://127.0.0.1:{ports['one']}", "tiny-two", "Next: inv container-stop"):
        assert word in result.out
    before = {name: inspect(name)["Id"] for name in ("tiny-one", "tiny-two")}
    again = shop.inv("container-run", "--detach", "--services", "two").ok()
    assert "Replaces what an earlier run left: tiny-two" in again.out
    assert inspect("tiny-one")["Id"] == before["tiny-one"]
    assert inspect("tiny-two")["Id"] != before["tiny-two"]
    assert get(f"http://127.0.0.1:{ports['two']}/") == "hello from two\n"
    shop.inv("container-stop", "--services", "three").fails(2, "there is no service 'three'")
    assert "stopped two (tiny-two)" in shop.inv("container-stop", "--services", "two").ok().out
    assert names() == ["tiny-one"]
    assert "stopped one (tiny-one)" in shop.inv("container-stop").ok().out
    assert "Nothing of tiny runs." in shop.inv("container-stop").ok().out
    assert names() == []


def test_an_image_that_is_older_than_its_sources_runs_and_is_named_with_what_mends_it(shop: Repo) -> None:
    for name in ("one", "two"):
        serving(shop, name)
    fresh = shop.inv("container-run", "--detach").ok()
    assert "Older than" not in fresh.all
    image = docker("inspect", "-f", "{{.Image}}", "tiny-one")
    shop.write("services/one/answer", "#!/bin/sh\necho another\n")
    said = shop.inv("container-run", "--detach").ok()
    line = next(line for line in said.out.splitlines() if line.startswith("Older than the sources: one. "))
    assert docker("inspect", "-f", "{{.Image}}", "tiny-one") == image
    assert json.loads(shop.inv("container-run", "--detach", "--json").ok().out)["outdated"] == ["one"]
    shop.inv(*line.partition("Build: inv ")[2].split()).ok()
    assert json.loads(shop.inv("container-run", "--detach", "--json").ok().out)["outdated"] == []


def test_an_image_of_which_only_a_build_can_tell_runs_and_is_named(shop: Repo) -> None:
    serving(shop, "one")
    text = (shop.root / "services/one/Dockerfile").read_text(encoding="utf-8")
    shop.write("services/one/Dockerfile", f"{text}RUN --mount=type=cache,target=/\u00e9 true\n")
    assert "Perhaps older" not in shop.inv("container-run", "--detach").ok().all  # it was built just now
    assert "Perhaps older" in shop.inv("container-run", "--detach").ok().out
    said = json.loads(shop.inv("container-run", "--detach", "--json").ok().out)
    assert (said["outdated"], said["unsure"]) == ([], ["one"])


def test_two_services_on_one_port_run_side_by_side_once_one_is_published_elsewhere(shop: Repo) -> None:
    port = serving(shop, "one")
    serving(shop, "two", port=port)
    refused = shop.inv("container-run", "--detach").fails(2, f"two: port {port} is the one of one, too")
    offered = int(refused.all.partition("container.services.two.publish: ")[2].split()[0])
    shop.write("invoke.yaml", f"container:\n  services:\n    two: {{publish: {offered}}}\n")
    table = shop.inv("container-run", "--detach").ok().out
    assert f"http://127.0.0.1:{offered} " in table
    assert get(f"http://127.0.0.1:{port}/") == "hello from one\n"
    assert get(f"http://127.0.0.1:{offered}/") == "hello from two\n"


def test_what_is_published_needs_a_port(shop: Repo) -> None:
    add(shop, "one", "sleep 60")
    described(shop, "publish: 18080")
    shop.inv("container-run").fails(2, "one.publish: there is no port that it could be at", "EXPOSE it in")


def test_a_run_goes_on_where_nobody_can_tell_what_the_images_are_made_of(shop: Repo) -> None:
    serving(shop, "one")
    shop.inv("container-build").ok()
    (shop.root / ".dockerignore").symlink_to("/etc/hostname")  # a build refuses it
    said = shop.inv("container-run", "--detach", "--json").ok()
    assert json.loads(said.out)["outdated"] is None
    assert "Older than" not in said.all


def test_a_container_is_shut_in(shop: Repo) -> None:
    port = serving(shop, "one")
    shop.inv("container-run", "--detach").ok()
    host = inspect("tiny-one")["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert host["PortBindings"] == {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    labels = inspect("tiny-one")["Config"]["Labels"]
    assert isinstance(labels, dict)
    assert labels.items() >= {"container-tasks.project": "tiny", "container-tasks.service": "one"}.items()
    status = docker("exec", "tiny-one", "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def described(repo: Repo, *lines: str) -> None:
    """Say something of the service one in invoke.yaml."""
    with (repo.root / "invoke.yaml").open("a", encoding="utf-8") as file:
        file.write("\n".join(["  services:", "    one:", *(f"      {line}" for line in lines), ""]))


def test_without_a_check_in_the_image_its_health_path_is_waited_for(shop: Repo) -> None:
    port = serving(shop, "one", health=None)
    serve = (shop.root / "services/one/serve").read_text(encoding="utf-8")
    shop.write("services/one/serve", serve.replace("#!/bin/sh\n", "#!/bin/sh\nsleep 3\n"))
    described(shop, "health: /health?deep")
    shop.inv("container-build").ok()
    began = time.monotonic()
    result = shop.inv("container-run", "--detach").ok()
    assert time.monotonic() - began > 3
    assert "no health check" not in result.out
    assert f"http://127.0.0.1:{port}/health?deep" in result.out
    assert get(f"http://127.0.0.1:{port}/") == "hello from one\n"


def test_a_health_path_without_a_port_is_refused(shop: Repo) -> None:
    add(shop, "one", "sleep 60")
    described(shop, "health: /health")
    shop.inv("container-run").fails(2, "one.health: there is no port that it could be at", "EXPOSE it in")


def test_a_port_that_the_dockerfile_does_not_say_plainly_is_asked_of_the_image(shop: Repo) -> None:
    port, below = serving(shop, "one"), serving(shop, "base")
    dockerfile = shop.root / "services/one/Dockerfile"
    text = dockerfile.read_text(encoding="utf-8")
    variable = f"ARG P={port}\nENV PORT=$P\nEXPOSE 53/udp $PORT/tcp"
    dockerfile.write_text(text.replace(f"EXPOSE {port}", variable), encoding="utf-8")
    shop.write("services/two/Dockerfile", f"FROM {REGISTRY}/base\n")
    out = shop.inv("container-run", "--detach", "--services", "one,two").ok().out
    assert f"http://127.0.0.1:{port} " in out
    assert f"http://127.0.0.1:{below} " in out
    assert get(f"http://127.0.0.1:{port}/") == "hello from one\n"
    assert get(f"http://127.0.0.1:{below}/") == "hello from base\n"
    shop.inv("container-run", "--detach", "--services", "base").fails(
        2, f"port {below} is taken by the container tiny-two"
    )


def test_an_image_of_several_ports_is_published_on_none_unless_one_is_said(shop: Repo) -> None:
    port = serving(shop, "one")
    dockerfile = shop.root / "services/one/Dockerfile"
    text = dockerfile.read_text(encoding="utf-8")
    dockerfile.write_text(text.replace(f"EXPOSE {port}", f"ENV P=1\nEXPOSE $P {port}"), encoding="utf-8")
    out = shop.inv("container-run", "--detach").ok().out
    assert f"one: its image has the ports 1, {port}, so none is published: set container.services.one.port" in out
    assert "127.0.0.1" not in out
    described(shop, f"port: {port}")
    out = shop.inv("container-run", "--detach").ok().out
    assert "none is published" not in out
    assert f"http://127.0.0.1:{port}" in out


def test_a_service_has_the_memory_folders_and_environment_that_it_is_given(shop: Repo) -> None:
    add(
        shop,
        "one",
        'echo "$WORD" > /run/app/word && cat /run/app/word; sleep 2; x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done',
        "USER 1000:1000",
    )
    described(shop, "memory: 24MB", "tmpfs: /run/app", "env: {WORD: '$HOME, 1=1'}")
    with Run(shop) as run:
        run.says("one | $HOME, 1=1")
        host = inspect("tiny-one")["HostConfig"]
        assert (host["Memory"], host["MemorySwap"]) == (24_000_000, 24_000_000)
        assert run.end(None, seconds=60) == 6, run.text
    assert "one | was killed: out of memory (exit code 137)" in run.text


def test_ports_of_others_are_named_with_their_owners_before_anything_starts(shop: Repo) -> None:
    one, two = serving(shop, "one"), serving(shop, "two")
    shop.inv("container-build").ok()
    with (
        socket.create_server(("0.0.0.0", one)),  # noqa: S104 - as many programs listen
        foreign("-p", f"127.0.0.1:{two}:80", "--name", "tiny-web") as web,
    ):
        result = shop.inv("container-run").fails(
            2,
            f"one: port {one} is taken by ",
            f"(pid {os.getpid()}): kill {os.getpid()}",
            f"two: port {two} is taken by the container tiny-web ({REGISTRY}/one:latest): docker stop tiny-web",
        )
        assert Path("/proc/self/comm").read_text(encoding="utf-8").strip() in result.all
        assert names() == []
        assert inspect(web)["State"]["Running"] is True


def test_a_container_of_our_name_that_is_not_ours_is_left_alone(shop: Repo) -> None:
    serving(shop, "one")
    shop.inv("container-build").ok()
    with foreign("--name", "tiny-one") as other:
        shop.inv("container-run").fails(2, "the name tiny-one is taken", "docker rename tiny-one tiny-one-old")
        shop.inv("container-stop").ok()
        assert inspect(other)["State"]["Running"] is True


def test_an_unhealthy_service_is_shown_with_its_last_lines_and_stops_all(shop: Repo) -> None:
    serving(shop, "one")
    serving(shop, "two", health="sh -c 'echo no database; exit 1'")
    shop.inv("container-run").fails(
        6, "two is unhealthy: no database", "| two listens", "1 of 2 did not come up: two", "--services two"
    )
    assert names() == []


def test_a_service_that_ends_while_it_comes_up_is_a_failure(shop: Repo) -> None:
    serving(shop, "one")
    add(shop, "two", "echo no configuration; echo x > /x; exit 3")
    result = shop.inv("container-run", "--detach").fails(6, "two ended with exit code 3", "| no configuration")
    assert "its root cannot be written" in result.all
    assert names() == []


def test_a_command_that_is_not_there_is_a_failure(shop: Repo) -> None:
    add(shop, "two", "true", 'ENTRYPOINT ["/missing"]')
    shop.inv("container-run").fails(6, "two does not start", "/missing", "hint: see CMD and ENTRYPOINT")
    assert names() == []


def test_one_that_dies_later_is_told_and_the_others_go_on(shop: Repo) -> None:
    port = serving(shop, "one")
    add(shop, "two", "printf '\\033[31mbad \\377 letters'; sleep 3; exit 4")
    with Run(shop) as run:
        run.says("two | ended with exit code 4; 1 goes on")
        assert "two | bad \ufffd letters\n" in run.text
        assert get(f"http://127.0.0.1:{port}/") == "hello from one\n"
        assert run.end(signal.SIGTERM) == 0, run.text
    assert "SIGTERM: stopping 1 service" in run.text
    assert names() == []


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (4, 6)])
def test_when_all_have_ended_so_has_the_run(shop: Repo, code: int, expected: int) -> None:
    add(shop, "one", "sleep 2")
    add(shop, "two", f"sleep 2; exit {code}")
    with Run(shop) as run:
        assert run.end(None, seconds=60) == expected, run.text
    assert "two | ended with exit code" in run.text
    assert names() == []


def test_a_run_that_is_stopped_from_elsewhere_ends_well(shop: Repo) -> None:
    add(shop, "one", "sleep 600")  # without a handler the first process does not hear SIGTERM, and gets killed
    with Run(shop) as run:
        run.says("Ctrl-C stops all")
        docker("rm", "-f", "tiny-one")
        assert run.end(None) == 0, run.text
    assert "one | was stopped and removed from outside" in run.text


def test_what_a_run_follows_no_other_run_takes_from_it(shop: Repo) -> None:
    serving(shop, "one")
    with Run(shop) as run:
        run.says("Ctrl-C stops all of them")
        shop.inv("container-run", "--detach").fails(2, "one: another container-run has started it, and follows it")
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
    shop.inv("container-run", "--detach").ok()


def test_a_second_ctrl_c_kills_at_once(shop: Repo) -> None:
    add(shop, "one", "trap '' TERM; echo deaf; while :; do sleep 1; done")
    with Run(shop) as run:
        run.says("one | deaf")
        run.process.send_signal(signal.SIGINT)
        run.says("Ctrl-C: stopping 1 service; again to kill")
        began = time.monotonic()
        assert run.end() == 130, run.text
        assert time.monotonic() - began < 5
    assert names() == []


def test_ctrl_c_before_all_are_up_stops_what_has_begun(shop: Repo) -> None:
    serving(shop, "one")
    port = free_port()
    add(shop, "two", "sleep 600", f"EXPOSE {port}", "HEALTHCHECK --interval=60s --retries=9 CMD false")
    shop.inv("container-build").ok()
    with Run(shop) as run:
        run.says("Starting one, two")
        time.sleep(2)
        assert run.end() == 130, run.text
    assert "before all services were up" in run.text
    assert names() == []


def test_a_run_that_was_killed_is_cleared_by_the_next(shop: Repo) -> None:
    port = serving(shop, "one")
    with Run(shop) as run:
        run.says("one | one listens")
        run.process.kill()
    assert names() == ["tiny-one"]
    with Run(shop) as run:
        run.says("Replaces what an earlier run left: tiny-one")
        run.says("one | one listens")
        assert get(f"http://127.0.0.1:{port}/") == "hello from one\n"
        assert run.end() == 0
    assert names() == []


def test_nobody_who_reads_is_no_reason_to_leave_containers(shop: Repo) -> None:
    add(shop, "one", "trap 'exit 0' TERM; while :; do echo word; sleep 0.1; done")
    shop.inv("container-build").ok()
    run = subprocess.Popen(
        [sys.executable, "-m", "invoke", "container-run"],
        cwd=shop.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stderr is not None
    while "word" not in run.stdout.readline():
        assert run.poll() is None
    run.stdout.close()
    assert run.wait(30) == 0
    assert run.stderr.read() == ""
    run.stderr.close()
    assert names() == []
