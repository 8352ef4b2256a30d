import json
import os
from pathlib import Path

import pytest

from tasks.engine import records
from tasks.errors import ConfigError

HOSTILE = [b"", b"\0", b"\xff\xfe", b"{", b"[]", b"null", b"1", b'"x"', b"[" * 100_000, b'{"a": NaN', b"1" * 5000]


def place(root: Path) -> Path:
    path = root / ".container/inputs/agent.json"
    path.parent.mkdir(parents=True)
    return path


def test_a_record_comes_back_as_it_was_written_whatever_the_names(tmp_path: Path) -> None:
    record = {"fingerprint": "1-x", "inputs": {"files": {"a\nb": "file", "\udcff": "link \udcfe"}}}
    records.write(tmp_path, "agent", record)
    assert records.read(tmp_path, "agent") == record
    assert records.read(tmp_path, "indexer") is None


@pytest.mark.parametrize("content", HOSTILE)
def test_what_is_no_record_is_none(tmp_path: Path, content: bytes) -> None:
    place(tmp_path).write_bytes(content)
    assert records.read(tmp_path, "agent") is None
    records.write(tmp_path, "agent", {"a": 1})
    assert records.read(tmp_path, "agent") == {"a": 1}


def test_a_record_that_is_cut_off_anywhere_is_none(tmp_path: Path) -> None:
    path = place(tmp_path)
    whole = json.dumps({"fingerprint": "1-x", "inputs": {"files": {"a": "b"}}}).encode()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert records.read(tmp_path, "agent") is None


def test_a_pipe_or_a_link_in_its_place_holds_up_nothing(tmp_path: Path) -> None:
    path = place(tmp_path)
    os.mkfifo(path)
    assert records.read(tmp_path, "agent") is None
    records.write(tmp_path, "agent", {"a": 1})
    assert records.read(tmp_path, "agent") == {"a": 1}
    path.unlink()
    elsewhere = tmp_path / "mine.json"
    elsewhere.write_text("{}")
    path.symlink_to(elsewhere)
    assert records.read(tmp_path, "agent") is None
    records.write(tmp_path, "agent", {"a": 1})
    assert elsewhere.read_text() == "{}"


def test_where_it_cannot_be_written_it_is_an_error_that_says_so(tmp_path: Path) -> None:
    place(tmp_path).mkdir()
    with pytest.raises(ConfigError, match=r"inputs/agent\.json cannot be written"):
        records.write(tmp_path, "agent", {})
