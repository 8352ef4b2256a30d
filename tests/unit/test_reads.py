from collections.abc import Sequence

import pytest

from tasks.plan import dockerfile
from tasks.plan.platforms import Platform
from tasks.plan.reads import Reads, is_pattern, matches, reads
from tests.support import ROOT

SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/Dockerfile"))


def read(
    text: str, stage: str | None = None, args: dict[str, str] | None = None, platforms: Sequence[Platform] = ()
) -> Reads:
    return reads(
        text, stage=stage, args=args or {}, platforms=platforms or (Platform.AMD64,), native=Platform.AMD64
    )  # fmt: skip


EXACT = {
    "a file": ("COPY a /", ["a"]),
    "several, and no target": ("COPY a b/c d /x/", ["a", "b/c", "d"]),
    "all of it": ("COPY . /", ["."]),
    "all of it, as a root": ("COPY / /", ["."]),
    "a path that is not clean": ("COPY ./a//b/../c/ /", ["a/c"]),
    "no way out of the context": ("COPY ../../a /", ["a"]),
    "patterns": ("COPY *.go d?/[a-c] /", ["*.go", "d?/[a-c]"]),
    "JSON": ('COPY ["a", "b/", "/"]', ["a", "b"]),
    "JSON that is none": ("COPY [a] /", ["[a]"]),
    "quotes that name a file": ("COPY \"a\" 'b' /", ["a", "b"]),
    "flags that name none": ("COPY --chown=1:1 --chmod=644 --link --exclude=*.md a /", ["a"]),
    "with the folders above": ("COPY --parents a/b c/**/d /", ["a/b", "c/**/d"]),
    "an end of the flags": ("COPY -- --from=x /", ["--from=x"]),
    "ADD as COPY": ("ADD --chown=1 a.tar b /", ["a.tar", "b"]),
    "a target with a variable": ("COPY a $HOME/", ["a"]),
    "keywords in any case": ("copy a /", ["a"]),
    "a word over two lines": ("COPY a\\\nb c\\\n  d /", ["ab", "c", "d"]),
    "the text of a heredoc": ("COPY <<EOT a <<-'E' /\nCOPY b /\nEOT\n\tE", ["a"]),
    "an empty --from is none": ("COPY --from= a /", ["a"]),
    "from an image": ("COPY --from=tools:1 a /", []),
    "what reads nothing": ("ENV A=COPY\nWORKDIR /x\nLABEL a=b\nCMD cp a b\nRUN cp c d", []),
    "a mount without more": ("RUN --mount=target=/x true", ["."]),
    "a mount's source": ("RUN --mount=type=bind,source=a,target=/x true", ["a"]),
    "a mount's short names": ("RUN --mount=src=a,dst=/x,rw --mount=rw,src=./b/,dst=/y true", ["a", "b"]),
    "names in upper case": ("RUN --mount=TYPE=BIND,Source=a,target=/x true", ["a"]),
    "either of two sources": ("RUN --mount=source=a,src=b,target=/x true", ["a", "b"]),
    "a mount with an empty from": ("RUN --mount=source=a,from=,target=/x true", ["a"]),
    "the last type counts": ("RUN --mount=type=cache,type=bind,source=a,target=/x true", ["a"]),
    "a mount from an image": ("RUN --mount=from=tools:1,source=a,target=/x true", []),
    "a mount's quotes and escapes": ("RUN --mount='source=a',target=/x --mount=src=\\b,dst=/y true", ["a", "b"]),
    "other mounts": ("RUN --mount=type=cache,id=$X,target=/c --mount=type=secret,id=a --mount=type=tmpfs x", []),
    "a program's own --mount": ("RUN x --mount=type=bind,source=a", []),
    "another escape character": ("# escape=`\nCOPY a `\n b /\nRUN x \\\nCOPY c /", ["a", "b", "c"]),
    "spaces within JSON, which may have been several": ('COPY ["a  b/c", "d", "/"]', ["a*b/c", "d"]),
    "lines of Windows": ("COPY a \\\r\n b /\r\n", ["a", "b"]),
    "a shift is no heredoc": ("RUN echo $((1 << 3))\nCOPY a /", ["a"]),
    "nor is one in quotes": ("RUN echo -\"a <<E b\" '<<E'\nCOPY a /", ["a"]),
    "a heredoc in quotes is one": ("RUN <<'E' cat \"b c\"\nCOPY b /\nE\nCOPY a /", ["a"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sources"), EXACT.values(), ids=EXACT)
def test_the_sources_are_those_that_the_build_reads(text: str, sources: list[str]) -> None:
    directive, newline, rest = text.partition("\n") if text.startswith("# escape") else ("", "", text)
    found = read(f"{directive}{newline}FROM a\n{rest}")
    assert (list(found.sources), found.whole, found.always) == (sources, "", "")


WHOLE = {
    "a variable": "COPY $X /",
    "a variable in a path": "COPY a/${X}/b /",
    "an escaped letter": "COPY a\\b /",
    "an escape of JSON": 'COPY ["\\u0061", "/"]',
    "a no-break space within JSON": 'COPY ["a\u00a0b", "/"]',
    "quotes within JSON": 'COPY ["\'a\'", "/"]',
    "the other escape character": "COPY a`b /",
    "a mount's variable": "RUN --mount=source=$X,target=/x true",
    "a mount's type": "RUN --mount=type=$X,target=/x true",
    "a mount's quotes within": 'RUN --mount=source=\\"a\\",target=/x true',
    "a name with a no-break space": "COPY a\u00a0b /",
    "a name with a wide space": "COPY a\u3000b /",
    "a folder with a wide space": "COPY a\u2003b/ /",
    "ONBUILD": "ONBUILD COPY a /",
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_what_is_not_plain_text_counts_all_of_the_context(text: str) -> None:
    found = read(f"FROM a\nCOPY b /\n{text}")
    assert found.sources == (".",)
    assert found.whole
    assert not found.always


ALWAYS = {
    "a syntax line": "# syntax=docker/dockerfile:1\nFROM a",
    "a syntax line in any case": "#SYNTAX = x\nFROM a",
    "a syntax line after others": "# check=skip=all\n# escape=`\n# syntax=x\nFROM a",
    "a syntax line below a script's first": "#!/usr/bin/env x\n# syntax=x\nFROM a",
    "a syntax line after a mark of the byte order": "\ufeff# syntax=x\nFROM a",
    "a syntax line of another kind": "// syntax=x\nFROM a",
    "an instruction of tomorrow": "FROM a\nCLONE b /",
    "a file from elsewhere": "FROM a\nADD https://example.com/a /",
    "a file from elsewhere in JSON": 'FROM a\nADD ["HTTP://example.com/a", "/"]',
    "a repository": "FROM a\nADD git@example.com:a/b.git /",
    "a repository of anyone": "FROM a\nADD me@example.com:a /",
    "a repository by its end": "FROM a\nADD example.com/a.git#main /",
    "what may be from elsewhere": "FROM a\nADD $X /",
    "what may be from elsewhere, escaped": "FROM a\nADD h\\ttps://example.com/a /",
    "from elsewhere, later": "FROM a\nONBUILD ADD https://example.com/a /",
    "a base that nothing sets": "ARG X\nFROM $X",
    "a base of an ARG that nothing sets": "ARG A=x$B\nFROM $A",
    "a base whose variable some versions empty": "ARG TARGETARCH\nFROM b AS amd64\nFROM $TARGETARCH",
    "a base that grows for ever": "".join(f"ARG A{n + 1}=$A{n}$A{n}\n" for n in range(40)).replace("$A0", "x")
    + "FROM $A40",
    "a base of a piece of a variable": "ARG X=ab\nFROM ${X#a}",
    "a base in odd quotes": 'FROM a"b"',
    "a stage that the version chooses": "ARG VERSION=dev\nFROM a AS s-dev\nCOPY a /\nFROM a AS s-1\nFROM s-$VERSION",
    "a stage that the revision chooses": "ARG REVISION=a\nARG X=s-${REVISION}\nFROM a AS s-a\nFROM $X",
    "a flag that BuildKit splits": "FROM a\nCOPY --from=b\u00a0c /a /",
    "a mount of an odd name": "FROM a\nRUN --mount=source=\u00e0,target=/x true",
    "arguments beside an odd space": "ARG B=x\nARG V=a\u00a0B=b\nFROM $B",
    "a copy from a variable": "ARG X=a\nFROM b\nCOPY --from=$X /a /",
    "a mount from a variable": "FROM a\nRUN --mount=from=$X,target=/x true",
    "a heredoc that may be none": "FROM a\nRUN echo # don't <<EOT\nCOPY a /",
    "a heredoc behind a separator": "FROM a\nRUN x\x1c<<EOT\nCOPY a /",
    "a heredoc in what comes later": "FROM a\nONBUILD RUN <<EOT\nFROM b\nEOT",
    "nothing": "",
}  # fmt: skip


@pytest.mark.parametrize("text", ALWAYS.values(), ids=ALWAYS)
def test_where_nothing_can_tell_it_builds_each_time(text: str) -> None:
    assert read(text).always


def test_an_argument_that_names_another_syntax_builds_each_time() -> None:
    assert read("FROM a", args={"BUILDKIT_SYNTAX": "b"}).always


STAGED = """\
ARG FLAVOUR=plain
FROM tools:1 AS tools
COPY tools /
FROM scratch AS unused
COPY unused /
FROM base:1 AS base
COPY base /
FROM base AS build
COPY build /
COPY --from=tools /tools /
FROM base AS plain
COPY plain /
FROM base AS rich
RUN --mount=from=tools,target=/t --mount=source=rich,target=/r true
FROM ${FLAVOUR}
COPY --from=3 /build /
COPY last /
"""
STAGES = {
    "the last one": (None, {}, "tools base build plain last", "base:1 tools:1"),
    "an empty name is the last": ("", {}, "tools base build plain last", "base:1 tools:1"),
    "by name": ("plain", {}, "base plain", "base:1"),
    "by name in any case": ("PLAIN", {}, "base plain", "base:1"),
    "reached through a mount": ("rich", {}, "tools base rich", "base:1 tools:1"),
    "an argument chooses": (None, {"FLAVOUR": "rich"}, "tools base build rich last", "base:1 tools:1"),
    "an argument chooses an image": (None, {"FLAVOUR": "x:1"}, "tools base build last", "base:1 tools:1 x:1"),
    "one that nothing needs": ("unused", {}, "unused", ""),
}


@pytest.mark.parametrize(("stage", "args", "sources", "images"), STAGES.values(), ids=STAGES)
def test_only_stages_that_are_reached_are_read(
    stage: str | None, args: dict[str, str], sources: str, images: str
) -> None:
    found = read(STAGED, stage, args)
    assert (found.sources, sorted(found.images)) == (tuple(sources.split()), images.split())


@pytest.mark.parametrize("stage", ["none", "3", "99"])
def test_a_stage_that_is_not_there_by_its_name_builds_each_time(stage: str) -> None:
    assert read(STAGED, stage).always


REACHED = {
    "by a quoted name": ('FROM x AS b\nCOPY a /\nFROM y\nCOPY --from="b" / /', "a", "y x"),
    "by a number with a sign": ("FROM x\nCOPY a /\nFROM y\nCOPY --from=+0 / /", "a", "y x"),
    "by a quoted mount": ("FROM x AS b\nCOPY a /\nFROM y\nRUN --mount='from=b,target=/x' true", "a", "y x"),
    "by a mount in upper case": ("FROM x AS b\nCOPY a /\nFROM y\nRUN --mount=FROM=b,target=/x true", "a", "y x"),
    "by a cache's beginning": ("FROM x AS b\nCOPY a /\nFROM y\nRUN --mount=type=cache,from=b,target=/x q", "a", "y x"),
    "an image of the stage's own name": ("FROM alpine AS alpine\nCOPY a /", "a", "alpine"),
    "an image of a later stage's name": ("FROM b\nCOPY a /\nFROM x AS b\nFROM 0", "", "0"),
    "a name twice": ("FROM x AS b\nCOPY a /\nFROM y AS b\nCOPY c /\nFROM b", "a c", "y x"),
    "a default in place": ("FROM x AS b2\nCOPY a /\nFROM b${V:-2}", "a", "x"),
    "no default for what is empty": ("ARG V=\nFROM x AS b2\nCOPY a /\nFROM y AS b\nCOPY c /\nFROM b${V-2}", "c", "y"),
    "instead of what is empty": ("ARG V=\nFROM x AS b2\nCOPY a /\nFROM b${V+2}", "a", "x"),
    "the platform by default": ("FROM x AS amd64\nCOPY a /\nFROM $TARGETARCH", "a", "x"),
    "another value of the platform": ("ARG TARGETARCH=q\nFROM x AS q\nCOPY a /\nFROM $TARGETARCH", "a", "x"),
    "the platform in an ARG": ("ARG B=on-${BUILDARCH}\nFROM x AS on-amd64\nCOPY a /\nFROM $B", "a", "x"),
    "from outside, later": ("FROM x\nONBUILD COPY --from=tools / /", ".", "x tools"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sources", "images"), REACHED.values(), ids=REACHED)
def test_stages_and_images_are_found_as_buildkit_finds_them(text: str, sources: str, images: str) -> None:
    found = read(text)
    assert (found.sources, found.images, found.always) == (tuple(sources.split()), tuple(images.split()), "")


def test_a_version_that_the_settings_give_chooses_a_stage() -> None:
    text = "ARG VERSION=dev\nFROM x AS s-dev\nFROM y AS s-1\nCOPY a /\nFROM s-$VERSION"
    assert read(text, args={"VERSION": "1"}).sources == ("a",)


def test_an_argument_wins_over_the_platform() -> None:
    text = "FROM x AS q\nCOPY a /\nFROM y AS amd64\nFROM $TARGETARCH"
    assert read(text, args={"TARGETARCH": "q"}).sources == ("a",)


@pytest.mark.parametrize(
    ("platforms", "sources"),
    [
        ([Platform.AMD64], ("same",)),
        ([Platform.ARM64], ("other",)),
        ([Platform.AMD64, Platform.ARM64], ("same", "other")),
    ],
)
def test_each_platform_reads_its_own_stages(platforms: list[Platform], sources: tuple[str, ...]) -> None:
    text = "FROM x AS amd64-on-amd64\nCOPY same /\nFROM x AS arm64-on-amd64\nCOPY other /\n"
    assert read(f"{text}FROM ${{TARGETARCH}}-on-${{BUILDARCH}}", platforms=platforms).sources == sources


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("stage", [None, "test"])
def test_a_service_of_this_repository_reads_its_folder_alone(service: str, stage: str | None) -> None:
    text = (ROOT / "services" / service / "Dockerfile").read_text(encoding="utf-8")
    found = read(text, stage, platforms=tuple(Platform))
    assert found == Reads(sources=(f"services/{service}",), images=found.images)
    assert set(found.images) <= set(dockerfile.references(text))


MATCHES = {
    ("*.go", "a.go"): True,
    ("*.go", "a.py"): False,
    ("*", ".hidden"): True,
    ("d*/a?", "dir/ab"): True,
    ("d*/a?", "dir"): True,  # a folder on the way
    ("d*/a?", "dir/b"): False,
    ("d*", "dir/below/it"): True,
    ("a/**", "a/b"): True,
    ("?", "\n"): True,
    ("[^a]b", "ab"): True,  # rather too much
    ("x*y", "xy"): True,
    ("x.*", "xy"): False,
    ("*", "\udcff"): True,
}


@pytest.mark.parametrize(("case", "expected"), MATCHES.items(), ids=map(repr, MATCHES))
def test_a_pattern_means_these_paths(case: tuple[str, str], *, expected: bool) -> None:
    source, path = case
    assert is_pattern(source)
    assert matches(source, path) is expected


def test_the_services_are_five() -> None:
    assert len(SERVICES) == 5
