"""A token service as registries name one: it gives a registry's own kind of token to who has the login."""

import base64
import contextlib
import json
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support import LOGIN, packed, serving

ISSUER, SERVICE = "the tests", "registry.test"
_SECONDS = 300


@dataclass
class Tokens:
    """Its address, its key, and the scopes that it gave tokens for."""

    folder: Path
    address: str = ""
    given: list[str] = field(default_factory=list)
    refused: int = 0

    @property
    def auth(self) -> str:
        """What a registry's configuration says of it."""
        return (
            f"{{token: {{realm: '{self.address}/token', service: {SERVICE}, issuer: {ISSUER},"
            f" rootcertbundle: {self.folder / 'token.crt'}}}}}"
        )

    def token(self, scopes: Sequence[str], *, known: bool) -> str:
        """Return a token; who is not known may do nothing."""
        now = int(time.time())
        access = []
        for scope in scopes if known else ():
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {"iss": ISSUER, "aud": SERVICE, "sub": LOGIN[0] if known else "", "jti": uuid.uuid4().hex}
        times = {"iat": now, "nbf": now - 5, "exp": now + _SECONDS}
        der = (self.folder / "token.crt").read_text(encoding="utf-8").split("-----")[2].replace("\n", "")
        parts = [
            packed(json.dumps(one).encode())
            for one in ({"typ": "JWT", "alg": "RS256", "x5c": [der]}, {**claims, **times, "access": access})
        ]
        signing = ("openssl", "dgst", "-sha256", "-sign", self.folder / "token.key")
        made = subprocess.run(signing, input=".".join(parts).encode(), check=True, capture_output=True).stdout
        return ".".join([*parts, packed(made)])


class _Handler(BaseHTTPRequestHandler):
    tokens: Tokens

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        said = self.headers.get("Authorization")
        basic = f"Basic {base64.b64encode(':'.join(LOGIN).encode()).decode()}"
        self._give(asked, known=said == basic, wrong=said not in {None, basic})

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = (asked.get("username", [""])[0], asked.get("password", [""])[0]) == LOGIN
        self._give(asked, known=known, wrong=not known)

    def _give(self, asked: dict[str, list[str]], *, known: bool, wrong: bool) -> None:
        scopes = [one for given in asked.get("scope", []) for one in given.split()]
        if wrong:
            self.tokens.refused += 1
            self._send(401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
            return
        self.tokens.given += scopes if known else []
        token = self.tokens.token(scopes, known=known)
        self._send(200, {"token": token, "access_token": token, "expires_in": _SECONDS})

    def _send(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def tokens(folder: Path) -> Iterator[Tokens]:
    """Serve it on a free port of this machine."""
    made = Tokens(folder)
    pair = ("-keyout", folder / "token.key", "-out", folder / "token.crt")
    words = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests", "-days", "2")
    subprocess.run([*words, *pair], check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (_Handler,), {"tokens": made}))
    server.daemon_threads = True
    made.address = f"http://localhost:{server.server_port}"
    with serving(server):
        yield made
