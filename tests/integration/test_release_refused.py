"""Releases that are refused, or end at a gate: no tag has moved, and the same command goes on from there."""

import base64
import json
import re
from pathlib import Path

import pytest

from tests import advisories, faulty, shops
from tests.cosigns import Keys
from tests.faulty import Faulty, Rule
from tests.oci import Registry
from tests.shops import BOTH, QUICK, SERVICES, SIGNING, Shop
from tests.support import Result, tags, wait_for

pytestmark = pytest.mark.docker

NOTHING: dict[str, dict[str, str]] = {name: {} for name in SERVICES}
PRIVATE = "PRIVATE KEY"
KEY = f"-----BEGIN {PRIVATE}-----\n{base64.b64encode(bytes(range(200))).decode()}\n-----END {PRIVATE}-----"


def states(said: Result) -> dict[str, str]:
    """Return what became of each service, from the record."""
    return {one["name"]: one["state"] for one in json.loads(said.out)["services"]}


def place(shop: Shop) -> tuple[Registry, str]:
    host, _, path = shop.behind.partition("/")
    return Registry(host), path


def test_a_version_is_never_given_other_content(shop: Shop) -> None:
    shop.push(*QUICK).ok()
    before = shop.tags()
    shop.state("1.0.0", one="other")
    said = shop.push(*QUICK).fails(5, f"{shop.address}/one:v1.0.0 is released already, with other content")
    assert "raise VERSION" in said.all
    assert before["one"]["v1.0.0"][:19] in said.all
    shop.push(*QUICK, "--force").fails(5, "is released already")
    assert shop.tags() == before
    registry, path = place(shop)
    registry.tag(f"{path}/two", before["two"]["latest"], "v1.1.0")  # of which nobody has said a word
    shop.state("1.1.0", one="other", two="other")
    shop.push(*QUICK).fails(5, f"{shop.address}/two:v1.1.0 is released already, with other content")
    assert shop.tags() == {**before, "two": {**before["two"], "v1.1.0": before["two"]["latest"]}}


def test_what_no_commit_says_is_not_released(shop: Shop) -> None:
    shop.repo.write("services/one/word", "changed")
    shop.push(*QUICK).fails(2, "the work tree is not clean: services/one/word", "commit or stash")
    shop.repo.commit()
    shop.repo.write("services/one/new", "")
    shop.push(*QUICK).fails(2, "services/one/new")
    assert shop.tags() == NOTHING


def test_the_engine_s_own_builder_is_refused(shop: Shop) -> None:
    shop.push(*QUICK, "--builder", "default").fails(2, "cannot push by digest", "--release-builder")
    shop.push(*QUICK, "--builder", "nobody").fails(2, "the builder 'nobody' cannot be used")
    assert shop.tags() == NOTHING


def test_a_gate_that_there_is_not_is_an_error(shop: Shop) -> None:
    shop.push("--skip", "verify,tests").fails(2, "--skip: 'tests' is no gate", "verify, scan, sign")


def test_a_failing_service_leaves_no_tag_and_what_was_pushed_is_not_built_again(shop: Shop) -> None:
    good = (shop.repo.root / "services/two/Dockerfile").read_text(encoding="utf-8")
    shop.repo.write("services/two/Dockerfile", good.replace("USER", "RUN grep -q good /srv/word\nUSER"))
    shop.state("1.0.0")
    said = shop.push(*QUICK, "--json").fails(4, "1 of 2 failed: two (step failed)")
    assert states(said) == {"one": "built", "two": "failed"}
    digest = json.loads(said.out)["services"][0]["digest"]
    assert shop.tags() == NOTHING
    assert tags(shop.behind, "releases") == {}
    shop.state("1.0.0", two="good")
    assert states(shop.push(*QUICK, "--json").ok()) == {"one": "up to date", "two": "built"}
    assert shop.moving()["one"] == digest


def test_an_image_that_cannot_run_is_not_released(shop: Shop) -> None:
    path = shop.repo.root / "services/two/Dockerfile"
    good = path.read_text(encoding="utf-8")
    path.write_text(re.sub("CMD .*", 'CMD ["sh", "-c", "exit 3"]', good), encoding="utf-8")
    shop.state("1.0.0")
    said = shop.push("--skip", "scan,sign").fails(6, "did not pass", "two", "start")
    assert "Gates of 2 images, before any tag moves" in said.all
    assert "note: no tag has moved" in said.all
    assert shop.tags() == NOTHING
    assert tags(shop.behind, "releases") == {}
    path.write_text(good, encoding="utf-8")
    shop.state("1.0.0")
    again = shop.push("--skip", "scan,sign", "--json").ok()
    assert states(again) == {"one": "up to date", "two": "built"}
    assert [gate["result"] for gate in json.loads(again.out)["release"]["gates"]] == ["ok", "skipped", "skipped"]
    assert set(shop.moving()) == set(SERVICES)


def test_what_was_proved_is_not_proved_again(spoilt_shop: tuple[Shop, Faulty], every_key: tuple[Keys, Keys]) -> None:
    shop, spoilt = spoilt_shop
    ours = shops.signed(every_key[0])
    spoilt.at(r"/team/two/manifests/sha256-", faulty.status(403))
    first = shop.push("--skip", "scan", "--json", **ours).fails(5, "docker login")
    told = json.loads(first.out)
    assert [gate["name"] for gate in told["release"]["gates"]] == ["verify", "scan"]
    assert shop.tags() == NOTHING
    spoilt.anew()
    second = shop.push("--skip", "scan", "--json", **ours).ok()
    assert states(second) == {"one": "up to date", "two": "up to date"}
    assert "verify  ok  proved by an earlier try" in second.done.stderr
    assert {one["name"]: one["digest"] for one in told["services"]} == shop.moving()


def test_a_key_that_cannot_be_used_is_an_error_before_anything_is_built(
    shop: Shop, every_key: tuple[Keys, Keys]
) -> None:
    ours = shops.signed(every_key[0])
    key = str(every_key[0].private)
    without = {name: value for name, value in ours.items() if name != "COSIGN_PASSWORD"}
    shop.push(*SIGNING, **without).fails(8, "COSIGN_PASSWORD is not set", key)
    said = shop.push(*SIGNING, **{**ours, "COSIGN_PASSWORD": "not-the-word"})
    said.fails(8, "COSIGN_PASSWORD is not the password of the key", key)
    assert "not-the-word" not in said.all
    shop.push(*SIGNING, **{**ours, "INVOKE_CONTAINER_SIGN_KEY": "none.key"}).fails(8, "none.key")
    assert not (shop.repo.root / ".container/logs").exists() or not list((shop.repo.root / ".container/logs").iterdir())
    assert shop.tags() == NOTHING


@pytest.fixture
def scanning(shop: Shop, trivy: Path) -> dict[str, str]:
    """What lets a release be scanned: Trivy, and a database of the tests' own."""
    registry, _ = place(shop)
    advisories.push(registry, "db:2")
    return {"INVOKE_CONTAINER_SCAN_DB": f"{registry.address}/db:2", "PATH": f"{trivy.parent}:{shops.path()}"}


def test_an_image_with_a_secret_is_not_released_and_what_is_in_the_others_is_signed(
    shop: Shop, scanning: dict[str, str], every_key: tuple[Keys, Keys]
) -> None:
    ours = {**shops.signed(every_key[0]), **scanning}
    push = ("--skip", "verify", "--platforms", BOTH)
    shop.state("1.0.0", two=KEY)
    said = shop.push(*push, **ours).fails(7, "must not leave", "two")
    assert "private-key" in said.all
    assert shop.tags() == NOTHING
    shop.state("1.0.0", two="good")
    said = shop.push(*push, **ours).ok()
    assert "SPDX of 4 images, each platform's, signed" in said.all
    registry, path = place(shop)
    for name in SERVICES:
        index = json.loads(registry.manifest(f"{path}/{name}", "v1.0.0"))
        platforms = [one["digest"] for one in index["manifests"] if one["platform"]["os"] != "unknown"]
        assert len(platforms) == 2
        for one in platforms:
            registry.manifest(f"{path}/{name}", one.replace(":", "-") + ".att")


def test_two_releases_at_once_on_one_machine_come_one_after_the_other(shop: Shop, tmp_path: Path) -> None:
    for name in SERVICES:
        path = shop.repo.root / f"services/{name}/Dockerfile"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("USER", "RUN echo asleep && sleep 4\nUSER"), encoding="utf-8")
    shop.state("1.0.0")
    elsewhere = shop.clone(tmp_path / "elsewhere")
    log = shop.repo.root / ".container/logs/one.log"
    with shop.running("container-push", *QUICK) as first:
        wait_for(lambda: log.exists() and b"asleep" in log.read_bytes())
        second = elsewhere.push(*QUICK, "--json").ok()
        assert first.poll() == 0, first.communicate()[0]
    assert f"another run releases to {shop.address}; waiting" in second.done.stderr
    assert states(second) == {"one": "up to date", "two": "up to date"}
    assert json.loads(second.out)["release"]["moved"] == []
    assert list(shop.records()) == ["v1.0.0"]


def test_a_race_that_another_machine_wins_is_named(spoilt_shop: tuple[Shop, Faulty]) -> None:
    """It moves a tag between this release's last move and its look at what came of it: nothing can prevent that."""
    shop, spoilt = spoilt_shop
    shop.push(*QUICK).ok()
    first = shop.moving()
    shop.state("1.1.0", one="second", two="second")
    registry, path = place(shop)

    def elsewhere() -> None:
        wait_for(lambda: set(shop.moving().values()).isdisjoint(first.values()))
        registry.tag(f"{path}/two", first["two"], "latest")

    spoilt.at("/team/two/manifests/latest", shops.at("PUT", elsewhere))
    said = shop.push(*QUICK).fails(5, "another release moved tags at the same time")
    assert f"{shop.address}/two:latest names {first['two']}" in said.all
    assert f"{shop.address}/one:latest names" not in said.all
    assert "inv container-releases shows who won" in said.all
    second = shop.moving()
    shop.push(*QUICK).ok()
    assert shop.moving() == {"one": second["one"], "two": shop.tags()["two"]["v1.1.0"]}
    assert [name for name, one in shop.listed().items() if one["current"]] == ["v1.1.0"]


def test_a_registry_that_takes_a_tag_and_does_not_keep_it_is_named(spoilt_shop: tuple[Shop, Faulty]) -> None:
    shop, spoilt = spoilt_shop
    shop.push(*QUICK).ok()
    first = shop.moving()
    shop.state("1.1.0", one="second", two="second")
    wanted = ("PUT", "/v2/team/two/manifests/latest")
    spoilt.when(Rule(lambda asked: (asked.method, asked.path) == wanted, faulty.forgets, reaches=False))
    said = shop.push(*QUICK).fails(5, "at the same time, or the registry did not keep them")
    assert f"{shop.address}/two:latest names {first['two']}" in said.all
    spoilt.anew()
    shop.push(*QUICK).ok()
    assert set(shop.moving().values()).isdisjoint(first.values())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v2/team/releases/manifests/v1.1.0", "/releases:v1.1.0 names nothing, and not the record"),
        ("/v2/team/two/manifests/v1.1.0", "/two:v1.1.0 names nothing"),
    ],
    ids=["the record", "a version's tag"],
)
def test_no_tag_moves_where_a_registry_does_not_keep_what_commits_a_release(
    spoilt_shop: tuple[Shop, Faulty], path: str, said: str
) -> None:
    shop, spoilt = spoilt_shop
    shop.push(*QUICK).ok()
    first = shop.moving()
    shop.state("1.1.0", one="second", two="second")
    spoilt.when(Rule(lambda asked: (asked.method, asked.path) == ("PUT", path), faulty.forgets, reaches=False))
    shop.push(*QUICK).fails(5, f"{shop.address}{said}", "no tag that anybody follows has moved")
    assert shop.moving() == first
    spoilt.anew()
    shop.push(*QUICK).ok()
    assert set(shop.moving().values()).isdisjoint(first.values())
    assert "v1.1.0" in shop.records()
