"""Repositories of other shapes, which take the tasks as they are."""

from pathlib import Path

import pytest

from tests.support import BASE, Repo, docker

pytestmark = pytest.mark.docker

REGISTRY = "images.test/tiny"


def settings(repo: Repo, *lines: str) -> None:
    repo.write("invoke.yaml", "\n".join(["container:", "  project: tiny", f"  registry: {REGISTRY}", *lines, ""]))


def said(service: str) -> str:
    return docker("run", "--rm", f"{REGISTRY}/{service}:latest", "cat", "/word").strip()


def test_services_under_apps_and_at_the_root(tiny: Repo) -> None:
    for folder in ("apps/web", "site"):
        tiny.write(f"{folder}/Dockerfile", f"FROM {BASE}\nCOPY {folder}/word /word\n")
        tiny.write(f"{folder}/word", folder)
    settings(tiny, "  services_dir: [apps, .]")
    tiny.inv("container-build").ok()
    assert (said("web"), said("site")) == ("apps/web", "site")


def test_a_service_that_is_its_own_context(tiny: Repo) -> None:
    tiny.write("services/own/Dockerfile", f"FROM {BASE}\nCOPY word /word\n")
    tiny.write("services/own/word", "own")
    settings(tiny, "  context: service")
    tiny.inv("container-build-own").ok()
    assert said("own") == "own"


def test_one_dockerfile_of_another_name_for_two_images(tiny: Repo) -> None:
    tiny.write(
        "services/site/Containerfile",
        f"FROM {BASE} AS web\nARG WORD=none\nRUN echo web $WORD > /word\n"
        f"FROM {BASE} AS worker\nRUN echo worker > /word\n",
    )
    settings(
        tiny,
        "  dockerfile: Containerfile",
        "  services:",
        "    web: {folder: services/site, target: web, args: {WORD: '$HOME'}}",
        "    worker: {folder: services/site, target: worker}",
    )
    listed = tiny.inv("--list").ok().out
    assert "container-build-site" not in listed
    tiny.inv("container-build-web", "container-build-worker").ok()
    assert (said("web"), said("worker")) == ("web $HOME", "worker")


def test_an_image_on_another_image_of_the_repository(tiny: Repo) -> None:
    tiny.service("base", "RUN echo from-base > /word")
    tiny.write("services/top/Dockerfile", f"FROM {REGISTRY}/base:latest\nRUN echo on-top >> /word\n")
    tiny.inv("container-build-top").ok()
    assert said("top").split() == ["from-base", "on-top"]
    assert not docker("images", "-q", f"{REGISTRY}/base")
    tiny.inv("container-build").ok()
    assert said("base") == "from-base"


def test_images_on_each_other_are_refused(tiny: Repo) -> None:
    tiny.write("services/one/Dockerfile", f"FROM {REGISTRY}/two\n")
    tiny.write("services/two/Dockerfile", f"FROM {REGISTRY}/one\n")
    tiny.inv("container-build").fails(2, "circle")


def test_other_languages_no_version_no_git_and_a_path_of_any_letters(tiny: Repo, tmp_path: Path) -> None:
    """A Python and a Node service; what runs them is a shell here, what is built is their layout."""
    repo = Repo(tmp_path / "ein Ordner, 日本")
    repo.write("tasks.py", (tiny.root / "tasks.py").read_text(encoding="utf-8"))
    settings(repo)
    repo.write("services/py/app.py", "print('py')\n")
    repo.write("services/py/Dockerfile", f'FROM {BASE}\nCOPY services/py/app.py /word\nCMD ["python", "/word"]\n')
    repo.write("services/node/app.js", "console.log('node')\n")
    repo.write("services/node/Dockerfile", f'FROM {BASE}\nCOPY services/node/app.js /word\nCMD ["node", "/word"]\n')
    assert "vdev" in repo.inv("container-build").ok().out
    assert said("py") == "print('py')"
    assert said("node") == "console.log('node')"
    assert docker("images", "-q", f"{REGISTRY}/py:vdev")


def test_a_subfolder_is_as_good_a_place_to_type_in_as_the_root(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    Repo(tiny.root / "services/one").inv("container-build").ok()
    assert said("one") == "one"
