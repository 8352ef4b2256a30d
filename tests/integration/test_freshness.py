"""Only what changed is built, and each build says why: on small repositories and a real engine."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import shops
from tests.support import BASE, Repo, docker

pytestmark = pytest.mark.docker

REGISTRY = "images.test/tiny"


@pytest.fixture
def built(tiny: Repo) -> Repo:
    """Two services that are up to date; the second reads a folder at the root, too."""
    tiny.service("one", "COPY services/one/word /word")
    tiny.service("two", "COPY shared /shared", "RUN --mount=type=bind,source=services/two,target=/m cp /m/word /word")
    tiny.write("shared/text", "shared\n")
    tiny.write("notes/text", "not read\n")
    tiny.write(".dockerignore", "**/*.md\n.container\n")
    tiny.commit()
    tiny.inv("container-build").ok()
    return tiny


def said(repo: Repo, *words: str) -> dict[str, str]:
    """Return each service's state, and the reason beside it, of a build."""
    lines = repo.inv("container-build", *words).ok().out.splitlines()
    return {name: line.partition(name)[2].strip() for line in lines for name in ("one", "two") if line.startswith(name)}


def assert_current(repo: Repo) -> None:
    assert all(line.startswith("up to date") for line in said(repo).values())


def test_nothing_that_a_build_does_not_read_builds_it_again(built: Repo) -> None:
    assert_current(built)
    os.utime(built.root / "shared/text", (1, 1))
    built.write("notes/text", "changed\n")
    built.write("services/one/README.md", "ignored\n")
    built.write("services/one/other", "not copied\n")
    built.commit()
    assert_current(built)
    assert (built.root / ".container/logs/one.log").exists()


def test_another_clone_at_another_path_is_up_to_date(built: Repo, tmp_path: Path) -> None:
    other = tmp_path / "another place" / "tiny"
    shutil.copytree(built.root, other, ignore=shutil.ignore_patterns(".container"))
    assert_current(Repo(other))


@pytest.mark.parametrize(
    ("path", "text", "service", "reason"),
    [
        ("services/one/word", "new\n", "one", "services/one/word changed"),
        ("shared/more", "new\n", "two", "shared/more is new"),
        ("services/two/Dockerfile", f"FROM {BASE}\nCOPY shared /shared\n", "two", "its Dockerfile changed, and"),
    ],
)
def test_what_changed_is_built_and_named_and_nothing_else_is(
    built: Repo, path: str, text: str, service: str, reason: str
) -> None:
    built.write(path, text)
    lines = said(built)
    other = "two" if service == "one" else "one"
    assert lines[service].startswith("built")
    assert reason in lines[service]
    assert lines[other].startswith("up to date")
    assert_current(built)


def test_a_mode_a_file_that_goes_and_a_link_count(built: Repo) -> None:
    (built.root / "shared/text").chmod(0o755)
    assert "shared/text changed" in said(built)["two"]
    (built.root / "shared/link").symlink_to("text")
    assert "shared/link is new" in said(built)["two"]
    (built.root / "shared/link").unlink()
    assert "shared/link is gone" in said(built)["two"]


def test_an_argument_counts_and_the_version_does_not(built: Repo) -> None:
    built.write("VERSION", "1.2.4\n")
    assert_current(built)
    newer, older = (json.loads(docker("inspect", f"{REGISTRY}/one:v{version}"))[0] for version in ("1.2.4", "1.2.3"))
    assert newer["Id"] == older["Id"]
    settings = "container:\n  project: tiny\n  registry: images.test/tiny\n  services:\n    one:\n      args: {A: b}\n"
    built.write("invoke.yaml", settings)
    lines = said(built)
    assert "the argument A is new" in lines["one"]
    assert lines["two"].startswith("up to date")


def test_images_that_went_were_retagged_or_built_by_hand_are_noticed(built: Repo) -> None:
    docker("image", "rm", f"{REGISTRY}/one:latest", f"{REGISTRY}/one:v1.2.3")
    assert "there is no image yet" in said(built)["one"]
    docker("tag", f"{REGISTRY}/two:latest", f"{REGISTRY}/one:latest")
    assert "built from something else" in said(built)["one"]
    docker("build", "-q", "-t", f"{REGISTRY}/one:latest", "-", stdin="FROM scratch\nLABEL by=hand\n")
    assert "has no fingerprint" in said(built)["one"]
    docker("image", "rm", f"{REGISTRY}/one:v1.2.3")
    assert_current(built)
    assert docker("images", "-q", f"{REGISTRY}/one:v1.2.3").strip()


def test_a_platform_that_is_not_there_is_noticed(built: Repo, native: str) -> None:
    both = "linux/amd64,linux/arm64"
    (built.root / "services/two").rename(built.root / "two")
    built.service("two", "COPY services/two/word /word")
    assert f"the image there is for linux/{native}" in said(built, "--platforms", both)["one"]
    assert all(line.startswith("up to date") for line in said(built, "--platforms", both).values())


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["ADD https://localhost:1/x /x"], "ADD fetches from elsewhere"),
        (["COPY <<EOF /x", "text", "EOF"], ""),
    ],
)
def test_what_cannot_be_told_is_said(built: Repo, lines: list[str], reason: str) -> None:
    built.service("one", *lines)
    if reason:
        built.inv("container-build").fails(4)
        table = built.inv("container-build", "--progress", "quiet").fails(4).out
        assert reason in table
    else:
        assert said(built)["one"].startswith("built")
        assert_current(built)


def test_a_plan_says_what_a_build_would_do_and_builds_nothing(built: Repo) -> None:
    assert built.inv("container-plan").ok().out.count("up to date") == 2
    built.write("shared/more", "new\n")
    built.write("shared/text", "other\n")
    shown = built.inv("container-plan").ok().out
    assert "would build" in shown
    for words in ("shared/more is new", "shared/text changed", "Next: inv container-build --services two"):
        assert words in shown
    told = json.loads(built.inv("container-plan", "--json").ok().out)
    assert [(one["name"], one["state"]) for one in told["services"]] == [
        ("one", "up to date"),
        ("two", "would build"),
    ]
    matrix = json.loads(built.inv("container-plan", "--matrix").ok().out)
    assert matrix == {"include": [{"service": "two", "because": "shared/more is new"}]}
    assert "shared/more is new" in said(built)["two"]
    built.inv("container-plan", "--json", "--matrix").fails(2, "two outputs")


def test_asked_for_in_so_many_words_it_builds(built: Repo) -> None:
    assert "asked for" in said(built, "--force")["one"]


def test_an_image_on_another_image_of_the_repository_follows_it(built: Repo) -> None:
    built.write("services/two/Dockerfile", "FROM one\nCOPY services/two/word /second\n")
    said(built)
    assert_current(built)
    built.write("services/one/word", "again\n")
    lines = said(built)
    assert "services/one/word changed" in lines["one"]
    assert "the base one changed" in lines["two"]
    assert docker("run", "--rm", f"{REGISTRY}/two:latest", "cat", "/word") == "again\n"


def test_an_ignore_file_of_its_own_counts_even_if_it_is_empty(built: Repo) -> None:
    built.write("shared/x.md", "kept out\n")
    assert_current(built)
    built.write("services/two/Dockerfile.dockerignore", "")
    assert "its ignore file changed" in said(built)["two"]
    assert_current(built)
    built.write("shared/x.md", "sent\n")
    assert "shared/x.md changed" in said(built)["two"]
    assert docker("run", "--rm", f"{REGISTRY}/two:latest", "cat", "/shared/x.md") == "sent\n"


def test_an_image_built_by_hand_on_ours_is_noticed(built: Repo) -> None:
    text = f"FROM {REGISTRY}/one:latest\nRUN echo other > /word\n"
    docker("build", "-q", "-t", f"{REGISTRY}/one:latest", "-t", f"{REGISTRY}/one:v1.2.3", "-", stdin=text)
    shutil.rmtree(built.root / ".container")  # what is known of the images outlives what one checkout keeps
    assert "something else was built under its name" in said(built)["one"]
    assert_current(built)


def test_a_label_is_not_believed_where_nothing_is_known_of_the_image(built: Repo, tmp_path: Path) -> None:
    """As on a machine to which somebody has copied it, or what stands on it under its name."""
    elsewhere = shops.own_cache(tmp_path / "cache")
    reason = "the image there was not built here, and its label may be inherited"
    assert reason not in built.inv("container-plan", env=elsewhere).ok().all  # this checkout's own record knows it
    shutil.rmtree(built.root / ".container")
    assert built.inv("container-plan", env=elsewhere).ok().all.count(reason) == 2
    built.inv("container-build", env=elsewhere).ok()
    shutil.rmtree(built.root / ".container")
    assert "would build" not in built.inv("container-plan", env=elsewhere).ok().out


def test_a_file_that_changes_while_it_is_built_and_back_again_is_noticed(built: Repo) -> None:
    built.service("one", "COPY services/one/word /word", f"RUN echo {built.seed} && sleep 8")
    text = (built.root / "services/two/word").read_text(encoding="utf-8")
    built.write("services/two/word", "changed before\n")
    with subprocess.Popen([sys.executable, "-m", "invoke", "container-build", "--jobs", "1"], cwd=built.root) as run:
        time.sleep(5)
        built.write("services/two/word", text)
        assert run.wait() == 0
    built.write("services/two/word", "changed before\n")
    assert "a file changed while it was built" in said(built)["two"]
    assert docker("run", "--rm", f"{REGISTRY}/two:latest", "cat", "/word") == "changed before\n"
    assert_current(built)


@pytest.mark.parametrize(("line", "word"), [("COPY . /app", "would"), ("COPY services/$X /app", "may")])
def test_what_the_tasks_keep_themselves_goes_into_no_image(tiny: Repo, line: str, word: str) -> None:
    tiny.service("one", "ARG X=one", line)
    tiny.commit()
    refused = tiny.inv("container-build").fails(2)
    assert f"the image of one {word} take in .container/" in refused.all
    hint = next(line for line in refused.all.splitlines() if line.startswith("hint: ")).removeprefix("hint: ")
    subprocess.run(["sh", "-c", hint], cwd=tiny.root, check=True)
    tiny.inv("container-build").ok()
    assert_current(tiny)


def test_a_name_with_a_space_is_understood_in_a_list(tiny: Repo) -> None:
    tiny.service("one", 'COPY ["services/one/a  name", "/"]')
    tiny.write("services/one/a  name", "first\n")
    tiny.inv("container-build").ok()
    tiny.write("services/one/other", "not read\n")
    assert_current(tiny)
    tiny.write("services/one/a  name", "second\n")
    assert "services/one/a  name changed" in said(tiny)["one"]


def test_what_a_branch_has_changed_takes_no_engine(built: Repo) -> None:
    nowhere = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    built.write("shared/text", "other\n")
    shown = built.inv("container-plan", "--changed-since", "HEAD", env=nowhere).ok().out
    assert "shared/text changed" in shown
    assert "Next: inv container-build --services two" in shown
    told = json.loads(built.inv("container-plan", "--changed-since", "HEAD", "--json", env=nowhere).ok().out)
    assert [(one["name"], one["state"]) for one in told["services"]] == [("one", "unchanged"), ("two", "changed")]
    assert told["since"]["ref"] == "HEAD"
    matrix = json.loads(built.inv("container-plan", "--changed-since", "HEAD", "--matrix", env=nowhere).ok().out)
    assert matrix == {"include": [{"service": "two", "because": "shared/text changed"}]}
    built.inv("container-plan", "--changed-since=--output=x", env=nowhere).fails(2, "cannot be a commit", "hint: ")
    built.inv("container-plan", "--changed-since", "nope", env=nowhere).fails(2, "git knows no commit nope", "hint: ")


def test_a_shallow_clone_says_what_it_does_not_know_and_says_it_again(built: Repo, tmp_path: Path) -> None:
    first = label(built)
    built.write("notes/text", "changed\n")
    second = built.commit()
    assert label(built, "--force") == first
    shallow = Repo(tmp_path / "shallow" / "tiny")
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{built.root}", shallow.root], check=True)
    made = shallow.inv("container-build", "--force").ok()
    assert made.done.stderr.count("note: this clone is shallow") == 1
    assert label(shallow) == f"{second}-shallow"
    shallow.write("notes/text", "again\n")
    shallow.commit()
    assert label(shallow, "--force") == f"{second}-shallow"  # the record of the same fingerprint


def label(repo: Repo, *words: str) -> str:
    """Return the revision that the first service's image says after a build."""
    repo.inv("container-build", *words).ok()
    told = json.loads(docker("inspect", f"{REGISTRY}/one:latest"))[0]
    return str(told["Config"]["Labels"]["org.opencontainers.image.revision"])


def test_the_engine_says_on_its_socket_what_it_says_through_the_sdk(tiny: Repo) -> None:
    from tasks.engine import api

    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build").ok()
    names = ("images.test/tiny/one:latest", "images.test/tiny/none:latest")
    quickly, thoroughly = api.connect(), api.Engine(api.client())
    assert quickly.stored(names) == thoroughly.stored(names)
    assert set(quickly.stored(names)) == {names[0]}
    assert quickly.holds_several_platforms() == thoroughly.holds_several_platforms()
    assert quickly.data_root() == thoroughly.data_root() != ""
