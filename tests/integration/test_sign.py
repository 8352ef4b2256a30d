"""Signatures by the cosigns of the distribution, in a real registry; no engine is needed.

What an identity token signs needs the services of Sigstore, which no test reaches: it is followed up to them.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.engine.signatures import Signatures, Statement
from tasks.engine.signed import Verifier
from tasks.errors import SignError
from tasks.plan.signing import Signing, Trust
from tests import cosigns
from tests.cosigns import BOTH, PATIENCE, Keys

SIGNERS = pytest.mark.parametrize("signer", cosigns.BUNDLES)
LOGIN = ("robot", "let-me-in")
HTPASSWD = "robot:$2b$05$JhtA9LrnqofFs9Mp3AaAVei2TQ5pqBVCuB61VwBaD/vEoFkCx/iUm\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cosigns.registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def every_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keys, Keys]:
    folder = tmp_path_factory.mktemp("keys")
    return cosigns.make_keys(folder, "ours"), cosigns.make_keys(folder, "theirs")


@pytest.fixture
def keys(every_key: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keys:
    """Our key, whose password the environment has."""
    monkeypatch.setenv("COSIGN_PASSWORD", every_key[0].password)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    for name in ("SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "DOCKER_AUTH_CONFIG", "COSIGN_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    return every_key[0]


def signatures(version: str, keys: Keys) -> Signatures:
    return Signatures(cosigns.cosign(version), Signing(key=str(keys.private)), PATIENCE)


def verifier(version: str, keys: Keys) -> Verifier:
    return Verifier.of(cosigns.cosign(version), Trust(key=str(keys.public)), PATIENCE)


def fingerprint(keys: Keys) -> str:
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", keys.public, "-outform", "DER"], check=True, capture_output=True
    ).stdout
    told = subprocess.run(["sha256sum"], input=der, check=True, capture_output=True).stdout
    return f"sha256:{told.split()[0].decode()}"


@BOTH
@SIGNERS
def test_what_one_signs_the_other_verifies_the_index_and_each_platform(
    address: str, keys: Keys, signer: str, version: str
) -> None:
    index, platforms = cosigns.push_index(address)
    signatures(signer, keys).sign([index])
    found = verifier(version, keys).verify([index, *platforms])
    assert {str(one) for one in found.values()} == {f"the key {fingerprint(keys)}"}
    assert list(found) == [index, *platforms]


@BOTH
def test_the_private_key_says_which_public_one_is_trusted(address: str, keys: Keys, version: str) -> None:
    index, _ = cosigns.push_index(address)
    ours = signatures(version, keys)
    ours.sign([index])
    checked = ours.check_key()
    assert checked is not None
    assert checked.fingerprint == fingerprint(keys)
    derived = Verifier.of(ours.program, Trust(key=str(keys.private), derived=True), PATIENCE)
    assert derived.verify([index])[index].fingerprint == checked.fingerprint


@BOTH
def test_an_image_that_nobody_has_signed_is_refused(address: str, keys: Keys, version: str) -> None:
    index, _ = cosigns.push_index(address)
    with pytest.raises(SignError, match=f"{index} is not signed\n"):
        verifier(version, keys).verify([index])


@pytest.fixture
def theirs(address: str, every_key: tuple[Keys, Keys], keys: Keys, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Images that another key has signed, by the version that did."""
    signed = {version: cosigns.push_index(address)[0] for version in cosigns.BUNDLES}
    with monkeypatch.context() as patch:
        patch.setenv("COSIGN_PASSWORD", every_key[1].password)
        for version, index in signed.items():
            signatures(version, every_key[1]).sign([index])
    return signed


@BOTH
def test_an_image_that_another_key_has_signed_is_refused(theirs: dict[str, str], keys: Keys, version: str) -> None:
    for index in theirs.values():
        with pytest.raises(SignError, match=f"{index} is signed, but not by the key {fingerprint(keys)}\n"):
            verifier(version, keys).verify([index])


@BOTH
@SIGNERS
def test_what_is_said_of_an_image_is_read_back(
    address: str, keys: Keys, tmp_path: Path, signer: str, version: str
) -> None:
    index, _ = cosigns.push_index(address)
    ours, bill = signatures(signer, keys), tmp_path / "bill.json"
    for name in ("first", "second"):
        bill.write_text(json.dumps({"spdxVersion": "SPDX-2.3", "name": name}), encoding="utf-8")
        ours.attest([Statement(reference=index, predicate=bill)])
    ours.sign([index])
    found = verifier(version, keys).attested(index)
    assert [one["name"] for one in found.predicates] == ["second"]
    assert found.signer.fingerprint == fingerprint(keys)
    assert verifier(version, keys).verify([index])
