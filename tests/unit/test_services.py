import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks import sources
from tasks.discovery import discover
from tasks.engine.machine.bases import telling
from tasks.errors import ConfigError
from tasks.services import Repository, Service, read_dockerfile
from tests.support import Repo


def only(repo: Repo) -> tuple[Repository, Service]:
    """Return the repository as it is found, and its first service."""
    found = discover(repo.root)
    return found, found.services[0]


def test_services_are_the_folders_with_a_dockerfile_by_name(repo: Repo) -> None:
    repo.write("services/zebra/Dockerfile", "FROM scratch")
    repo.write("services/docs/README.md", "no service")
    repo.write("services/README.md", "no folder")
    repo.write("services/.hidden/Dockerfile", "FROM scratch")
    assert [service.name for service in discover(repo.root).services] == ["agent", "indexer", "zebra"]


def test_without_the_folder_there_are_none(tmp_path: Path) -> None:
    assert discover(tmp_path).services == ()


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "services").touch()
    with pytest.raises(ConfigError, match="services/ cannot be read: Not a directory"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("name", "task", "target"),
    [
        ("agent", "agent", "agent"),
        ("control-plane", "control-plane", "control-plane"),
        ("api.v2", "api-v2", "api_v2"),
        ("data_store", "data-store", "data_store"),
        ("default", "default", "default_"),
    ],
)
def test_a_service_has_a_name_for_invoke_and_one_for_bake(name: str, task: str, target: str) -> None:
    service = Service(name, f"services/{name}")
    assert (service.task_name, service.target, service.dockerfile) == (task, target, f"services/{name}/Dockerfile")


@pytest.mark.parametrize("name", ["amd64", "arm64"])
def test_a_folder_may_not_take_the_task_of_a_platform(repo: Repo, name: str) -> None:
    repo.write(f"services/{name}/Dockerfile", "FROM scratch")
    with pytest.raises(ConfigError, match=f"container-build-{name} already builds every service for linux/{name}"):
        discover(repo.root)


@pytest.mark.parametrize("name", ["Agent", "a b", "-a", "a_", "ä", "a$(id)", "a;b", "a\nb", "a..b"])
def test_a_folder_that_cannot_be_an_image_is_named(repo: Repo, name: str) -> None:
    repo.write(f"services/{name}/Dockerfile", "FROM scratch")
    with pytest.raises(ConfigError) as caught:
        discover(repo.root)
    assert str(caught.value).startswith(f"error: services/{name!r} cannot be an image's name\nhint: ")
    assert caught.value.code == 2


def test_all_folders_that_cannot_be_images_are_named_at_once(repo: Repo) -> None:
    for name in ("Agent", "a b", "amd64"):
        repo.write(f"services/{name}/Dockerfile", "FROM scratch")
    with pytest.raises(ConfigError) as caught:
        discover(repo.root)
    assert "3 folders cannot be services:" in str(caught.value)
    for words in ("services/'Agent' cannot be", "services/'a b' cannot be", "services/amd64: container-build-amd64"):
        assert f"\n  {words}" in str(caught.value)


def test_a_folder_with_any_name_is_a_service_under_another(repo: Repo) -> None:
    repo.write("services/My App/Dockerfile", "FROM scratch")
    found = discover(repo.root, {"services": {"my-app": {"folder": "services/My App"}}})
    assert "services/My App" in {service.folder for service in found.services if service.name == "my-app"}


def test_a_folder_whose_name_is_no_text_can_still_be_printed(repo: Repo) -> None:
    folder = os.fsencode(repo.root) + b"/services/\xff"
    os.mkdir(folder)  # noqa: PTH102 - a path of bytes
    Path(os.fsdecode(folder), "Dockerfile").touch()
    with pytest.raises(ConfigError) as caught:
        discover(repo.root)
    assert "udcff" in str(caught.value).encode("ascii").decode()


@pytest.mark.parametrize(("first", "second"), [("api-v2", "api.v2"), ("a-b", "a_b"), ("a.b", "a_b"), ("a--b", "a__b")])
def test_two_folders_may_not_share_a_task(repo: Repo, first: str, second: str) -> None:
    for name in (first, second):
        repo.write(f"services/{name}/Dockerfile", "FROM scratch")
    with pytest.raises(ConfigError, match=f"services/{first} and services/{second} would share the task"):
        discover(repo.root)


def test_selected_services_come_in_the_repositorys_order(repo: Repo) -> None:
    found = discover(repo.root)
    assert found.select(["indexer", "agent", "indexer"], source="--services") == found.services


@pytest.mark.parametrize("name", ["nobody", "..", ".", "agent/..", "a" * 300, "AGENT", "", "a b", "\ud800"])
def test_an_unknown_service_is_answered_with_the_choices(repo: Repo, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\Aerror: --services: there is no service .*\nhint: choose from agent, i"):
        discover(repo.root).select([name], source="--services")


def test_where_there_are_no_choices_the_way_to_one_is_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose from none: add services/<name>/Dockerfile"):
        discover(tmp_path).select(["agent"], source="--services")


def test_a_folder_without_a_dockerfile_is_no_unknown_name(repo: Repo) -> None:
    (repo.root / "services/docs").mkdir()
    with pytest.raises(ConfigError, match="--services: services/docs has no Dockerfile\nhint: add one"):
        discover(repo.root).select(["docs"], source="--services")


def test_a_dockerfile_is_read_as_it_is(repo: Repo) -> None:
    repo.write("services/agent/Dockerfile", "FROM scratch\n# ä\n")
    assert read_dockerfile(*only(repo)) == "FROM scratch\n# ä\n"


def test_a_dockerfile_keeps_the_ends_of_its_lines(repo: Repo) -> None:
    (repo.root / "services/agent/Dockerfile").write_bytes(b"FROM a\r\nRUN <<E\r\nx\ry\r\nE\r\n")
    assert read_dockerfile(*only(repo)) == "FROM a\r\nRUN <<E\r\nx\ry\r\nE\r\n"


def test_a_link_within_the_folder_is_followed(repo: Repo) -> None:
    path = repo.root / "services/agent/Dockerfile"
    path.rename(path.with_name("other"))
    path.symlink_to("other")
    assert read_dockerfile(*only(repo)) == "FROM scratch\n"


def _missing(path: Path) -> None:
    path.symlink_to("nowhere")


def _outside(path: Path) -> None:
    (path.parents[3] / "Dockerfile").write_text("FROM scratch")
    path.symlink_to("../../../Dockerfile")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_missing, "cannot be read: No such file or directory"),
        (lambda path: path.write_text(" \n"), "is empty\nhint: it needs at least a FROM"),
        (os.mkfifo, "is a named pipe\nhint: a Dockerfile is a regular file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.symlink_to("/dev/null"), "is a special file"),
        (_outside, "lies outside the repository"),
        (lambda path: path.symlink_to("../indexer/Dockerfile"), "is a link out of its folder"),
        (lambda path: path.write_bytes(b"FROM a\n\xff"), "is not UTF-8 text: invalid start byte at byte 7"),
        (lambda path: path.symlink_to("Dockerfile"), "cannot be read: Too many levels of symbolic links"),
    ],
    ids=["missing", "empty", "pipe", "folder", "device", "outside", "another folder", "not UTF-8", "loop"],
)
def test_a_dockerfile_that_cannot_be_built_from_is_named(
    repo: Repo, make: Callable[[Path], object], words: str
) -> None:
    path = repo.root / "services/agent/Dockerfile"
    path.unlink()
    make(path)
    with pytest.raises(ConfigError) as caught:
        read_dockerfile(*only(repo))
    assert str(caught.value).startswith(f"error: services/agent/Dockerfile {words}")
    assert caught.value.code == 2


def test_images_of_the_repository_are_no_bases_from_outside(repo: Repo) -> None:
    repo.write("services/agent/Dockerfile", "FROM indexer AS a\nFROM ghcr.io/acme/indexer:1 AS b\nFROM debian:13\n")
    repo.write("services/indexer/Dockerfile", "FROM alpine:3\nFROM acme/indexer\nFROM alpine:3 AS last\n")
    found = sources.outside(discover(repo.root), registry="ghcr.io/acme")
    assert found == ("debian:13", "alpine:3", "acme/indexer")


def test_a_dockerfile_that_is_named_and_not_there_is_told_with_the_setting(repo: Repo) -> None:
    found = discover(repo.root, {"services": {"agent": {"dockerfile": "Nope"}}})
    with pytest.raises(ConfigError) as caught:
        read_dockerfile(found, found.select(["agent"], source="x")[0])
    assert "there is no services/agent/Nope\nhint: add it, or mend container.services.agent.dockerfile" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("references", "asked"),
    [
        (("acme/unseen:1", "alpine:3"), "alpine:3"),
        (("gcr.io/a/b", "docker.io/library/rust:1", "alpine:3"), "docker.io/library/rust:1"),
        (("gcr.io/a/b", "acme/unseen:1"), "gcr.io/a/b"),
    ],
)
def test_the_registry_is_asked_for_what_everybody_can_have(references: tuple[str, ...], asked: str) -> None:
    assert telling(references) == asked
