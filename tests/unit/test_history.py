"""Which commit an image's labels name: held against real repositories of git."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tasks.discovery import discover
from tasks.draft import draft
from tasks.engine import records
from tasks.plan.history import Change, recorded
from tasks.plan.platforms import Platform
from tasks.plan.targets import CREATED_LABEL, REVISION_LABEL, Output
from tests.support import Repo
from tests.unit.test_settings import load

PINNED = f"FROM alpine:3@sha256:{'0' * 64}"
DATE = "2026-11-24T08:00:00+02:00"


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    (tmp_path / "gitconfig").write_text(
        '[user]\nname = t\nemail = t@example.com\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
        "[log]\nshowRoot = false\nshowSignature = true\n[diff]\nexternal = false\nrelative = true\n"
    )


@pytest.fixture
def checkout(repo: Repo) -> Repo:
    """Two services that read a shared folder, and one of them a link out of its own."""
    repo.write("services/agent/Dockerfile", f"{PINNED}\nCOPY services/agent/src shared /\n")
    repo.write("services/indexer/Dockerfile", f"{PINNED}\nCOPY services/indexer shared/*.x /\n")
    repo.write(".dockerignore", "**/*.md\n")
    repo.write(".gitignore", "*.ignored\n.container\n")
    for path in ("services/agent/src/a", "services/agent/README.md", "shared/text", "shared/t.x", "target/t"):
        repo.write(path, f"{path}\n")
    (repo.root / "services/indexer/l").symlink_to("../../target/t")
    repo.commit()
    return repo


def git(repo: Repo, *words: str) -> str:
    done = subprocess.run(["git", "-C", repo.root, *words], check=True, capture_output=True)
    return done.stdout.decode().strip()


def labels(repo: Repo) -> Mapping[str, Change | None]:
    """Return what each service's image would say of its commit."""
    drawn = draft(load(repo), discover(repo.root, {}), None, native=Platform.AMD64, output=Output.LOAD).marked()
    found = {}
    for target in drawn.plan(drawn.outline().services).targets:
        said = target.labels
        revision = said.get(REVISION_LABEL)
        found[target.service] = None if revision is None else Change(revision, said[CREATED_LABEL])
    return found


def revisions(repo: Repo) -> Mapping[str, str]:
    return {service: change.revision for service, change in labels(repo).items() if change is not None}


def test_the_commit_is_the_last_that_changed_what_the_build_reads(checkout: Repo) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    assert labels(checkout) == dict.fromkeys(("agent", "indexer"), Change(first, DATE))
    for path in ("services/agent/README.md", "services/agent/other", "notes"):
        checkout.write(path, "not read\n")
        checkout.commit()
    assert revisions(checkout) == {"agent": first, "indexer": first}


@pytest.mark.parametrize(
    ("path", "services"),
    [
        ("services/agent/src/a", {"agent"}),
        ("services/agent/src/new", {"agent"}),
        ("services/agent/Dockerfile", {"agent"}),
        ("services/agent/Dockerfile.dockerignore", {"agent"}),
        (".dockerignore", {"agent", "indexer"}),
        ("shared/text", {"agent"}),
        ("shared/new.x", {"agent", "indexer"}),
        ("target/t", {"indexer"}),
    ],
)
def test_whatever_the_build_reads_counts_wherever_it_lies(checkout: Repo, path: str, services: set[str]) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    before = checkout.root / path
    text = before.read_text() if before.exists() else "new\n"
    checkout.write(path, f"{text}# more\n")
    assert revisions(checkout) == {
        service: f"{first}-dirty" if service in services else first for service in ("agent", "indexer")
    }
    second = checkout.commit()
    assert revisions(checkout) == {
        service: second if service in services else first for service in ("agent", "indexer")
    }


def test_a_file_that_went_counts(checkout: Repo) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    (checkout.root / "shared/text").unlink()
    assert revisions(checkout) == {"agent": f"{first}-dirty", "indexer": first}
    second = checkout.commit()
    assert revisions(checkout) == {"agent": second, "indexer": first}


def test_what_no_commit_has_is_dirty_even_if_git_ignores_it(checkout: Repo) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    checkout.write("services/agent/x.ignored", "not read\n")
    checkout.write("services/agent/untracked", "not read\n")
    assert revisions(checkout) == {"agent": first, "indexer": first}
    checkout.write("shared/x.ignored", "read\n")
    assert revisions(checkout) == {"agent": f"{first}-dirty", "indexer": first}


def test_a_repository_within_is_as_clean_as_its_commit(checkout: Repo, tmp_path: Path) -> None:
    inner = Repo(tmp_path / "inner")
    inner.root.mkdir()
    inner.write("x/file", "one\n")
    inner.commit()
    git(checkout, "submodule", "add", "-q", str(inner.root), "shared/sub")
    second = checkout.commit()
    assert revisions(checkout)["agent"] == second
    (checkout.root / "shared/sub/x/file").write_text("two\n")
    assert revisions(checkout)["agent"] == f"{second}-dirty"


@pytest.mark.parametrize("name", ["a\nb", "o d", "\udcff", ":(top)x", "*", ":100644 100644 a b M"])
def test_names_of_files_are_no_patterns_and_no_words_of_git(checkout: Repo, name: str) -> None:
    checkout.write(f"shared/{name}", "new\n")
    assert revisions(checkout)["agent"].endswith("-dirty")
    second = checkout.commit()
    assert revisions(checkout)["agent"] == second
    checkout.write("services/indexer/x", "new\n")
    checkout.commit()
    assert revisions(checkout)["agent"] == second


def test_a_merge_that_changes_what_is_read_counts_and_another_does_not(checkout: Repo) -> None:
    git(checkout, "switch", "-qc", "side")
    checkout.write("services/agent/src/a", "side\n")
    side = checkout.commit()
    git(checkout, "switch", "-q", "main")
    checkout.write("notes", "main\n")
    checkout.commit()
    git(checkout, "merge", "-q", "--no-edit", "side")
    assert revisions(checkout)["agent"] == side
    git(checkout, "switch", "-qc", "other", "HEAD~1")
    checkout.write("more", "other\n")
    checkout.commit()
    git(checkout, "merge", "-q", "--no-edit", "--no-commit", "main")
    checkout.write("services/agent/src/a", "of the merge itself\n")
    merge = checkout.commit()
    assert revisions(checkout)["agent"] == merge


def test_the_answer_for_one_service_does_not_depend_on_the_others(checkout: Repo) -> None:
    for at in range(5):
        checkout.write(f"services/{('agent/src', 'indexer')[at % 2]}/{at}", "x\n")
        checkout.commit()
    drawn = draft(load(checkout), discover(checkout.root, {}), None, native=Platform.AMD64, output=Output.LOAD).marked()
    alone = {name: drawn.plan([name]).targets[0].labels[REVISION_LABEL] for name in ("agent", "indexer")}
    assert alone == revisions(checkout)


def test_a_dockerfile_that_is_not_understood_counts_all_of_the_context(checkout: Repo) -> None:
    checkout.write("services/agent/Dockerfile", "# syntax=docker/dockerfile:1\nFROM scratch\n")
    checkout.commit()
    checkout.write("notes", "x\n")
    last = checkout.commit()
    assert revisions(checkout)["agent"] == last


def no_commit(repo: Repo) -> None:
    subprocess.run(["git", "init", "-q", repo.root], check=True)


@pytest.mark.parametrize("how", [lambda _: None, no_commit], ids=["no checkout", "no commit"])
def test_where_git_knows_nothing_there_are_no_labels(repo: Repo, how: Callable[[Repo], None]) -> None:
    how(repo)
    assert labels(repo) == {"agent": None, "indexer": None}


def test_without_git_there_are_no_labels(checkout: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert labels(checkout) == {"agent": None, "indexer": None}


def test_a_service_that_was_never_committed_is_of_no_commit(checkout: Repo) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    checkout.write("services/new/Dockerfile", "FROM scratch\nCOPY services/new /\n")
    assert revisions(checkout) == {"agent": first, "indexer": first, "new": f"{first}-dirty"}
    (checkout.root / ".dockerignore").unlink()
    git(checkout, "commit", "-aqm", "no ignore file", "--amend")
    assert set(revisions(checkout)) == {"agent", "indexer"}


def clone(checkout: Repo, place: Path, depth: int) -> Repo:
    made = Repo(place)
    git(checkout, "clone", "-q", "--depth", str(depth), f"file://{checkout.root}", str(made.root))
    return made


def test_a_shallow_clone_says_what_it_knows_and_marks_what_it_does_not(checkout: Repo, tmp_path: Path) -> None:
    checkout.write("services/indexer/x", "new\n")
    second = checkout.commit()
    checkout.write("notes", "new\n")
    third = checkout.commit()
    deep = clone(checkout, tmp_path / "deep", 2)
    assert revisions(deep) == dict.fromkeys(("agent", "indexer"), f"{third}-shallow")
    git(deep, "fetch", "-q", "--depth", "3")
    assert revisions(deep)["indexer"] == second
    deep.write("shared/text", "changed\n")
    assert revisions(deep)["agent"].endswith("-dirty")
    git(deep, "fetch", "-q", "--unshallow")
    assert revisions(deep) == {"agent": git(checkout, "rev-parse", "HEAD~2") + "-dirty", "indexer": second}


def test_in_a_shallow_clone_an_earlier_build_of_the_same_fingerprint_is_believed(
    checkout: Repo, tmp_path: Path
) -> None:
    shallow = clone(checkout, tmp_path / "shallow", 1)
    drawn = draft(load(shallow), discover(shallow.root, {}), None, native=Platform.AMD64, output=Output.LOAD).marked()
    earlier = Change("a" * 40, "2026-01-01T00:00:00Z")
    record = {"fingerprint": drawn.marks["agent"].fingerprint, "revision": "a" * 40, "committed": earlier.committed}
    records.write(shallow.root, "agent", record)
    assert labels(shallow)["agent"] == earlier
    assert labels(shallow)["indexer"] == Change(git(checkout, "rev-parse", "HEAD") + "-shallow", DATE)
    shallow.write("shared/text", "another fingerprint\n")
    assert revisions(shallow)["agent"].endswith("-shallow-dirty")


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        {"fingerprint": "2-x", "revision": "a" * 40, "committed": DATE},
        {"fingerprint": "1-x", "revision": None, "committed": DATE},
        {"fingerprint": "1-x", "revision": "a" * 40},
        {"fingerprint": "1-x", "revision": ["a" * 40], "committed": DATE},
        {"fingerprint": "1-x", "revision": "a" * 40 + "\n", "committed": DATE},
        {"fingerprint": "1-x", "revision": "HEAD", "committed": DATE},
        {"fingerprint": "1-x", "revision": "a" * 40, "committed": "yesterday"},
    ],
)
def test_a_record_that_says_nothing_of_this_fingerprint_is_not_believed(record: Mapping[str, object] | None) -> None:
    assert recorded(record, "1-x") is None
