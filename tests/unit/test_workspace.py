import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.engine import workspace
from tasks.errors import ConfigError, Interrupted
from tests.support import ROOT

HOLD = """
import sys
from pathlib import Path
from tasks.engine import workspace
with workspace.alone(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_folder_is_made_and_ignored_by_git(tmp_path: Path) -> None:
    folder = workspace.prepare(tmp_path)
    assert (folder / "logs").is_dir()
    assert (folder / ".gitignore").read_text() == "*\n"
    assert workspace.prepare(tmp_path) == folder == tmp_path / ".container"


def test_a_persons_own_ignore_file_stays(tmp_path: Path) -> None:
    folder = workspace.prepare(tmp_path)
    (folder / ".gitignore").write_text("!keep\n")
    workspace.prepare(tmp_path)
    assert (folder / ".gitignore").read_text() == "!keep\n"


def test_a_log_lies_within_the_folder() -> None:
    assert workspace.log_path("agent") == ".container/logs/agent.log"


def test_the_bundle_is_copied_once_and_again_when_it_changes(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(b"one")
    path = tmp_path / workspace.copy_bundle(tmp_path, bundle)
    before = path.stat().st_ino
    workspace.copy_bundle(tmp_path, bundle)
    assert path.stat().st_ino == before
    bundle.write_bytes(b"two")
    assert workspace.copy_bundle(tmp_path, bundle) == ".container/ca.pem"
    assert path.read_bytes() == b"two"
    assert not path.with_suffix(".new").exists()


def _prepare(root: Path) -> None:
    workspace.prepare(root)


def _copy(root: Path) -> None:
    (root / "bundle").touch()
    workspace.copy_bundle(root, root / "bundle")


def _lock(root: Path) -> None:
    with workspace.alone(root, lambda: None):
        pass


# Root may write everywhere, so what cannot be written is something else of that name.
@pytest.mark.parametrize(
    ("blocked", "use", "words"),
    [
        (".container", _prepare, ".container/ cannot be written: Not a directory\nhint: builds keep their logs there"),
        (".container/logs", _prepare, ".container/ cannot be written: File exists"),
        (
            ".container/lock/",
            _lock,
            ".container/lock cannot be taken: Is a directory\nhint: make the checkout writable",
        ),
        (
            ".container/ca.pem/",
            _copy,
            ".container/ca.pem cannot be written: Is a directory\nhint: make the checkout writable",
        ),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, blocked: str, use: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / blocked
    path.parent.mkdir(exist_ok=True)
    if blocked.endswith("/"):
        path.mkdir()
    else:
        path.touch()
    with pytest.raises(ConfigError) as caught:
        use(tmp_path)
    assert words in str(caught.value)


def test_a_disk_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(ConfigError, match=r"cannot be written: No space left on device\nhint: .* its disk has room"):
        workspace.prepare(tmp_path)


def test_one_run_at_a_time_holds_the_checkout(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        def interrupt() -> None:
            os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted), workspace.alone(tmp_path, interrupt):
            pytest.fail("two runs at once")
        waited: list[float] = []

        def release() -> None:
            waited.append(time.monotonic())
            other.communicate("")

        with workspace.alone(tmp_path, release):
            assert len(waited) == 1
            assert other.returncode == 0
    with workspace.alone(tmp_path, lambda: pytest.fail("nobody else is there")):
        pass


def test_the_checkout_is_free_again_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with workspace.alone(tmp_path, lambda: None):
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()


def test_what_a_killed_run_has_left_goes_before_the_next(tmp_path: Path) -> None:
    with workspace.temporary(tmp_path) as folder:
        kept = folder
    assert not kept.exists()
    kept.mkdir()
    (kept / "one.json").write_text("{}", encoding="utf-8")
    with workspace.temporary(tmp_path) as folder:
        assert folder == kept
        assert not list(folder.iterdir())


def test_a_link_in_its_place_is_removed_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (workspace.prepare(tmp_path) / "tmp").symlink_to(elsewhere)
    with workspace.temporary(tmp_path) as folder:
        (folder / "new").touch()
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]
