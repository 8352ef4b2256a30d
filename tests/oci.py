"""Images made file by file and put into a registry over HTTP: no engine, no builder."""

import gzip
import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
Files = Mapping[str, str | bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One platform's image: the files of its layers, from the lowest, and its configuration."""

    layers: Sequence[Files]
    config: Mapping[str, Any] = field(default_factory=lambda: {"User": "1000"})
    architecture: str = "amd64"
    base: int = 0
    """How many of the layers, from the lowest, are those of an image that this one stands on."""


def packed(files: Files) -> bytes:
    """Return files as an archive without a trace of when and where it was made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            text = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755
            archive.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry on this machine."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every request says, such as who asks."""

    def push(self, name: str, *images: Image) -> str:
        """Put the images under ``name:tag``, as an index, and return the reference."""
        repository, _, tag = name.partition(":")
        entries = [
            {
                **self._manifest(repository, self._image(repository, one)),
                "platform": {"os": "linux", "architecture": one.architecture},
            }
            for one in images
        ]
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        self._put(f"{repository}/manifests/{tag}", index, INDEX)
        return f"{self.address}/{name}"

    def push_file(self, name: str, content: bytes, media_type: str, title: str) -> str:
        """Put one file under ``name:tag``, as an artifact, and return the reference."""
        repository, _, tag = name.partition(":")
        layer = {
            **self._blob(repository, content, media_type),
            "annotations": {"org.opencontainers.image.title": title},
        }
        config = self._blob(repository, b"{}", "application/vnd.oci.empty.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        self._put(f"{repository}/manifests/{tag}", json.dumps(manifest).encode(), MANIFEST)
        return f"{self.address}/{name}"

    def tags(self, repository: str) -> dict[str, str]:
        """Return what each tag of a repository names, but for those of signatures; none where there is none."""
        try:
            found = json.loads(self._send("GET", f"{repository}/tags/list").body)["tags"] or []
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return {}
        return {tag: digest(self.manifest(repository, tag)) for tag in found if not tag.startswith("sha256-")}

    def manifest(self, repository: str, reference: str) -> bytes:
        """Return a manifest or an index, byte for byte."""
        return self._send("GET", f"{repository}/manifests/{reference}").body

    def blob(self, repository: str, reference: str) -> bytes:
        """Return a blob."""
        return self._send("GET", f"{repository}/blobs/{reference}").body

    def tag(self, repository: str, reference: str, name: str) -> None:
        """Let a tag name what another one or a digest names, as another machine would."""
        content = self.manifest(repository, reference)
        self._put(f"{repository}/manifests/{name}", content, json.loads(content)["mediaType"])

    def _image(self, repository: str, image: Image) -> Mapping[str, Any]:
        archives = [packed(files) for files in image.layers]
        config = {
            "os": "linux",
            "architecture": image.architecture,
            "config": image.config,
            "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in archives]},
            "history": _history(image),
        }
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(repository, json.dumps(config).encode(), CONFIG),
            "layers": [self._blob(repository, gzip.compress(one, mtime=0), LAYER) for one in archives],
        }

    def _manifest(self, repository: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(manifest).encode()
        self._put(f"{repository}/manifests/{digest(content)}", content, MANIFEST)
        return {"mediaType": MANIFEST, "digest": digest(content), "size": len(content)}

    def _blob(self, repository: str, content: bytes, media_type: str) -> dict[str, Any]:
        place = self._send("POST", f"{repository}/blobs/uploads/", b"").headers["Location"]
        self._send("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest(content)}", content)
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    def _put(self, path: str, content: bytes, media_type: str) -> None:
        self._send("PUT", path, content, media_type)

    def _send(
        self, method: str, path: str, content: bytes | None = None, media_type: str = "application/octet-stream"
    ) -> "_Answer":
        url = path if path.startswith("http") else f"http://{self.address.replace('localhost', '127.0.0.1')}/v2/{path}"
        kinds = {"Accept": f"{INDEX}, {MANIFEST}"} if content is None else {"Content-Type": media_type}
        request = urllib.request.Request(url, content, {**kinds, **self.headers}, method=method)  # noqa: S310 - a loopback address
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return _Answer(answer.headers, answer.read())


def _history(image: Image) -> Sequence[Mapping[str, Any]]:
    steps: list[Mapping[str, Any]] = [{"created_by": "COPY . / # buildkit"} for _ in image.layers]
    if image.base:
        steps.insert(image.base, {"created_by": 'CMD ["/bin/sh"]', "empty_layer": True})
    return steps


def digest(content: bytes) -> str:
    """Return what a registry calls it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
