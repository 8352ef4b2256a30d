"""What this machine knows of which images were made of what."""

from pathlib import Path

import pytest

from tasks.engine import cache, made

FIRST, SECOND = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    return tmp_path / "made"


def test_what_is_kept_is_known_for_that_fingerprint_alone(home: Path) -> None:
    made.keep("7-abc", FIRST)
    made.keep("7-abc", SECOND)
    made.keep("7-abc", FIRST)
    assert made.of("7-abc") == {FIRST, SECOND}
    assert made.of("7-abd") == frozenset()
    assert [path.name for path in (home / "bc").iterdir()] == ["7-abc"]


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"sha256:1\n", b"\xff\xfe\0", b"../../etc\n"])
def test_what_is_damaged_says_nothing_and_is_written_anew(home: Path, content: bytes) -> None:
    (home / "bc").mkdir(parents=True)
    (home / "bc/7-abc").write_bytes(content)
    assert made.of("7-abc") == frozenset()
    made.keep("7-abc", FIRST)
    assert made.of("7-abc") == {FIRST}


def test_where_nothing_can_be_kept_nothing_is_known(home: Path) -> None:
    home.write_text("in the way", encoding="utf-8")
    made.keep("7-abc", FIRST)
    assert made.of("7-abc") == frozenset()


@pytest.mark.parametrize(("fingerprint", "image"), [("../../x", FIRST), ("7-abc", ""), ("7-abc", "sha256:../x")])
def test_no_word_leads_out_of_the_folder(home: Path, fingerprint: str, image: str) -> None:
    made.keep(fingerprint, image)
    assert made.of(fingerprint) == frozenset()
    assert not home.exists()


def test_the_oldest_go(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "_FILES", 3)
    for number in range(5):
        made.keep(f"7-{number}bc", FIRST)
    assert len(list((home / "bc").iterdir())) == 3
    for number in range(20):
        made.keep("7-abc", f"sha256:{number:064}")
    assert len(made.of("7-abc")) == 16
    assert f"sha256:{19:064}" in made.of("7-abc")
