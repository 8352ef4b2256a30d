"""The engine's socket, asked without the SDK."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tasks.engine import client_file, quick
from tasks.engine.machine.reach import USUAL_SOCKET


@pytest.fixture
def place() -> Iterator[Path]:
    with TemporaryDirectory() as folder:  # a socket's path is short
        yield Path(folder) / "s"


def answering(place: Path, answer: bytes) -> None:
    """Answer one request on a socket with these bytes."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(place))
    server.listen()

    def serve() -> None:
        with server, server.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()


def http(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def test_what_the_engine_says_is_read(place: Path) -> None:
    answering(place, http("200 OK", b'{"Arch": "amd64"}'))
    assert quick.Socket(place).version() == {"Arch": "amd64"}


@pytest.mark.parametrize(
    "answer",
    [
        http("500 Internal Server Error", b"{}"),
        http("200 OK", b"<html>"),
        http("200 OK", b"[1]"),
        http("200 OK", b"null"),
        http("200 OK", b"\xff"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_answer_is_left_to_the_sdk(place: Path, answer: bytes) -> None:
    answering(place, answer)
    with pytest.raises(quick.UnansweredError):
        quick.Socket(place).images(["one:latest"])


def test_a_socket_that_is_not_there_is_left_to_the_sdk(place: Path) -> None:
    with pytest.raises(quick.UnansweredError):
        quick.Socket(place).info()


@pytest.mark.parametrize(
    ("variables", "context", "expected"),
    [
        ({}, None, str(USUAL_SOCKET)),
        ({}, "default", str(USUAL_SOCKET)),
        ({}, "elsewhere", None),
        ({"DOCKER_CONTEXT": "elsewhere"}, None, None),
        ({"DOCKER_CONTEXT": "default"}, "elsewhere", str(USUAL_SOCKET)),
        ({"DOCKER_HOST": "unix:///run/x.sock"}, "elsewhere", "/run/x.sock"),
        ({"DOCKER_HOST": "tcp://localhost:2375"}, None, None),
        ({"DOCKER_HOST": "ssh://somebody@host"}, None, None),
        ({"DOCKER_HOST": "unix://relative"}, None, None),
    ],
)
def test_it_is_asked_only_where_dockers_own_client_would(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: dict[str, str],
    context: str | None,
    expected: str | None,
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": context}), encoding="utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    found = quick.engine(client_file.context()[0])
    assert found == (None if expected is None else quick.Socket(Path(expected)))
