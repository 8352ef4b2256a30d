"""The cache service of GitHub Actions, as BuildKit speaks to it (its first protocol), kept in memory.

Its requests are those of github.com/tonistiigi/go-actions-cache: look up by the beginnings of keys, reserve, upload
in pieces, commit; what is found is read from an address of its own.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_API = "/_apis/artifactcache"
_RANGE = re.compile(r"bytes[ =](\d+)-(\d*)")


@dataclass
class Actions:
    """A service that runs: what was committed, the newest last."""

    address: str
    there: dict[str, bytes] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    """The keys that somebody was told to read."""
    reserved: list[tuple[str, bytearray]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        """What a job of GitHub Actions is given."""
        return environment(self.address)


def environment(address: str) -> dict[str, str]:
    """Return what a job is given whose cache service is at an address."""
    scopes = json.dumps([{"Scope": "refs/heads/main", "Permission": 3}])
    token = ".".join((_encoded({"alg": "none"}), _encoded({"ac": scopes, "nbf": 0, "exp": 2**32}), ""))
    return {
        "ACTIONS_RUNTIME_TOKEN": token,
        "ACTIONS_CACHE_URL": f"http://{address}/",
    }


def _encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


class _Handler(BaseHTTPRequestHandler):
    service: Actions
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == f"{_API}/cache":
            self._look_up(parse_qs(address.query)["keys"][0].split(","))
            return
        if address.path != "/archive":
            self._answer(404, b"")
            return
        content = self.service.there.get(parse_qs(address.query)["key"][0], b"")
        wanted = _RANGE.match(self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        last = int(wanted[2]) + 1 if wanted and wanted[2] else len(content)
        self._answer(206 if wanted else 200, content[first:last])

    def _look_up(self, keys: list[str]) -> None:
        with self.service.lock:
            for key in keys:
                match = next((name for name in reversed(self.service.there) if name.startswith(key)), None)
                if match is not None:
                    self.service.found.append(match)
                    where = f"http://{self.service.address}/archive?key={match.replace('#', '%23')}"
                    self._answer(200, _json({"cacheKey": match, "scope": "refs/heads/main", "archiveLocation": where}))
                    return
        self._answer(204, b"")

    def do_POST(self) -> None:
        told = json.loads(self._body())
        with self.service.lock:
            if self.path == f"{_API}/caches":
                if told["key"] in self.service.there:
                    self._answer(409, _json({"message": "already exists"}))
                    return
                self.service.reserved.append((told["key"], bytearray()))
                self._answer(201, _json({"cacheId": len(self.service.reserved)}))
                return
            key, content = self.service.reserved[int(self.path.rpartition("/")[2]) - 1]
            self.service.there[key] = bytes(content)
        self._answer(204, b"")

    def do_PATCH(self) -> None:
        body, wanted = self._body(), _RANGE.match(self.headers.get("Content-Range", ""))
        first = int(wanted[1]) if wanted else 0
        with self.service.lock:
            content = self.service.reserved[int(self.path.rpartition("/")[2]) - 1][1]
            content.extend(bytes(max(0, first + len(body) - len(content))))
            content[first : first + len(body)] = body
        self._answer(204, b"")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        pieces = bytearray()
        while size := int(self.rfile.readline(), 16):
            pieces += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(pieces)

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


@contextmanager
def actions() -> Iterator[Actions]:
    """Run a cache service that has nothing."""

    class Own(_Handler):
        """One service's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    Own.service = Actions(f"127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Own.service
    finally:
        server.shutdown()
        server.server_close()
