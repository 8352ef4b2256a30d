"""Which buildx docker gets, and whose is left alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.engine import cache
from tasks.engine.machine import packages, plugin
from tasks.errors import EngineError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(cache, "home", lambda: folder)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    return folder


@pytest.fixture
def latest(home: Path) -> Path:
    path = home / "buildx" / plugin.LATEST / "docker-buildx"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    return path


def test_the_link_belongs_into_the_users_own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plugin.user_link() == tmp_path / "config" / "cli-plugins" / "docker-buildx"
    monkeypatch.delenv("DOCKER_CONFIG")
    assert plugin.user_link() == Path.home() / ".docker" / "cli-plugins" / "docker-buildx"


def test_the_latest_is_linked_once(latest: Path) -> None:
    link = plugin.user_link()
    assert plugin.ensure_latest() == (link, True)
    assert plugin.ensure_latest() == (link, False)
    assert link.resolve() == latest


def test_the_latest_takes_the_place_of_the_packaged_one(home: Path, latest: Path) -> None:
    packaged = packages.root_of(packages.CLIENT) / "usr/libexec/docker/cli-plugins/docker-buildx"
    packaged.parent.mkdir(parents=True)
    packaged.touch()
    link = plugin.user_link()
    link.parent.mkdir(parents=True)
    link.symlink_to(packaged)
    assert plugin.ensure_latest() == (link, True)
    assert plugin.known_plugins() == {"packaged": packaged, "latest": latest}


def test_somebody_elses_plugin_is_left_alone(latest: Path) -> None:
    link = plugin.user_link()
    link.parent.mkdir(parents=True)
    link.write_text("theirs", encoding="utf-8")
    with pytest.raises(EngineError, match=r"left alone\n.*ln -sf"):
        plugin.ensure_latest()
    assert link.read_text(encoding="utf-8") == "theirs"


def test_a_link_of_somebody_elses_that_works_is_left_alone(latest: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "docker-buildx"
    theirs.touch()
    link = plugin.user_link()
    link.parent.mkdir(parents=True)
    link.symlink_to(theirs)
    with pytest.raises(EngineError, match="left alone"):
        plugin.ensure_latest()
    theirs.unlink()
    assert plugin.ensure_latest() == (link, True)  # one that leads nowhere is nobody's


def test_a_program_that_is_not_there_lacks_everything(tmp_path: Path) -> None:
    assert plugin.lacking(str(tmp_path / "none")) is not None


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin in a folder of the system's."""
    path = tmp_path / "system" / "docker-buildx"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(plugin, "_SYSTEM_FOLDERS", (str(path.parent),))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    return path


def test_the_users_own_plugin_comes_before_the_systems(system: Path, tmp_path: Path) -> None:
    assert plugin.chosen() == system
    own = tmp_path / "config/cli-plugins/docker-buildx"
    own.parent.mkdir(parents=True)
    own.symlink_to(system)
    assert plugin.chosen() == own


@pytest.mark.parametrize("break_it", [lambda path: path.chmod(0o644), lambda path: path.unlink()])
def test_a_plugin_that_cannot_run_is_left_to_docker(
    system: Path, tmp_path: Path, break_it: Callable[[Path], None]
) -> None:
    own = tmp_path / "config/cli-plugins/docker-buildx"
    own.parent.mkdir(parents=True)
    own.symlink_to(tmp_path / "mine")
    (tmp_path / "mine").write_text("", encoding="utf-8")
    break_it(tmp_path / "mine")
    assert plugin.chosen() is None


def test_where_the_clients_file_names_more_folders_docker_itself_chooses(system: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.json").write_text('{"cliPluginsExtraDirs": ["/x"]}', encoding="utf-8")
    assert plugin.chosen() is None
