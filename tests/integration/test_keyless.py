"""Images that an identity token signs, with a whole Sigstore of the tests' own; only the release needs an engine.

By cosign 3 alone: cosign 2 speaks only to the first Rekor, which needs a database.
"""

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tasks.engine.cosign import Cosign
from tasks.engine.distribution import Distribution
from tasks.engine.signatures import Signatures, Statement
from tasks.engine.signed import Verifier, unmoved
from tasks.errors import SignError
from tasks.plan.signing import Signing, Trust, only
from tasks.signers import Signers
from tests import cosigns, shops, sigstore
from tests.cosigns import PATIENCE, Keys
from tests.identities import AUDIENCE
from tests.shops import SIGNING, Shop
from tests.sigstore import Sigstore
from tests.support import TASKS_PY, Repo, free_port

OURS, THEIRS, OTHERS = "release@ours.test", "release@theirs.test", "release@others.test"
PROJECT = "keyless"
SERVICES = pytest.mark.parametrize("service", ["fulcio", "rekor", "stamps"])
NOT_IN_REACH = "hint: Sigstore's services have to be in reach"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cosigns.registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sigstore]:
    with sigstore.sigstore(tmp_path_factory.mktemp("sigstore")) as found:
        yield found


@pytest.fixture(scope="module")
def known(services: Sigstore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which cosign knows them."""
    with services.known(tmp_path_factory.mktemp("known") / "whole") as found:
        yield found


@dataclass(frozen=True)
class People:
    """Who signs here, and who looks whose signatures there are."""

    services: Sigstore
    monkeypatch: pytest.MonkeyPatch

    def be(self, email: str, *, issuer: int = 0, audience: str = AUDIENCE, age: float = 0) -> str:
        """Become somebody; return the token that says it."""
        token = self.services.issuers.token(email, issuer=issuer, audience=audience, age=age)
        self.monkeypatch.setenv("SIGSTORE_ID_TOKEN", token)
        return token

    def knowing(self, found: dict[str, str]) -> None:
        for name, value in found.items():
            self.monkeypatch.setenv(name, value)

    def verifier(self, pattern: str = only(OURS), *, issuer: int = 0) -> Verifier:
        trust = Trust(identity=pattern, issuer=self.services.issuers.all[issuer])
        return Verifier.of(cosigns.cosign("3"), trust, PATIENCE)


@pytest.fixture
def people(services: Sigstore, known: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> People:
    for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "COSIGN_PASSWORD", "COSIGN_REPOSITORY", "DOCKER_AUTH_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    found = People(services, monkeypatch)
    found.knowing(known)
    found.be(OURS)
    return found


@pytest.fixture
def image(address: str) -> str:
    """One that is for a single platform, and so has a single signature."""
    _, (found, _) = cosigns.push_index(address)
    return found


def signatures(seconds: float = 60) -> Signatures:
    return Signatures(replace(cosigns.cosign("3"), seconds=seconds), Signing(), PATIENCE)


def said_of(reference: str, folder: Path, name: str = "one") -> list[Statement]:
    path = folder / "bill.json"
    path.write_text(json.dumps({"spdxVersion": "SPDX-2.3", "name": name}), encoding="utf-8")
    return [Statement(reference=reference, predicate=path)]


def refused(verifier: Verifier, reference: str) -> str:
    with pytest.raises(SignError, match=f"{reference} is signed, but not by ") as caught:
        verifier.verify([reference])
    return str(caught.value)


def test_what_a_token_signs_is_verified_the_index_and_each_platform(address: str, people: People) -> None:
    index, platforms = cosigns.push_index(address)
    signatures().sign([index])
    found = people.verifier().verify([index, *platforms])
    assert list(found) == [index, *platforms]
    assert {str(one) for one in found.values()} == {f"{OURS} (says {people.services.issuers.all[0]})"}


def test_what_is_signed_as_a_whole_is_not_signed_again(address: str, people: People) -> None:
    index, platforms = cosigns.push_index(address)
    release = Signers(signatures(), people.verifier(), Distribution(f"{address}/team", PATIENCE))
    assert cosigns.cosign("3").run("sign", "--yes", index).ok  # as one that was stopped half-way leaves it
    for _ in range(2):
        assert release.sign([index]) == f"{OURS} (says {people.services.issuers.all[0]})"
        assert [count(one) for one in (index, *platforms)] == [2, 1, 1]
    people.be(THEIRS)
    replace(release, verifier=people.verifier(only(THEIRS))).sign([index])
    assert [count(one) for one in (index, *platforms)] == [3, 2, 2]


def count(reference: str) -> int:
    return len(cosigns.cosign("3").run("download", "signature", reference).stdout.splitlines())


def test_an_image_that_nobody_has_signed_is_refused(image: str, people: People) -> None:
    with pytest.raises(SignError, match=f"{image} is not signed\n"):
        people.verifier().verify([image])


def test_another_identity_and_the_same_one_of_another_issuer_are_refused(image: str, people: People) -> None:
    first, second = people.services.issuers.all
    people.be(THEIRS)
    signatures().sign([image])
    assert f"but not by {only(OURS)} ({first})\n" in refused(people.verifier(), image)
    assert people.verifier(only(THEIRS)).verify([image])[image].identity == THEIRS
    people.be(OURS, issuer=1)
    signatures().sign([image])
    assert "mend container.identity and container.issuer" in refused(people.verifier(), image)
    assert people.verifier(issuer=1).verify([image])[image].issuer == second
    people.be(OURS)
    signatures().sign([image])
    assert people.verifier().verify([image])[image].issuer == first


def test_of_several_who_are_trusted_the_one_who_has_signed_is_named(image: str, people: People, tmp_path: Path) -> None:
    for who, issuer in ((OTHERS, 1), ("intern@ours.test", 0), (THEIRS, 0)):
        people.be(who, issuer=issuer)
        signatures().sign([image])
    people.be(OURS)
    signatures().attest(said_of(image, tmp_path))
    both, any_two = people.verifier(r"^release@(ours|theirs)\.test$"), people.verifier(r"^release@[a-z]+rs\.test$")
    assert both.verify([image])[image].identity == THEIRS
    assert any_two.verify([image])[image].identity == THEIRS
    assert both.attested(image).signer.identity == OURS
    refused(people.verifier(r"^release@(mine|others)\.test$"), image)


def test_a_key_is_no_identity_and_an_identity_is_no_key(
    address: str, people: People, every_key: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = every_key[0]
    monkeypatch.setenv("COSIGN_PASSWORD", keys.password)
    with_key = Signatures(cosigns.cosign("3"), Signing(key=str(keys.private)), PATIENCE)
    of_key = Verifier.of(cosigns.cosign("3"), Trust(key=str(keys.public)), PATIENCE)
    _, (by_key, by_token) = cosigns.push_index(address)
    with_key.sign([by_key])
    signatures().sign([by_token])
    bundled, _ = cosigns.push_index(address)
    with monkeypatch.context() as patch:
        patch.setattr(Cosign, "classic", lambda _program, _command: None)
        with_key.sign([bundled])
    refused(people.verifier(), bundled)
    assert of_key.verify([bundled])
    assert f"but not by {only(OURS)}" in refused(people.verifier(), by_key)
    assert "but not by the key sha256:" in refused(of_key, by_token)
    signatures().sign([by_key])
    with_key.sign([by_token])
    for verifier in (people.verifier(), of_key):
        assert len(verifier.verify([by_key, by_token])) == 2


def test_what_is_said_of_an_image_is_read_back(image: str, people: People, tmp_path: Path) -> None:
    signatures().attest(said_of(image, tmp_path))
    with pytest.raises(SignError, match=f"{image} is not signed\n"):  # a statement is no signature
        people.verifier().verify([image])
    found = people.verifier().attested(image)
    assert [one["name"] for one in found.predicates] == ["one"]
    assert str(found.signer) == f"{OURS} (says {people.services.issuers.all[0]})"
    others = (people.verifier(only(THEIRS)), people.verifier(issuer=1))
    for verifier in others:
        with pytest.raises(SignError, match=r"is attested \(spdxjson\), but not by "):
            verifier.attested(image)
    people.be(THEIRS)
    signatures().attest(said_of(image, tmp_path, "two"))
    assert [one["name"] for one in others[0].attested(image).predicates] == ["two"]
    assert [one["name"] for one in people.verifier().attested(image).predicates] == ["one"]


def test_what_is_signed_is_not_said_of_and_what_nobody_has_said_is_refused(image: str, people: People) -> None:
    signatures().sign([image])
    with pytest.raises(SignError, match=r"is not attested \(spdxjson\)\n"):
        people.verifier().attested(image)


def test_a_tag_that_has_moved_to_what_is_signed_as_well_is_refused(address: str, people: People) -> None:
    _, (first, second) = cosigns.push_index(address)
    signatures().sign([first, second])
    assert len(people.verifier().verify([first, second])) == 2
    there, digest = Distribution(address, PATIENCE), first.partition("@")[2]
    cosigns.tag(first, "moving")
    unmoved(there, "team/one", "moving", digest)
    cosigns.tag(second, "moving")
    with pytest.raises(SignError, match=f"moving has moved: it is {second.partition('@')[2]} now, not {digest}\n"):
        unmoved(there, "team/one", "moving", digest)


@pytest.mark.parametrize("wrong", [{"age": 3600.0}, {"audience": "somebody-else"}, {"email": "nobody"}], ids=str)
def test_a_token_that_does_not_count_is_refused_and_never_said(
    image: str, people: People, wrong: dict[str, str | float]
) -> None:
    token = people.be(**{"email": OURS, **wrong})  # type: ignore[arg-type] # as each is
    with pytest.raises(
        SignError, match=r"identity token.*\nhint: is it some minutes old, or for another audience"
    ) as caught:
        signatures().sign([image])
    assert not [part for part in token.split(".") if part in str(caught.value)]
    with pytest.raises(SignError, match=f"{image} is not signed\n"):
        people.verifier().verify([image])
    people.be(OURS)
    signatures().sign([image])
    assert people.verifier().verify([image])


@SERVICES
def test_a_service_that_is_down_is_said_and_holds_nothing_up(
    image: str, people: People, known: dict[str, str], tmp_path: Path, service: str
) -> None:
    place = f"http://localhost:{free_port()}"
    with people.services.known(tmp_path / "known", **{service: place}) as found:
        people.knowing(found)
        began = time.monotonic()
        with pytest.raises(SignError, match=f'"{place}.* connection refused\n{NOT_IN_REACH}'):
            signatures().sign([image])
        assert time.monotonic() - began < 20
    people.knowing(known)
    with pytest.raises(SignError, match=f"{image} is not signed\n"):
        people.verifier().verify([image])
    signatures().sign([image])
    assert people.verifier().verify([image])


@SERVICES
def test_a_service_that_hangs_ends_it_in_time(image: str, people: People, tmp_path: Path, service: str) -> None:
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # it takes what comes, and says nothing
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        people.knowing(stack.enter_context(people.services.known(tmp_path / "known", **{service: place})))
        with pytest.raises(SignError, match=f"cosign sign did not end within 3 s\n{NOT_IN_REACH}"):
            signatures(3).sign([image])


def test_what_tells_of_the_services_has_to_be_there_and_its_absence_says_nothing_of_an_image(
    image: str, people: People, known: dict[str, str], tmp_path: Path
) -> None:
    signatures().sign([image])
    with people.services.known(tmp_path / "known") as found:
        people.knowing(found)
        assert people.verifier().verify([image])
    for step in (signatures().sign, people.verifier().verify):
        with pytest.raises(SignError, match=f"connection refused\n{NOT_IN_REACH}"):
            step([image])
    people.knowing(known)
    assert people.verifier().verify([image])


def test_another_sigstore_is_not_trusted_whatever_name_it_gives(
    image: str, people: People, known: dict[str, str], tmp_path: Path
) -> None:
    """Its certificates name the same identity of the same issuer."""
    (tmp_path / "other").mkdir()
    with sigstore.sigstore(tmp_path / "other", people.services.issuers) as other:
        with other.known(tmp_path / "known") as found:
            people.knowing(found)
            signatures().sign([image])
            assert people.verifier().verify([image])
        people.knowing(known)
        refused(people.verifier(), image)
        refused(people.verifier(r"^release@(ours|theirs)\.test$"), image)


@pytest.fixture(scope="module")
def own_builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    repo = Repo(tmp_path_factory.mktemp("builder"))
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1\n")
    repo.write("invoke.yaml", f"container: {{project: {PROJECT}}}\n")
    repo.inv("container-setup", "--release-builder", timeout=1200).ok()
    yield f"{PROJECT}-release"
    repo.inv("container-clean", "--yes").ok()


@pytest.fixture
def shop(address: str, people: People, own_builder: str, tmp_path: Path) -> Shop:
    cosign3 = Path(cosigns.cosign("3").path).parent
    env = {
        **shops.own_cache(tmp_path / "cache"),
        "INVOKE_CONTAINER_SIGN": "keyless",
        "INVOKE_CONTAINER_IDENTITY": r"^release@(ours|others)\.test$",
        "INVOKE_CONTAINER_ISSUER": people.services.issuers.all[0],
        "PATH": f"{cosign3}:{os.environ['PATH']}",
    }
    people.monkeypatch.delenv("DOCKER_CONFIG")  # buildx is there
    made = shops.make(tmp_path / "shop", address, address, env)
    settings = f"project: {PROJECT}\n  registry: {made.address}\n  builder: {own_builder}"
    made.repo.write("invoke.yaml", f"container:\n  {settings}\n")
    made.repo.commit()
    return made


@pytest.mark.docker
def test_a_release_says_who_has_signed_it_and_nobody_goes_back_to_what_another_has(shop: Shop, people: People) -> None:
    who = f"{OURS} (says {people.services.issuers.all[0]})"
    assert re.search(rf"sign +ok +2 images, by {re.escape(who)}", shop.push(*SIGNING).ok().all)
    first = shop.moving()
    shop.state("1.1.0", one="second")
    shop.push(*SIGNING).ok()
    second = shop.moving()
    assert second != first
    assert [count(f"{shop.address}/two@{second['two']}"), second["two"]] == [1, first["two"]]  # it was not signed again
    assert {(one["signer"], one["signature"]) for one in shop.listed().values()} == {(who, "verified")}
    theirs = {"INVOKE_CONTAINER_IDENTITY": only(THEIRS), "COLUMNS": "250"}
    assert {one["signature"] for one in shop.listed(**theirs).values()} == {"refused"}
    assert "NOT so: its signature is refused" in shop.inv("container-releases", **theirs).ok().out
    shop.inv("container-rollback", **theirs).fails(8, f"is signed, but not by {only(THEIRS)}", "container.identity")
    other = {"INVOKE_CONTAINER_ISSUER": people.services.issuers.all[1]}
    shop.inv("container-rollback", **other).fails(8, f"({people.services.issuers.all[1]})")
    assert shop.moving() == second
    shop.inv("container-rollback").ok()
    assert shop.moving() == first
    shop.state("1.2.0", one="third")
    cosign2 = f"{Path(cosigns.cosign('2').path).parent}:{os.environ['PATH']}"
    shop.push(*SIGNING, PATH=cosign2).fails(8, "TUF_ROOT names a Sigstore of your own", "cosign 3")
    assert shop.moving() == first
