import pytest

from tasks.plan.bases import Base, Origin, familiar, hub_path, repository_of, resolve

PINNED = f"golang:1.27.2-alpine3.24@sha256:{'8' * 64}"
STAND_INS = {"golang": f"localhost:5000/stand-ins/golang@sha256:{'1' * 64}"}


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("alpine", "library/alpine"),
        ("alpine:3@sha256:0", "library/alpine:3@sha256:0"),
        ("library/alpine", "library/alpine"),
        ("grafana/loki:3", "grafana/loki:3"),
        ("docker.io/alpine", "library/alpine"),
        ("docker.io/grafana/loki", "grafana/loki"),
        ("index.docker.io/library/alpine", "library/alpine"),
        ("ghcr.io/a/b", None),
        ("localhost/a", None),
        ("registry:5000/a", None),
    ],
)
def test_the_hub_is_where_docker_would_look(reference: str, path: str | None) -> None:
    assert hub_path(reference) == path


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("alpine", "alpine"),
        ("alpine:3", "alpine"),
        ("alpine:3@sha256:0", "alpine"),
        ("alpine@sha256:0", "alpine"),
        ("host:5000/a/b:1", "host:5000/a/b"),
        ("host:5000/a/b", "host:5000/a/b"),
    ],
)
def test_a_repository_is_a_reference_without_tag_and_digest(reference: str, repository: str) -> None:
    assert repository_of(reference) == repository


def test_a_base_stays_as_it_is_written_where_nothing_replaces_it() -> None:
    assert resolve([PINNED], mirror=None, stand_ins={}) == (Base(reference=PINNED),)
    assert Base(reference=PINNED).named_context is None


def test_a_mirror_replaces_the_whole_reference_digest_included() -> None:
    (base,) = resolve([PINNED], mirror="mirror.example/hub", stand_ins={})
    assert base.origin is Origin.MIRROR
    assert base.named_context == (PINNED, f"docker-image://mirror.example/hub/library/{PINNED}")


def test_a_stand_in_replaces_a_base_of_the_library() -> None:
    (base,) = resolve([PINNED], mirror=None, stand_ins=STAND_INS)
    assert base.origin is Origin.STAND_IN
    assert base.named_context == (PINNED, f"docker-image://{STAND_INS['golang']}")


def test_a_mirror_wins_over_stand_ins() -> None:
    (base,) = resolve([PINNED], mirror="mirror.example", stand_ins=STAND_INS)
    assert base.origin is Origin.MIRROR


@pytest.mark.parametrize("reference", ["ghcr.io/library/golang:1", "someone/golang:1", "rust:1"])
def test_a_stand_in_replaces_nothing_that_only_looks_like_its_base(reference: str) -> None:
    assert resolve([reference], mirror=None, stand_ins=STAND_INS) == (Base(reference=reference),)


def test_a_mirror_of_the_hub_replaces_nothing_of_another_registry() -> None:
    assert resolve(["ghcr.io/a/b:1"], mirror="mirror.example", stand_ins={}) == (Base(reference="ghcr.io/a/b:1"),)


@pytest.mark.parametrize("reference", ["golang", "golang:1", "ghcr.io/acme/base:latest"])
def test_an_image_of_this_repository_is_a_target_although_a_mirror_is_named(reference: str) -> None:
    own = {"golang": "_golang", "ghcr.io/acme/base": "_golang"}
    (base,) = resolve([reference], mirror="mirror.example", stand_ins=STAND_INS, own=own)
    assert base.origin is Origin.OWN
    assert base.named_context == (reference.removesuffix(":latest"), "target:_golang")


def test_a_digest_names_a_published_image_and_no_target() -> None:
    (base,) = resolve([PINNED], mirror=None, stand_ins={}, own={"golang": "_golang"})
    assert base.named_context is None


def test_each_base_comes_once() -> None:
    assert resolve(["a", "b", "a"], mirror=None, stand_ins={}) == (Base(reference="a"), Base(reference="b"))


@pytest.mark.parametrize(
    ("written", "looked_up"),
    [
        ("alpine", "alpine"),
        ("alpine:latest", "alpine"),
        ("docker.io/library/alpine:3", "alpine:3"),
        ("docker.io/team/app:1", "team/app:1"),
        ("ghcr.io/team/app:latest", "ghcr.io/team/app"),
        (PINNED, PINNED),
    ],
)
def test_a_named_context_has_the_name_that_buildkit_looks_up(written: str, looked_up: str) -> None:
    assert familiar(written) == looked_up
