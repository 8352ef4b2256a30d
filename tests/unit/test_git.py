import subprocess
from pathlib import Path

import pytest

from tasks.engine import git
from tasks.errors import ConfigError, EngineError
from tests.support import Repo


@pytest.fixture
def checkout(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """The repository with everything committed, whatever git this person has set up."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    repo.commit()
    return repo


def test_outside_a_checkout_git_knows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.head(tmp_path) is None
    with pytest.raises((ConfigError, EngineError)):
        git.uncommitted(tmp_path)


def test_a_damaged_index_is_said_and_not_taken_for_no_version(checkout: Repo) -> None:
    assert git.describe(checkout.root)
    (checkout.root / ".git/index").write_bytes(b"garbage")
    with pytest.raises(ConfigError, match=r"git cannot tell the version: .*index file.*\nhint: git status"):
        git.describe(checkout.root)


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("https://git.invalid/a/b.git", True),
        ("https://user:token@git.invalid/a/b.git", True),
        ("git@git.invalid:a/b.git", True),
        ("../elsewhere", True),
        ("https://git.invalid/a/b.git?private_token=x", False),
        ("https://git.invalid/a/b.git#x", False),
        ("https://x:se/cret@git.invalid/a/b.git", False),
    ],
)
def test_an_address_is_plain_whose_login_every_tool_would_find(checkout: Repo, address: str, plain: bool) -> None:
    subprocess.run(["git", "-C", checkout.root, "remote", "add", "origin", address], check=True)
    assert git.remotes_are_plain(checkout.root) is plain


def test_without_git_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.head(tmp_path) is None
    with pytest.raises((ConfigError, EngineError)):
        git.uncommitted(tmp_path)


def test_before_the_first_commit_there_is_no_head_but_there_are_changes(repo: Repo) -> None:
    subprocess.run(["git", "init", "-q", repo.root], check=True)
    assert git.head(repo.root) is None
    assert git.uncommitted(repo.root) == ("VERSION", "services/")


def test_a_clean_tree_has_nothing_uncommitted(checkout: Repo) -> None:
    assert git.uncommitted(checkout.root) == ()


def test_what_is_uncommitted_is_listed_whole_whatever_its_name(checkout: Repo) -> None:
    for name in ("a", "with space", "ü\n2", 'quo"te'):
        checkout.write(name, "")
    (checkout.root / "services/agent/Dockerfile").unlink()
    assert sorted(git.uncommitted(checkout.root)) == sorted(
        ["a", "with space", "ü\n2", 'quo"te', "services/agent/Dockerfile"]
    )


def test_a_renamed_file_is_listed_once_by_its_new_name(checkout: Repo) -> None:
    subprocess.run(["git", "-C", checkout.root, "mv", "VERSION", "RELEASE"], check=True)
    checkout.write("zzz", "")
    assert git.uncommitted(checkout.root) == ("RELEASE", "zzz")


def test_asking_takes_no_lock(checkout: Repo) -> None:
    index = checkout.root / ".git/index"
    before = index.stat().st_mtime_ns
    (checkout.root / "VERSION").touch()
    git.uncommitted(checkout.root)
    assert index.stat().st_mtime_ns == before
