import pytest

from tasks.plan import dockerfile

CASES = {
    "one base": ("FROM alpine:3", ("alpine:3",)),
    "each base once, in order": ("FROM b\nFROM a\nFROM b", ("b", "a")),
    "a stage is not outside": ("FROM a AS build\nFROM build AS test\nFROM b\nCOPY --from=build /a /a", ("a", "b")),
    "stages are named in any case": ("FROM a AS Build\nFROM scratch\nCOPY --from=bUILD /a /", ("a",)),
    "scratch is nothing": ("FROM scratch", ()),
    "a stage's number is not outside": ("FROM a\nFROM b\nCOPY --from=0 /a /a", ("a", "b")),
    "flags stand before the image": ("FROM --platform=$BUILDPLATFORM golang:1 AS x", ("golang:1",)),
    "keywords in any case": ("from a as b\ncopy --from=c / /", ("a", "c")),
    "copied from an image": ("FROM a\nCOPY --chmod=644 --from=tools:1@sha256:0 /x /x", ("a", "tools:1@sha256:0")),
    "mounted from an image": ("FROM a\nRUN --mount=type=bind,from=tools:2,target=/t true", ("a", "tools:2")),
    "mounted with from first": ("FROM a\nRUN --mount=from=tools:3,target=/t true", ("a", "tools:3")),
    "a program's own --from is none": ("FROM a\nRUN deploy --from=b --mount=from=c", ("a",)),
    "a global ARG fills in": ("ARG V=3.24\nFROM alpine:${V}", ("alpine:3.24",)),
    "an ARG with quotes": ("ARG V='3.24'\nARG W=\"1\"\nFROM alpine:$V-$W", ("alpine:3.24-1",)),
    "several ARGs in a line": ('ARG A=1 B="2" C\nFROM x:$A\nFROM y:${B}', ("x:1", "y:2")),
    "an ARG of an ARG": ("ARG V=3\nARG IMAGE=alpine:$V\nFROM $IMAGE", ("alpine:3",)),
    "an ARG within a stage is not global": ("FROM a\nARG V=1\nFROM b:$V", ("a",)),
    "what nothing sets is BuildKit's": ("ARG V\nFROM alpine:$V\nFROM b:$TARGETARCH", ()),
    "a default in place": ("FROM alpine:${V:-3}\nFROM b:${W-4}", ("alpine:3", "b:4")),
    "instead of what is set": ("ARG V=1\nFROM a:x${V:+y}${W:+z}", ("a:xy",)),
    "a colon asks for more than nothing": ("ARG V=\nFROM a:x${V-y}${V+z}\nFROM b:x${V:-y}${V:+z}", ("a:xz", "b:xy")),
    "a flag in quotes": ("FROM a AS b\nCOPY --from='c' / /\nRUN --mount=\"type=bind,from=d\" true", ("a", "c", "d")),
    "flags end at two dashes": ("FROM a\nCOPY -- --from=b /", ("a",)),
    "a word over two lines": ("FROM a\\\nb\\\n:c", ("ab:c",)),
    "a heredoc in quotes after a dash is none": ("FROM a\nRUN x -'<<E b'\nFROM b", ("a", "b")),
    "a quote without its end": ("ARG V='3\nFROM a", ("a",)),
    "continued lines": ("FROM \\\n  --platform=linux/amd64 \\\n  alpine", ("alpine",)),
    "a comment and nothing between them": ("FROM a\nRUN x \\\n# COPY --from=no / /\n\n  && y\nFROM b", ("a", "b")),
    "two backslashes end a line": ("FROM a\nRUN echo \\\\\nFROM b", ("a", "b")),
    "another escape character": ("# escape=`\nFROM `\n  a\nRUN echo \\\nFROM b", ("a", "b")),
    "a directive after a comment is none": ("# hello\n# escape=`\nFROM \\\n a", ("a",)),
    "nor is it after a line that is none": ("# my_key=1\n# escape=`\nFROM \\\n a", ("a",)),
    "nor after one that BuildKit does not know": ("# key=1\n# escape=`\nFROM \\\n a", ("a",)),
    "directives with odd spaces": ("\u3000#\xa0check = skip=all \n #ESCAPE=`\nFROM `\n a", ("a",)),
    "a no-break space ends no continuation": ("FROM a\nRUN x \\\xa0\nFROM b", ("a", "b")),
    "nor does a form feed": ("FROM a\nRUN x \\\x0c\nFROM b", ("a", "b")),
    "a blank and a tab do": ("FROM a\nRUN x \\ \t\r\r\nFROM b", ("a",)),
    "a lone return ends no line": ("FROM a\nRUN x \rFROM b\nFROM c", ("a", "c")),
    "a line of odd spaces is empty": ("FROM a\nRUN x \\\n\u3000\x85\n\xa0# y\nFROM b", ("a",)),
    "an information separator is none": ("FROM a\nRUN x \\\n\x1c\nFROM b", ("a", "b")),
    "a heredoc's lines are no instructions": ("FROM a\nRUN <<EOT\nFROM no\nEOT\nFROM b", ("a", "b")),
    "a heredoc after other words": ("FROM a\nRUN --network=none cat <<'EOT' > /x\nFROM no\nEOT\nFROM b", ("a", "b")),
    "two heredocs": ("FROM a\nCOPY <<one <<two /\nFROM no\none\nFROM no\ntwo\nFROM b", ("a", "b")),
    "an indented end ends only with a dash": ("FROM a\nRUN <<E\n\tE\nFROM no\nE\nRUN <<-E\n\tE\nFROM b", ("a", "b")),
    "a name with a dash in it": ("FROM a\nRUN <<END-OF\nFROM no\nEND-OF\nFROM b", ("a", "b")),
    "a shift is no heredoc": ("FROM a\nRUN echo $((1<<3)) $((1 << 3))\nFROM b", ("a", "b")),
    "nor is one in quotes": ("FROM a\nRUN echo \"a <<EOT b\" 'c <<EOT d'\nFROM b", ("a", "b")),
    "nor one of another instruction": ("FROM a\nLABEL x=1 <<EOT\nFROM b", ("a", "b")),
    "a heredoc that never ends": ("FROM a\nRUN <<EOT\nFROM no", ("a",)),
    "lines of Windows": ("FROM a\r\nRUN <<E\r\nFROM no\r\nE\r\nFROM b\r\n", ("a", "b")),
    "a mark of the byte order": ("\ufeffFROM a", ("a",)),
    "other line ends stay in their line": ("# a\x0cb\u2028c\nFROM a", ("a",)),
    "nothing": ("", ()),
    "no instruction": ("hello\nworld \\", ()),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_the_references_are_what_buildkit_would_fetch(text: str, expected: tuple[str, ...]) -> None:
    assert dockerfile.references(text) == expected


def test_given_arguments_win_over_defaults() -> None:
    assert dockerfile.references("ARG V=1\nFROM a:$V", {"V": "2"}) == ("a:2",)


def test_an_escaped_dollar_stays() -> None:
    assert dockerfile.expand(r"a\$b", {}) == "a$b"


def test_an_instruction_knows_its_first_line() -> None:
    text = "# comment\n\nfrom a\nRUN  one \\\n   two\nRUN <<E\nthree\nE\nUSER 1"
    assert dockerfile.instructions(text) == (
        dockerfile.Instruction(3, "FROM", "a"),
        dockerfile.Instruction(4, "RUN", "one two"),
        dockerfile.Instruction(6, "RUN", "<<E"),
        dockerfile.Instruction(9, "USER", "1"),
    )


def test_cache_mounts_are_known_by_id_else_by_target() -> None:
    text = """\
FROM a
RUN --mount=type=cache,id=shop-go,target=/go --mount=type=cache,target=/root/.cache \\
    --mount=type=secret,id=ca,target=/ca go build
RUN --mount=type=cache,uid=1,gid=2,dst=/x,id=shop-x --mount=type=cache,id=shop-go,target=/go true
RUN echo --mount=type=cache,id=none
"""
    assert dockerfile.cache_ids(text) == ("shop-go", "/root/.cache", "shop-x")


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("EXPOSE 9001", 9001),
        ("EXPOSE 53/udp 8080/tcp 9000", 8080),
        ("EXPOSE 53/udp 18203-18205/TCP", 18203),
        ("EXPOSE $PORT", None),
        ("EXPOSE $PORT/tcp 18299", None),
        ("EXPOSE $PORT\nEXPOSE 18299", None),
        ("EXPOSE $PORT/udp 18299", 18299),
        ("EXPOSE 80-$LAST", None),
        ("EXPOSE ²", None),
        ("USER 1", None),
    ],
)
def test_the_port_is_the_first_that_tcp_is_heard_on(line: str, port: int | None) -> None:
    assert dockerfile.exposed_port(f"FROM a\n{line}") == port


STAGES = """\
FROM golang AS build
EXPOSE 1
FROM build AS web
EXPOSE 80
FROM web AS worker
FROM scratch AS quiet
USER 1
FROM Web
ENV A=b
"""


@pytest.mark.parametrize(
    ("stage", "port"),
    [(None, 80), ("build", 1), ("Web", 80), ("worker", 80), ("quiet", None), ("0", None), ("nobody", None)],
)
def test_the_port_is_that_of_the_stage_that_is_built_or_of_those_below_it(stage: str | None, port: int | None) -> None:
    assert dockerfile.exposed_port(STAGES, stage) == port


@pytest.mark.parametrize("text", ["", "EXPOSE 1", "FROM", "FROM a AS a\nFROM b AS a\nFROM a"])
def test_stages_that_lead_nowhere_have_no_port(text: str) -> None:
    assert dockerfile.exposed_port(text) is None
