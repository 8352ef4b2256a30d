"""What a branch has changed, as git and a snapshot tell it, is what the fingerprints of both states tell."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tasks import changes, sources
from tasks.discovery import discover
from tasks.engine.digests import Digests
from tasks.marks import Marks, on_disk
from tasks.plan.platforms import Platform
from tasks.plan.targets import support_name
from tests.property.cases import hostile as tries
from tests.property.cases import measure
from tests.support import Repo
from tests.unit.test_settings import load

PINNED = f"FROM alpine:3@sha256:{'0' * 64}"
PATHS = ("a", "b", "l", "d/a", "d/b", "d/e/a", "shared/a", "shared/x.md", "shared/e/y.md", "o d/a\nb", "\udcff")
SOURCES = ("a", "d", "l", "shared", "d/e/a", "*/a", "**/*.md", "s?ared", "[a-d]", "none", ".")
IGNORES = ("", "**/*.md", "*\n!shared", "d/*\n!d/e", "shared\n!**/x.md", "l")
TARGETS = ("a", "d", "shared", "/d/e", "none", "l", "../a", ".")


@st.composite
def edits(draw: st.DrawFn) -> Sequence[tuple[str, str, str]]:
    """Draw what is done to the files."""
    one = st.one_of(
        st.tuples(st.just("write"), st.sampled_from(PATHS), st.sampled_from(("one", "two", ""))),
        st.tuples(st.just("link"), st.sampled_from(PATHS), st.sampled_from(TARGETS)),
        st.tuples(st.just("remove"), st.sampled_from(PATHS), st.just("")),
        st.tuples(st.just("mode"), st.sampled_from(PATHS), st.sampled_from(("644", "755"))),
        st.tuples(st.just("copy"), st.sampled_from(("agent", "indexer")), st.sampled_from(SOURCES)),
        st.tuples(st.just("ignore"), st.sampled_from(("", "services/agent/Dockerfile")), st.sampled_from(IGNORES)),
    )
    return draw(st.lists(one, max_size=4))


def edit(repo: Repo, kind: str, name: str, value: str) -> None:
    """Do something to the files, where it can be done."""
    path = repo.root / name
    try:
        if kind == "copy":
            repo.write(f"services/{name}/Dockerfile", f"{PINNED}\nCOPY {value} /\n")
        elif kind == "ignore":
            repo.write(f"{name}.dockerignore", value)
        elif kind == "mode":
            if path.is_file() and not path.is_symlink():
                path.chmod(int(value, 8))
        else:
            path.unlink(missing_ok=True)
            if kind == "write":
                repo.write(name, value)
            elif kind == "link":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(value)
    except OSError:  # a file where it takes a folder, or a folder where it takes a file
        return


def settle(root: Path) -> None:
    """Remove the folders without a file, of which git knows nothing."""
    for folder, _, _ in os.walk(root, topdown=False):
        if ".git" not in Path(folder).parts and not os.listdir(folder):  # noqa: PTH208 - of any name
            os.rmdir(folder)  # noqa: PTH106


def fingerprints(repo: Repo) -> Mapping[str, str | None]:
    """Return the real fingerprint of each service, of the files as they lie there."""
    found = discover(repo.root, {})
    chosen, others = sources.gather(found.services, found, registry="r.test/x", mirror=None, local=True)
    by_name = {support_name(source.target): source for source in (*chosen, *others)}
    platforms = [Platform.AMD64]
    marks = Marks(found, by_name, platforms, Platform.AMD64, on_disk(repo.root, Digests(repo.root)))
    return {source.service: marks.of(source).fingerprint for source in chosen}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for repositories, where git's settings and modes are the same for everybody."""
    before, config = os.umask(0o022), os.environ.get("GIT_CONFIG_GLOBAL")
    os.environ["GIT_CONFIG_GLOBAL"] = "/dev/null"
    yield tmp_path_factory.mktemp("changes")
    os.umask(before)
    if config is None:
        del os.environ["GIT_CONFIG_GLOBAL"]
    else:
        os.environ["GIT_CONFIG_GLOBAL"] = config


@tries(40, 1500, first=edits(), second=edits(), committed=st.booleans())
def test_a_service_has_changed_exactly_when_its_fingerprint_has(
    place: Path, *, first: Sequence[tuple[str, str, str]], second: Sequence[tuple[str, str, str]], committed: bool
) -> None:
    shutil.rmtree(place / "shop", ignore_errors=True)
    repo = Repo(place / "shop")
    repo.root.mkdir()
    repo.write("VERSION", "1\n")
    for path in ("a", "d/a", "d/e/a", "shared/a", "shared/x.md"):
        repo.write(path, "one")
    for service, source in (("agent", "d l"), ("indexer", "shared")):
        repo.write(f"services/{service}/Dockerfile", f"{PINNED}\nCOPY {source} /\n")
    for step in first:
        edit(repo, *step)
    settle(repo.root)
    repo.commit()
    before = fingerprints(repo)
    for step in second:
        edit(repo, *step)
    settle(repo.root)
    if committed:
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(repo.root)]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "second"], check=True)
    now = fingerprints(repo)
    told = changes.since(load(repo), discover(repo.root, {}), "HEAD^" if committed else "HEAD").services
    for service, verdict in told.items():
        measure("changed since", so=not verdict.current)
        assert verdict.current == (before[service] == now[service]), (service, verdict.because)
