"""Files and folders that are whole or not there."""

from pathlib import Path

import pytest

from tasks.engine.machine import files


def test_a_file_is_written_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "a" / "state.json"
    assert files.write_json(path, {"b": 1})
    assert not files.write_json(path, {"b": 1})
    assert files.read_json(path) == {"b": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_what_is_no_json_object_reads_as_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text, encoding="utf-8")
    assert files.read_json(tmp_path / "state.json") == {}
    assert files.read_json(tmp_path / "missing.json") == {}


def test_a_staged_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "root"
    with files.staged(target) as folder:
        (folder / "file").touch()
        assert not target.exists()
    assert [entry.name for entry in target.iterdir()] == ["file"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_staged_folder_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "root"
    with files.staged(target) as folder:
        (folder / "old").touch()
    failing = files.staged(target)
    (failing.__enter__() / "new").touch()
    assert not failing.__exit__(OSError, OSError("full"), None)
    assert [entry.name for entry in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_half_done_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / "root.partial-abc"
    left.mkdir()
    (left / "half").touch()
    with files.staged(tmp_path / "root"):
        assert not left.exists()


def test_a_socket_path_that_is_too_long_moves_under_run() -> None:
    short, long = Path("/tmp/a/docker.sock"), Path("/tmp") / ("x" * 100) / "docker.sock"  # noqa: S108 - never opened
    assert files.short_socket(short) == short
    moved = files.short_socket(long)
    assert moved.parent.parent == Path("/run")
    assert moved.name == "docker.sock"
    assert moved != files.short_socket(Path("/tmp") / ("y" * 100) / "docker.sock")  # noqa: S108 - never opened
