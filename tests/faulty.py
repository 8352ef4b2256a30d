"""A registry with faults: stands before a real one, and answers wrongly what a test names."""

import base64
import contextlib
import hashlib
import http.client
import io
import json
import os
import re
import socket
import struct
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass(slots=True)
class Answer:
    """What the real registry answered, to be spoilt."""

    status: int
    headers: dict[str, str]
    body: bytes


Fault = Callable[["Handler", Answer], None]


@dataclass
class Faulty:
    """Its address, the faults by path, and what was asked."""

    behind: str
    address: str = ""
    faults: list[tuple[re.Pattern[str], Fault]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Methods and paths."""
    over: threading.Event = field(default_factory=threading.Event)

    def at(self, path: str, fault: Fault) -> "Faulty":
        """Spoil the answers to paths that match."""
        self.faults.append((re.compile(path), fault))
        return self


class Handler(BaseHTTPRequestHandler):
    """Asks the real registry, and hands on what it answers, or what a fault makes of it."""

    protocol_version = "HTTP/1.1"
    faulty: Faulty

    def handle_one_request(self) -> None:
        if (
            self.connection.recv(1, socket.MSG_PEEK) == b"\x16"
        ):  # TLS: engines try it first, and look for what a Go server says then
            self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            self.close_connection = True
            return
        super().handle_one_request()

    def _pass(self) -> None:
        self.faulty.asked.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        connection = http.client.HTTPConnection(self.faulty.behind.replace("localhost", "127.0.0.1"), timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
        connection.request(self.command, self.path, body=body, headers=headers)
        real = connection.getresponse()
        answer = Answer(real.status, {k: v for k, v in real.getheaders() if k.lower() not in _HOP}, real.read())
        if self.command == "HEAD":
            answer.headers["Content-Length"] = real.headers.get("content-length", "0")
        connection.close()
        fault = next((fault for path, fault in self.faulty.faults if path.search(self.path)), None)
        if fault is None:
            self.send(answer)
        else:
            fault(self, answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - http.server's names

    def send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *words: object) -> None:
        pass


def silent(handler: Handler, answer: Answer) -> None:
    """Never answer."""
    handler.faulty.over.wait()
    handler.close_connection = True


def stuck(handler: Handler, answer: Answer) -> None:
    """Begin to answer, and never go on."""
    handler.send_response(answer.status)
    for key, value in answer.headers.items():
        handler.send_header(key, value)
    if handler.command == "HEAD":
        handler.end_headers()
        return
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body[: len(answer.body) // 2])
    handler.wfile.flush()
    silent(handler, answer)


def drip(handler: Handler, answer: Answer) -> None:
    """Send a byte a second."""
    handler.send_response(answer.status)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    for number in range(len(answer.body)):
        if handler.faulty.over.wait(1):
            break
        with contextlib.suppress(OSError):
            handler.wfile.write(answer.body[number : number + 1])
    handler.close_connection = True


def reset(handler: Handler, answer: Answer) -> None:
    """Cut the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def page(handler: Handler, answer: Answer) -> None:
    """Answer with a page for people, and 200: what a proxy does."""
    handler.send(Answer(200, {"Content-Type": "text/html"}, b"<html><body>Please log in</body></html>"))


def status(number: int) -> Fault:
    """Answer with a status and nothing else."""

    def fault(handler: Handler, answer: Answer) -> None:
        handler.send(Answer(number, {"Content-Length": "0"} if handler.command == "HEAD" else {}, b""))

    return fault


def login(user: str, password: str, *, service: bool) -> Fault:
    """Let in only who says the words: to the registry itself, or to its token service."""
    basic = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"

    def fault(handler: Handler, answer: Answer) -> None:
        realm = f"http://{handler.headers['Host']}/token"
        said = handler.headers.get("Authorization")
        if handler.path.startswith("/token"):
            if said != basic:
                handler.send(Answer(401, {}, b""))
            else:
                handler.send(Answer(200, {"Content-Type": "application/json"}, b'{"token": "let-me-in"}'))
        elif said == ("Bearer let-me-in" if service else basic):
            handler.send(answer)
        else:
            way = f'Bearer realm="{realm}",service="here",scope="repository:team/one:pull"' if service else "Basic"
            handler.send(Answer(401, {"WWW-Authenticate": way, "Content-Length": "0"}, b""))

    return fault


def other(handler: Handler, answer: Answer) -> None:
    """Change a byte of the answer."""
    at = len(answer.body) // 2
    body = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :] if answer.body else b""
    handler.send(Answer(answer.status, answer.headers, body))


def _call(registry: str, method: str, path: str, body: bytes = b"", kind: str = "") -> Answer:
    headers = {"Content-Type": kind, "Accept": f"{_INDEX}, {_MANIFEST}"}
    with contextlib.closing(http.client.HTTPConnection(registry.replace("localhost", "127.0.0.1"), timeout=30)) as link:
        link.request(method, path, body=body, headers=headers)
        answer = link.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())


def foreign(registry: str, name: str, tags: Sequence[str]) -> None:
    """Give a published image one layer more on every platform, as if another machine had built it.

    No engine here has that layer, so whoever pulls the image has to ask for it.
    """

    def read(kind: str, what: str) -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(_call(registry, "GET", f"/v2/{name}/{kind}/{what}").body)

    def write(content: bytes, kind: str, tag: str = "") -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if kind in {_INDEX, _MANIFEST}:
            answer = _call(registry, "PUT", f"/v2/{name}/manifests/{tag or digest}", content, kind)
        else:
            place = _call(registry, "POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
            path = "/" + place.partition("//")[2].partition("/")[2]
            answer = _call(registry, "PUT", f"{path}&digest={digest}", content, "application/octet-stream")
        assert answer.status == 201, answer.body
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    index = read("manifests", tags[0])
    for entry in index["manifests"]:
        if entry["platform"]["os"] == "unknown":
            continue
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            member = tarfile.TarInfo("more")
            member.size = 300_000
            archive.addfile(member, io.BytesIO(os.urandom(member.size)))
        manifest = read("manifests", entry["digest"])
        config = read("blobs", manifest["config"]["digest"])
        made = write(layer.getvalue(), "application/vnd.oci.image.layer.v1.tar")
        config["rootfs"]["diff_ids"].append(made["digest"])
        config["history"].append({"created_by": "another machine"})
        manifest["layers"].append(made)
        manifest["config"] |= write(json.dumps(config).encode(), manifest["config"]["mediaType"])
        entry.update(write(json.dumps(manifest).encode(), _MANIFEST))
    for tag in tags:
        write(json.dumps(index).encode(), _INDEX, tag)


@contextlib.contextmanager
def faulty(behind: str) -> Iterator[Faulty]:
    """Serve what the registry ``behind`` serves, with the faults that a test adds."""
    made = Faulty(behind)
    handler = type("Serving", (Handler,), {"faulty": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    made.address = f"localhost:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        server.server_close()
        time.sleep(0.05)
