import hashlib
import json
import os
from pathlib import Path

import pytest

from tasks.engine.digests import SETTLED, Digests

KEPT = ".container/digests"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file whose digest is kept already."""
    path = tmp_path / "a"
    path.write_text("one")
    assert told(path) == digest("one")
    return path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def told(path: Path, *, settled: float = -1) -> str:
    """Return a file's digest as a run of its own tells it, which keeps it even of a file that is new."""
    digests = Digests(path.parent, settled=settled)
    found = digests.of(str(path), os.lstat(path))
    digests.keep()
    return found


def spoil(path: Path) -> None:
    """Write another digest into what is kept, with the checksum that belongs to it."""
    first, _, content = (path.parent / KEPT).read_bytes().partition(b"\n")
    kept = json.loads(content)
    kept[path.name] = " ".join([*kept[path.name].split(" ")[:-1], "spoilt"])
    spoilt = json.dumps(kept).encode()
    scheme = first.rpartition(b" ")[0]
    (path.parent / KEPT).write_bytes(scheme + b" " + hashlib.sha256(spoilt).hexdigest().encode() + b"\n" + spoilt)


def test_an_untouched_file_is_not_read_again(file: Path) -> None:
    spoil(file)
    assert told(file) == "spoilt"


def test_a_touched_file_is_read_again_and_is_the_same(file: Path) -> None:
    spoil(file)
    os.utime(file, (1, 1))
    assert told(file) == digest("one")


def test_a_change_of_the_same_size_under_the_same_time_is_noticed(file: Path) -> None:
    before = os.lstat(file)
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.lstat(file).st_mtime_ns == before.st_mtime_ns
    assert told(file) == digest("two")


def test_another_file_of_the_same_times_in_its_place_is_noticed(file: Path) -> None:
    other = file.with_name("b")
    other.write_text("two")
    os.utime(other, ns=(os.lstat(file).st_atime_ns, os.lstat(file).st_mtime_ns))
    other.replace(file)
    assert told(file) == digest("two")


def test_what_was_changed_shortly_before_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    assert told(path, settled=SETTLED) == digest("one")
    assert not (tmp_path / KEPT).exists()
    os.utime(path, (1, 1))  # its own time is old, and the kernel's is not
    told(path, settled=SETTLED)
    assert not (tmp_path / KEPT).exists()


def test_what_changes_while_it_is_read_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    before = os.lstat(path)
    path.write_text("longer")
    digests = Digests(tmp_path, settled=-1)
    assert digests.of(str(path), before) == digest("longer")
    digests.keep()
    assert not (tmp_path / KEPT).exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"\xff", b"{}", b"container-tasks digests 1", b"container-tasks digests 2 0\n{}", b"[" * 100_000],
)
def test_what_is_no_record_of_digests_counts_for_nothing(file: Path, content: bytes) -> None:
    (file.parent / KEPT).write_bytes(content)
    assert told(file) == digest("one")
    assert (file.parent / KEPT).read_bytes() != content


@pytest.mark.parametrize("place", [0, 30, 90, 100, -1])
def test_a_damaged_letter_makes_it_count_for_nothing(file: Path, place: int) -> None:
    spoil(file)
    content = bytearray((file.parent / KEPT).read_bytes())
    content[place] ^= 1
    (file.parent / KEPT).write_bytes(content)
    assert told(file) == digest("one")


def test_half_a_record_counts_for_nothing(file: Path) -> None:
    spoil(file)
    content = (file.parent / KEPT).read_bytes()
    (file.parent / KEPT).write_bytes(content[: len(content) // 2])
    assert told(file) == digest("one")


@pytest.mark.parametrize("what", ["pipe", "folder", "link"])
def test_something_else_in_its_place_holds_up_nothing(file: Path, what: str) -> None:
    kept = file.parent / KEPT
    kept.unlink()
    elsewhere = file.parent / "elsewhere"
    if what == "pipe":
        os.mkfifo(kept)
    elif what == "folder":
        kept.mkdir()
    else:
        elsewhere.write_text("mine")
        kept.symlink_to(elsewhere)
    assert told(file) == digest("one")
    assert what != "link" or elsewhere.read_text() == "mine"


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".container").write_text("a file")
    path = tmp_path / "a"
    path.write_text("one")
    assert told(path) == digest("one")


def test_what_is_kept_of_other_files_stays(file: Path) -> None:
    other = file.with_name("o\n\udcff ther")
    other.write_text("two")
    assert told(other) == digest("two")
    spoil(file)
    assert told(file) == "spoilt"
    assert told(other) == digest("two")


def test_nothing_new_is_nothing_written(file: Path) -> None:
    before = os.lstat(file.parent / KEPT)
    told(file)
    assert os.lstat(file.parent / KEPT).st_ino == before.st_ino
