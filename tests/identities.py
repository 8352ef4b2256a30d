"""Who says who somebody is: two issuers of identity tokens as OpenID Connect has them, on a port of this machine."""

import contextlib
import json
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support import packed, serving

AUDIENCE = "sigstore"
_NAMES = ("first", "second")
_SECONDS = 300
_EXPONENT = "AQAB"  # 65537, which openssl takes unless it is told otherwise


@dataclass
class Issuers:
    """Both give a token for whomever a test names; only by their addresses are they told apart."""

    folder: Path
    address: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Their addresses, as their tokens name them."""
        return tuple(f"{self.address}/{name}" for name in _NAMES)

    @property
    def certificate(self) -> Path:
        """Of the place where they listen."""
        return self.folder / "issuers.crt"

    def token(self, email: str, *, issuer: int = 0, audience: str = AUDIENCE, age: float = 0) -> str:
        """Return a token that was given ``age`` seconds ago; it counts for five minutes."""
        given = int(time.time() - age)
        whose = {"iss": self.all[issuer], "sub": uuid.uuid4().hex, "aud": audience, "email": email}
        claims = {**whose, "email_verified": True, "iat": given, "exp": given + _SECONDS}
        parts = [packed(json.dumps(one).encode()) for one in ({"typ": "JWT", "alg": "RS256", "kid": "tests"}, claims)]
        signing = ("openssl", "dgst", "-sha256", "-sign", self.folder / "issuers.key")
        made = subprocess.run(signing, input=".".join(parts).encode(), check=True, capture_output=True).stdout
        return ".".join([*parts, packed(made)])

    def answers(self) -> dict[str, bytes]:
        """Return what they answer, by path."""
        asked = ("openssl", "rsa", "-in", self.folder / "issuers.key", "-noout", "-modulus")
        told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        modulus = packed(bytes.fromhex(told.strip().partition("=")[2]))
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "tests", "n": modulus, "e": _EXPONENT}
        found = {"/keys": json.dumps({"keys": [key]}).encode()}
        for name, issuer in zip(_NAMES, self.all, strict=True):
            about = {
                "issuer": issuer,
                "jwks_uri": f"{self.address}/keys",
                "authorization_endpoint": f"{issuer}/authorize",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
            found[f"/{name}/.well-known/openid-configuration"] = json.dumps(about).encode()
        return found


class _Handler(BaseHTTPRequestHandler):
    answers: dict[str, bytes]

    def do_GET(self) -> None:
        found = self.answers.get(self.path)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def issuers(folder: Path) -> Iterator[Issuers]:
    """Serve them on a free port of this machine."""
    made = Issuers(folder)
    pair = ("-keyout", folder / "issuers.key", "-out", made.certificate)
    words = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2")
    subprocess.run([*words, "-addext", "subjectAltName=DNS:localhost", *pair], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, folder / "issuers.key")
    answers: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (_Handler,), {"answers": answers}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    made.address = f"https://localhost:{server.server_port}"
    answers.update(made.answers())
    with serving(server):
        yield made
