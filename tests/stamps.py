"""Who says when something was signed: OpenSSL's own time stamps (RFC 3161), on a port of this machine.

Sigstore's program for it listens on one port that cannot be chosen, so that two runs of the tests could not have it.
"""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support import serving

_CONFIG = """\
[req]
distinguished_name = names
[names]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamps]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = now
[now]
serial = {folder}/stamps.serial
default_policy = 1.2.3.4
digests = sha256,sha384,sha512
ess_cert_id_alg = sha256
signer_digest = sha256
"""


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    one_by_one: threading.Lock

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        with self.one_by_one:  # they are numbered in a file
            made = _openssl(
                *("ts", "-reply", "-config", self.folder / "stamps.cnf", "-queryfile", "/dev/stdin"),
                *("-signer", self.folder / "stamps.crt", "-inkey", self.folder / "stamps.key"),
                given=asked,
            )
        self.send_response(201)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(made)))
        self.end_headers()
        self.wfile.write(made)

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def stamps(folder: Path) -> Iterator[str]:
    """Serve it on a free port of this machine, and yield its address; ``stamps-chain.crt`` is what it is known by."""
    (folder / "stamps.cnf").write_text(_CONFIG.format(folder=folder), encoding="utf-8")
    (folder / "stamps.serial").write_text("01\n", encoding="utf-8")
    root, own, chain = folder / "stamps-root.crt", folder / "stamps.crt", folder / "stamps-chain.crt"
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    about = ("-config", folder / "stamps.cnf", "-subj")
    by = ("-CA", root, "-CAkey", root.with_suffix(".key"), "-extensions", "stamps")
    _openssl(*new, *about, "/O=t/CN=root", "-extensions", "authority", "-keyout", by[3], "-out", root)
    _openssl(*new, *about, "/O=t/CN=stamps", *by, "-keyout", own.with_suffix(".key"), "-out", own)
    chain.write_bytes(own.read_bytes() + root.read_bytes())
    told = {"folder": folder, "one_by_one": threading.Lock()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Serving", (_Handler,), told))
    server.daemon_threads = True
    with serving(server):
        yield f"http://localhost:{server.server_port}"


def _openssl(*words: str | Path, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=given, check=True, capture_output=True).stdout
