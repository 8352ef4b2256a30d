"""Signatures by the cosigns of the distribution, in a real registry; no engine is needed.

What an identity token signs needs the services of Sigstore: here it is followed up to them.
"""

import base64
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.engine import cache
from tasks.engine.cosign import Cosign
from tasks.engine.distribution import Distribution
from tasks.engine.machine import signing
from tasks.engine.machine.check import Site
from tasks.engine.machine.findings import Finding, State
from tasks.engine.retries import Retries
from tasks.engine.signatures import Signatures, Statement
from tasks.engine.signed import Verifier, unmoved
from tasks.errors import PushError, SignError
from tasks.plan.retrying import Patience
from tasks.plan.signing import Signing, Trust, decide
from tests import cosigns
from tests.cosigns import BOTH, PATIENCE, Keys
from tests.faulty import Answer, Handler, faulty, status
from tests.support import HTPASSWD, LOGIN, TASKS_PY, Repo

SIGNERS = pytest.mark.parametrize("signer", cosigns.BUNDLES)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cosigns.registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


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


@BOTH
@SIGNERS
def test_what_another_key_says_of_an_image_is_refused(
    theirs: dict[str, str], keys: Keys, signer: str, version: str
) -> None:
    with pytest.raises(SignError, match=r"is not attested \(spdxjson\)\n"):
        verifier(version, keys).attested(theirs[signer])


@BOTH
def test_a_statement_of_another_key_is_refused(
    address: str, every_key: tuple[Keys, Keys], keys: Keys, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    index, _ = cosigns.push_index(address)
    monkeypatch.setenv("COSIGN_PASSWORD", every_key[1].password)
    signatures("2", every_key[1]).attest([Statement(reference=index, predicate=bill(keys.private.parent))])
    with pytest.raises(SignError, match=rf"is attested \(spdxjson\), but not by the key {fingerprint(keys)}\n"):
        verifier(version, keys).attested(index)


def bill(folder: Path) -> Path:
    path = folder / "bill.json"
    path.write_text('{"spdxVersion": "SPDX-2.3", "name": "one"}', encoding="utf-8")
    return path


@pytest.fixture
def bundles_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the older flags from cosign 3, as its project means to."""
    known, lost = Cosign.accepts, {"--new-bundle-format=false", "--tlog-upload=false"}
    newer = cosigns.cosign("3")

    def accepts(program: Cosign, *words: str) -> bool:
        return not (program == newer and lost & set(words)) and known(program, *words)

    monkeypatch.setattr(Cosign, "accepts", accepts)


@pytest.mark.usefixtures("bundles_alone", "silence")
def test_a_cosign_that_makes_bundles_alone_signs_and_attests_with_no_network(
    address: str, keys: Keys, every_key: tuple[Keys, Keys], tmp_path: Path
) -> None:
    index, platforms = cosigns.push_index(address)
    ours = signatures("3", keys)
    ours.attest([Statement(reference=index, predicate=bill(tmp_path))])
    with pytest.raises(SignError, match=f"{index} is not signed\n"):  # a statement is no signature
        verifier("3", keys).verify([index])
    ours.sign([index])
    assert len(verifier("3", keys).verify([index, *platforms])) == 3
    assert verifier("3", keys).attested(index).predicates[0]["name"] == "one"
    with pytest.raises(SignError, match="but not by the key"):
        verifier("3", every_key[1]).verify([index])
    with pytest.raises(SignError, match="but not by the key"):
        verifier("3", every_key[1]).attested(index)
    with pytest.raises(SignError, match="this cosign reads no bundles, which cosign 3 makes"):
        verifier("2", keys).verify([index])


def test_a_bundle_of_somebody_else_hides_no_signature_of_ours(
    address: str, keys: Keys, every_key: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = cosigns.push_index(address)
    signatures("3", keys).sign([index])
    with monkeypatch.context() as patch:
        patch.setenv("COSIGN_PASSWORD", every_key[1].password)
        patch.setattr(Cosign, "classic", lambda _program, _command: None)
        signatures("3", every_key[1]).sign([index])
    for pair in every_key:
        assert verifier("3", pair).verify([index])[index].fingerprint == fingerprint(pair)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A network in which everything but this machine takes the connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    taken.append(server.accept()[0])
            except OSError:
                pass

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, address)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield address
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for one in taken:
            one.close()


@BOTH
def test_a_network_that_hangs_holds_up_no_key(address: str, keys: Keys, silence: str, version: str) -> None:
    index, _ = cosigns.push_index(address)
    began = time.monotonic()
    ours = signatures(version, keys)
    ours.check_key()
    ours.sign([index])
    verifier(version, keys).verify([index])
    assert time.monotonic() - began < 20


@BOTH
def test_a_network_that_hangs_ends_a_run_with_an_identity_token_in_time(
    address: str, keys: Keys, silence: str, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    index, _ = cosigns.push_index(address)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", token())
    program = replace(cosigns.cosign(version), seconds=3.0)
    with pytest.raises(
        SignError, match="cosign sign did not end within 3 s\nhint: Sigstore's services have to be in reach"
    ):
        Signatures(program, Signing(), PATIENCE).sign([index])
    someone = Verifier.of(program, Trust(identity="^someone$"), PATIENCE)
    with pytest.raises(SignError, match="cosign verify did not end within 3 s"):
        someone.verify([index])


def token() -> str:
    """An identity token as such, which nobody has given."""
    told = {"iss": "https://issuer.test", "sub": "x", "aud": "sigstore", "email": "a@b.test", "email_verified": True}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, told)] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@BOTH
def test_an_identity_token_is_never_said(
    address: str, keys: Keys, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    index, _ = cosigns.push_index(address)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", token())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(SignError) as caught:
        Signatures(cosigns.cosign(version), Signing(), PATIENCE).sign([index])
    assert token() not in str(caught.value)
    assert "sigstore.dev" in str(caught.value)


@BOTH
def test_what_is_wrong_with_a_key_is_said_before_anything_is_signed(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    program = cosigns.cosign(version)

    def said(key: str) -> str:
        with pytest.raises(SignError) as caught:
            Signatures(program, Signing(key=key), PATIENCE).check_key()
        assert keys.password not in str(caught.value)
        return str(caught.value)

    text = keys.private.read_text(encoding="utf-8")
    (tmp_path / "half.key").write_text(text[:200], encoding="utf-8")
    (tmp_path / "other.key").write_text(text.replace("eyJrZ", "eyJrW"), encoding="utf-8")
    assert "none.key is not there" in said(str(tmp_path / "none.key"))
    assert "is a public key, which signs nothing" in said(str(keys.public))
    assert "is damaged" in said(str(tmp_path / "half.key"))
    assert "is damaged" in said(str(tmp_path / "other.key"))
    assert "NOBODY_SETS is not set" in said("env://NOBODY_SETS")
    assert "this cosign takes no key from gcpkms" in said("gcpkms://projects/x/locations/y/keyRings/z/cryptoKeys/k")
    monkeypatch.setenv("OUR_KEY", text)
    found = Signatures(program, Signing(key="env://OUR_KEY"), PATIENCE).check_key()
    assert found is not None
    assert found.fingerprint == fingerprint(keys)
    monkeypatch.setenv("COSIGN_PASSWORD", "wrong")
    assert "COSIGN_PASSWORD is not the password of the key" in said(str(keys.private))
    monkeypatch.delenv("COSIGN_PASSWORD")
    assert "COSIGN_PASSWORD is not set" in said(str(keys.private))
    assert "COSIGN_PASSWORD is not set" in said("env://OUR_KEY")


def test_a_key_as_openssl_makes_it_is_refused_with_what_takes_it_over(keys: Keys, tmp_path: Path) -> None:
    plain = tmp_path / "plain.key"
    words = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(plain))
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    with pytest.raises(SignError, match="cosign import-key-pair --key"):
        Signatures(cosigns.cosign("2"), Signing(key=str(plain)), PATIENCE).check_key()


@BOTH
def test_no_variable_changes_what_cosign_does(
    address: str, keys: Keys, every_key: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    index, _ = cosigns.push_index(address)
    for name, value in {
        "COSIGN_UPLOAD": "false",
        "COSIGN_NO_UPLOAD": "true",
        "COSIGN_KEY": str(every_key[1].public),
        "COSIGN_OUTPUT": "text",
        "COSIGN_CHECK_CLAIMS": "false",
        "COSIGN_ALLOW_INSECURE_REGISTRY": "no such thing",
    }.items():
        monkeypatch.setenv(name, value)
    signatures(version, keys).sign([index])
    assert verifier(version, keys).verify([index])[index].fingerprint == fingerprint(keys)
    monkeypatch.setenv("COSIGN_KEY", keys.private.read_text(encoding="utf-8"))  # as CI often has it
    assert Signatures(cosigns.cosign(version), Signing(key="env://COSIGN_KEY"), PATIENCE).check_key()
    someone = Verifier.of(cosigns.cosign(version), Trust(identity="^someone$"), PATIENCE)
    with pytest.raises((SignError, PushError)):  # not by a key that a variable names
        someone.verify([index])


@BOTH
def test_a_registry_that_asks_for_a_login_gets_the_docker_clients(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    login = tmp_path / "docker/config.json"
    login.parent.mkdir()

    def log_in(word: str) -> None:
        known = base64.b64encode(f"{LOGIN[0]}:{word}".encode()).decode()
        login.write_text(json.dumps({"auths": {address: {"auth": known}}}), encoding="utf-8")

    with cosigns.registry(tmp_path, htpasswd=HTPASSWD) as address:
        log_in(LOGIN[1])
        index, _ = cosigns.push_index(address)
        signatures(version, keys).sign([index])
        assert verifier(version, keys).verify([index])
        log_in("not-so")
        for step in (signatures(version, keys).sign, verifier(version, keys).verify):
            with pytest.raises(PushError, match=f"{address} refuses: .*\nhint: docker login {address}") as caught:
                step([index])
            assert "not-so" not in str(caught.value)


@BOTH
def test_a_registry_that_is_gone_is_told_from_an_image_that_nobody_has_signed(keys: Keys, version: str) -> None:
    index = f"localhost:1/team/one@sha256:{'0' * 64}"
    for step in (signatures(version, keys).sign, verifier(version, keys).verify):
        with pytest.raises(PushError, match="connection refused"):
            step([index])


@BOTH
def test_a_registry_that_falters_is_asked_again_and_one_that_does_not_recover_is_named(
    address: str, keys: Keys, version: str
) -> None:
    index, _ = cosigns.push_index(address)
    left = [4]  # more than cosign itself tries

    def falters(handler: Handler, answer: Answer) -> None:
        left[0] -= 1
        if left[0] < 0:
            handler.send(answer)
        else:
            status(503)(handler, answer)

    notes: list[str] = []
    patient = Retries(Patience(times=9, wait=0.01), notes.append)
    with faulty(address) as between:
        between.at("/manifests/", falters)
        there = index.replace(address, between.address)
        replace(signatures(version, keys), retries=patient).sign([there])
        assert notes
        assert "503" in notes[0]
        left[0] = 4
        assert replace(verifier(version, keys), retries=patient).verify([there])
        left[0] = 10_000
        with pytest.raises(PushError, match="503"):
            verifier(version, keys).verify([there])


def test_a_tag_that_has_moved_is_refused(address: str) -> None:
    first, second = (cosigns.push_index(address)[0] for _ in range(2))
    there, digest = Distribution(address, PATIENCE), first.partition("@")[2]
    cosigns.tag(first, "moving")
    unmoved(there, "team/one", "moving", digest)
    cosigns.tag(second, "moving")
    with pytest.raises(SignError, match=f"moving has moved: it is {second.partition('@')[2]} now, not {digest}\n"):
        unmoved(there, "team/one", "moving", digest)
    with pytest.raises(SignError, match="none-such is not there"):
        unmoved(there, "team/one", "none-such", digest)


def test_several_images_are_signed_at_once_and_each_failure_is_named(address: str, keys: Keys) -> None:
    there = [cosigns.push_index(address)[0] for _ in range(3)]
    gone = [f"{address}/team/one@sha256:{number * 64}" for number in "12"]
    with pytest.raises(SignError) as caught:
        signatures("2", keys).sign([*there, *gone])
    assert all(reference in str(caught.value) for reference in gone)
    assert "2 of 5 images" in str(caught.value)
    assert len(verifier("2", keys).verify(there)) == 3


def test_the_set_up_brings_a_cosign_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cosigns.cosign("2")  # its package is there from now on
    debs = cache.home() / "debs"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/debs").symlink_to(debs)
    monkeypatch.setattr(cache, "home", lambda: tmp_path / "cache")
    monkeypatch.setattr("tasks.engine.cosign.shutil", SimpleNamespace(which=lambda _name: None))
    said: list[Finding] = []
    for _ in range(2):
        signing.mend(Site(project="shop"), said.append)
    assert [one.state for one in said] == [State.DOING, State.CHANGED, State.OK]
    assert Cosign(said[-1].text.removeprefix("cosign is there: ")).accepts("sign", "--key=x")


def looked(choice: str, key: str | None = None) -> tuple[str, str]:
    site = Site(project="shop", signing=lambda: decide(choice, key=key, token=False))
    (found,) = signing.look(site)
    return found.state.value, f"{found.text}; {found.way_out}"


def test_a_look_at_the_machine_tries_the_key_and_says_what_is_wrong(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = cosigns.cosign("2")
    assert looked("auto")[0] == "ok"
    monkeypatch.setenv("PATH", f"{Path(program.path).parent}:{os.environ['PATH']}")
    assert looked("auto", str(keys.private)) == (
        "ok",
        f"{program.path} signs with the key {keys.private} ({fingerprint(keys)}); None",
    )
    for state, text in (looked("keyless"), looked("key"), looked("key", str(tmp_path / "none.key"))):
        assert (state, "builds do without it, a push is refused" in text) == ("warning", True)
    monkeypatch.setenv("COSIGN_PASSWORD", "wrong")
    assert "COSIGN_PASSWORD is not the password of the key" in looked("key", str(keys.private))[1]


def test_the_doctor_has_a_line_for_it(repo: Repo, keys: Keys) -> None:
    cosigns.cosign("2")
    repo.write("tasks.py", TASKS_PY)
    env = {"DOCKER_HOST": "unix:///nowhere.sock", "INVOKE_CONTAINER_SIGN_KEY": "keys/none.key"}
    findings = json.loads(repo.inv("container-doctor", "--json", env=env).out)["findings"]
    (found,) = [one for one in findings if one["subject"] == "signing"]
    assert found["state"] == "warning"
    assert f"{repo.root}/keys/none.key is not there" in found["text"]
