"""Engines for the tests: one of their own, with the image store that they choose, and a door before a real one."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support import docker, environment, wait_for

Spoil = Callable[[Any], Any]
"""Makes another answer out of one."""
_LONGEST = 1 << 16


def address() -> str:
    """Return where the engine of this machine listens, as DOCKER_HOST has it."""
    return docker("context", "inspect", "-f", "{{.Endpoints.docker.Host}}").strip()


@contextlib.contextmanager
def before(engine: str, path: str, spoil: Spoil) -> Iterator[str]:
    """Stand before an engine's socket, and spoil what it answers to requests with that in their path.

    Everything else goes through as it is; yields the address that clients are given.
    """
    with tempfile.TemporaryDirectory(prefix="door-") as folder, socket.socket(socket.AF_UNIX) as listener:
        place = Path(folder) / "docker.sock"
        listener.bind(str(place))
        listener.listen(64)
        words = (listener, engine.removeprefix("unix://"), path, spoil)
        threading.Thread(target=_serve, args=words, daemon=True).start()
        yield f"unix://{place}"


def _serve(listener: socket.socket, engine: str, path: str, spoil: Spoil) -> None:
    with contextlib.suppress(OSError):  # it was closed: the test is over
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_handle, args=(client, engine, path, spoil), daemon=True).start()


def _handle(client: socket.socket, engine: str, path: str, spoil: Spoil) -> None:
    """Hand on one request: its connection ends with the answer, so that the next comes by another."""
    with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
        server.connect(engine)
        head, rest = _head(client)
        words = head.split(b" ", 2)
        if b"\r\nupgrade:" not in head.lower():
            head += b"\r\nConnection: close"
        server.sendall(head + b"\r\n\r\n" + rest)
        if len(words) > 1 and path.encode() in words[1]:
            _spoilt(client, server, spoil)
            return
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    """Return a request's head, without what keeps the connection, and what came of its body with it."""
    told = b""
    while b"\r\n\r\n" not in told:
        part = client.recv(_LONGEST)
        if not part:
            raise OSError
        told += part
    head, _, rest = told.partition(b"\r\n\r\n")
    if b"\r\nupgrade:" in head.lower():
        return head, rest
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join(lines), rest


def _spoilt(client: socket.socket, server: socket.socket, spoil: Spoil) -> None:
    told = b"".join(iter(lambda: server.recv(_LONGEST), b""))
    head, _, body = told.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = _joined(body)
    said = json.dumps(spoil(json.loads(body))).encode()
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-length", b"transfer-enc"))]
    client.sendall(b"\r\n".join([*kept, b"Content-Length: %d" % len(said), b"", said]))


def _joined(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        found, body = found + body[:length], body[length + 2 :]
    return found


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(_LONGEST):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def own(program: Path, *, containerd: bool = True, data: Path | None = None) -> Iterator[str]:
    """Start an engine with nothing in it and no network, whose image store is containerd's or the older one."""
    with tempfile.TemporaryDirectory(prefix="ct-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        place = f"unix://{folder / 'docker.sock'}"
        about = {
            "bridge": "none",
            "data-root": str(data or folder / "data"),
            "exec-root": str(folder / "run"),
            "features": {"containerd-snapshotter": containerd},
            "hosts": [place],
            "iptables": False,
            "ip6tables": False,
            "pidfile": str(folder / "pid"),
        }
        if not containerd:
            about["storage-driver"] = "vfs"  # the one that stands on every disk
        (folder / "daemon.json").write_text(json.dumps(about), encoding="utf-8")
        search = os.pathsep.join([str(program.parent), str(program.parents[1] / "bin"), os.environ["PATH"]])
        with (folder / "log").open("wb") as log:
            engine = subprocess.Popen(
                [program, "--config-file", folder / "daemon.json"],
                env=environment({"PATH": search}),
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(lambda: _is_up(place), 60, what=lambda: (folder / "log").read_text(errors="replace")[-2000:])
            yield place
        finally:
            engine.terminate()
            engine.wait(60)
            if data is None:  # it has mounted that on itself
                subprocess.run(["umount", "-q", folder / "data"], check=False, stderr=subprocess.DEVNULL)


def _is_up(place: str) -> bool:
    return docker("version", "-f", "{{.Server.Version}}", check=False, env={"DOCKER_HOST": place}).strip() != ""
