"""What a release is, which of its tags move, and the way back."""

import json
from dataclasses import replace

import pytest

from tasks.errors import ConfigError, PushError
from tasks.plan import release as plan
from tasks.plan.release import Member, Move, Release

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
RELEASE = Release(
    name="v1.2.3",
    project="tiny",
    version="1.2.3",
    commit="0" * 40,
    created="2026-11-27T00:00:00Z",
    platforms=("linux/amd64", "linux/arm64"),
    members=(Member(service="one", digest=A, fingerprint="1-x"), Member(service="two", digest=B)),
    fixed=("v1.2.3",),
    moving=("latest",),
    before={"latest": {"one": C, "two": None}},
    checked={"verify": "ok", "scan": "skipped"},
    signer="key sha256:1",
)


@pytest.mark.parametrize(
    ("tags", "version", "fixed"),
    [
        (("latest", "v1.2.3"), "1.2.3", ("v1.2.3",)),
        (("1.2.3", "1.2", "1", "latest"), "1.2.3", ("1.2.3",)),
        (("v1.2.3-alpine", "alpine"), "1.2.3", ("v1.2.3-alpine",)),
        (("latest", "v11.2.3"), "1.2.3", ()),
        (("v1.2.30",), "1.2.3", ()),
        (("edge",), "1.2.3", ()),
        (("latest", "vdev"), "dev", ("vdev",)),
        (("latest", "v1-4-gabc"), "1-4-gabc", ("v1-4-gabc",)),
    ],
)
def test_a_tag_that_holds_the_whole_version_is_that_release_s_alone(
    tags: tuple[str, ...], version: str, fixed: tuple[str, ...]
) -> None:
    found, moving = plan.kinds(tags, version)
    assert found == fixed
    assert set(found) | set(moving) == set(tags)


def test_a_suffix_is_no_part_of_the_tag() -> None:
    assert plan.kinds(("latest-arm64", "v1.2.3-arm64"), "1.2.3", suffix="-arm64") == (
        ("v1.2.3-arm64",),
        ("latest-arm64",),
    )


@pytest.mark.parametrize(
    ("version", "names", "found"),
    [
        ("1.2.3", ("v1.2.2", "v1.2.4", "v1.10.0", "v1.9.0"), "v1.10.0"),
        ("1.2.3", ("v1.2.3", "1.2.3", "v1.2.3-rc1"), None),
        ("1.2.3", (), None),
        ("2", ("v1.9.9", "v2.0.1"), "v2.0.1"),
        ("dev", ("v9.9.9",), None),
        ("1-4-gabc", ("v9.9.9", "edge"), None),
    ],
)
def test_the_highest_release_after_a_version(version: str, names: tuple[str, ...], found: str | None) -> None:
    assert plan.later(version, names) == found


def test_the_highest_release_is_that_of_the_highest_numbers() -> None:
    assert plan.highest(("v1.9.0", "v1.10.0", "edge", "sha256-0")) == "v1.10.0"
    assert plan.highest(("edge",)) is None


def test_a_release_without_a_version_s_tag_is_called_by_its_commit() -> None:
    assert plan.name_of((), "1.2.3", "0123456789abcdef") == "1.2.3-g0123456789ab"
    assert plan.name_of(("v1.2.3",), "1.2.3", "0123456789abcdef") == "v1.2.3"


def test_the_tags_of_signatures_name_no_record() -> None:
    assert all(map(plan.may_be_name, ("v1.2.3", "1.2.3-g0123456789ab", "sha256-x")))
    assert not any(plan.may_be_name(f"sha256-{'a' * 64}{ending}") for ending in ("", ".sig", ".att"))


@pytest.mark.parametrize(
    ("tag", "owner"),
    [("v1.2.3", "v1.2.3"), ("1.2.3", "v1.2.3"), ("v1.2.3-rc", None), ("latest", None), ("1.2", "1.2")],
)
def test_a_tag_that_is_a_release_s_own_is_known(tag: str, owner: str | None) -> None:
    assert plan.owner(tag, ["v1.2.3", "1.2", "1.0.0-g0123456789ab"]) == owner


def test_a_record_is_read_as_it_was_written() -> None:
    assert plan.loads(RELEASE.dumps(), digest=C, place="x") == replace(RELEASE, digest=C)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        json.dumps({**RELEASE.content(), "services": {"one": {"digest": "latest"}}}).encode(),
        json.dumps({**RELEASE.content(), "tags": None}).encode(),
        json.dumps({**RELEASE.content(), "before": {"latest": {"one": "../x"}}}).encode(),
        json.dumps({**RELEASE.content(), "services": ["one"]}).encode(),
        json.dumps({**RELEASE.content(), "created": "tomorrow"}).encode(),
        json.dumps({**RELEASE.content(), "created": "9999-01-01T00:00:00Z"}).encode(),
    ],
)
def test_a_damaged_record_is_an_error_that_names_it(content: bytes) -> None:
    with pytest.raises(PushError, match="host/releases:v1 is no release record"):
        plan.loads(content, digest=A, place="host/releases:v1")


def test_a_record_of_another_kind_is_not_guessed_at() -> None:
    with pytest.raises(PushError, match=r"another kind \(2\)"):
        plan.loads(json.dumps({**RELEASE.content(), "schema": 2}).encode(), digest=A, place="x")


def test_its_manifest_leads_to_the_record_and_to_nothing_else() -> None:
    manifest = plan.artifact(RELEASE, A, B, size=10)
    assert plan.layer_of(manifest) == B
    other = json.loads(manifest)
    other["layers"][0]["mediaType"] = "application/octet-stream"
    assert plan.layer_of(json.dumps(other).encode()) is None
    assert plan.layer_of(b"{}") is None
    assert plan.layer_of(b"<html>") is None


def test_only_what_differs_needs_a_move() -> None:
    there = {("one", "latest"): A, ("two", "latest"): C}
    found = plan.moves(RELEASE.digests, ("latest",), there)
    assert [(move.service, move.needed) for move in found] == [("one", False), ("two", True)]


def test_moves_are_undone_the_last_first_and_new_tags_stay() -> None:
    done = [Move("one", "latest", C, A), Move("two", "latest", None, B), Move("one", "edge", B, A)]
    assert plan.undone(done) == [Move("one", "edge", A, B), Move("one", "latest", A, C)]


def test_current_is_what_every_moving_tag_names() -> None:
    assert plan.current(RELEASE, {("one", "latest"): A, ("two", "latest"): B}) == (2, 2)
    assert plan.current(RELEASE, {("one", "latest"): A, ("two", "latest"): C}) == (1, 2)


@pytest.mark.parametrize("wanted", ["v1.2.3", "1.2.3"])
def test_a_release_is_meant_by_name_or_version(wanted: str) -> None:
    assert plan.select([RELEASE], wanted) is RELEASE


def test_a_release_that_there_is_not_is_an_error_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="there is no release '9'") as caught:
        plan.select([RELEASE], "9")
    assert "v1.2.3" in str(caught.value)


def test_a_release_can_be_taken_in_part() -> None:
    assert plan.only(RELEASE, ["two"]).digests == {"two": B}
    with pytest.raises(ConfigError, match="three is not in the release"):
        plan.only(RELEASE, ["three"])


def test_a_release_stood_before_another_where_its_tags_named_it() -> None:
    digests = {name: f"sha256:{name * 64}" for name in "abc"}

    def release(one: str, before: str | None) -> plan.Release:
        return replace(
            RELEASE,
            members=(plan.Member(service="one", digest=digests[one], fingerprint=None),),
            before={"latest": {"one": None if before is None else digests[before]}},
        )

    first, taken_back, now = release("a", None), release("b", "a"), release("c", "a")
    assert plan.stood_before(now, first)
    assert not plan.stood_before(now, taken_back)
    assert not plan.stood_before(first, now)
    assert plan.stood_before(release("a", "a"), first)  # a version whose content is the old one


def test_releases_of_one_second_are_in_the_order_of_their_versions() -> None:
    some = [replace(RELEASE, name=f"v{version}", version=version) for version in ("1.10.0", "1.9.0", "1.9.1")]
    assert [one.version for one in sorted(some, key=plan.age)] == ["1.9.0", "1.9.1", "1.10.0"]
