import json
from typing import Any

import pytest

from tasks.plan.bake import definition, dumps
from tasks.plan.bases import Base, Origin
from tasks.plan.platforms import Platform
from tasks.plan.targets import Output, Plan, make_plan
from tests.unit.samples import COMMITTED, REVISION, plan, request, source

ALPINE = f"alpine:3.24.2@sha256:{'2' * 64}"
AGENT: dict[str, Any] = {
    "context": ".",
    "dockerfile": "services/agent/Dockerfile",
    "args": {"VERSION": "1.2.3", "REVISION": REVISION},
    "labels": {
        "container-tasks.project": "shop",
        "container-tasks.service": "agent",
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": REVISION,
        "org.opencontainers.image.created": COMMITTED,
    },
    "tags": ["registry.example/shop/agent:latest", "registry.example/shop/agent:v1.2.3"],
    "platforms": ["linux/amd64"],
    "output": ["type=docker"],
    "attest": ["type=provenance,disabled=true"],
    "secret": ["id=ca,src=.container/ca.pem"],
}
PUSHED = "type=image,push=true,push-by-digest=true,name-canonical=true,name=registry.example/shop/agent"
STAND_IN = Base(reference=ALPINE, origin=Origin.STAND_IN, replacement="localhost:5000/stand-ins/alpine@sha256:0")
MIRROR = Base(reference=ALPINE, origin=Origin.MIRROR, replacement=f"mirror.example/library/{ALPINE}")


def without(entry: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in keys}


SHAPES: dict[str, tuple[Plan, dict[str, Any]]] = {
    "from a stage, in a context of its own, with arguments": (
        plan(source(context="apps/agent", dockerfile="Containerfile", stage="web", args={"A": "${B}", "VERSION": "9"})),
        AGENT
        | {
            "context": "apps/agent",
            "dockerfile": "Containerfile",
            "target": "web",
            "args": {"VERSION": "9", "REVISION": REVISION, "A": "$${B}"},
        },
    ),
    "loaded for this platform": (plan(), AGENT),
    "loaded for a foreign platform": (
        plan(platforms=(Platform.ARM64,)),
        AGENT
        | {
            "platforms": ["linux/arm64"],
            "tags": ["registry.example/shop/agent:latest-arm64", "registry.example/shop/agent:v1.2.3-arm64"],
        },
    ),
    "loaded for two platforms": (
        plan(platforms=(Platform.AMD64, Platform.ARM64)),
        AGENT | {"platforms": ["linux/amd64", "linux/arm64"]},
    ),
    "pushed for two platforms": (
        plan(platforms=(Platform.AMD64, Platform.ARM64), output=Output.PUSH),
        AGENT
        | {
            "platforms": ["linux/amd64", "linux/arm64"],
            "output": [PUSHED],
            "tags": [],
            "attest": ["type=provenance,mode=min"],
        },
    ),
    "pushed with what it was made from": (
        plan(source(fingerprint="1-abc"), output=Output.PUSH),
        AGENT
        | {
            "labels": AGENT["labels"] | {"container-tasks.fingerprint": "1-abc"},
            "output": [PUSHED],
            "tags": [],
            "attest": ["type=provenance,mode=min"],
            "annotations": ["index:container-tasks.fingerprint=1-abc"],
        },
    ),
    "loaded with what it was made from": (
        plan(source(fingerprint="1-abc")),
        AGENT
        | {
            "labels": AGENT["labels"]
            | {"container-tasks.fingerprint": "1-abc", "container-tasks.platforms": "linux/amd64"},
        },
    ),
    "on a stand-in": (
        plan(source(bases=(STAND_IN, Base(reference="ghcr.io/a/b")))),
        AGENT
        | {
            "labels": AGENT["labels"] | {"container-tasks.bases": "stand-in"},
            "contexts": {ALPINE: "docker-image://localhost:5000/stand-ins/alpine@sha256:0"},
        },
    ),
    "on a mirror": (
        plan(source(bases=(MIRROR,))),
        AGENT | {"contexts": {ALPINE: f"docker-image://mirror.example/library/{ALPINE}"}},
    ),
    "anew, with bases asked for again": (plan(no_cache=True, pull=True), AGENT | {"no-cache": True, "pull": True}),
    "without a CA bundle": (plan(ca=None), without(AGENT, "secret")),
    "without a history": (
        plan(source(revision=None, committed=None)),
        AGENT
        | {
            "args": {"VERSION": "1.2.3", "REVISION": "unknown"},
            "labels": {
                "container-tasks.project": "shop",
                "container-tasks.service": "agent",
                "org.opencontainers.image.version": "1.2.3",
            },
        },
    ),
    "with what bake would read as a template": (
        plan(
            source(
                revision="${HOME}%{if}$${x}",
                committed=None,
                bases=(Base(reference="a:${V}", origin=Origin.MIRROR, replacement="m/%{V}"),),
            ),
            ca="${CA}",
        ),
        AGENT
        | {
            "args": {"VERSION": "1.2.3", "REVISION": "$${HOME}%%{if}$$${x}"},
            "labels": {
                "container-tasks.project": "shop",
                "container-tasks.service": "agent",
                "org.opencontainers.image.version": "1.2.3",
                "org.opencontainers.image.revision": "$${HOME}%%{if}$$${x}",
            },
            "contexts": {"a:$${V}": "docker-image://m/%%{V}"},
            "secret": ["id=ca,src=$${CA}"],
        },
    ),
}


@pytest.mark.parametrize(("planned", "entry"), SHAPES.values(), ids=SHAPES)
def test_a_target_is_whole_and_nothing_more(planned: Plan, entry: dict[str, Any]) -> None:
    assert definition(planned) == {"group": {"default": {"targets": ["agent"]}}, "target": {"agent": entry}}


def test_several_services_are_one_definition() -> None:
    made = definition(plan(source("indexer"), source("a.b")))
    assert made["group"] == {"default": {"targets": ["indexer", "a_b"]}}
    assert list(made["target"]) == ["indexer", "a_b"]
    assert made["target"]["a_b"]["dockerfile"] == "services/a.b/Dockerfile"


def test_what_is_printed_is_json_that_people_can_read() -> None:
    text = dumps({"target": {"a": {"labels": {"title": "Übersicht"}}}})
    assert json.loads(text) == {"target": {"a": {"labels": {"title": "Übersicht"}}}}
    assert text.endswith("}\n")
    assert '      "labels": {\n        "title": "Übersicht"' in text


def test_an_image_that_others_stand_on_is_a_target_without_tags_and_export() -> None:
    base = source("base", bases=(STAND_IN,))
    own = Base(reference="base:latest", origin=Origin.OWN, replacement="_base")
    found = definition(make_plan([source(bases=(own,))], request(), others=[base]))
    assert found["group"] == {"default": {"targets": ["agent"]}}
    assert found["target"]["agent"]["contexts"] == {"base": "target:_base"}
    below = found["target"]["_base"]
    assert below["tags"] == []
    assert below["output"] == ["type=cacheonly"]
    assert below["dockerfile"] == "services/base/Dockerfile"
    assert set(found["target"]) == {"agent", "_base"}
