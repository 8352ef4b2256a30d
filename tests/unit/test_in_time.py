"""What asks a registry ends in time, however slowly that says something."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tasks.engine import registry
from tasks.engine.distribution import Distribution
from tasks.engine.in_time import in_time
from tasks.engine.retries import PassingError, Retries
from tasks.plan.retrying import Patience

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n"
PARTS = pytest.mark.parametrize("quick", [b"", HEAD + b"\r\n"], ids=["head", "body"])


@contextlib.contextmanager
def dripping(quick: bytes) -> Iterator[str]:
    """Serve answers of which a part comes at once, and the rest a byte each tenth of a second."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(quick)
            for byte in HEAD + b" " * 900:
                if over.wait(0.1):
                    return
                connection.sendall(bytes([byte]))

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


def test_a_head_that_drips_is_no_answer_and_a_body_is_not_waited_for() -> None:
    began = time.monotonic()
    with dripping(b"") as address, pytest.raises(PassingError, match=r"no whole answer within 1\.25 s"):
        registry.require(address, seconds=1)
    with dripping(HEAD + b"\r\n") as address:
        registry.require(address, seconds=1)
    assert time.monotonic() - began < 5


@PARTS
def test_an_answer_that_drips_is_given_up(quick: bytes) -> None:
    began = time.monotonic()
    with dripping(quick) as address:
        asked = Distribution(f"{address}/team", Retries(Patience(times=0)), seconds=0.5)
        with pytest.raises(PassingError, match=r"no whole answer within 1\.5 s"):
            asked.manifest("one", "latest")
    assert time.monotonic() - began < 5


def test_what_is_quick_comes_through_and_so_do_its_errors() -> None:
    assert in_time(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(5, lambda: 1 / 0)
    with pytest.raises(requests.Timeout):
        in_time(0.1, lambda: time.sleep(1))
