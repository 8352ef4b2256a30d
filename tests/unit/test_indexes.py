import hashlib
import json

import pytest

from tasks.plan.indexes import digest_of

ONE, TWO, OTHER = (f"sha256:{letter * 64}" for letter in "abc")


def entry(digest: str, architecture: str, system: str = "linux") -> dict[str, object]:
    return {"digest": digest, "platform": {"os": system, "architecture": architecture}}


INDEX = json.dumps(
    {"manifests": [entry(ONE, "amd64"), entry(TWO, "arm64"), entry(OTHER, "unknown", "unknown")]}
).encode()


def test_each_platform_has_its_own() -> None:
    assert (digest_of(INDEX, "linux/amd64"), digest_of(INDEX, "linux/arm64")) == (ONE, TWO)


def test_a_manifest_alone_is_itself() -> None:
    content = json.dumps({"config": {}, "layers": []}).encode()
    assert digest_of(content, "linux/amd64") == f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no image"),
        (b"{}", "no image"),
        (b'{"manifests": {}}', "no image"),
        (b'{"manifests": []}', "for no platform, and not for linux/amd64"),
        (b'{"manifests": [1, {"platform": 1}, {"digest": "sha256:x", "platform": {}}]}', "for no platform"),
        (json.dumps({"manifests": [entry(TWO, "arm64")]}).encode(), "for linux/arm64, and not for linux/amd64"),
    ],
)
def test_what_has_none_says_so(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        digest_of(content, "linux/amd64")
