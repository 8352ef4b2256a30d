import hashlib
import json
from typing import Any

import pytest

from tasks.plan.freshness import Stored
from tasks.plan.platforms import Platform
from tasks.plan.reuse import LONGEST, Published, Unusable, candidates, pulled, read, refused, require, require_only
from tasks.plan.targets import Plan
from tests.unit.samples import plan, source

NAME = "registry.example/shop/agent:latest"
AMD, ARM, ATTESTATION = (f"sha256:{letter * 64}" for letter in "abc")
# As BuildKit 0.13 of engine 26.1.5 pushed it, with shorter digests.
INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": AMD,
            "size": 480,
            "platform": {"architecture": "amd64", "os": "linux"},
        },
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": ARM,
            "size": 480,
            "platform": {"architecture": "arm64", "os": "linux"},
        },
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": ATTESTATION,
            "size": 566,
            "annotations": {"vnd.docker.reference.digest": AMD, "vnd.docker.reference.type": "attestation-manifest"},
            "platform": {"architecture": "unknown", "os": "unknown"},
        },
    ],
    "annotations": {"container-tasks.fingerprint": "1-abc"},
}
FOUND = Published(
    reference=NAME, digest=f"sha256:{'d' * 64}", fingerprint="1-abc", manifests={"linux/amd64": AMD, "linux/arm64": ARM}
)


def changed(**values: object) -> bytes:
    return json.dumps({**INDEX, **values}, indent=2).encode()


def test_an_index_is_read_with_the_digest_of_its_very_bytes() -> None:
    content = changed()
    found = read(NAME, content)
    assert found.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert found.fingerprint == "1-abc"
    assert found.digests((Platform.ARM64,)) == (ARM,)
    assert found.digests((Platform.AMD64, Platform.ARM64)) == (found.digest, found.digest)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>log in</html>", "no JSON"),
        (changed()[:100], "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b" " * (LONGEST + 1), "longer than an index"),
        (b"[]", "no image index"),
        (b'"text"', "no image index"),
        (b'{"errors":[{"code":"UNAUTHORIZED"}]}', "no image index"),
        (b'{"schemaVersion":2,"config":{},"layers":[]}', "no image index"),
        (changed(manifests={}), "no image index"),
        (changed(annotations=None), "has no fingerprint"),
        (changed(annotations={"container-tasks.fingerprint": 1}), "has no fingerprint"),
    ],
)
def test_what_is_no_index_of_ours_is_no_index(content: bytes, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        read(NAME, content)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "text",
        {},
        {"digest": AMD},
        {"digest": "sha256:../../x", "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": 5, "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": AMD, "platform": "linux/amd64"},
    ],
)
def test_an_entry_that_is_none_is_no_platform(entry: object) -> None:
    found = read(NAME, changed(manifests=[entry]))
    with pytest.raises(Unusable, match="lacks linux/amd64"):
        require(found, ["1-abc"], (Platform.AMD64,))


def test_another_fingerprint_or_a_missing_platform_does_not_fit() -> None:
    require(FOUND, ["1-other", "1-abc"], (Platform.ARM64,))
    with pytest.raises(Unusable, match="was built from something else"):
        require(FOUND, ["1-abd"], (Platform.AMD64,))
    one = Published(reference=NAME, digest=FOUND.digest, fingerprint="1-abc", manifests={"linux/amd64": AMD})
    with pytest.raises(Unusable, match="lacks linux/arm64"):
        require(one, ["1-abc"], (Platform.AMD64, Platform.ARM64))


def test_a_foreign_platform_is_looked_for_under_the_tags_of_all() -> None:
    both, foreign = plan(), plan(platforms=(Platform.ARM64,))
    name = "registry.example/shop/agent"
    assert candidates(both.targets[0], both) == (f"{name}:latest", f"{name}:v1.2.3")
    assert candidates(foreign.targets[0], foreign) == tuple(
        f"{name}:{tag}" for tag in ("latest", "v1.2.3", "latest-arm64", "v1.2.3-arm64")
    )


def on_stand_ins(registry: str) -> Plan:
    from tasks.plan.bases import Base, Origin

    base = Base(
        reference=f"alpine:3@sha256:{'2' * 64}", origin=Origin.STAND_IN, replacement="localhost:5000/a@sha256:0"
    )
    return plan(source(bases=(base,)), registry=registry)


def test_an_image_on_stand_ins_is_looked_for_on_this_machine_alone() -> None:
    near, far = on_stand_ins("localhost:5000/team"), on_stand_ins("ghcr.io/team")
    assert refused(near.targets[0], near) == ""
    assert "stand-in" in refused(far.targets[0], far)
    assert refused(plan().targets[0], plan()) == ""


def test_what_came_says_itself_what_the_index_said() -> None:
    target = plan().targets[0]
    image = Stored("sha256:1", {"container-tasks.fingerprint": "1-abc"}, "linux/amd64")
    assert pulled(image, FOUND, target) is image
    with pytest.raises(Unusable, match="the engine does not have it"):
        pulled(None, FOUND, target)
    with pytest.raises(Unusable, match="promises an image that it does not hold"):
        pulled(Stored("sha256:1", {"container-tasks.fingerprint": "1-abd"}), FOUND, target)
    with pytest.raises(Unusable, match="stands on other bases"):
        pulled(Stored("sha256:1", {**image.labels, "container-tasks.bases": "stand-in"}), FOUND, target)


def test_a_release_takes_an_image_of_just_its_platforms() -> None:
    require_only(FOUND, (Platform.AMD64, Platform.ARM64))
    with pytest.raises(Unusable, match="other platforms"):
        require_only(FOUND, (Platform.AMD64,))


def test_an_image_without_a_fingerprint_can_be_read_where_none_is_asked_for() -> None:
    content = json.dumps({**INDEX, "annotations": {}}).encode()
    with pytest.raises(Unusable, match="no fingerprint"):
        read(NAME, content)
    assert read(NAME, content, marked=False).fingerprint == ""
