import http.server
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.engine import http as doors
from tasks.engine import ports
from tasks.errors import ConfigError
from tasks.plan import running
from tasks.plan.conditions import PATIENCE, SETTLED, Condition, Exit, Health, Stand, probing
from tasks.plan.freshness import Ages
from tasks.plan.loglines import LONGEST, lines
from tasks.plan.running import RUN_LABEL, Container, Launch, Process
from tasks.plan.targets import PROJECT_LABEL, SERVICE_LABEL
from tasks.report import running as report
from tasks.report import style

AGENT = Launch(project="shop", service="agent", image="r.test/agent:1", port=9001)
INDEXER = Launch(project="shop", service="indexer", image="r.test/indexer:1", port=9002)
WORKER = Launch(project="shop", service="worker", image="r.test/worker:1")


def ours(service: str, *, port: int | None = None, project: str = "shop", name: str | None = None) -> Container:
    return Container(
        id=f"id-{service}",
        name=name or f"{project}-{service}",
        image=f"r.test/{service}:1",
        labels={PROJECT_LABEL: project, SERVICE_LABEL: service, RUN_LABEL: project},
        published=() if port is None else (("127.0.0.1", port),),
    )


def theirs(name: str, *, address: str = "0.0.0.0", port: int | None = None) -> Container:  # noqa: S104 - as engines say it
    published = () if port is None else ((address, port),)
    return Container(id=f"id-{name}", name=name, image="nginx:1", labels={PROJECT_LABEL: "shop"}, published=published)


def said(decision: running.Decision) -> str:
    return str(running.refusal(decision.conflicts))


def test_a_free_machine_is_in_nobodys_way() -> None:
    decision = running.decide([AGENT, WORKER], [theirs("web", port=80)], {})
    assert decision == running.Decision(launches=(AGENT, WORKER), replaced=(), conflicts=())
    assert (AGENT.name, AGENT.url, WORKER.url) == ("shop-agent", "http://127.0.0.1:9001", "")


def test_a_program_on_the_port_is_named_with_its_end() -> None:
    decision = running.decide([AGENT], [], {9001: Process(4242, "python3")})
    assert said(decision) == "error: agent: port 9001 is taken by python3 (pid 4242)\nhint: kill 4242"


def test_a_program_that_nobody_may_see_is_another_one() -> None:
    assert "another program\nhint: sudo ss -ltnp 'sport = :9001'" in said(running.decide([AGENT], [], {9001: None}))


def test_what_forwards_to_another_engine_is_not_to_be_killed() -> None:
    text = said(running.decide([AGENT], [], {9001: Process(7, "docker-proxy")}))
    assert "a container of another engine" in text
    assert "kill" not in text


def test_the_container_counts_and_not_the_program_that_forwards_to_it() -> None:
    text = said(running.decide([AGENT], [theirs("web", port=9001)], {9001: Process(7, "docker-proxy")}))
    assert text == "error: agent: port 9001 is taken by the container web (nginx:1)\nhint: docker stop web"


@pytest.mark.parametrize(
    ("address", "in_the_way"), [("127.0.0.1", True), ("", True), ("10.0.0.7", False), ("::1", False)]
)
def test_only_a_port_that_overlaps_is_in_the_way(address: str, *, in_the_way: bool) -> None:
    decision = running.decide([AGENT], [theirs("web", address=address, port=9001)], {})
    assert bool(decision.conflicts) is in_the_way


def test_an_earlier_run_is_replaced_and_its_port_is_free_then() -> None:
    left = ours("agent", port=9001)
    decision = running.decide([AGENT, INDEXER], [left, ours("worker")], {9001: Process(7, "docker-proxy")})
    assert decision.replaced == (left,)
    assert not decision.conflicts


def test_a_service_of_an_earlier_run_that_stays_is_ended_by_container_stop() -> None:
    text = said(running.decide([AGENT], [ours("old", port=9001)], {}))
    assert text.endswith("hint: inv container-stop --services old")


@pytest.mark.parametrize(
    "other",
    [
        theirs("shop-agent"),
        ours("agent", project="shop-x", name="shop-agent"),
        ours("other", name="shop-agent"),  # made from an image that was committed from one of ours
    ],
)
def test_nobody_elses_container_goes_even_if_it_has_the_name(other: Container) -> None:
    decision = running.decide([AGENT], [other], {})
    assert not decision.replaced
    assert f"the name shop-agent is taken by a container that is not of container-run ({other.image})" in said(decision)
    assert "hint: docker rename shop-agent shop-agent-old" in said(decision)


def test_two_services_on_one_port_are_told_before_anything_starts() -> None:
    second = Launch(project="shop", service="second", image="r.test/second:1", port=9001)
    text = said(running.decide([AGENT, second], [], {9001: Process(1, "x")}))
    assert "agent: port 9001 is taken by x (pid 1)" in text
    assert "second: port 9001 is the one of agent, too" in text
    assert "container.services.second.publish: 9002" in text


def test_a_port_that_is_offered_is_nobodys() -> None:
    second = Launch(project="shop", service="second", image="r.test/second:1", port=9001)
    third = Launch(project="shop", service="third", image="r.test/third:1", port=9002)
    text = said(running.decide([AGENT, second, third], [theirs("web", port=9003)], {}))
    assert "container.services.second.publish: 9004" in text


def test_a_service_may_be_published_at_another_port_than_its_own() -> None:
    second = Launch(project="shop", service="second", image="r.test/second:1", port=9001, publish=9101, health="/up")
    assert not running.decide([AGENT, second], [], {}).conflicts
    assert (second.url, second.health_url) == ("http://127.0.0.1:9101", "http://127.0.0.1:9101/up")
    text = said(running.decide([second], [], {9101: Process(1, "x")}))
    assert "second: port 9101 is taken by x (pid 1)" in text


def test_what_another_run_follows_is_in_the_way_as_long_as_it_runs() -> None:
    text = said(running.decide([AGENT, INDEXER], [ours("agent")], {}, followed=["agent", "indexer"]))
    assert "agent: another container-run has started it, and follows it" in text
    assert "Ctrl-C there, or inv container-stop --services agent" in text
    assert "indexer" not in text
    ended = replace(ours("agent"), ended=True)
    assert not running.decide([AGENT], [ended], {}, followed=["agent"]).conflicts


def test_every_conflict_is_named_at_once() -> None:
    found = [theirs("shop-indexer"), theirs("web", port=9002)]
    error = running.refusal(running.decide([AGENT, INDEXER], found, {9001: Process(4, "x")}).conflicts)
    assert isinstance(error, ConfigError)
    assert [line.strip().split(": ")[0] for line in str(error).splitlines()[1:-1]] == ["agent", "indexer", "indexer"]
    assert "3 things are in the way, and nothing was started" in str(error)
    for word in ("kill 4", "docker rename shop-indexer shop-indexer-old", "docker stop web"):
        assert word in str(error)


def test_what_container_stop_takes_is_this_projects_alone() -> None:
    mine, other = ours("agent"), ours("indexer")
    found = [other, ours("agent", project="mall"), theirs("shop-worker"), ours("agent", name="copy"), mine]
    assert running.own(found, "shop") == (mine, other)
    assert running.own(found, "shop", ["indexer"]) == (other,)
    assert running.own(found, "shop", ["worker"]) == ()


# Recorded: 127.0.0.1:8000 and 0.0.0.0:8001 listen, 10.0.2.15:22 listens elsewhere, one connection is open.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101
   1: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 102
   2: 0F02000A:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 103
   3: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 104
"""
# [::]:9000 listens for both families, [::1]:9001 for its own alone.
REST = "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0"
TCP6 = f"""\
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000000000000:2328 {REST} 201
   1: 00000000000000000000000001000000:2329 {REST} 202
"""


def test_the_kernels_table_tells_who_listens_where_127_0_0_1_would() -> None:
    assert ports.listeners(TCP) == {"101": 8000, "102": 8001}
    assert ports.listeners(TCP6) == {"201": 9000}
    assert ports.listeners("  sl  local_address\n\n  0: short\n") == {}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel's table is Linux's")
def test_a_listener_of_this_process_is_found_and_a_free_port_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as free:
        port = server.getsockname()[1]
        free.bind(("127.0.0.1", 0))
        unused = free.getsockname()[1]
        free.close()
        found = ports.taken([port, unused])
    process = found.get(port)
    assert process is not None
    assert process.pid == os.getpid()
    assert process.name == Path("/proc/self/comm").read_text(encoding="utf-8").strip()
    assert unused not in found


@pytest.mark.parametrize(
    ("condition", "seconds", "stand"),
    [
        (Condition(service="a", health=Health.STARTING), 60, Stand.COMING),
        (Condition(service="a", health=Health.HEALTHY), 0, Stand.UP),
        (Condition(service="a", health=Health.UNHEALTHY), 60, Stand.FAILED),
        (Condition(service="a"), SETTLED / 2, Stand.COMING),
        (Condition(service="a"), SETTLED, Stand.UP),
        (Condition(service="a", exit=Exit(code=0)), 60, Stand.FAILED),
        (Condition(service="a", health=Health.HEALTHY, exit=Exit(code=None)), 60, Stand.FAILED),
    ],
)
def test_a_container_is_up_when_it_is_healthy_or_runs_on(condition: Condition, seconds: float, stand: Stand) -> None:
    assert condition.stand(seconds) is stand


@pytest.mark.parametrize(
    ("fault", "seconds", "stand"),
    [
        ("", 0, Stand.UP),
        ("http://127.0.0.1:1/x answers HTTP 503", PATIENCE - 1, Stand.COMING),
        ("http://127.0.0.1:1/x answers HTTP 503", PATIENCE, Stand.FAILED),
    ],
)
def test_what_a_health_path_answers_counts_as_a_check_does(fault: str, seconds: float, stand: Stand) -> None:
    found = Condition(service="a").answered(fault, seconds)
    assert found.stand(seconds) is stand
    if stand is Stand.FAILED:
        assert found.problem == "is unhealthy: after 60 s http://127.0.0.1:1/x answers HTTP 503"


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = {"/fine?a=1": 204, "/moved": 302}.get(self.path, 503)
        self.send_response(code)
        self.send_header("Location", "/fine?a=1")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        """Keep the output of the tests short."""


def test_a_health_path_is_asked_without_proxy_and_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server, socket.socket() as free:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        free.bind(("127.0.0.1", 0))
        here, nowhere = f"http://127.0.0.1:{server.server_port}", f"http://127.0.0.1:{free.getsockname()[1]}"
        found = doors.faults([f"{here}/fine?a=1", f"{here}/moved", f"{here}/", f"{nowhere}/", f"{here}/"])
        server.shutdown()
        thread.join()
    assert list(found.values()) == [
        "",
        f"{here}/moved answers HTTP 302",
        f"{here}/ answers HTTP 503",
        f"{nowhere}/ does not answer: Connection refused",
    ]


def test_what_answers_in_another_language_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def speak() -> None:
            with server.accept()[0] as peer:
                peer.recv(1000)
                peer.sendall(b"220 mail\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        assert doors.faults([url])[url].startswith(f"{url} does not answer")
        thread.join()


def test_an_end_says_what_it_was() -> None:
    assert str(Exit(code=3)) == "ended with exit code 3"
    assert "out of memory" in str(Exit(code=137, out_of_memory=True))
    assert "from outside" in str(Exit(code=None))
    assert [Exit(code=code).bad for code in (0, None, 3)] == [False, False, True]
    assert Condition(service="a", health=Health.UNHEALTHY, probe="HTTP 503").problem == "is unhealthy: HTTP 503"


SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("check", "period"),
    [
        ({"Test": ["CMD", "x"], "StartPeriod": 5 * SECOND, "Interval": 10 * SECOND}, 5 * SECOND),
        ({"Test": ["CMD", "x"], "Interval": 10 * SECOND}, 10 * SECOND),
        ({"Test": ["CMD", "x"], "Interval": 0}, 30 * SECOND),
    ],
)
def test_a_start_is_looked_at_often_and_only_until_the_first_regular_look(
    check: dict[str, object], period: int
) -> None:
    assert probing(check) == {"StartPeriod": period, "StartInterval": SECOND * 3 // 10}


@pytest.mark.parametrize("check", [None, {}, {"Test": []}, {"Test": ["NONE"]}])
def test_an_image_without_a_check_gets_none(check: dict[str, object] | None) -> None:
    assert probing(check) is None


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"one\ntw", b"o\n", b"rest"], ["one", "two", "rest"]),
        ([b"caf\xc3", b"\xa9\n"], ["caf\u00e9"]),
        ([b"\xff\xfe\n"], ["\ufffd\ufffd"]),
        ([b"cut \xc3"], ["cut \ufffd"]),
        ([b"10 %\r50 %\r100 %\r\n"], ["100 %"]),
        ([b"\n\n"], ["", ""]),
        ([], []),
    ],
)
def test_a_stream_becomes_lines_wherever_it_is_cut(chunks: list[bytes], expected: list[str]) -> None:
    assert list(lines(chunks)) == expected


def test_a_line_without_end_comes_in_pieces() -> None:
    found = lines(b"x" * 1000 for _ in range(200))
    assert [len(piece) for piece in found] == [LONGEST // 1000 * 1000 + 1000] * 3 + [200_000 - 3 * 66_000]


def test_log_lines_carry_their_service_and_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    log = report.Log(["agent", "indexer"])
    log.line("agent", "\x1b[31mred\x1b[0m\tand \x1b]0;title\x07more")
    log.ended("indexer", "ended with exit code 3", bad=True, others=1)
    assert capsys.readouterr().out == ("agent   | red    and more\nindexer | ended with exit code 3; 1 goes on\n")


def test_the_table_says_what_answers_where(capsys: pytest.CaptureFixture[str]) -> None:
    report.show([AGENT, WORKER], [Condition(service="worker"), Condition(service="agent", health=Health.HEALTHY)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        ["service", "state", "url", "container"],
        ["agent", "healthy", "http://127.0.0.1:9001", "shop-agent"],
        ["worker", "no", "health", "check", "shop-worker"],
    ]


def test_the_table_shows_the_address_to_ask_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    launch = Launch(project="shop", service="agent", image="r.test/agent:1", port=9001, health="/health")
    report.show([launch], [Condition(service="agent", health=Health.HEALTHY)])
    assert "http://127.0.0.1:9001/health" in capsys.readouterr().out


def test_what_is_older_than_its_sources_is_one_line_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    report.ages(Ages(outdated=("agent", "indexer"), unsure=("site",)), " --tags edge")
    said = capsys.readouterr().out.splitlines()
    command = "inv container-build --services"
    assert said == [
        f"Older than the sources: agent, indexer. Build: {command} agent,indexer --tags edge",
        f"Perhaps older than the sources, which only a build can tell: site. Build: {command} site --tags edge",
    ]
    report.ages(Ages(), "")
    report.ages(None, "")
    assert not capsys.readouterr().out
    assert report.answer([], [])["outdated"] is None
    assert report.answer([], [], Ages(unsure=("site",)))["unsure"] == ["site"]


def test_a_service_that_wants_to_write_is_told_why_it_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    report.failure(Condition(service="agent", exit=Exit(code=1)), ["open /x: Read-only file system"])
    assert "its root cannot be written" in capsys.readouterr().out
    report.failure(Condition(service="agent", exit=Exit(code=1)), [])
    assert "it has written nothing" in capsys.readouterr().out


def test_a_reader_that_has_gone_is_told_to_those_who_ask_and_spared_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        style.say("one")
        assert os.read(reading, 10) == b"one\n"
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            style.emit("two")
        style.say("three")
        style.say("four")
        with pytest.raises(BrokenPipeError):
            style.emit("five")
