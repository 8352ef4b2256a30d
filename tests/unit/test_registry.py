import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tasks.engine import registry
from tasks.engine.retries import PassingError
from tasks.errors import PushError

Serve = Callable[[int], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that answer every request with one status, and remember the paths."""
    servers: list[HTTPServer] = []

    def start(status: int) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/v2/" else 418)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_registry_answers_whoever_may_use_it(serve: Serve, status: int) -> None:
    registry.require(f"{serve(status)}/team/images")


@pytest.mark.parametrize("status", [404, 500, 301])
def test_another_server_is_no_registry(serve: Serve, status: int) -> None:
    with pytest.raises(PushError, match=f"does not answer as a registry: HTTP {status} for /v2/") as caught:
        registry.require(serve(status))
    assert caught.value.code == 5


@pytest.mark.parametrize(("status", "passes"), [(429, True), (503, True), (404, False), (301, False)])
def test_what_can_pass_is_told_from_what_cannot(serve: Serve, status: int, passes: bool) -> None:
    with pytest.raises(PushError) as caught:
        registry.require(serve(status))
    assert isinstance(caught.value, PassingError) is passes


def test_a_port_where_nobody_listens_is_said_at_once_and_a_silent_one_may_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PassingError):
            registry.require(address, seconds=0.05)
    with pytest.raises(PushError) as caught:
        registry.require(address)
    assert not isinstance(caught.value, PassingError)


def test_a_proxy_is_not_asked_for_this_machine(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    registry.require(serve(200))


def test_a_registry_that_is_not_there_is_named_with_the_reason() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(PushError) as caught:
            registry.require(f"{address}/team")
    assert str(caught.value).startswith(f"error: the registry {address} cannot be reached: Connection refused\nhint: ")


def test_a_server_that_says_nothing_is_given_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(PushError, match=r"cannot be reached: .*timed out"),
    ):
        registry.require(f"127.0.0.1:{silent.getsockname()[1]}", seconds=0.05)


def test_a_server_that_speaks_no_http_is_given_up() -> None:
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"220 smtp\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        with pytest.raises(PushError, match="cannot be reached"):
            registry.require(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("ghcr.io/aic-sos", "ghcr.io"),
        ("localhost:5000/a", "localhost:5000"),
        ("localhost", "localhost"),
        ("organisation/team", "registry-1.docker.io"),
        ("organisation", "registry-1.docker.io"),
        ("docker.io/organisation", "registry-1.docker.io"),
    ],
)
def test_a_registry_is_asked_at_its_own_host(name: str, host: str) -> None:
    assert registry.host_of(name) == host


@pytest.mark.parametrize(
    ("shell", "names"),
    [
        ({"HTTPS_PROXY": "DEAD"}, ("HTTPS_PROXY",)),
        (
            {"HTTPS_PROXY": "DEAD", "https_proxy": "DEAD"},
            ("https_proxy", "HTTPS_PROXY"),
        ),
        ({"ALL_PROXY": "DEAD"}, ("ALL_PROXY",)),
        ({"HTTPS_PROXY": "DEAD", "https_proxy": "LIVE"}, ()),
        ({"https_proxy": "LIVE", "all_proxy": "DEAD"}, ()),
        ({"HTTPS_PROXY": "DEAD", "NO_PROXY": ".test"}, ()),
        ({"HTTP_PROXY": "DEAD"}, ()),
        ({"HTTPS_PROXY": "http://[::"}, ("HTTPS_PROXY",)),
    ],
)
def test_the_proxy_that_counts_for_a_host_is_told_where_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, shell: dict[str, str], names: tuple[str, ...]
) -> None:
    for kind in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind}_proxy".upper(), raising=False)
    with socket.create_server(("127.0.0.1", 0)) as live:
        places = {"DEAD": "http://u:secret@127.0.0.1:1", "LIVE": f"http://127.0.0.1:{live.getsockname()[1]}"}
        for name, value in shell.items():
            monkeypatch.setenv(name, places.get(value, value))
        assert registry.dead_proxies("images.test:5000") == names
        assert registry.dead_proxies("localhost:5000") == ()
