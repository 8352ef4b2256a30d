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
from urllib.parse import parse_qs

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
KINDS = f"{_INDEX}, {_MANIFEST}"
_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass(slots=True)
class Answer:
    """What the real registry answered, to be spoilt."""

    status: int
    headers: dict[str, str]
    body: bytes


Fault = Callable[["Handler", Answer], None]


@dataclass(slots=True)
class Asked:
    """One request, and what became of it."""

    method: str
    path: str
    client: str
    """The program that asked, as it calls itself."""
    status: int = 0
    """What the registry answered; 0 where the request did not reach it."""
    login: str = field(default="", repr=False)
    spoilt: bool = False
    """Whether a fault has been served in place of the answer, to its end."""

    @property
    def key(self) -> str:
        """Who asks what: the same for the same step of another run, whatever digests it has."""
        path = re.sub(r"sha256([:-])[0-9a-f]{64}", r"sha256\1*", self.path)
        path = re.sub(r"/uploads/[^/?]+.*", "/uploads/*", path)
        return f"{self.client} {self.method} {path}"


@dataclass(slots=True)
class Rule:
    """What is spoilt, how, and when."""

    what: Callable[[Asked], bool]
    fault: Fault
    first: int = 1
    """The first of the matching requests that is spoilt."""
    times: int | None = None
    """How many are; all from then on where it is None."""
    reaches: bool = True
    """Whether a spoilt request has reached the registry before: then what it asks for is done."""
    matched: int = 0

    def takes(self, asked: Asked) -> bool:
        """Count a request that matches; whether it is to be spoilt."""
        if not self.what(asked):
            return False
        self.matched += 1
        return self.matched >= self.first and (self.times is None or self.matched < self.first + self.times)


@dataclass
class Faulty:
    """Its address, what it spoils, and what was asked."""

    behind: str
    address: str = ""
    faults: list[Rule] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Methods and paths, in the order in which they came."""
    log: list[Asked] = field(default_factory=list)
    """The same, and what became of each."""
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def spoilt(self) -> list[Asked]:
        """The requests whose fault was served."""
        return [one for one in self.log if one.spoilt]

    def at(self, path: str, fault: Fault) -> "Faulty":
        """Spoil the answers to paths that match."""
        pattern = re.compile(path)
        return self.when(Rule(lambda asked: pattern.search(asked.path) is not None, fault))

    def when(self, rule: Rule) -> "Faulty":
        """Spoil what a rule says."""
        self.faults.append(rule)
        return self

    def anew(self) -> None:
        """Spoil nothing more, let go what hangs, and forget what was asked."""
        over, self.over = self.over, threading.Event()
        over.set()
        with self.lock:
            self.faults, self.asked, self.log = [], [], []

    def take(self, asked: Asked) -> Rule | None:
        """Write a request down, and return the first rule that spoils it."""
        with self.lock:
            self.asked.append((asked.method, asked.path))
            self.log.append(asked)
            return next((rule for rule in [rule for rule in self.faults if rule.takes(asked)]), None)


class Handler(BaseHTTPRequestHandler):
    """Asks the real registry, and hands on what it answers, or what a fault makes of it."""

    protocol_version = "HTTP/1.1"
    faulty: Faulty
    over: threading.Event
    body: bytes
    noted: Asked

    def handle_one_request(self) -> None:
        if (
            self.connection.recv(1, socket.MSG_PEEK) == b"\x16"
        ):  # TLS: engines try it first, and look for what a Go server says then
            self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            self.close_connection = True
            return
        super().handle_one_request()

    def _pass(self) -> None:
        client = self.headers.get("user-agent", "").partition("/")[0]
        asked = Asked(self.command, self.path, client, login=self.headers.get("authorization", ""))
        rule = self.faulty.take(asked)
        self.over, self.noted = self.faulty.over, asked
        self.body = self._chunks() if self._chunked else self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.passed_on() if rule is None or rule.reaches else Answer(0, {}, b"")
        asked.status = answer.status
        if rule is None:
            self.send(answer)
            return
        try:
            rule.fault(self, answer)
        except OSError:  # who asked is gone, as some do before the end of a fault
            self.close_connection = True
        asked.spoilt = True

    @property
    def _chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def passed_on(self) -> Answer:
        """Return what the real registry answers."""
        connection = http.client.HTTPConnection(self.faulty.behind.replace("localhost", "127.0.0.1"), timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
        connection.request(self.command, self.path, body=self.body, headers=headers)
        real = connection.getresponse()
        answer = Answer(real.status, {k: v for k, v in real.getheaders() if k.lower() not in _HOP}, real.read())
        if self.command == "HEAD":
            answer.headers["Content-Length"] = real.headers.get("content-length", "0")
        connection.close()
        return answer

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
    handler.noted.spoilt = True
    handler.over.wait()
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
        if handler.over.wait(1):
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


def status(number: int, **headers: str) -> Fault:
    """Answer with a status, these headers, and nothing else."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    def fault(handler: Handler, answer: Answer) -> None:
        handler.send(Answer(number, {**told, **({"Content-Length": "0"} if handler.command == "HEAD" else {})}, b""))

    return fault


def cut(handler: Handler, answer: Answer) -> None:
    """Cut the connection in the middle of the answer: of its body, or, where it has none, of its first line."""
    if handler.command == "HEAD" or not answer.body:
        handler.wfile.write(b"HTTP/1.1 2")
    else:
        handler.send_response(answer.status)
        for key, value in answer.headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body[: len(answer.body) // 2])
    handler.wfile.flush()
    time.sleep(0.05)  # so that the half arrives before the end
    reset(handler, answer)


def doing(what: Callable[[], object]) -> Fault:
    """Do something to the machine meanwhile, and cut the connection."""

    def fault(handler: Handler, answer: Answer) -> None:
        what()
        reset(handler, answer)

    return fault


def wrong(handler: Handler, answer: Answer) -> None:
    """Answer with another digest, and another content where there is one."""
    named = {key.lower(): key for key in answer.headers}
    if "docker-content-digest" in named:
        answer.headers[named["docker-content-digest"]] = (
            f"sha256:{hashlib.sha256(answer.body or b'x').hexdigest()[::-1]}"
        )
    other(handler, answer)


@dataclass
class Tokens:
    """A token service whose tokens are good for so many requests only, and no time is told."""

    uses: int
    user: str = "robot"
    password: str = "let-me-in"  # noqa: S105 - whoever reads this may have it
    left: dict[str, int] = field(default_factory=dict)
    expired: int = 0
    """Requests that came with a token that had been good."""

    def rule(self) -> Rule:
        """Return what lets in only who has a good token."""
        return Rule(self._refuses, self._answer, reaches=False)

    def _refuses(self, asked: Asked) -> bool:
        token = asked.login.removeprefix("Bearer ")
        if self.left.get(token, 0) > 0 and not asked.path.startswith("/token"):
            self.left[token] -= 1
            return False
        self.expired += token in self.left
        return True

    def _answer(self, handler: "Handler", _: Answer) -> None:
        if not handler.path.startswith("/token"):
            way = f'Bearer realm="http://{handler.headers["Host"]}/token",service="here",scope="{_scope(handler.path)}"'
            error = ',error="invalid_token"' if handler.headers.get("authorization") else ""
            handler.send(Answer(401, {"WWW-Authenticate": way + error, "Content-Length": "0"}, b""))
            return
        basic = f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
        said, form = handler.headers.get("authorization"), parse_qs(handler.body.decode())
        if said != basic and form.get("password") != [self.password]:
            handler.send(Answer(401, {}, b""))
            return
        token = os.urandom(8).hex()
        self.left[token] = self.uses
        content = json.dumps({"token": token, "access_token": token}).encode()
        handler.send(Answer(200, {"Content-Type": "application/json"}, content))


def forgets(handler: Handler, answer: Answer) -> None:
    """Say that a manifest was taken, and pass nothing on."""
    handler.send(Answer(201, {"Docker-Content-Digest": f"sha256:{sha256(handler.body)}"}, b""))


def _scope(path: str) -> str:
    found = re.match(r"/v2/(.+?)/(?:manifests|blobs|tags|referrers)/", path)
    return f"repository:{found.group(1)}:pull,push" if found else ""


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


def sha256(content: bytes) -> str:
    """Return a digest as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _call(registry: str, method: str, path: str, body: bytes = b"", kind: str = "") -> Answer:
    headers = {"Content-Type": kind, "Accept": KINDS}
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
