"""Records of releases that whoever may push has written: read as they are, or refused, and shown without harm."""

import json
import re
from typing import Any

from hypothesis import strategies as st

from tasks.errors import ConfigError, PushError, TaskError
from tasks.plan import release as plan
from tasks.plan.release import Move, Release
from tasks.report import release as report
from tasks.report import style
from tasks.report.release import Gate, Listed
from tests.property import hostile
from tests.property.cases import hostile as tries
from tests.property.test_output import shown

DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
NAME = re.compile(r"[A-Za-z0-9._-]+")
WHOLE: dict[str, Any] = {
    "schema": 1,
    "name": "v1.2.3",
    "project": "shop",
    "version": "1.2.3",
    "commit": "c" * 40,
    "created": "2026-11-27T12:00:00Z",
    "platforms": ["linux/amd64"],
    "services": {"one": {"digest": DIGEST, "fingerprint": "1-x"}},
    "tags": {"fixed": ["v1.2.3"], "moving": ["latest"]},
    "before": {"latest": {"one": None}},
    "checked": {"verify": "ok"},
    "signer": None,
}

jsons = st.recursive(
    hostile.text | st.integers() | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile.text, inner, max_size=3),
    max_leaves=6,
)


def said(error: TaskError) -> None:
    """See that an error is words alone."""
    assert shown(lambda: style.say(str(error)))


def read(content: object) -> Release | None:
    """Return a record; None where it is refused in words that a person can read."""
    try:
        return plan.loads(json.dumps(content).encode(), digest=DIGEST, place="host/releases:v1")
    except PushError as error:
        said(error)
        return None


def show(release: Release) -> str:
    """Return all that is said of a release."""
    digests = release.digests
    moved = [Move(service, tag, OTHER, digest) for service, digest in digests.items() for tag in release.moving]

    def say() -> None:
        report.show_list([Listed(release, 1, 2)], "host/team")
        report.show(release, moved, "host/team")
        report.show_rollback(release, moved, "host/team", 1.0, [(move.service, move.tag, move.new) for move in moved])
        report.say_gate(Gate("sign", "ok", str(release.signer)))

    json.dumps(report.list_answer([Listed(release, 1, 2)]))
    return shown(say)


@tries(300, 6000, content=jsons)
def test_what_is_no_record_is_refused(content: Any) -> None:  # noqa: ANN401 - any JSON value
    assert read(content) is None


@tries(300, 6000, content=st.binary(max_size=200))
def test_what_is_no_json_is_refused(content: bytes) -> None:
    try:
        plan.loads(content, digest=DIGEST, place="host/releases:v1")
    except PushError:
        return
    raise AssertionError(content)


@tries(300, 6000, content=st.binary(max_size=200) | jsons.map(lambda one: json.dumps(one).encode()))
def test_what_is_no_manifest_of_a_record_leads_nowhere(content: bytes) -> None:
    assert plan.layer_of(content) is None


@tries(500, 10_000, key=st.sampled_from(sorted(WHOLE)), value=jsons)
def test_a_record_with_a_part_that_is_not_right_is_read_or_refused(key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    assert read(WHOLE) is not None
    found = read({**WHOLE, key: value})
    if found is not None:
        show(found)


@tries(500, 10_000, text=hostile.text)
def test_whatever_a_record_says_is_shown_without_harm(text: str) -> None:
    free = ("project", "version", "commit", "signer")
    found = read({**WHOLE, **dict.fromkeys(free, text), "platforms": [text], "checked": {text: text}})
    assert found is not None
    show(found)


@tries(500, 10_000, service=hostile.text, tag=hostile.text, name=hostile.text)
def test_what_becomes_an_address_or_a_command_is_a_name_or_refused(service: str, tag: str, name: str) -> None:
    """A record is written by whoever may push, and its name stands in commands that a person is told to type."""
    found = read(
        {
            **WHOLE,
            "name": name,
            "services": {service: {"digest": DIGEST, "fingerprint": None}},
            "tags": {"fixed": [], "moving": [tag]},
            "before": {tag: {service: OTHER}},
        }
    )
    if found is not None:
        assert NAME.fullmatch(found.name + service + tag)
        show(found)


@tries(200, 4000, wanted=hostile.text)
def test_a_release_that_there_is_not_is_named_as_it_was_asked_for(wanted: str) -> None:
    release = read(WHOLE)
    assert release is not None
    try:
        found = plan.select([release], wanted)
    except ConfigError as error:
        said(error)
    else:
        assert found is release
