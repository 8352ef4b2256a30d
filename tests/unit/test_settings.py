import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import Context

from tasks import configuration, elsewhere, settings
from tasks.discovery import discover
from tasks.errors import ConfigError
from tasks.plan import signing
from tasks.plan.platforms import Platform
from tasks.services import Repository
from tests.support import Repo


def context(root: Path) -> Context:
    """Return what Invoke hands to a task: collection, files and environment, in its own order."""
    runtime = root / "runtime.yaml"
    config = Config(
        system_prefix=f"{root}/system-",
        user_prefix=f"{root}/user-",
        runtime_path=runtime if runtime.exists() else None,
    )
    config.load_collection({"container": configuration.DEFAULTS})
    config.set_project_location(root)
    config.load_project()
    config.load_runtime()
    config.load_shell_env()
    return Context(config)


def load(repo: Repo, **flags: object) -> settings.Settings:
    section = configuration.read_file(repo.root)
    return settings.load(context(repo.root), discover(repo.root, section), flags)


# Each setting's value at each place, from the one that wins to the default.
VARIABLES = {"registry": "DOCKER_REGISTRY", "platforms": "BUILD_PLATFORMS", "tags": "DOCKER_TAGS"}
FILES = {
    "runtime": "runtime.yaml",
    "yaml": "invoke.yaml",
    "user": "user-invoke.yaml",
    "system": "system-invoke.yaml",
}
PLACES: dict[str, dict[str, str]] = {
    "registry": {
        "flag": "flag.example",
        "runtime": "runtime.example",
        "variable": "variable.example",
        "invoke": "invoke.example",
        "yaml": "yaml.example",
        "user": "user.example",
        "system": "system.example",
        "default": "ghcr.io/shop",
    },
    "platforms": {
        "flag": "linux/arm64",
        "runtime": "linux/amd64",
        "variable": "linux/arm64,linux/amd64",
        "invoke": "linux/amd64,linux/arm64",
        "yaml": "linux/arm64",
        "user": "linux/arm64,linux/amd64",
        "system": "linux/amd64,linux/arm64",
        "default": "linux/amd64",
    },
    "tags": {"flag": "f", "runtime": "r", "variable": "v,w", "invoke": "i", "yaml": "y,z", "default": "latest,v1.2.3"},
    "builder": {"flag": "f", "runtime": "r", "invoke": "i", "yaml": "y", "user": "u", "system": "s", "default": ""},
    "jobs": {"flag": "1", "runtime": "5", "invoke": "2", "yaml": "3", "user": "6", "system": "7"},
    "tries": {"runtime": "5", "invoke": "2", "yaml": "3", "user": "6", "system": "7", "default": "6"},
    "retry_wait": {"runtime": "5", "invoke": "2", "yaml": "3", "user": "6", "system": "7", "default": "1"},
    "retry_limit": {"runtime": "5", "invoke": "2", "yaml": "3", "user": "6", "system": "7", "default": "300"},
    "registry_timeout": {"runtime": "5", "invoke": "2", "yaml": "3", "user": "6", "system": "7", "default": "120"},
    "provenance": {"invoke": "max", "yaml": "min", "user": "max", "default": "min"},
    "mirror": {"invoke": "invoke.example", "yaml": "yaml.example", "user": "user.example", "default": ""},
    "cache": {"invoke": "gha", "yaml": "gha,local=.container/cache", "user": "gha", "default": ""},
    "severity": {"invoke": "CRITICAL", "yaml": "CRITICAL,HIGH", "user": "CRITICAL", "default": "CRITICAL,HIGH"},
    "scan_db": {"invoke": "a.test/db:2", "yaml": "b.test/db", "user": "c.test/db", "default": ""},
    "ca": {"invoke": "none", "yaml": "ca.pem", "user": "none", "system": "auto", "default": "auto"},
    "sign": {"invoke": "none", "yaml": "keyless", "user": "key", "system": "none", "default": "auto"},
    "sign_key": {"invoke": "env://KEY", "yaml": "our.key", "user": "~/my.key", "default": ""},
    "verify_key": {"invoke": "env://KEY", "yaml": "our.pub", "default": ""},
    "identity": {"invoke": "^invoke$", "yaml": "^yaml$", "user": "^user$", "default": ""},
    "issuer": {"invoke": "https://a.example", "yaml": "https://b.example", "default": signing.GITHUB},
    "project": {"invoke": "invoked", "yaml": "written", "default": "shop"},
    "services": {"flag": "indexer", "default": "agent,indexer"},
    "progress": {"flag": "quiet", "default": "auto"},
}


def placed(repo: Repo, monkeypatch: pytest.MonkeyPatch, key: str, values: Mapping[str, str]) -> settings.Settings:
    """Load the settings with one setting given at these places."""
    if "variable" in values:
        monkeypatch.setenv(VARIABLES[key], values["variable"])
    if "invoke" in values:
        monkeypatch.setenv(f"INVOKE_CONTAINER_{key.upper()}", values["invoke"])
    for place in FILES.keys() & values.keys():
        repo.write(FILES[place], f"container:\n  {key}: {values[place]}\n")
    return load(repo, **({key: values["flag"]} if "flag" in values else {}))


@pytest.mark.parametrize(("key", "place"), [(key, place) for key, places in PLACES.items() for place in places])
def test_a_place_wins_over_all_below_it(repo: Repo, monkeypatch: pytest.MonkeyPatch, key: str, place: str) -> None:
    names = list(PLACES[key])
    below = {name: PLACES[key][name] for name in names[names.index(place) :]}
    found = getattr(placed(repo, monkeypatch, key, below), key)
    if key == "services":
        found = tuple(service.name for service in found)
    text = ",".join(found) if isinstance(found, tuple) else str(found or "")
    assert text == PLACES[key][place]


BAD = {
    "registry": "https://x",
    "platforms": "plan9",
    "tags": "a+b",
    "builder": "-x",
    "jobs": "abc",
    "tries": "abc",
    "retry_wait": "0",
    "retry_limit": "-1",
    "registry_timeout": "1.5",
    "provenance": "more",
    "mirror": "https://x",
    "severity": "HIGH",
    "scan_db": "https://x/y",
    "project": "A_",
    "services": "nobody",
    "progress": "loud",
    "sign": "maybe",
    "issuer": "http://a.example",
}
SOURCES = {
    "flag": "--{key}",
    "invoke": "INVOKE_CONTAINER_{upper}",
    "yaml": "container.{key} in invoke.yaml",
    **{place: f"container.{{key}} in {{root}}/{FILES[place]}" for place in ("runtime", "user", "system")},
}


@pytest.mark.parametrize(("key", "place"), [(key, place) for key in BAD for place in PLACES[key] if place != "default"])
def test_an_error_names_the_place_of_the_bad_value(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, key: str, place: str
) -> None:
    source = (
        VARIABLES[key] if place == "variable" else SOURCES[place].format(key=key, upper=key.upper(), root=repo.root)
    )
    with pytest.raises(ConfigError) as caught:
        placed(repo, monkeypatch, key, {place: BAD[key]})
    assert str(caught.value).startswith(f"error: {source}: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"registry": ""}, "--registry is empty"),
        ({"tags": ""}, "--tags is empty"),
        ({"tags": "a,,b"}, "--tags: 'a,,b' has an empty item"),
        ({"tags": "a, b"}, "--tags: ' b' has white space in it\nhint: write a,b"),
        ({"platforms": ""}, "--platforms is empty"),
        ({"platforms": "linux/arm46"}, "did you mean linux/arm64?"),
        ({"jobs": "0"}, "--jobs: '0' is not a whole number above 0, of at most 6 digits\nhint: for example --jobs 2"),
        ({"jobs": "-1"}, "--jobs: '-1' is not"),
        ({"jobs": "abc"}, "--jobs: 'abc' is not"),
        ({"jobs": "1.5"}, "--jobs: '1.5' is not"),
        ({"jobs": "²"}, "--jobs: '²' is not"),
        ({"jobs": ""}, "--jobs: '' is not"),
        ({"progress": "loud"}, "--progress: 'loud' is not a kind of progress\nhint: choose from auto, plain, quiet"),
        ({"services": "agnet"}, "--services: there is no service 'agnet'\nhint: choose from agent, indexer"),
        ({"services": ""}, "--services is empty"),
        ({"builder": ""}, "--builder: '' cannot be a builder"),
        ({"builder": "a b"}, "--builder: 'a b' cannot be a builder"),
        ({"builder": "--help"}, "--builder: '--help' cannot be a builder"),
    ],
)
def test_a_bad_flag_is_answered_with_what_mends_it(repo: Repo, flags: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(repo, **flags)
    assert words in str(caught.value)


@pytest.mark.parametrize("variable", VARIABLES.values())
def test_an_empty_variable_is_an_error_and_not_the_default(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "")
    with pytest.raises(ConfigError, match=f"{variable} is empty"):
        load(repo)


def test_a_tasks_own_platforms_win_over_everything(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_PLATFORMS", "plan9")
    found = settings.load(context(repo.root), discover(repo.root), {}, platforms=(Platform.ARM64,))
    assert found.platforms == (Platform.ARM64,)


def test_switches_are_off_unless_given(repo: Repo) -> None:
    off, on = load(repo), load(repo, no_cache=True, pull=True, fail_fast=True)
    assert (off.no_cache, off.pull, off.fail_fast) == (False, False, False)
    assert (on.no_cache, on.pull, on.fail_fast) == (True, True, True)


def test_at_least_five_services_build_at_once(repo: Repo) -> None:
    assert load(repo).jobs >= 5


def test_the_version_stands_in_its_file(repo: Repo) -> None:
    assert load(repo).version == "1.2.3"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (b"1.0+dirty\n", "the version (VERSION): 'v1.0+dirty' cannot be a tag"),
        (b"1.0\n2.0\n", "the version (VERSION): 'v1.0\\n2.0' cannot be a tag"),
        (b"\xff", "VERSION cannot be read: 'utf-8'"),
    ],
)
def test_a_version_that_is_no_tag_is_refused(repo: Repo, version: bytes, words: str) -> None:
    (repo.root / "VERSION").write_bytes(version)
    with pytest.raises(ConfigError) as caught:
        load(repo)
    assert words in str(caught.value)


def test_without_the_file_git_says_the_version_and_else_it_is_dev(repo: Repo) -> None:
    (repo.root / "VERSION").unlink()
    assert load(repo).version == "dev"
    commit = repo.commit()
    assert load(repo).version == commit[:7]


@pytest.mark.parametrize(
    ("tag", "version"), [("v1.2.0+b", "1.2.0-b"), ("app/v1.2.0", "app-v1.2.0"), ("beta!é", "beta--")]
)
def test_any_tag_of_git_is_a_version(repo: Repo, tag: str, version: str) -> None:
    (repo.root / "VERSION").unlink()
    repo.commit()
    subprocess.run(["git", "-C", repo.root, "tag", tag], check=True)
    assert load(repo).version == version


def test_a_version_of_git_that_is_no_tag_of_an_image_names_git(repo: Repo) -> None:
    (repo.root / "VERSION").unlink()
    repo.commit()
    subprocess.run(["git", "-C", repo.root, "tag", "a" * 128], check=True)
    with pytest.raises(ConfigError, match=r"the version \(git describe\): '.*' cannot be a tag: 129 characters"):
        load(repo)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("file", "there is no file VERSION at the root\nhint: echo 0.1.0 > VERSION"),
        ("git", "container.version in invoke.yaml: git knows no version here"),
        ("1.0 beta", "'v1.0 beta' cannot be a tag"),
    ],
)
def test_a_source_of_the_version_that_has_none_is_named(repo: Repo, choice: str, words: str) -> None:
    (repo.root / "VERSION").unlink()
    repo.write("invoke.yaml", f"container:\n  version: {choice}\n")
    with pytest.raises(ConfigError) as caught:
        load(repo)
    assert words in str(caught.value)


def test_a_version_may_be_written_in_the_file(repo: Repo) -> None:
    repo.write("invoke.yaml", "container:\n  version: 7.0\n  project: p\n".replace("7.0", "'7.0'"))
    assert load(repo).tags == ("latest", "v7.0")


def test_without_a_service_there_is_nothing_to_build(tmp_path: Path) -> None:
    Repo(tmp_path).write("VERSION", "1")
    with pytest.raises(ConfigError, match="there is no service to build\nhint: add services/<name>/Dockerfile"):
        load(Repo(tmp_path))


@pytest.mark.parametrize(("name", "project"), [("shop", "shop"), ("My_Shop", "my-shop"), ("a.b", "a-b"), ("-x-", "x")])
def test_the_project_is_the_folders_name_where_none_is_set(tmp_path: Path, name: str, project: str) -> None:
    root = tmp_path / name
    root.mkdir()
    assert settings.project_of(context(root), discover(root)) == project


def test_folders_whose_names_lose_letters_are_projects_of_their_own(tmp_path: Path) -> None:
    names = ("店", "家", "Café", "Cafè", "...")
    found = [settings.project_of(context(tmp_path), Repository(tmp_path / name, ())) for name in names]
    assert len(set(found)) == len(names)
    assert [re.sub("[0-9a-f]{8}$", "", project) for project in found] == ["", "", "caf-", "caf-", ""]


@pytest.mark.parametrize("variable", ["INVOKE_CONTAINER_CA", "INVOKE_CONTAINER_VERSION", "INVOKE_CONTAINER_MIRROR"])
def test_a_variable_without_a_value_is_no_value(repo: Repo, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "")
    with pytest.raises(ConfigError, match=f"error: {variable} is empty\nhint: "):
        load(repo)


def test_budgets_are_sizes(repo: Repo) -> None:
    repo.write("invoke.yaml", "container:\n  services:\n    agent: {budget: 150MB}\n    indexer: {budget: 1 gb}\n")
    assert [service.budget for service in load(repo).services] == [150_000_000, 1_000_000_000]


@pytest.mark.parametrize("size", ["150", "MB", "-1MB", "'1.5GB'", "abcMB"])
def test_a_budget_that_is_no_size_is_refused(repo: Repo, size: str) -> None:
    repo.write("invoke.yaml", f"container:\n  services:\n    agent: {{budget: {size}}}\n")
    with pytest.raises(ConfigError, match=r"services.agent.budget: .* is not a size\nhint: for example 100MB"):
        load(repo)


def test_lists_may_be_lists_in_the_file(repo: Repo) -> None:
    repo.write("invoke.yaml", "container:\n  tags: [a, b]\n  platforms: [linux/arm64]\n")
    found = load(repo)
    assert (found.tags, found.platforms) == (("a", "b"), (Platform.ARM64,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "invoke.yaml is broken at line 1, column 2"),
        ("a:\n  b: [\n", "invoke.yaml is broken at line 3, column 1"),
        ("a: !!python/object:os.x {}", "invoke.yaml is broken at line 1, column 4"),
        ("container:\n  tags: 2026-13-01\n", "invoke.yaml is broken: month must be in 1..12"),
        ("a: 1\nb: {c: 1}\na: 2\n", "broken at line 3, column 1: 'a' stands in line 1 already\nhint: mend that line"),
        ("container: {tags: a, jobs: 1, tags: b}", "at line 1, column 31: 'tags' stands in line 1 already"),
        ("- a\n", "invoke.yaml holds a list\nhint: write key: value lines"),
        ("word", "invoke.yaml holds a str"),
        ("container:\n", "invoke.yaml: container is empty\nhint: write key: value lines below it, or leave it out"),
        ("container: []\n", "invoke.yaml: container holds a list"),
        ("container: 0\n", "invoke.yaml: container holds a int"),
        ("container: text\n", "invoke.yaml: container holds a str"),
        ("container:\n  services:\n", "invoke.yaml: container.services is empty"),
        ("container:\n  services: 5\n", "invoke.yaml: container.services holds a int"),
        ("container:\n  services: {agent: 5}\n", "container.services.agent holds no key: value lines"),
        ("container:\n  services: {agent: {prot: 1}}\n", "container.services.agent.prot\nhint: did you mean port?"),
        ("container:\n  services: {agent: {budget: [1]}}\n", "container.services.agent.budget in invoke.yaml is a"),
        ("container:\n  services: {agent: {args: 5}}\n", "container.services.agent.args holds a int"),
        ("container:\n  services: {agent: {env: 5}}\n", "container.services.agent.env holds a int"),
        (
            "container:\n  services: {agent: {env: {A: true}}}\n",
            "services.agent.env.A in invoke.yaml: true is not text",
        ),
        ("container:\n  services: {agent: {args: {A: }}}\n", "agent.args.A in invoke.yaml holds nothing, which"),
        ("container:\n  services: {agent: {args: {A: 1.10}}}\n", "services.agent.args.A in invoke.yaml: 1.1 is not"),
        ("container:\n  services: {agent: {health: [/a]}}\n", "container.services.agent.health in invoke.yaml is a"),
        ("container:\n  registy: x\n", "invoke.yaml: nothing reads container.registy\nhint: did you mean registry?"),
        ("container:\n  9: x\n", "invoke.yaml: nothing reads container.9\nhint: known: project, "),
        ("container:\n  registry: {a: b}\n", "registry in invoke.yaml holds key: value lines, which is not"),
        ("container:\n  tags: true\n", "container.tags in invoke.yaml: true is not text\nhint: put it in quotes"),
        ("container:\n  tags: [null]\n", "container.tags in invoke.yaml holds nothing, which is not text"),
        ("container:\n  tags: [1.10]\n", "container.tags in invoke.yaml: 1.1 is not text"),
        ("container:\n  tags: 2026-11-24\n", "is not text\nhint: put it in quotes"),
        (
            "container:\n  version: 0123456\n",
            "version in invoke.yaml: 0123456 is the number 42798 there\nhint: put it in q",
        ),
        ("container:\n  tags: [5_0]\n", "container.tags in invoke.yaml: 5_0 is the number 50"),
        ("container:\n  services: {agent: {port: 010}}\n", "agent.port in invoke.yaml: 010 is the number 8 there"),
        ("container:\n  services: {agent: {args: {C: 1:30}}}\n", "args.C in invoke.yaml: 1:30 is the number 90"),
        ("container:\n  services: {agent: {env: {G: 0x1F}}}\n", "env.G in invoke.yaml: 0x1F is the number 31"),
        ("contaner: {registry: x}\n", "invoke.yaml: nothing reads contaner\nhint: did you mean container?"),
        ("run: 5\n", "invoke.yaml: run is Invoke's own section"),
        ("tasks:\n", "invoke.yaml: tasks is Invoke's own section"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_before_invoke_reads_it(repo: Repo, text: str, words: str) -> None:
    repo.write("invoke.yaml", text)
    with pytest.raises(ConfigError) as caught:
        configuration.read_file(repo.root)
    assert words in str(caught.value)


def test_a_file_that_is_no_text_is_refused(repo: Repo) -> None:
    (repo.root / "invoke.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"invoke\.yaml cannot be read: 'utf-8'"):
        configuration.read_file(repo.root)


MERGED = "b: &b {x: 0}\na: {deep: &a {<<: *b, x: 1, <<: *b}}\nc: {<<: *a, x: 2}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "run:\n  echo: true\nmine: 5\n",
        "container: {}\n",
        "mine: 0755\n",
        "container: {registry: }\n",
        MERGED,
    ],
)
def test_a_file_without_settings_of_ours_is_fine(repo: Repo, text: str) -> None:
    repo.write("invoke.yaml", text)
    assert load(repo).registry == "ghcr.io/shop"


@pytest.mark.parametrize(
    ("line", "given", "words"),
    [
        ("jobs: 3", {"INVOKE_CONTAINER_JOBS": "abc"}, "INVOKE_CONTAINER_JOBS: 'abc' is not a whole number"),
        (
            "tags: [a, b]",
            {"INVOKE_CONTAINER_TAGS": "c"},
            "INVOKE_CONTAINER_TAGS cannot replace the list of container.tags in invoke.yaml\nhint: write it as text",
        ),
    ],
)
def test_a_variable_that_invoke_cannot_turn_into_what_the_file_has_is_refused(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, line: str, given: dict[str, str], words: str
) -> None:
    repo.write("invoke.yaml", f"container:\n  {line}\n")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        configuration.read_file(repo.root)
    assert words in str(caught.value)


def test_a_variable_that_nothing_reads_is_named(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_CONTAINER_MIROR", "x")
    with pytest.raises(
        ConfigError, match="nothing reads INVOKE_CONTAINER_MIROR\nhint: did you mean INVOKE_CONTAINER_MIRROR"
    ):
        configuration.read_file(repo.root)
    repo.write("invoke.yaml", "container_miror: mine\n")
    assert configuration.read_file(repo.root) == {}


def test_every_setting_of_the_file_is_read(repo: Repo) -> None:
    places_of_tests_of_their_own = {"services_dir", "dockerfile", "context", "version", "reuse"}
    assert set(configuration.DEFAULTS) - set(PLACES) == places_of_tests_of_their_own
    assert set(PLACES) - set(configuration.DEFAULTS) == {"progress"}


@pytest.mark.parametrize(
    ("said", "reuse"),
    [
        ((False, None, "ca: none"), False),
        ((False, None, "reuse: registry"), True),
        ((True, None, "reuse: none"), True),
        ((False, "registry", "reuse: none"), True),
        ((False, "none", "reuse: registry"), False),
    ],
)
def test_what_is_published_is_reused_where_somebody_says_so(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, said: tuple[bool, str | None, str], reuse: bool
) -> None:
    flag, variable, line = said
    repo.write("invoke.yaml", f"container:\n  project: shop\n  {line}\n")
    if variable is not None:
        monkeypatch.setenv("INVOKE_CONTAINER_REUSE", variable)
    assert load(repo, reuse=flag).reuse is reuse


@pytest.mark.parametrize("text", ["yes", "", "Registry", "registry,none"])
def test_a_word_that_is_nothing_to_reuse_is_named(repo: Repo, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("INVOKE_CONTAINER_REUSE", text)
    with pytest.raises(
        ConfigError, match=f"INVOKE_CONTAINER_REUSE: '{text}' is nothing to reuse\nhint: choose from none, "
    ):
        load(repo)


def test_a_second_try_repeats_the_flags_but_the_services(repo: Repo) -> None:
    found = load(repo, services="agent", registry="other.test/y", no_cache=True, fail_fast=False, tags=None)
    assert found.again == " --registry other.test/y --no-cache"


@pytest.mark.parametrize(("task", "again"), [("container-verify", ""), ("container-push", " --skip scan --require")])
def test_a_second_try_has_only_what_its_task_knows(repo: Repo, task: str, again: str) -> None:
    assert load(repo, task=task, skip="scan", require=True).again == again


@pytest.mark.parametrize(("text", "version"), [("v1.2.3\n", "1.2.3"), ("1.2.3", "1.2.3")])
def test_a_version_is_written_with_or_without_its_v(repo: Repo, text: str, version: str) -> None:
    repo.write("VERSION", text)
    assert load(repo).version == version


def test_an_empty_version_is_named(repo: Repo) -> None:
    repo.write("VERSION", "\n")
    with pytest.raises(ConfigError, match="VERSION is empty"):
        load(repo)


@pytest.mark.parametrize("key", elsewhere.OF_REPOSITORY)
@pytest.mark.parametrize("place", ["runtime", "user", "system"])
def test_what_a_repository_is_stands_in_its_own_file_alone(repo: Repo, key: str, place: str) -> None:
    value: object = {"agent": {"port": 1}} if key == "services" else "root"
    repo.write(FILES[place], json.dumps({"container": {key: value}}))
    words = rf"{FILES[place]}: container\.{key} is what a repository says of itself\nhint: write it into invoke.yaml"
    with pytest.raises(ConfigError, match=words):
        load(repo)


def test_a_key_of_another_file_that_nothing_reads_is_named(repo: Repo) -> None:
    repo.write(FILES["user"], "container: {regitry: ghcr.io/acme}")
    with pytest.raises(
        ConfigError, match=r"user-invoke\.yaml: nothing reads container\.regitry\nhint: did you mean reg"
    ):
        load(repo)


def test_an_empty_line_of_a_file_that_wins_takes_back_what_another_says(repo: Repo) -> None:
    repo.write(FILES["user"], "container: {builder: cloud}")
    assert load(repo).sources["builder"] == f"container.builder in {repo.root}/user-invoke.yaml"
    repo.write(FILES["yaml"], "container: {builder: }")
    found = load(repo)
    assert (found.builder, found.sources["builder"]) == (None, "default")


@pytest.mark.parametrize("suffix", ["yml", "json"])
def test_the_repositorys_file_has_one_name(repo: Repo, suffix: str) -> None:
    repo.write(f"invoke.{suffix}", json.dumps({"container": {"jobs": 3}}))
    with pytest.raises(ConfigError, match=rf"invoke\.{suffix}: container is read .*\nhint: mv invoke\.{suffix} invoke"):
        elsewhere.check(repo.root)
    with pytest.raises(ConfigError, match=rf"invoke\.{suffix}: container is read from invoke\.yaml alone"):
        load(repo)
    repo.write("invoke.yaml", "")  # Invoke reads no other then
    elsewhere.check(repo.root)
    assert load(repo).jobs != 3
