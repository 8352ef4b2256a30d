import json
from pathlib import Path

import pytest

from tasks.engine import client_file
from tasks.errors import EngineError

ENTRY = {
    "auths": {"registry.test": {"auth": "YTpi"}},
    "credHelpers": {"other.test": "pass"},
    "currentContext": "default",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the docker client's file lies, which is not there yet."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config.json"


@pytest.mark.parametrize("content", [None, {}, ENTRY, {"auths": None, "currentContext": ""}])
def test_a_file_as_docker_writes_it_or_none_is_fine(file: Path, content: object) -> None:
    if content is not None:
        file.write_text(json.dumps(content), encoding="utf-8")
    client_file.require()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "it holds a list"),
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        ("\udcff", "'utf-8' codec can't decode"),
        ('{"auths": 3}', "auths is not what it has to be"),
        ('{"auths": {"registry.test": 3}}', "auths is not what it has to be"),
        ('{"credHelpers": {"registry.test": 3}}', "credHelpers is not what it has to be"),
        ('{"proxies": [1]}', "proxies is not what it has to be"),
        ('{"currentContext": 3}', "currentContext is not text"),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(file: Path, text: str, why: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(EngineError) as caught:
        client_file.require()
    assert str(caught.value).startswith(f"error: the docker client's file {file} is damaged: {why}")
    assert caught.value.hint is not None
    assert f"mv {file} {file}.old" in caught.value.hint
    assert caught.value.code == 3


def test_a_folder_in_its_place_is_named(file: Path) -> None:
    file.mkdir()
    with pytest.raises(EngineError, match="is damaged: it is no regular file"):
        client_file.require()


def test_a_context_that_is_not_there_is_named_by_whoever_names_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('{"currentContext": "gone"}', encoding="utf-8")
    with pytest.raises(
        EngineError, match=r"currentContext in .*: there is no context 'gone'\nhint: .*docker context ls"
    ):
        client_file.require()
    monkeypatch.setenv("DOCKER_CONTEXT", "nope")
    with pytest.raises(EngineError, match="error: DOCKER_CONTEXT: there is no context 'nope'"):
        client_file.require()
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    client_file.require()
    monkeypatch.setenv("DOCKER_CONTEXT", "nope")
    monkeypatch.setenv("DOCKER_HOST", "unix:///x.sock")
    client_file.require()


@pytest.mark.parametrize(
    ("auth", "found"),
    [
        ("dXNlcjpwYXNz", None),
        ("", None),
        (None, None),
        ("Zm9v", "r.test"),
        ("!!!", "r.test"),
        ("w" * 5, "r.test"),
        (3, "r.test"),
    ],
)
def test_a_login_that_cannot_be_read_is_named_by_its_registry(file: Path, auth: object, found: str | None) -> None:
    file.write_text(json.dumps({"auths": {"r.test": {} if auth is None else {"auth": auth}}}), encoding="utf-8")
    assert client_file.unreadable_login() == found
