"""A release of all services or none: tags, record, the way back; a real registry, builder, engine and cosign."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests import shops
from tests.cosigns import Keys
from tests.oci import Registry
from tests.shops import BOTH, QUICK, SERVICES, SIGNING, Shop
from tests.support import tags

pytestmark = pytest.mark.docker


def head(shop: Shop) -> str:
    told = subprocess.run(["git", "-C", shop.repo.root, "rev-parse", "HEAD"], check=True, capture_output=True)
    return told.stdout.decode().strip()


def released(shop: Shop, version: str, *words: str, **states: str) -> dict[str, str]:
    """Release a state, and return the digest of each service."""
    shop.state(version, **states)
    shop.push(*QUICK, *words).ok()
    return shop.moving()


def test_two_services_of_both_platforms_are_released_as_one(shop: Shop) -> None:
    said = shop.push("--platforms", BOTH, "--skip", "scan").ok().all
    assert "verify  ok" in said
    emulated = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists()  # another test may have asked for it
    assert ("not run here: linux/arm64" in said) is not emulated
    assert re.search(r"Released v1\.0\.0: 2 services in .*, record sha256:", said)
    first = shop.moving()
    assert shop.tags() == {name: {"v1.0.0": first[name], "latest": first[name]} for name in SERVICES}
    registry, place = shop.behind.split("/")
    for name in SERVICES:
        index = json.loads(Registry(registry).manifest(f"{place}/{name}", "latest"))
        told = {f"{one['platform']['os']}/{one['platform']['architecture']}" for one in index["manifests"]}
        assert told >= set(BOTH.split(","))
    record = shop.records()["v1.0.0"]
    assert (record["version"], record["commit"], record["project"]) == ("1.0.0", head(shop), "shop")
    assert {name: one["digest"] for name, one in record["services"].items()} == first
    assert all(one["fingerprint"].startswith("1-") for one in record["services"].values())
    assert (record["platforms"], record["signer"]) == (BOTH.split(","), None)
    assert record["tags"] == {"fixed": ["v1.0.0"], "moving": ["latest"]}
    assert record["before"] == {"latest": {"one": None, "two": None}}

    shop.state("1.1.0", one="second")
    told = json.loads(shop.push("--platforms", BOTH, *QUICK, "--json").ok().out)
    assert {one["name"]: one["state"] for one in told["services"]} == {"one": "built", "two": "up to date"}
    second = shop.moving()
    assert second["one"] != first["one"]
    assert second["two"] == first["two"]
    assert shop.tags()["two"] == {"v1.0.0": first["two"], "v1.1.0": first["two"], "latest": first["two"]}
    record = shop.records()["v1.1.0"]
    assert record["before"] == {"latest": first}
    assert {name: one["digest"] for name, one in told["release"]["services"].items()} == second
    assert told["release"]["record"] == tags(shop.behind, "releases")["v1.1.0"]
    assert {(one["service"], one["tag"], one["old"]) for one in told["release"]["moved"]} == {
        ("one", "v1.1.0", None),
        ("two", "v1.1.0", None),
        ("one", "latest", first["one"]),
    }


def test_the_same_again_changes_nothing(shop: Shop) -> None:
    shop.push(*QUICK).ok()
    before = (shop.tags(), tags(shop.behind, "releases"))
    said = shop.push(*QUICK).ok().all
    assert "all were there already" in said
    assert (shop.tags(), tags(shop.behind, "releases")) == before


def test_one_version_in_two_goes_has_one_record(shop: Shop) -> None:
    shop.push(*QUICK, "--services", "one").ok()
    assert shop.tags()["two"] == {}
    half = tags(shop.behind, "releases")
    shop.push(*QUICK, "--services", "two").ok()
    record = shop.records()
    assert list(record) == ["v1.0.0"]
    assert half != tags(shop.behind, "releases")
    assert {name: one["digest"] for name, one in record["v1.0.0"]["services"].items()} == shop.moving()
    assert [one["current"] for one in shop.listed().values()] == [True]
    shop.push(*QUICK).ok()
    assert list(shop.records()) == ["v1.0.0"]


def test_the_tag_of_another_release_is_never_moved(shop: Shop) -> None:
    shop.push(*QUICK).ok()
    before = shop.tags()
    shop.state("1.1.0", one="second")
    for tag in ("v1.0.0", "1.0.0"):
        shop.push(*QUICK, "--tags", f"latest,v1.1.0,{tag}").fails(5, f"{tag} is the tag of the release v1.0.0")
    assert shop.tags() == before


def test_an_older_version_says_which_tags_go_back(shop: Shop) -> None:
    word = "v1.1.0 was released before, and latest will name 1.0.1 from now on"
    released(shop, "1.1.0", one="second")
    shop.state("1.0.1", one="mended")
    assert word not in shop.push(*QUICK, "--tags", "v1.0.1").ok().all
    assert word in shop.push(*QUICK).ok().all
    assert [name for name, one in shop.listed().items() if one["current"]] == ["v1.0.1"]


def test_where_no_tag_moves_the_records_tell_what_there_is(shop: Shop) -> None:
    shop.push(*QUICK, "--tags", "v1.0.0").ok()
    first = shop.tags()
    shop.state("1.1.0", one="second")
    shop.push(*QUICK, "--tags", "v1.1.0").ok()
    second = shop.tags()
    assert second["two"] == {"v1.0.0": first["two"]["v1.0.0"], "v1.1.0": first["two"]["v1.0.0"]}
    assert second["one"]["v1.1.0"] != first["one"]["v1.0.0"]


def test_a_release_whose_tags_come_later_is_current_then(shop: Shop) -> None:
    shop.push(*QUICK, "--tags", "v1.0.0").ok()
    assert shop.record("v1.0.0")["tags"]["moving"] == []
    shop.push(*QUICK).ok()
    assert shop.record("v1.0.0")["tags"]["moving"] == ["latest"]
    assert [one["current"] for one in shop.listed().values()] == [True]


def test_the_record_tells_what_was_left_out(shop: Shop) -> None:
    shop.push(*QUICK).ok()
    assert shop.record("v1.0.0")["checked"] == {"verify": "skipped", "scan": "skipped", "sign": "skipped"}
    assert "verify, scan, sign" in shop.inv("container-releases", COLUMNS="200").ok().out
    shop.push("--skip", "scan,sign").ok()
    assert shop.record("v1.0.0")["checked"]["verify"] == "ok"


def test_two_projects_at_one_place_do_not_share_a_record(shop: Shop, tmp_path: Path) -> None:
    shop.push(*QUICK).ok()
    before = tags(shop.behind, "releases")
    other = shop.clone(tmp_path / "other")
    text = (other.repo.root / "invoke.yaml").read_text(encoding="utf-8")
    other.repo.write("invoke.yaml", text.replace("project: shop", "project: mall"))
    other.repo.commit()
    other.push(*QUICK).fails(5, "releases:v1.0.0 is released already: it is of the project shop, and not of mall")
    assert tags(shop.behind, "releases") == before
    assert other.listed() == {}
    other.inv("container-rollback", "--to", "v1.0.0").fails(2, "there is no release 'v1.0.0'")


def test_the_list_says_what_is_current(shop: Shop) -> None:
    assert "There is no release" in shop.inv("container-releases").ok().out
    first, second = released(shop, "1.0.0"), released(shop, "1.1.0", one="second", two="second")
    assert {name: one["current"] for name, one in shop.listed().items()} == {"v1.1.0": True, "v1.0.0": False}
    lines = shop.inv("container-releases", COLUMNS="160").ok().out.splitlines()
    rows = [line.split() for line in lines[1:]]
    assert rows[0][:4] == ["v1.1.0", "current", "one", second["one"][:19]]
    assert rows[1] == ["two", second["two"][:19]]
    assert rows[2][:3] == ["v1.0.0", "one", first["one"][:19]]
    assert rows[3] == ["two", first["two"][:19]]
    registry, place = shop.behind.split("/")
    Registry(registry).tag(f"{place}/one", first["one"], "latest")
    assert {name: one["current"] for name, one in shop.listed().items()} == {"v1.1.0": False, "v1.0.0": False}
    said = shop.inv("container-releases").ok().out
    assert "1 of 2 tags" in said
    assert "inv container-rollback --to v1.1.0" in said
    shop.inv("container-rollback").fails(2, "no release is current as a whole", "--to v1.1.0")
    assert json.loads(shop.inv("container-releases", "--most", "1", "--json").ok().out)["releases"][0]["named"] == 1
    shop.inv("container-releases", "--most", "x").fails(2, "--most")


def test_tags_go_back_and_forth_from_any_machine(shop: Shop, tmp_path: Path) -> None:
    first = released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second", two="second")
    third = released(shop, "1.2.0", two="third")
    elsewhere = shop.clone(tmp_path / "elsewhere")
    began = time.monotonic()
    said = elsewhere.inv("container-rollback").ok().all
    assert time.monotonic() - began < 5, said
    assert "Back at v1.1.0" in said
    assert f"{shop.address}/two:latest  {second['two'][:19]}  (was {third['two'][:19]})" in said
    assert shop.moving() == second
    assert "Back at v1.0.0" in elsewhere.inv("container-rollback").ok().all
    assert shop.moving() == first
    elsewhere.inv("container-rollback").fails(2, "v1.0.0 is the first release")
    told = json.loads(elsewhere.inv("container-rollback", "--to", "1.2.0", "--json").ok().out)
    assert shop.moving() == third
    assert {one["service"]: (one["old"], one["new"]) for one in told["moved"]} == {
        name: (first[name], third[name]) for name in SERVICES
    }
    assert "Nothing to do" in elsewhere.inv("container-rollback", "--to", "v1.2.0").ok().out
    elsewhere.inv("container-rollback", "--to", "9").fails(2, "there is no release '9'", "v1.2.0, v1.1.0, v1.0.0")
    assert shop.moving() == third
    elsewhere.inv("container-rollback", "--to", "v1.1.0", "--services", "two").ok()
    assert shop.moving() == {"one": third["one"], "two": second["two"]}
    assert {name: found["v1.2.0"] for name, found in shop.tags().items()} == third
    elsewhere.inv("container-rollback", "--to", "v1.2.0").ok()
    assert shop.moving() == third


def test_a_release_after_a_rollback_goes_forward(shop: Shop) -> None:
    first = released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second")
    shop.inv("container-rollback").ok()
    assert shop.moving() == first
    third = released(shop, "1.2.0", two="third")
    assert set(third.values()).isdisjoint(first.values())
    assert shop.records()["v1.2.0"]["before"] == {"latest": first}
    shop.inv("container-rollback").ok()
    assert shop.moving() == first  # what latest named before, and not what had been taken back
    shop.inv("container-rollback", "--to", "v1.1.0").ok()
    assert shop.moving() == second


def test_what_was_taken_back_is_not_what_a_rollback_goes_back_to(shop: Shop) -> None:
    released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second")
    released(shop, "1.2.0", one="bad")
    shop.inv("container-rollback").ok()
    assert shop.moving() == second
    released(shop, "1.3.0", one="mended")
    assert "Back at v1.1.0" in shop.inv("container-rollback").ok().out
    assert shop.moving() == second


def test_a_push_after_one_that_failed_is_of_all_services(shop: Shop) -> None:
    released(shop, "1.0.0")
    path = shop.repo.root / "services/two/Dockerfile"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}RUN false\n", encoding="utf-8")
    shop.state("1.1.0", one="second", two="second")
    said = shop.push(*QUICK).fails(4, "what is done is not done again: inv container-push")
    path.write_text(text, encoding="utf-8")
    shop.state("1.1.0", one="second", two="second")
    words = said.all.rpartition("inv container-push")[2].splitlines()[0].split()
    shop.inv("container-push", *words).ok()
    assert set(shop.tags()["one"]) == set(shop.tags()["two"]) == {"latest", "v1.0.0", "v1.1.0"}
    assert [name for name, one in shop.listed().items() if one["current"]] == ["v1.1.0"]


@pytest.mark.parametrize("version", ["latest", "stable", "-1"])
def test_a_version_that_people_would_follow_is_refused(shop: Shop, version: str) -> None:
    shop.state(version)
    shop.push(*QUICK).fails(2)
    assert shop.tags() == {name: {} for name in SERVICES}


_SAID = "vnd.docker.reference.type"  # of a manifest that says something of another one


def provenance(shop: Shop, service: str) -> bytes:
    """Return what BuildKit says of an image's build, as the registry has it."""
    host, _, path = shop.behind.partition("/")
    registry, place = Registry(host), f"{path}/{service}"
    index = json.loads(registry.manifest(place, "latest"))
    said = next(one["digest"] for one in index["manifests"] if _SAID in one.get("annotations", {}))
    return b"".join(
        registry.blob(place, layer["digest"]) for layer in json.loads(registry.manifest(place, said))["layers"]
    )


def test_a_token_in_the_query_of_a_remote_reaches_no_provenance(shop: Shop) -> None:
    git = ["git", "-C", str(shop.repo.root), "remote"]
    address = "https://git.invalid/team/tiny.git"
    subprocess.run([*git, "add", "origin", address], check=True)
    released(shop, "1.0.0")
    assert address.encode() in provenance(shop, "one")
    subprocess.run([*git, "set-url", "origin", f"{address}?private_token=pl4nted-query"], check=True)
    released(shop, "1.1.0", one="second")
    assert b"git.invalid" not in provenance(shop, "one")


def test_what_was_rolled_back_is_not_built_again(shop: Shop) -> None:
    released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second")
    shop.inv("container-rollback").ok()
    shop.state("1.2.0")
    said = shop.push(*QUICK).ok()
    assert "2 up to date" in said.out
    assert shop.moving() == second


def test_a_release_is_signed_and_only_what_is_signed_is_gone_back_to(
    shop: Shop, every_key: tuple[Keys, Keys], tmp_path: Path
) -> None:
    ours, theirs = map(shops.signed, every_key)
    trusting = {"INVOKE_CONTAINER_VERIFY_KEY": str(every_key[0].public), "PATH": ours["PATH"]}
    said = shop.push(*SIGNING, "--platforms", BOTH, **ours).ok().all
    assert "2 images, by the key sha256:" in said
    first = shop.moving()
    record = shop.records()["v1.0.0"]
    assert record["signer"].startswith("the key sha256:")
    shop.state("1.1.0", one="second", two="second")
    shop.push(*QUICK).ok()
    shop.state("1.2.0", one="third", two="third")
    shop.push(*SIGNING, **theirs).ok()
    third = shop.moving()
    elsewhere = shop.clone(tmp_path / "elsewhere")
    elsewhere.inv("container-rollback", **trusting).fails(8, "is not signed")
    assert shop.moving() == third
    elsewhere.inv("container-rollback", "--to", "v1.0.0").fails(
        8, "nothing here says whether that counts", "verify_key"
    )
    assert shop.moving() == third
    began = time.monotonic()
    elsewhere.inv("container-rollback", "--to", "v1.0.0", **trusting).ok()
    assert time.monotonic() - began < 5 * len(SERVICES)
    assert shop.moving() == first
    elsewhere.inv("container-rollback", "--to", "v1.2.0", **trusting).fails(8, "is signed, but not by the key")
    assert shop.moving() == first
    assert elsewhere.listed()["v1.0.0"]["signer"] == record["signer"]
    said = elsewhere.inv("container-releases", COLUMNS="200").ok().out
    assert record["signer"][:24] in said
    assert "nobody" in said
    told = json.loads(elsewhere.inv("container-releases", "--json", **trusting).ok().out)["releases"]
    assert {one["name"]: one["signature"] for one in told} == {
        "v1.0.0": "verified",
        "v1.1.0": "not checked",
        "v1.2.0": "refused",
    }
    absent = {**trusting, "INVOKE_CONTAINER_VERIFY_KEY": str(tmp_path / "none.pub")}
    listed = elsewhere.inv("container-releases", "--json", **absent).ok()
    assert "note: no signature is checked: " in listed.done.stderr
    assert {one["signature"] for one in json.loads(listed.out)["releases"]} == {"not checked"}


def test_what_somebody_else_has_under_a_tag_is_not_signed_as_ours(shop: Shop, every_key: tuple[Keys, Keys]) -> None:
    """It has our fingerprint, which anybody can write: only what we have signed, or built just now, is taken."""
    ours, theirs = map(shops.signed, every_key)
    shop.push(*SIGNING, **theirs).ok()
    foreign = shop.moving()
    shop.push(*SIGNING, **ours).fails(5, "v1.0.0 is released already", "is signed, but not by the key")
    assert shop.moving() == foreign
    shop.state("1.1.0")
    shop.push(*SIGNING, **ours).ok()
    assert not set(shop.moving().values()) & set(foreign.values())


def test_a_record_that_was_changed_is_not_gone_back_to(shop: Shop, every_key: tuple[Keys, Keys]) -> None:
    """Its images are signed, and so was the record once; whoever may push has put another in its place."""
    ours = shops.signed(every_key[0])
    shop.push(*SIGNING, **ours).ok()
    shop.state("1.1.0", one="second", two="second")
    shop.push(*SIGNING, **ours).ok()
    second = shop.moving()
    registry, place = shop.behind.split("/")
    forged = dict(shop.record("v1.0.0"))
    forged["services"] = {"one": forged["services"]["one"]}
    content = json.dumps(forged).encode()
    Registry(registry).push_file(
        f"{place}/releases:v1.0.0", content, "application/vnd.container-tasks.release.v1+json", "release"
    )
    shop.inv("container-rollback", **ours).fails(8, "releases@sha256:", "is not signed")
    assert shop.moving() == second


def test_a_damaged_record_hides_no_other(shop: Shop) -> None:
    first = released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second", two="second")
    registry, place = shop.behind.split("/")
    kind = "application/vnd.container-tasks.release.v1+json"
    Registry(registry).push_file(f"{place}/releases:v0.9.0", b'{"schema": 1}', kind, "release")
    Registry(registry).push_file(f"{place}/releases:other", b"{}", "text/plain", "something else")
    said = shop.inv("container-rollback").ok().all
    assert "note: " in said
    assert f"{shop.address}/releases:v0.9.0 is no release record" in said
    assert shop.moving() == first
    shop.inv("container-rollback", "--to", "v0.9.0").fails(2, "there is no release 'v0.9.0'", "is no release record")
    assert set(shop.listed()) == {"v1.0.0", "v1.1.0"}
    shop.inv("container-rollback", "--to", "v1.1.0").ok()
    assert shop.moving() == second


def test_without_a_version_among_its_tags_a_release_is_called_by_its_commit(shop: Shop) -> None:
    shop.push(*QUICK, "--tags", "edge,nightly").ok()
    assert set(shop.tags()["one"]) == {"edge", "nightly"}
    name = f"1.0.0-g{head(shop)[:12]}"
    assert list(shop.records()) == [name]
    assert shop.listed()[name]["current"] is True


def test_what_another_tag_was_moved_for_is_not_gone_back_to(shop: Shop) -> None:
    first = released(shop, "1.0.0")
    shop.state("1.1.0", one="nightly", two="nightly")
    shop.push(*QUICK, "--tags", "nightly").ok()
    assert shop.moving() == first
    shop.inv("container-rollback").fails(2, "is the first release: there is none before it")
    assert {name: found["nightly"] for name, found in shop.tags().items()} != first


def test_a_fourth_service_is_a_folder(shop: Shop) -> None:
    first = released(shop, "1.0.0")
    for part in ("Dockerfile", "word", "seed"):
        text = (shop.repo.root / f"services/one/{part}").read_text(encoding="utf-8")
        shop.repo.write(f"services/three/{part}", text.replace("services/one", "services/three"))
    second = released(shop, "1.1.0", one="second")
    assert tags(shop.behind, "three").keys() == {"v1.1.0", "latest"}
    shop.inv("container-rollback").ok()
    assert shop.moving() == first
    assert tags(shop.behind, "three").keys() == {"v1.1.0", "latest"}  # the release before has none of it
    shop.inv("container-rollback", "--to", "v1.0.0", "--services", "three").fails(2, "three is not in the release")
    shop.inv("container-rollback", "--to", "v1.1.0").ok()
    assert shop.moving() == second


def test_a_service_that_is_gone_from_the_repository_goes_back_too(shop: Shop) -> None:
    first = released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second", two="second")
    shutil.rmtree(shop.repo.root / "services/two")
    shop.inv("container-rollback", "--to", "v1.0.0", "--services", "two").ok()
    assert shop.moving() == {"one": second["one"], "two": first["two"]}
    shop.inv("container-rollback", "--to", "v1.0.0", "--services", "tow").fails(
        2, "tow is not in the release", "it has one, two"
    )


def test_an_image_that_the_registry_has_forgotten_keeps_all_tags_where_they_are(shop: Shop) -> None:
    first = released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second", two="second")
    registry, place = shop.behind.split("/")
    requests.delete(f"http://{registry}/v2/{place}/one/manifests/{first['one']}", timeout=10).raise_for_status()
    shop.inv("container-rollback").fails(
        5,
        f"v1.0.0 is not whole any more: the registry does not have {shop.address}/one@{first['one']}",
        "inv container-releases",
    )
    assert shop.moving() == second
    shop.inv("container-rollback", "--services", "two", "--to", "v1.0.0").ok()
    assert shop.moving() == {"one": second["one"], "two": first["two"]}


def test_a_release_of_other_services_is_gone_back_to_and_what_stays_is_named(shop: Shop) -> None:
    released(shop, "1.0.0")
    first = released(shop, "1.1.0", two="second")
    shutil.copytree(shop.repo.root / "services/two", shop.repo.root / "services/three")
    dockerfile = shop.repo.root / "services/three/Dockerfile"
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8").replace("services/two", "services/three"), "utf-8")
    shutil.rmtree(shop.repo.root / "services/two")
    shop.state("1.2.0")
    shop.push(*QUICK).ok()
    third = tags(shop.behind, "three")["latest"]
    said = shop.inv("container-rollback").ok().all
    assert f"{shop.address}/three:latest  {third[:19]}  stays: v1.1.0 has no three" in said
    assert {name: tags(shop.behind, name)["latest"] for name in ("one", "two")} == first
    told = json.loads(shop.inv("container-rollback", "--to", "v1.1.0", "--json").ok().out)
    assert told["left"] == [{"service": "three", "tag": "latest", "digest": third}]


def test_a_version_that_changed_nothing_is_gone_back_from_to_the_one_before(shop: Shop) -> None:
    released(shop, "1.0.0", one="other")
    for version in ("1.1.0", "1.2.0"):
        shop.state(version, one="same")
        shop.push(*QUICK).ok()
    assert "tag names v1.1.0 already" in shop.inv("container-rollback").ok().out


def test_after_the_first_release_nothing_is_said_of_a_way_back(shop: Shop) -> None:
    assert "takes it back" not in shop.push(*QUICK).ok().all
    shop.state("1.1.0", one="second")
    assert "inv container-rollback takes it back" in shop.push(*QUICK).ok().all


def test_what_no_commit_has_is_not_released(shop: Shop) -> None:
    shop.push(*QUICK).ok()
    first = shop.moving()
    subprocess.run(["git", "-C", shop.repo.root, "update-index", "--assume-unchanged", "services/one/word"], check=True)
    shop.repo.write("services/one/word", "in no commit\n")
    shop.state("1.1.0")
    shop.push(*QUICK).fails(2, "one would be built from files that no commit has", "git ls-files -v")
    assert shop.moving() == first


def test_a_signed_release_gets_no_service_without_a_signature(shop: Shop, every_key: tuple[Keys, Keys]) -> None:
    ours = shops.signed(every_key[0])
    shop.push(*SIGNING, "--services", "one", **ours).ok()
    record = shop.records()["v1.0.0"]
    shop.push(*QUICK, "--services", "two").fails(5, "v1.0.0 is released already: it is signed by", "raise VERSION")
    assert shop.records()["v1.0.0"] == record
    shop.push(*SIGNING, "--services", "two", **ours).ok()
    assert set(shop.records()["v1.0.0"]["services"]) == {"one", "two"}


def test_a_key_whose_signature_would_not_count_signs_nothing(shop: Shop, every_key: tuple[Keys, Keys]) -> None:
    ours, theirs = map(shops.signed, every_key)
    trusting = {"INVOKE_CONTAINER_VERIFY_KEY": str(every_key[0].public)}
    shop.push(*SIGNING, **{**theirs, **trusting}).fails(8, "container.sign_key signs as sha256:", "alone")
    shop.push(*SIGNING, **{**ours, **trusting}).ok()


def test_a_tag_of_a_version_that_somebody_has_moved_is_named(shop: Shop) -> None:
    first = released(shop, "1.0.0")
    second = released(shop, "1.1.0", one="second", two="second")
    assert "has moved" not in shop.inv("container-releases").ok().all
    registry, place = shop.behind.split("/")
    Registry(registry).tag(f"{place}/one", first["one"], "v1.1.0")
    said = shop.inv("container-releases").ok().all
    assert f"{shop.address}/one:v1.1.0 has moved: it is {first['one']}, and v1.1.0 has {second['one']}" in said
