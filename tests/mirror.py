"""A repository of The Update Framework, by which a Sigstore makes itself known: signed files, and who serves them."""

import contextlib
import datetime as dt
import functools
import threading
from collections.abc import Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

_ROLES = ("root", "timestamp", "snapshot", "targets")


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


def _write(folder: Path, files: Sequence[Path]) -> Path:
    """Write it with these files as its targets, one key for all of it; return what clients have to trust at first."""
    signer = CryptoSigner.generate_ecdsa()
    expires = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=2)
    targets, root = Targets(expires=expires), Root(expires=expires, consistent_snapshot=True)
    (folder / "targets").mkdir(parents=True)
    for path in files:
        found = TargetFile.from_file(path.name, str(path))
        targets.targets[path.name] = found
        (folder / "targets" / f"{found.hashes['sha256']}.{path.name}").write_bytes(path.read_bytes())
    for role in _ROLES:
        root.add_key(signer.public_key, role)
    snapshot = Snapshot(expires=expires, meta={"targets.json": MetaFile(1)})
    timestamp = Timestamp(expires=expires, snapshot_meta=MetaFile(1))
    made: dict[str, Metadata[Any]] = {
        "1.root": Metadata(root),
        "1.targets": Metadata(targets),
        "1.snapshot": Metadata(snapshot),
        "timestamp": Metadata(timestamp),
    }
    for name, part in made.items():
        part.sign(signer)
        part.to_file(str(folder / f"{name}.json"))
    return folder / "1.root.json"


@contextlib.contextmanager
def serving(folder: Path, files: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Make one of these files and serve it; yield its address, and the file that clients have to trust at first."""
    first = _write(folder, files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}", first
    finally:
        server.shutdown()
        server.server_close()
