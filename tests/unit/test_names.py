import pytest

from tasks.errors import ConfigError
from tasks.plan import names


@pytest.mark.parametrize(
    "registry",
    [
        "ghcr.io/aic-sos",
        "localhost:5000",
        "localhost",
        "127.0.0.1:5000/team/images",
        "[::1]:5000/team",
        "registry.example.com:443/a/b__c/d-e",
        "organisation",
        "organisation/team",
    ],
)
def test_what_can_be_a_registry_comes_back_as_it_was_given(registry: str) -> None:
    assert names.check_registry(registry, source="--registry") == registry


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        ("", ["is empty", "for example ghcr.io/my-organisation"]),
        ("https://ghcr.io/aic-sos", ["has a scheme", "write ghcr.io/aic-sos"]),
        ("http://", ["has a scheme", "write host/path"]),
        ("GHCR.io/AIC", ["has upper case", "write ghcr.io/aic"]),
        ("ghcr.io/aic/", ["ends with a slash", "write ghcr.io/aic"]),
        ("/", ["ends with a slash", "write host/path"]),
        ("ghcr.io/a,ghcr.io/b", ["is not a registry"]),
        ("ghcr.io/$(id)", ["is not a registry"]),
        ("ghcr.io/a;id", ["is not a registry"]),
        ("ghcr.io/a b", ["is not a registry"]),
        ("ghcr.io/a\n", ["is not a registry"]),
        ("ghcr.io/../b", ["is not a registry"]),
        ("..", ["is not a registry"]),
        ("ghcr.io//b", ["is not a registry"]),
        ("/team", ["is not a registry"]),
        ("-x/team", ["is not a registry"]),
        ("user:secret@ghcr.io/a", ["is not a registry"]),
        ("user@ghcr.io/a", ["is not a registry"]),
        ("ghcr.io:port/a", ["is not a registry"]),
        ("ghcr.io:99999/a", ["is not a registry"]),
        ("ghcr.io:0/a", ["is not a registry"]),
        ("${HOME}", ["is not a registry", "write host[:port]/path"]),
        ("ghcr.io/a:tag", ["is not a registry"]),
        ("ghcr.io/a@sha256:0", ["is not a registry"]),
        ("ghcr.io/" + "a" * 250, ["258 characters", "at most 255"]),
    ],
)
def test_what_cannot_be_a_registry_is_refused_with_its_source_and_what_mends_it(
    registry: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError, match=r"\Aerror: --registry") as caught:
        names.check_registry(registry, source="--registry")
    assert all(word in str(caught.value) for word in [*words, "\nhint: "])


@pytest.mark.parametrize(
    ("registry", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000/a", True),
        ("127.0.0.1:5000", True),
        ("127.8.8.8", True),
        ("[::1]:5000/a", True),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("ghcr.io/localhost", False),
        ("10.0.0.1:5000", False),
        ("[::2]:5000", False),
        ("organisation/team", False),
    ],
)
def test_only_this_machine_is_loopback(registry: str, loopback: bool) -> None:
    assert names.is_loopback(registry) is loopback


@pytest.mark.parametrize("tag", ["latest", "v1.2.3-rc.1", "_", "a" * 128, "1", "A_b.C-d"])
def test_what_can_be_a_tag_is_one(tag: str) -> None:
    assert names.check_tags([tag], source="--tags") == (tag,)


def test_tags_keep_their_order_and_come_once() -> None:
    assert names.check_tags(["b", "a", "b"], source="--tags") == ("b", "a")


@pytest.mark.parametrize(
    ("tag", "why", "hint"),
    [
        ("v1.0+build", "it holds '+'", "for example v1.0-build"),
        ("a" * 129, "129 characters, at most 128", "for example aaa"),
        ("-rc1", "it begins with '-'", "for example rc1"),
        (".hidden", "it begins with '.'", "for example hidden"),
        ("a/b", "it holds '/'", "for example a-b"),
        ("a:b", "it holds ':'", "for example a-b"),
        ("$(id)", "it holds '$'", "for example id"),
        ("tä", "it holds 'ä'", "for example t"),
        ("a\n", "it holds '\\n'", "for example a"),
        ("", "it is empty", "letters, digits"),
        ("---", "it begins with '-'", "letters, digits"),
    ],
)
def test_what_cannot_be_a_tag_is_refused_with_the_reason(tag: str, why: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=r"\Aerror: DOCKER_TAGS: ") as caught:
        names.check_tags(["fine", tag], source="DOCKER_TAGS")
    assert f"cannot be a tag: {why}\nhint: {hint}" in str(caught.value)


def test_a_long_value_does_not_fill_the_screen() -> None:
    with pytest.raises(ConfigError) as caught:
        names.check_tags(["a" * 4000], source="--tags")
    assert len(str(caught.value)) < 250


def test_a_list_is_split_at_its_commas() -> None:
    assert names.split_list("a,b", source="--tags") == ("a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--tags is empty\nhint: give --tags a value, or leave it out"),
        ("  ", "--tags is empty"),
        ("a,,b", "--tags: 'a,,b' has an empty item\nhint: separate items by single commas"),
        ("a,", "--tags: 'a,' has an empty item"),
        (",a", "--tags: ',a' has an empty item"),
        ("a, b", "--tags: ' b' has white space in it\nhint: write a,b"),
        ("a b", "--tags: 'a b' has white space in it"),
        ("a,b\n", "--tags: 'b\\n' has white space in it\nhint: write a,b"),
    ],
)
def test_a_list_with_nothing_or_white_space_in_it_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        names.split_list(text, source="--tags")
    assert str(caught.value).startswith(f"error: {words}")


@pytest.mark.parametrize("name", ["agent", "a", "control-plane", "a.b", "a_b", "a__b", "a---b", "9to5"])
def test_what_can_be_a_service_is_one(name: str) -> None:
    assert names.is_service(name)
    assert names.check_project(name, source="x") == name


@pytest.mark.parametrize(
    "name",
    ["", "Agent", "a b", "-a", "a-", "_a", "a.", "a..b", "a___b", "a/b", "..", "ä", "a\n", "$(id)", "a;b", "a" * 256],
)
def test_what_cannot_be_a_service_is_none(name: str) -> None:
    assert not names.is_service(name)
    with pytest.raises(ConfigError, match=r"container\.project.*cannot mark images"):
        names.check_project(name, source="container.project")
