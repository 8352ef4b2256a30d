"""What a registry may answer when it is asked for its tags: nothing of it ends in a traceback, or never."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.engine.distribution import Distribution
from tasks.engine.retries import Retries
from tasks.errors import PushError
from tasks.plan.retrying import Patience

Serve = Callable[..., Distribution]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that answer every request alike."""
    servers: list[ThreadingHTTPServer] = []

    def start(body: bytes, status: int = 200, **headers: str) -> Distribution:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        patience = Patience(times=1, wait=0.01, limit=0.1)
        return Distribution(f"127.0.0.1:{server.server_port}/team", Retries(patience, lambda _: None), seconds=5)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"tags": 5}', b"[]", b"<html>", b"[" * 100_000, b'{"tags": {"a": 1}}'])
def test_what_is_no_list_of_tags_is_refused(serve: Serve, body: bytes) -> None:
    with pytest.raises(PushError, match="something else than its tags"):
        serve(body).tags("one")


def test_a_list_that_leads_back_to_itself_ends(serve: Serve) -> None:
    following = '</v2/team/one/tags/list?n=1000&last=a>; rel="next"'
    with pytest.raises(PushError, match="a list of tags that never ends"):
        serve(b'{"tags": ["a"]}', Link=following).tags("one")


@pytest.mark.parametrize("after", ["\xb2", "soon", "-1", "1e9", ""])
def test_a_wait_that_is_none_is_not_kept(serve: Serve, after: str) -> None:
    with pytest.raises(PushError, match="HTTP 429"):
        serve(b"", 429, Retry_After=after).tags("one")


def test_a_list_of_tags_is_one(serve: Serve) -> None:
    assert serve(b'{"tags": ["a", "b", "a", 3]}').tags("one") == ("a", "b")
    assert serve(b'{"tags": null}').tags("one") == ()
    assert serve(b"", 404).tags("one") == ()
