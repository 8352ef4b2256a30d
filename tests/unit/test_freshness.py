import json

import pytest

from tasks.plan.fingerprint import FINGERPRINT_LABEL, Inputs, Mark
from tasks.plan.freshness import Stored, as_for, changed, judge
from tasks.plan.platforms import Platform
from tasks.plan.targets import PROJECT_LABEL, Target

NAMES = ("r.example/a:latest", "r.example/a:v1")
TARGET = Target(
    name="a",
    service="a",
    context=".",
    dockerfile="a/Dockerfile",
    stage=None,
    platforms=(Platform.AMD64,),
    references=NAMES,
    labels={},
    args={},
    contexts={},
)
BEFORE, NOW = (Inputs(dockerfile="d", files={"a/x": f"file 644 {word}"}) for word in ("old", "new"))
MADE = frozenset({"sha256:1"})
"""What a build on this machine has made of the inputs."""
RECORD = {"fingerprint": BEFORE.fingerprint, "inputs": json.loads(BEFORE.dumps())}


def stored(inputs: Inputs, id: str = "sha256:1") -> Stored:  # noqa: A002 - the engine's word
    return Stored(id, {FINGERPRINT_LABEL: inputs.fingerprint}, "linux/amd64")


def test_the_same_fingerprint_under_one_name_is_current_and_lacks_the_other() -> None:
    verdict = judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, None, MADE)
    assert verdict.current
    assert verdict.untagged == NAMES[1:]


def test_what_differs_is_named_and_that_all_of_the_context_counts() -> None:
    there = {NAMES[0]: stored(BEFORE)}
    assert judge(TARGET, Mark(NOW), there, RECORD).because == ("a/x changed",)
    wide = judge(TARGET, Mark(NOW, wide="ONBUILD"), there, RECORD)
    assert wide.because == ("a/x changed", "all of the context counts: ONBUILD")


def test_an_image_for_more_platforms_is_as_good_as_one_for_the_targets() -> None:
    both = Stored("sha256:1", {FINGERPRINT_LABEL: NOW.fingerprint}, "linux/amd64,linux/arm64")
    there = {NAMES[0]: both}
    assert not judge(TARGET, Mark(NOW), there, None, MADE).current
    assert judge(TARGET, Mark(NOW), as_for(TARGET, there), None, MADE).current
    assert not judge(TARGET, Mark(BEFORE), as_for(TARGET, there), None, MADE).current


def test_names_of_different_images_are_not_current() -> None:
    verdict = judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW), NAMES[1]: stored(NOW, "sha256:2")}, None)
    assert verdict.because == ("its tags name different images",)


def test_what_differs_from_the_last_build_has_to_be_built_whatever_the_store_has() -> None:
    verdict = changed(Mark(NOW), RECORD)
    assert verdict is not None
    assert (verdict.because, verdict.current) == (("a/x changed",), False)
    always = changed(Mark(None, always="its base is not pinned"), RECORD)
    assert always is not None
    assert always.because == ("its base is not pinned",)


def test_only_the_store_can_tell_where_nothing_differs_or_no_record_is_there() -> None:
    for before in (None, {}, {"fingerprint": 5}, {"fingerprint": NOW.fingerprint}):
        assert changed(Mark(NOW), before) is None


@pytest.mark.parametrize("inputs", [None, [], "x", 1, {"files": [1]}, {"files": {"a/x": 1}, "args": None, "more": {}}])
def test_a_record_of_another_shape_gives_no_reasons_and_no_other_answer(inputs: object) -> None:
    record = {"fingerprint": BEFORE.fingerprint, "inputs": inputs}
    verdict = judge(TARGET, Mark(NOW), {NAMES[0]: stored(BEFORE)}, record)
    assert not verdict.current
    assert verdict.because
    assert judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, record, MADE).current


def test_an_image_that_was_built_on_ours_has_its_label_and_is_not_ours() -> None:
    made = {"fingerprint": NOW.fingerprint, "made": {"linux/amd64": "sha256:1", "linux/arm64": "sha256:9"}}
    assert judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, made).current
    verdict = judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW, "sha256:2")}, made)
    assert verdict.because == ("something else was built under its name",)


def test_a_label_alone_says_nothing_as_it_is_inherited() -> None:
    there = {NAMES[0]: stored(NOW)}
    verdict = judge(TARGET, Mark(NOW), there, None)
    assert (verdict.current, verdict.unknown) == (False, True)
    assert verdict.because == ("the image there was not built here, and its label may be inherited",)
    other = judge(TARGET, Mark(NOW), there, None, {"sha256:2"})
    assert (other.current, other.unknown) == (False, False)
    assert other.because == ("something else was built under its name",)


def test_an_image_that_another_checkout_has_made_of_the_same_is_as_good() -> None:
    ours = {"fingerprint": NOW.fingerprint, "made": {"linux/amd64": "sha256:2"}}
    assert not judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, ours).current
    assert judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, ours, MADE).current
    assert judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, {**ours, "moved": True}, MADE).current


@pytest.mark.parametrize("made", [None, [], "x", {"linux/amd64": 5}])
def test_a_damaged_record_of_what_was_made_is_none(made: object) -> None:
    record = {"fingerprint": NOW.fingerprint, "made": made}
    assert not judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, record).current


def test_an_image_whose_files_changed_while_it_was_built_is_built_again() -> None:
    before = {"fingerprint": NOW.fingerprint, "made": {"linux/amd64": "sha256:1"}, "moved": True}
    assert judge(TARGET, Mark(NOW), {NAMES[0]: stored(NOW)}, before).because == ("a file changed while it was built",)


def test_an_image_of_another_project_is_not_current() -> None:
    there = Stored("sha256:1", {FINGERPRINT_LABEL: NOW.fingerprint, PROJECT_LABEL: "other"}, "linux/amd64")
    assert judge(TARGET, Mark(NOW), {NAMES[0]: there}, None).because == ("the image there is of the project other",)
