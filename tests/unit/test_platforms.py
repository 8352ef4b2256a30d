import pytest

from tasks.errors import ConfigError
from tasks.plan.platforms import Platform, of_machine, parse


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("amd64", "linux/amd64"),
        ("x86_64", "linux/amd64"),
        ("arm64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("AARCH64", "linux/arm64"),
    ],
)
def test_a_processor_has_one_platform_whatever_it_is_called(name: str, platform: str) -> None:
    assert of_machine(name) == platform


def test_this_machine_has_a_platform() -> None:
    assert of_machine() in Platform


def test_a_processor_that_nothing_is_built_for_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'riscv64'.*\nhint: known: amd64"):
        of_machine("riscv64")


def test_platforms_keep_their_order_and_come_once() -> None:
    assert parse(["linux/arm64", "linux/amd64", "linux/arm64"], source="--platforms") == (
        Platform.ARM64,
        Platform.AMD64,
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("linux/amd65", "linux/amd64"),
        ("linux-arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("Linux/AMD64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("x86-64", "linux/amd64"),
        ("x64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("Linux/AArch64", "linux/arm64"),
        ("arm64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
    ],
)
def test_a_misspelt_platform_is_answered_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(["linux/amd64", name], source="BUILD_PLATFORMS")
    assert (
        str(caught.value)
        == f"error: BUILD_PLATFORMS: {name!r} is not a platform that is built here\nhint: did you mean {meant}?"
    )


def test_a_platform_like_no_other_is_answered_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="choose from linux/amd64, linux/arm64"):
        parse(["plan9"], source="--platforms")


@pytest.mark.parametrize("platform", Platform)
def test_a_platform_knows_its_processor(platform: Platform) -> None:
    assert f"linux/{platform.arch}" == platform
