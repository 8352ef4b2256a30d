"""What the certificates of bundles name, read as bytes that anybody may have put beside an image."""

import pytest

from tasks.engine import identities
from tests.unit.certificates import bundle, certificate

EMAIL, URI = "me@ours.test", f"https://ours.test/{'long/' * 40}release.yml@refs/tags/v1"


@pytest.fixture(scope="module")
def whole() -> bytes:
    return certificate("DNS:ours.test", f"email:{EMAIL}", f"URI:{URI}")


def test_a_certificate_names_addresses_and_uris(whole: bytes) -> None:
    assert list(identities.named(bundle(whole))) == [EMAIL, URI]


def test_what_is_no_bundle_with_a_certificate_names_nobody_and_hides_no_other(whole: bytes) -> None:
    others = ["", "no JSON", "[]", "1", "{}", '{"verificationMaterial": {"publicKey": {}}}', bundle(b""), bundle(b"0")]
    assert list(identities.named("\n".join([*others, bundle(whole), *others]))) == [EMAIL, URI]


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_damaged_certificate_is_no_failure(whole: bytes) -> None:
    for place in range(len(whole)):
        cut, turned = whole[:place], bytearray(whole)
        turned[place] ^= 0xFF
        for damaged in (cut, bytes(turned), whole[place:]):
            assert all(isinstance(name, str) for name in identities.named(bundle(damaged)))
