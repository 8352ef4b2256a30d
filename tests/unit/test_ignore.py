import pytest

from tasks.plan.ignore import Ignore, Matches, NotUnderstood, parse


def ignored(ignore: Ignore, path: str) -> bool:
    """Return whether a path is kept out, asking from the top as a walk does."""
    above: Matches | None = None
    answer = False
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        answer, above = ignore.ignores("/".join(parts[:count]), above)
    return answer


# What keeps out which of these paths; the rest stays in.
CASES = {
    "nothing": ("", "", "a a/b .a"),
    "a name at the top": ("a", "a a/b a/b/c", "b b/a ab"),
    "a name at any depth": ("**/a", "a b/a b/c/a a/b", "ab b/ab"),
    "a leading slash means nothing": ("/a", "a", "b/a"),
    "nor does a trailing one": ("a/", "a a/b", "b"),
    "nor do several": ("a//b//", "a/b", "a b"),
    "nor does a dot": ("./a/./b/.", "a/b", "a b"),
    "a way back": ("a/../b", "b", "a"),
    "no way out": ("../a", "", "a b/a ../b"),
    "a star within a folder": ("*.a", "x.a .a x.a/b", "b/x.a x.ab"),
    "a star below a folder": ("a/*", "a/b a/b/c", "a b"),
    "two stars alone": ("**", "a a/b .a", ""),
    "two stars below a folder": ("a/**", "a/b a/b/c", "a ab b/a/b"),
    "two stars in the middle": ("a/**/c", "a/c a/b/c a/b/b/c", "a a/b c"),
    "two stars before a name": ("**a", "a ba b/ca", "ab"),
    "two stars after a name": ("a**", "a ab a/b ab/c", "ba"),
    "two stars before an end": ("**/*.pem", "a.pem a/b.pem", "pem a.pem2"),
    "a question mark is one letter": ("a?", "ab aé", "a abc a/b"),
    "a class": ("[ab]", "a b", "c ab"),
    "a range": ("[a-c]x", "ax cx", "dx"),
    "not a class": ("[^a]*", "b ba", "a ab"),
    "an escaped star": ("\\*", "*", "a"),
    "an escaped mark": ("\\!a", "!a", "a"),
    "an escaped number sign": ("\\#a", "#a", "a"),
    "letters of expressions": ("a.b\na+\n(b\n{c}\n$d", "a.b a+ (b {c} $d", "axb aa b c d"),
    "a hat": ("^a", "^a", "a"),
    "a comment": ("# a\n#b\na", "a", "b #b"),
    "no comment": (" #a", "#a", "a"),
    "space around": ("  a \t\n\t b c\v", "a", "b c"),
    "space within": ("b c", "", "b c"),
    "lines of Windows": ("a\r\nb\r\n", "a b", "c"),
    "a mark of the byte order": ("\ufeffa", "a", "b"),
    "one in another line": ("a\n\ufeffb", "a \ufeffb", "b"),
    "no line at the end": ("a\nb", "a b", "c"),
    "taken back": ("*\n!a", "b b/a", "a a/b"),
    "taken back with space": ("*\n! a\n!  b ", "c", "a b"),
    "taken back from below": ("a\n!a/b", "a a/c", "a/b a/b/c"),
    "the last one decides": ("*\n!a\na/b", "a/b b", "a a/c"),
    "taken back before": ("!a\na", "a", "b"),
    "taken back at any depth": ("**\n!**/x", "a a/b", "x a/x a/b/x x/y"),
    "taken back in any folder": ("**\n!*/x", "x a a/b/x", "a/x a/x/y"),
    "taken back by end": ("*\n!**/*.go", "a a/b", "x.go a/x.go"),
    "taken back with a slash": ("*\n!/a", "b", "a"),
    "taken back with two marks": ("*\n!!a", "a b", "!a"),
    "the top": (".", "", "a"),
    "the root": ("/", "", "a"),
    "a newline within a name": ("a*", "a\nb", ""),
    "a newline and two stars": ("a/**b", "a/b a/x/b", "a/x\ny/b"),
}  # fmt: skip
# Here the words of the table do not do.
SPACED = {"space within": (["b c"], ["b", "c"]), "a newline within a name": (["a\nb"], ["b"])}


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_what_is_kept_out_is_what_buildkit_keeps_out(name: str, case: tuple[str, str, str]) -> None:
    text, out, kept = case
    outs, keeps = SPACED.get(name, (out.split(" "), kept.split(" ")))
    ignore = parse(text)
    assert [path for path in outs if path and not ignored(ignore, path)] == []
    assert [path for path in keeps if path and ignored(ignore, path)] == []


@pytest.mark.parametrize("text", ["!", " ! ", "[", "[]", "[a", "[^]", "a/[b", "[z-a]", "[[:alpha:]]", "\\", "\\d"])
def test_what_only_buildkit_understands_is_said(text: str) -> None:
    with pytest.raises(NotUnderstood):
        parse(f"a\n{text}\nb")


BELOW = {
    "nothing is taken back": ("a", "a", False),
    "from below": ("a\n!a/b/c", "a", True),
    "from further below": ("a\n!a/b/c", "a/b", True),
    "from beside": ("a\n!b/c", "a", False),
    "from a folder whose name only begins so": ("a\n!ab/c", "a", False),
    "by a pattern": ("a\n!*/x", "a", True),
    "by any depth": ("a\n!**/x", "a/b/c", True),
    "all of another folder": ("a\n!b/**", "a", False),
    "all of it": ("a\n!a/**", "a", True),
}


@pytest.mark.parametrize(("text", "folder", "expected"), BELOW.values(), ids=BELOW)
def test_a_folder_is_looked_into_where_something_may_be_taken_back(text: str, folder: str, *, expected: bool) -> None:
    assert parse(text).may_keep_below(folder) is expected


def test_a_folder_that_is_skipped_keeps_nothing_that_the_rules_would_take_back() -> None:
    paths = ["a", "b", "a/b", "a/c", "a/b/c", "b/a", "b/a/c"]
    for back in ("a", "b", "a/b", "a/b/c", "*/b", "**/c", "a/*", "a/**", "b/a", "?/a"):
        ignore = parse(f"*\n!{back}")
        for path in paths:
            above = ["/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 1)]
            if any(ignored(ignore, folder) and not ignore.may_keep_below(folder) for folder in above):
                assert ignored(ignore, path), (back, path)
