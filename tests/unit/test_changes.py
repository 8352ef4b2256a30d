"""Which services a branch has changed: held against real repositories of git, and no engine."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks import changes
from tasks.configuration import read_file
from tasks.discovery import discover
from tasks.errors import ConfigError
from tasks.services import Repository
from tests.support import Repo
from tests.unit.test_settings import load

NEW = ("target is new", "target/t is new")
PINNED = f"FROM alpine:3@sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "gitconfig").write_text(
        '[user]\nname = t\nemail = t@example.com\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
    )


@pytest.fixture
def branch(repo: Repo) -> Repo:
    """A branch that has just left main; agent reads a shared folder, indexer a link and a pattern."""
    repo.write("services/agent/Dockerfile", f"{PINNED} AS first\nCOPY services/agent/src shared /a/\n")
    repo.write("services/indexer/Dockerfile", f"{PINNED}\nCOPY services/indexer/l services/indexer/*.go /a/\n")
    repo.write(".dockerignore", "**/*.md\n")
    repo.write(".gitignore", "*.ignored\n.container\n")
    for path in (
        "services/agent/src/a",
        "services/agent/README.md",
        "shared/text",
        "shared/x.md",
        "target/t",
        "services/indexer/x.go",
    ):
        repo.write(path, f"{path}\n")
    (repo.root / "services/indexer/l").symlink_to("../../target/t")
    repo.commit()
    git(repo, "switch", "-qc", "branch")
    return repo


def git(repo: Repo, *words: str) -> str:
    done = subprocess.run(["git", "-C", repo.root, *words], check=True, capture_output=True)
    return done.stdout.decode()


def told(repo: Repo, ref: str = "main") -> dict[str, tuple[str, ...]]:
    """Return the reasons of each service that has changed."""
    found = changes.since(load(repo), repository(repo), ref).services
    return {service: verdict.because for service, verdict in found.items() if not verdict.current}


def repository(repo: Repo) -> Repository:
    return discover(repo.root, read_file(repo.root))


def write(path: str, text: str = "other\n") -> Callable[[Repo], object]:
    return lambda repo: repo.write(path, text)


def remove(path: str) -> Callable[[Repo], object]:
    return lambda repo: (repo.root / path).unlink()


def relink(path: str, text: str) -> Callable[[Repo], object]:
    def do(repo: Repo) -> None:
        (repo.root / path).unlink(missing_ok=True)
        (repo.root / path).symlink_to(text)

    return do


CHANGES: dict[str, tuple[Callable[[Repo], object], dict[str, tuple[str, ...]]]] = {
    "nothing": (lambda _: None, {}),
    "a file": (write("services/agent/src/a"), {"agent": ("services/agent/src/a changed",)}),
    "a new file": (write("shared/new"), {"agent": ("shared/new is new",)}),
    "a file that goes": (remove("shared/text"), {"agent": ("shared/text is gone",)}),
    "a file by a pattern": (write("services/indexer/y.go"), {"indexer": ("services/indexer/y.go is new",)}),
    "what a link leads to": (write("target/t"), {"indexer": ("target/t changed",)}),
    "a link": (
        relink("services/indexer/l", "../../shared/text"),
        {
            "indexer": (
                "services/indexer/l changed",
                "shared is new",
                "shared/text is new",
                "target is gone",
                "target/t is gone",
            )
        },
    ),
    "a file that becomes a link": (relink("shared/text", "../target/t"), {"agent": ("shared/text changed", *NEW)}),
    "a file that becomes executable": (
        lambda repo: (repo.root / "shared/text").chmod(0o755),
        {"agent": ("shared/text changed",)},
    ),
    "a Dockerfile": (
        write("services/agent/Dockerfile", f"{PINNED}\nCOPY services/agent/src shared /b/\n"),
        {"agent": ("its Dockerfile changed",)},
    ),
    "what docker ignores": (write("services/agent/README.md"), {}),
    "what git ignores": (write("shared/x.ignored"), {}),
    "what nothing copies": (write("services/agent/other"), {}),
    "the version": (write("VERSION", "2.0.0\n"), {}),
    "times": (lambda repo: os.utime(repo.root / "shared/text", (1, 1)), {}),
    "modes that git does not know": (lambda repo: (repo.root / "shared/text").chmod(0o600), {}),
    "an empty folder": (lambda repo: (repo.root / "shared/empty").mkdir(), {}),
    "an ignore file that keeps out the same": (write(".dockerignore", "**/*.md\nnone\n"), {}),
    "an ignore file that keeps less out": (write(".dockerignore", "none\n"), {"agent": ("shared/x.md is new",)}),
    "an ignore file of its own": (
        write("services/agent/Dockerfile.dockerignore", ""),
        {"agent": ("its ignore file changed", "shared/x.md is new")},
    ),
    "an argument": (
        write("invoke.yaml", "container: {services: {agent: {args: {A: b}}}}\n"),
        {"agent": ("the argument A is new",)},
    ),
    "a stage": (
        write("invoke.yaml", "container: {services: {agent: {target: first}}}\n"),
        {"agent": ("the stage to build is now first",)},
    ),
    "a setting that no build reads": (write("invoke.yaml", "container: {services: {agent: {budget: 1MB}}}\n"), {}),
    "another service": (write("services/new/Dockerfile", f"{PINNED}\n"), {"new": ("the service is new",)}),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_service_has_changed_when_its_build_reads_what_differs(
    branch: Repo, change: Callable[[Repo], object], expected: dict[str, tuple[str, ...]]
) -> None:
    change(branch)
    assert told(branch) == expected
    git(branch, "add", "-A")
    git(branch, "commit", "-q", "--allow-empty", "-m", "change")
    assert told(branch) == expected


def test_what_main_has_done_since_is_not_of_the_branch(branch: Repo) -> None:
    branch.write("services/indexer/x.go", "of the branch\n")
    branch.commit()
    left = git(branch, "rev-parse", "main").strip()
    git(branch, "switch", "-q", "main")
    branch.write("shared/text", "of main\n")
    branch.commit()
    git(branch, "switch", "-q", "branch")
    assert told(branch) == {"indexer": ("services/indexer/x.go changed",)}
    assert changes.since(load(branch), repository(branch), "main").commit == left
    git(branch, "merge", "-q", "main")
    assert told(branch) == {"indexer": ("services/indexer/x.go changed",)}


def test_on_the_commit_itself_only_the_work_tree_counts(branch: Repo) -> None:
    branch.write("shared/text", "other\n")
    assert told(branch, "HEAD") == {"agent": ("shared/text changed",)}
    git(branch, "add", "-A")
    assert told(branch, "HEAD") == {"agent": ("shared/text changed",)}
    branch.commit()
    assert told(branch, "HEAD") == {}
    assert told(branch, "HEAD~1") == {"agent": ("shared/text changed",)}


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_what_git_was_told_not_to_look_at_is_looked_at(branch: Repo, flag: str) -> None:
    git(branch, "update-index", flag, "shared/text")
    assert told(branch, "HEAD") == {}
    branch.write("shared/text", "other\n")
    assert told(branch, "HEAD") == {"agent": ("shared/text changed",)}
    assert git(branch, "status", "--porcelain") == ""  # the index of the checkout itself is as it was


def test_what_a_sparse_checkout_leaves_out_has_not_changed(branch: Repo) -> None:
    git(branch, "sparse-checkout", "set", "--no-cone", "/*", "!/shared")
    assert not (branch.root / "shared").exists()
    assert told(branch, "HEAD") == {}


def test_an_image_on_another_image_of_the_repository_changes_with_it(branch: Repo) -> None:
    branch.write("services/agent/Dockerfile", "FROM indexer\n")
    branch.commit()
    branch.write("target/t", "other\n")
    assert told(branch, "HEAD") == {"indexer": ("target/t changed",), "agent": ("the base indexer changed",)}


def test_what_is_never_up_to_date_has_not_therefore_changed(branch: Repo) -> None:
    branch.write("services/agent/Dockerfile", "FROM alpine:3\nCOPY shared /\n")
    branch.write("services/indexer/Dockerfile", f"{PINNED}\nADD https://example.com/x /\n")
    branch.commit()
    assert told(branch, "HEAD") == {}
    branch.write("notes/n", "new\n")
    wide = "all of the context counts: ADD fetches from elsewhere, which may have changed"
    assert told(branch, "HEAD") == {"indexer": ("notes is new", "notes/n is new", wide)}


def test_an_image_that_leaves_counts_as_well_as_one_that_stays(branch: Repo) -> None:
    lines = ("ARG KIND=released", f"{PINNED} AS local", f"{PINNED} AS released", "COPY shared /", "FROM $KIND")
    branch.write("services/agent/Dockerfile", "\n".join(lines))
    branch.write("invoke.yaml", "container: {services: {agent: {local_args: {KIND: local}}}}\n")
    branch.commit()
    branch.write("shared/text", "other\n")
    assert told(branch, "HEAD") == {"agent": ("shared/text changed",)}


def test_other_names_of_files_than_before(branch: Repo) -> None:
    for service in ("agent", "indexer"):
        git(branch, "mv", f"services/{service}/Dockerfile", f"services/{service}/Containerfile")
    branch.write("invoke.yaml", "container: {dockerfile: Containerfile}\n")
    assert told(branch) == {}
    (branch.root / "services/agent").rename(branch.root / "moved")
    branch.write("invoke.yaml", "container: {dockerfile: Containerfile, services: {agent: {folder: moved}}}\n")
    found = told(branch)
    assert set(found) == {"agent"}
    assert "services/agent/src/a is gone" in found["agent"]


def test_a_dockerfile_that_is_a_link_counts_with_what_it_leads_to(branch: Repo) -> None:
    branch.write("services/agent/real.txt", f"{PINNED}\n")
    (branch.root / "services/agent/Dockerfile").unlink()
    (branch.root / "services/agent/Dockerfile").symlink_to("real.txt")
    branch.commit()
    assert told(branch, "HEAD") == {}
    branch.write("services/agent/real.txt", f"{PINNED}\nUSER 1\n")
    assert told(branch, "HEAD") == {"agent": ("its Dockerfile changed",)}
    branch.write("shared/text", "other\n")
    assert told(branch, "HEAD") == {"agent": ("its Dockerfile changed",)}


def test_a_file_of_any_name_is_told_by_it(branch: Repo) -> None:
    names = ("o d", "a\nb", "\udcff\udcfe", "é", "\x1b[2J", "a\tb", "a\rb", '"q"', "-n", "*", "[x", ":(top)y")
    for name in names:
        branch.write(f"shared/{name}", "new\n")
    new = tuple(sorted(f"shared/{name} is new" for name in names))
    assert told(branch) == {"agent": new}
    branch.commit()
    assert told(branch) == {"agent": new}
    assert told(branch, "HEAD") == {}
    for name in names:
        branch.write(f"shared/{name}", "other\n")
    assert told(branch, "HEAD") == {"agent": tuple(sorted(f"shared/{name} changed" for name in names))}


def test_line_ends_that_git_makes_are_no_change(branch: Repo) -> None:
    branch.write(".gitattributes", "*.go text eol=crlf\nDockerfile text eol=crlf\n")
    branch.commit()
    git(branch, "rm", "-rq", "--cached", ".")
    git(branch, "reset", "-q", "--hard")
    assert (branch.root / "services/indexer/x.go").read_bytes().endswith(b"\r\n")
    branch.write("services/agent/Dockerfile.dockerignore", "none\n")  # so that files of the commit are laid out
    assert told(branch, "HEAD") == {"agent": ("its ignore file changed", "shared/x.md is new")}
    assert "indexer" not in told(branch)


def test_a_repository_within_counts_by_its_commit(branch: Repo, tmp_path: Path) -> None:
    inner = Repo(tmp_path / "inner")
    inner.root.mkdir()
    inner.write("x/file", "one\n")
    inner.commit()
    git(branch, "submodule", "add", "-q", str(inner.root), "shared/sub")
    branch.write("services/indexer/Dockerfile", f"{PINNED}\nCOPY shared/sub/x /\n")
    branch.commit()
    assert told(branch, "HEAD") == {}
    (branch.root / "shared/sub/x/file").write_text("two\n")
    assert told(branch, "HEAD") == dict.fromkeys(("agent", "indexer"), ("shared/sub changed",))


def test_a_project_in_a_folder_of_a_bigger_repository(branch: Repo) -> None:
    outer = Repo(branch.root.parent)
    (branch.root / ".git").rename(branch.root.parent / "gone")
    outer.commit()
    assert told(branch, "HEAD") == {}
    outer.write("shared/text", "outside\n")
    branch.write("shared/text", "inside\n")
    assert told(branch, "HEAD") == {"agent": ("shared/text changed",)}


def test_nobodys_settings_of_git_change_the_answer(branch: Repo, tmp_path: Path) -> None:
    (tmp_path / "gitconfig").write_text(
        "[diff]\nexternal = false\nrenames = copies\nnoprefix = true\nignoreSubmodules = all\nrelative = true\n"
        "[core]\nquotePath = true\n[status]\nshowUntrackedFiles = no\n[color]\nui = always\n"
    )
    git(branch, "mv", "shared/text", "shared/moved")
    assert told(branch) == {"agent": ("shared/moved is new", "shared/text is gone")}


def test_settings_that_cannot_be_read_there_change_every_service(branch: Repo) -> None:
    branch.write("invoke.yaml", "container: {registry: [}\n")
    branch.commit()
    branch.write("invoke.yaml", "container: {}\n")
    reason = "what HEAD says of its services cannot be read: invoke.yaml is broken at line 1, column 24"
    found = told(branch, "HEAD")
    assert set(found) == {"agent", "indexer"}
    assert all(because[0].startswith(reason) for because in found.values())


def test_a_dockerfile_that_could_not_be_read_there_changes_its_service(branch: Repo) -> None:
    branch.write("services/agent/Dockerfile", "")
    branch.commit()
    branch.write("services/agent/Dockerfile", f"{PINNED}\n")
    assert told(branch, "HEAD") == {"agent": ("its files at HEAD cannot be read: services/agent/Dockerfile is empty",)}


@pytest.mark.parametrize(
    "ref", ["", " ", "-x", "--output=x", "nope", "main...", "..", "HEAD:VERSION", "a b", "\x1b[2J", "@{9}"]
)
def test_what_is_no_commit_is_refused_with_what_mends_it(branch: Repo, ref: str) -> None:
    with pytest.raises(ConfigError, match="--changed-since") as refused:
        told(branch, ref)
    assert refused.value.hint
    assert not (branch.root / "x").exists()


def test_a_tag_a_commit_and_an_expression_will_do(branch: Repo) -> None:
    git(branch, "tag", "-a", "-m", "x", "v1")
    branch.write("shared/text", "other\n")
    branch.commit()
    for ref in ("v1", git(branch, "rev-parse", "main").strip(), "HEAD^", "HEAD~1"):
        assert told(branch, ref) == {"agent": ("shared/text changed",)}


def test_a_shallow_clone_says_how_to_deepen_it(branch: Repo, tmp_path: Path) -> None:
    branch.write("shared/text", "other\n")
    branch.commit()
    clone = Repo(tmp_path / "clone")
    git(branch, "clone", "-q", "--depth", "1", f"file://{branch.root}", str(clone.root))
    for ref in ("main", "origin/main"):
        with pytest.raises(ConfigError, match="fetch --unshallow"):
            told(clone, ref)
    git(clone, "fetch", "-q", "--depth", "1", "origin", "main:main")
    with pytest.raises(ConfigError, match=r"in common\nhint: this clone is shallow"):
        told(clone, "main")
    git(clone, "fetch", "-q", "--unshallow")
    assert told(clone, "main") == {"agent": ("shared/text changed",)}


def test_histories_without_a_common_commit_are_refused(branch: Repo) -> None:
    git(branch, "switch", "-q", "--orphan", "other")
    branch.write("services/agent/Dockerfile", f"{PINNED}\n")
    with pytest.raises(ConfigError, match="git knows no commit HEAD"):
        told(branch)
    branch.commit()
    with pytest.raises(ConfigError, match="that main and HEAD have in common"):
        told(branch)


def test_without_git_or_a_checkout_it_is_an_error_that_says_so(
    branch: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (branch.root / ".git").rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="git says: not a git repository"):
        told(branch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"--changed-since: git is not on PATH\nhint: install git"):
        told(branch)


def test_asking_leaves_no_trace(branch: Repo) -> None:
    os.utime(branch.root / "shared/text", (1, 1))  # git diff would write this into its index
    before = {path: path.lstat().st_mtime_ns for path in branch.root.rglob("*")}
    for _ in range(3):
        assert told(branch) == {}
    assert {path: path.lstat().st_mtime_ns for path in branch.root.rglob("*")} == before
