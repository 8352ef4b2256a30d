import contextlib
import hashlib
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.engine.digests import Digests
from tasks.engine.tree import Tree
from tasks.engine.walk import Walks
from tasks.plan.ignore import parse


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, in which every mode is what a test says."""
    before = os.umask(0o022)
    folder = tmp_path / "context"
    folder.mkdir()
    yield folder
    os.umask(before)


def write(root: Path, *names: str) -> None:
    """Write files that hold their own names, or folders where the name ends with a slash."""
    for name in names:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            target.mkdir(exist_ok=True)
        else:
            target.write_text(name)


def link(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(text)


def read(root: Path, *sources: str, ignore: str = "") -> dict[str, str]:
    return walks(root).read(sources, parse(ignore))


def walks(root: Path) -> Walks[os.stat_result]:
    return Walks(Tree(root, Digests(root)))


def test_a_file_is_its_mode_and_its_content(root: Path) -> None:
    write(root, "a", "b")
    (root / "b").chmod(0o4755)
    assert read(root, "a", "b") == {"a": f"file 644 {digest('a')}", "b": f"file 4755 {digest('b')}"}


def test_a_folder_is_its_mode_and_all_that_is_below(root: Path) -> None:
    write(root, "a/b/c", "a/empty/", "d")
    (root / "a/b").chmod(0o1777)
    found = read(root, "a")
    assert found == {
        "a": "folder 755",
        "a/b": "folder 1777",
        "a/b/c": f"file 644 {digest('a/b/c')}",
        "a/empty": "folder 755",
    }


def test_the_folders_on_the_way_count_with_their_modes(root: Path) -> None:
    write(root, "a/b/c", "a/d")
    (root / "a").chmod(0o750)
    assert read(root, "a/b/c") == {"a": "folder 750", "a/b": "folder 755", "a/b/c": f"file 644 {digest('a/b/c')}"}


def test_the_whole_context_is_all_but_its_own_mode(root: Path) -> None:
    write(root, "a", "b/")
    before = read(root, ".")
    root.chmod(0o700)
    assert read(root, ".") == before
    assert set(before) == {"a", "b"}


def test_what_is_not_there_is_told(root: Path) -> None:
    write(root, "a", "d/")
    assert read(root, "x", "d/y/z", "n\0") == dict.fromkeys(["x", "d/y", "n\0"], "missing")


def test_nothing_is_below_a_file(root: Path) -> None:
    write(root, "a")
    assert read(root, "a/b") == {}


PATTERNS = {
    "*.go": {"a.go", "b.go"},
    "*": {"a.go", "b.go", "c.py", "d", "d/a.go", "d/e", "d/e/f", "l", "t"},
    "d/*.go": {"d", "d/a.go"},
    "?/e": {"d", "d/e", "d/e/f", "l", "t"},  # through a link there may be one, too
    "d/*/f": {"d", "d/e", "d/e/f"},
    "d/*/none": set(),
    "d/**/f": {"d", "d/a.go", "d/e", "d/e/f"},
    "[de]/e": {"d", "d/a.go", "d/e", "d/e/f", "l", "t"},  # rather too much
    "l*": {"l", "t"},
    "none*": set(),
}


@pytest.mark.parametrize(("source", "expected"), PATTERNS.items(), ids=PATTERNS)
def test_a_pattern_is_all_that_it_may_mean(root: Path, source: str, expected: set[str]) -> None:
    write(root, "a.go", "b.go", "c.py", "d/a.go", "d/e/f", "t")
    link(root, "l", "t")
    assert set(read(root, source)) == expected


LINKS = {
    "to a file": ({"l": "t"}, "l", "t"),
    "to a file, absolute": ({"l": "/t"}, "l", "t"),
    "to a file beside": ({"d/l": "u"}, "d/l", "d d/u"),
    "to a file above": ({"d/l": "../t"}, "d/l", "d t"),
    "to a folder": ({"l": "d"}, "l", "d d/u d/e d/e/v"),
    "to a folder below it": ({"l": "d"}, "l/e", "d d/e d/e/v"),
    "to the folder that it is in": ({"d/l": "."}, "d/l", "d d/u d/e d/e/v d/l"),
    "a chain": ({"l": "m", "m": "/d/n", "d/n": "../t"}, "l", "m d d/n t"),
    "two on the way": ({"l": "d", "d/m": "e"}, "l/m/v", "d d/m d/e d/e/v"),
    "through a link and out again": ({"m": "d/e", "l": "m/../t"}, "l", "t"),
    "a loop": ({"l": "m", "m": "l"}, "l", "m"),
    "to itself": ({"l": "l"}, "l", ""),
    "below itself": ({"l": "l/x"}, "l", ""),
    "below one another": ({"l": "m/x", "m": "l/y"}, "l", "m"),
    "to nothing": ({"l": "none"}, "l", "none"),
    "out of the context": ({"l": "../../t"}, "l", "t"),
    "to a name that looks like a pattern": ({"l": "*"}, "l", "* d d/u d/e d/e/v t"),
}


@pytest.mark.parametrize(("links", "source", "expected"), LINKS.values(), ids=LINKS)
def test_a_link_counts_with_what_it_leads_to(root: Path, links: dict[str, str], source: str, expected: str) -> None:
    write(root, "t", "d/u", "d/e/v", "*")
    (root.parent / "t").write_text("outside")
    for name, text in links.items():
        link(root, name, text)
    found = read(root, source)
    on_the_way = next(name for name in links if f"{source}/".startswith(f"{name}/"))
    assert found[on_the_way] == f"link {links[on_the_way]}"
    assert {*found} >= {*expected.split(), on_the_way}
    assert {*found} <= {*expected.split(), *links}
    assert found.get("t") in {None, f"file 644 {digest('t')}"}
    assert ("none" in found) <= (found.get("none") == "missing")


def test_a_link_to_all_of_the_context_is_all_of_it(root: Path) -> None:
    write(root, "t", "d/u")
    link(root, "l", "/")
    assert set(read(root, "l")) == {"l", "t", "d", "d/u"}


def test_links_within_a_folder_are_followed(root: Path) -> None:
    write(root, "d/u", "t")
    link(root, "d/l", "../t")
    assert set(read(root, "d")) == {"d", "d/u", "d/l", "t"}


def test_what_is_ignored_is_not_there(root: Path) -> None:
    write(root, "a/b", "a/c", "d/e", "f")
    assert set(read(root, ".", ignore="a\n!a/b\nf")) == {"a", "a/b", "d", "d/e"}
    assert read(root, "f", ignore="f") == {}
    assert set(read(root, "a/b", "a/c", ignore="a\n!a/b")) == {"a", "a/b"}


def test_an_ignored_folder_is_there_only_for_what_is_taken_back(root: Path) -> None:
    write(root, "a/b", "c/d/", "c/b/")
    assert set(read(root, ".", ignore="*\n!*/b")) == {"a", "a/b", "c", "c/b"}
    assert read(root, "a", ignore="*\n!a/x") == {}


def test_an_ignored_link_leads_nowhere(root: Path) -> None:
    write(root, "t")
    link(root, "l", "t")
    assert read(root, "l", ignore="l") == {}
    assert set(read(root, "l", ignore="t")) == {"l"}


def test_a_link_into_an_ignored_folder_leads_nowhere(root: Path) -> None:
    write(root, "d/t")
    link(root, "l", "d/t")
    assert set(read(root, ".", ignore="d")) == {"l"}


def test_sockets_are_not_sent_and_other_special_files_are_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # the whole path of a socket has to be short
    os.mkfifo("pipe", 0o640)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        assert read(root, ".") == {"pipe": f"special {stat.S_IFIFO:o} 640 0"}
        assert read(root, "s") == {}


def test_devices_differ_by_their_numbers() -> None:
    tree = Tree(Path("/"), Digests(Path("/")))
    told = {tree.describe(path, os.lstat(f"/{path}")) for path in ("dev/null", "dev/zero")}
    assert len(told) == 2


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be a user who owns nothing, where root would read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("what", ["d/f", "d"])
def test_what_cannot_be_read_is_told(root: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    write(root, "d/f")
    (root / what).chmod(0o111 if what == "d" else 0)
    monkeypatch.chdir(root)
    with nobody():
        assert "unreadable 13" in read(Path(), "d")[what]
    (root / what).chmod(0o755)


class Vanishing(Tree):
    """A context in which everything goes just after it was seen."""

    def entries(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        for name, status in list(super().entries(folder)):
            there = self.root / folder / name
            shutil.rmtree(there) if there.is_dir() else there.unlink()
            yield name, status


def test_what_goes_while_it_is_read_is_told(root: Path) -> None:
    write(root, "f", "d/x")
    link(root, "l", "f")
    found = Walks(Vanishing(root, Digests(root))).read(["."], parse(""))
    assert found == {"f": "file 644 unreadable 2", "l": "unreadable 2", "d": "unreadable 2"}


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(root: Path) -> None:
    write(root, "f")
    status = os.lstat(root / "f")
    (root / "f").unlink()
    os.mkfifo(root / "f")
    assert Tree(root, Digests(root)).describe("f", status) == "file 644 unreadable 22"


def test_folders_may_be_as_deep_as_the_system_lets_them(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    depth = (4000 - len(str(root))) // 2
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("f").write_text("deep")
    os.chdir(root)
    try:
        assert len(read(root, ".")) == depth + 1
    finally:  # pytest itself cannot go so deep when it clears up
        subprocess.run(["rm", "-rf", str(root / "d")], check=True)


@pytest.mark.parametrize("name", ["a\nb", "\udcff\udcfe", "\x1b[2J", " ", "*", "[", "a\\b", "é", "-"])
def test_any_name_is_told_as_it_is(root: Path, name: str) -> None:
    (root / name).write_text("x")
    assert read(root, ".") == {name: f"file 644 {digest('x')}"}
    assert read(root, name) == {name: f"file 644 {digest('x')}"}


def test_each_file_is_read_once_however_many_services_read_it(root: Path) -> None:
    write(root, "shared/a", "one/b", "two/c")
    there = walks(root)
    first = there.read(["."], parse(""))
    for name in ("shared/a", "one/b", "two/c"):
        (root / name).write_text("other")  # what was read already is not looked at again
    for sources, ignore in ((["shared", "one"], ""), (["shared/a", "two"], ""), (["."], "none"), (["*/a"], "")):
        found = there.read(sources, parse(ignore))
        assert found.items() <= first.items()


def test_times_and_owners_do_not_count(root: Path) -> None:
    write(root, "a/b")
    before = read(root, ".")
    os.utime(root / "a/b", (1, 1))
    os.utime(root / "a", (1, 1))
    assert read(root, ".") == before
