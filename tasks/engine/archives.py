"""Copy one platform's image out of the engine's store, as a folder that other tools read."""

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ScanError
from ..plan.platforms import Platform
from . import pulls
from .api import translated
from .layers import Archive, told_of

if TYPE_CHECKING:
    from docker import APIClient

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def unpack(client: "APIClient", reference: str, platform: Platform, folder: Path) -> Path:
    """Copy an image into an empty folder, and return where it lies: an OCI layout of that platform alone.

    Of an engine before 25, which writes none, it is the archive that ``docker save`` makes.

    Raises ScanError when the image is not there, VerifyError when it is not for that platform, and EngineError.
    """
    if pulls.labels(client, reference) is None:
        raise ScanError(f"{reference} is not in the image store", hint="inv container-build makes it")
    saved = folder / "image.tar"
    with told_of(reference):
        with saved.open("wb") as file, translated():
            for chunk in client.get_image(reference):
                file.write(chunk)
        with tarfile.open(saved) as archive:
            content = Archive(archive)
            digest, *_ = content.image(platform, reference)
            if not content.is_layout:
                return saved
            layout = folder / "layout"
            archive.extractall(layout, filter="data")
        saved.unlink()
        size = (layout / "blobs" / digest.replace(":", "/")).stat().st_size
        index = {"schemaVersion": 2, "manifests": [{"mediaType": _MANIFEST, "digest": digest, "size": size}]}
        (layout / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return layout
