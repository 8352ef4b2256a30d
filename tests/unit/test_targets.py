import dataclasses

import pytest

from tasks.errors import ConfigError, PushError
from tasks.plan.bases import Base, Origin
from tasks.plan.platforms import Platform
from tasks.plan.targets import Output, Source, make_plan
from tests.unit.samples import COMMITTED, REVISION, plan, request, source

BOTH = (Platform.AMD64, Platform.ARM64)
STAND_IN = Base(reference="alpine:3", origin=Origin.STAND_IN, replacement="localhost:5000/stand-ins/alpine:1")


def test_every_service_becomes_one_target_under_every_tag() -> None:
    targets = plan(source("agent"), source("control.plane")).targets
    assert [(target.name, target.service, target.references) for target in targets] == [
        ("agent", "agent", ("registry.example/shop/agent:latest", "registry.example/shop/agent:v1.2.3")),
        (
            "control_plane",
            "control.plane",
            ("registry.example/shop/control.plane:latest", "registry.example/shop/control.plane:v1.2.3"),
        ),
    ]


@pytest.mark.parametrize(
    ("platforms", "native", "suffix"),
    [
        ((Platform.AMD64,), Platform.AMD64, ""),
        ((Platform.ARM64,), Platform.ARM64, ""),
        ((Platform.ARM64,), Platform.AMD64, "-arm64"),
        ((Platform.AMD64,), Platform.ARM64, "-amd64"),
        (BOTH, Platform.AMD64, ""),
        (BOTH, Platform.ARM64, ""),
    ],
)
def test_only_a_single_foreign_platform_gets_a_suffix(
    platforms: tuple[Platform, ...], native: Platform, suffix: str
) -> None:
    (target,) = plan(platforms=platforms, native=native, tags=("t",)).targets
    assert target.references == (f"registry.example/shop/agent:t{suffix}",)
    assert target.platforms == platforms


def test_a_tag_without_room_for_its_suffix_is_refused() -> None:
    assert len(plan(tags=("a" * 128,)).targets) == 1
    with pytest.raises(ConfigError, match=r"a tag with its suffix -arm64.*134 characters, at most 128"):
        plan(tags=("a" * 128,), platforms=(Platform.ARM64,))


def test_labels_say_whose_and_from_which_commit() -> None:
    (target,) = plan().targets
    assert target.labels == {
        "container-tasks.project": "shop",
        "container-tasks.service": "agent",
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": REVISION,
        "org.opencontainers.image.created": COMMITTED,
    }
    assert target.args == {"VERSION": "1.2.3", "REVISION": REVISION}


def test_without_a_history_there_are_no_labels_of_it() -> None:
    (target,) = plan(source(revision=None, committed=None)).targets
    assert target.labels.keys() == {
        "container-tasks.project",
        "container-tasks.service",
        "org.opencontainers.image.version",
    }
    assert target.args["REVISION"] == "unknown"


def test_only_an_image_on_a_stand_in_says_so() -> None:
    planned = plan(source("agent", bases=(STAND_IN,)), source("indexer", bases=(Base(reference="rust:1"),)))
    assert planned.stand_ins
    assert [target.labels.get("container-tasks.bases") for target in planned.targets] == ["stand-in", None]


@pytest.mark.parametrize("registry", ["localhost:5000", "127.0.0.1:5000/a", "[::1]:5000"])
def test_images_on_stand_ins_may_go_to_this_machines_own_registry(registry: str) -> None:
    assert plan(source(bases=(STAND_IN,)), registry=registry, output=Output.PUSH).stand_ins


@pytest.mark.parametrize("registry", ["ghcr.io/shop", "localhost.example/a", "shop"])
def test_images_on_stand_ins_do_not_leave_this_machine(registry: str) -> None:
    assert plan(source(bases=(STAND_IN,)), registry=registry, output=Output.LOAD).stand_ins
    with pytest.raises(PushError, match=f"{registry} is not a loopback registry.*\nhint: set container.mirror"):
        plan(source("clean"), source(bases=(STAND_IN,)), registry=registry, output=Output.PUSH)


def test_there_is_no_plan_of_nothing() -> None:
    from tasks.plan.targets import make_plan

    with pytest.raises(ConfigError, match="nothing to build"):
        make_plan([], request())


def test_a_plan_cannot_be_changed() -> None:
    planned = plan()
    for value in (planned, planned.request, planned.targets[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.__setattr__(dataclasses.fields(value)[0].name, None)


def _standing_on(service: str, *others: str, **changed: object) -> Source:
    own = tuple(Base(reference=other, origin=Origin.OWN, replacement=f"_{other}") for other in others)
    return source(service, bases=own, **changed)


def test_images_below_come_after_what_they_stand_on_themselves() -> None:
    others = [_standing_on("middle", "bottom"), source("bottom")]
    found = make_plan([_standing_on("top", "middle")], request(), others=others)
    assert [target.name for target in found.support] == ["_bottom", "_middle"]
    assert [target.name for target in found.targets] == ["top"]


def test_images_in_a_circle_are_named() -> None:
    circle = [_standing_on("one", "two"), _standing_on("two", "one")]
    with pytest.raises(ConfigError, match="one on two on one"):
        make_plan(circle, request())


def test_what_an_image_stands_on_decides_whether_it_may_leave() -> None:
    stand_in = Base(reference="alpine:3", origin=Origin.STAND_IN, replacement="localhost:1/alpine")
    others = [source("base", bases=(stand_in,))]
    with pytest.raises(PushError):
        make_plan([_standing_on("top", "base")], request(output=Output.PUSH), others=others)


def test_what_a_target_stands_on_is_known_at_any_depth() -> None:
    def own(service: str) -> Base:
        return Base(reference=service, origin=Origin.OWN, replacement=f"_{service}")

    found = plan(source("top", bases=(own("middle"),)), source("middle", bases=(own("low"),)), source("low"))
    assert [found.below(name) for name in ("top", "middle", "low")] == [("middle", "low"), ("low",), ()]
