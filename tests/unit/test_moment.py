"""Folders for a moment: nothing of them stays, whatever ends their process."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tasks.engine import moment

HOLD = """
import sys, time
from tasks.engine import moment
with moment.folder() as folder:
    (folder / "file").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make temporary folders lie where a test can look."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def holder() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_ones_own_and_goes_afterwards(place: Path) -> None:
    with moment.folder() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep").mkdir()
    assert not list(place.iterdir())


def test_what_a_killed_process_left_goes_with_the_next_and_what_is_needed_stays(place: Path) -> None:
    living, needed = holder()
    killed, left = holder()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.is_dir()
    with moment.folder():
        assert not left.exists()
        assert (needed / "file").is_file()
    living.communicate("")
    assert not list(place.iterdir())


def test_only_folders_are_swept(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "precious").touch()
    (place / "container-tasks-moment-link").symlink_to(elsewhere)
    (place / "container-tasks-moment-file").touch()
    with moment.folder():
        pass
    assert (elsewhere / "precious").is_file()
    assert (place / "container-tasks-moment-file").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder another user's")
def test_the_folder_of_another_user_stays(place: Path) -> None:
    other = place / "container-tasks-moment-other"
    other.mkdir()
    os.chown(other, 12345, 12345)
    with moment.folder():
        pass
    assert other.is_dir()
