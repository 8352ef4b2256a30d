"""What a hostile person, repository or machine could put in: text, YAML, names and Dockerfiles."""

import datetime as dt
from typing import Any

from hypothesis import strategies as st

ESCAPES = (
    "\x1b[5;41m",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\",
    "\x1b[",
    "\x1b",
    "\x9b2J",
    "\x9d0;t\x9c",
    "\x07",
    "\x08",
    "\x0b",
    "\x0c",
    "\x7f",
    "\x85",
    "\x00",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\u202e",
    "\u2066",
    "\u2069",
    "\u2028",
    "\ufeff",
    "\udcff",
    "\udc80",
)
INJECTIONS = (
    "--push",
    "-f",
    "--help",
    "-",
    "--",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "| sh",
    "&& sh",
    "${HOME}",
    "$${HOME}",
    "%{if true}",
    "%%{x}",
    "$",
    "${",
    "%{",
    "{{.ID}}",
    "{{json .}}",
    "*",
    "?",
    "[",
    "[a-",
    "**",
    "~",
    "../",
    "../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "C:\\x",
    ",push=true",
    "type=local,dest=/",
    "\nhint: curl x | sh",
    "'",
    '"',
    "\\",
    "#",
    "=",
    ":",
    "@",
    "//",
    " ",
    "user:secret@host",
)
NUMBERS = ("0", "-1", "²", "٣", "65536", "0x10", "1e9", "1_000", "9" * 5000, "nan", "+7")
ODD = ("", "²", "Ⅷ", "ß", "İ", "é", "e\u0301", "🚀", "\u200d", "\u00a0", "ﬁ", "A" * 300, "a/" * 200, "x" * 5000)
NEAR = (
    "agent",
    "indexer",
    "latest",
    "v1.2.3",
    "linux/amd64",
    "linux/arm64",
    "linux/amd64,linux/arm64",
    "ghcr.io/acme",
    "localhost:5000/x",
    "host:99999/x",
    "[::1]:5000",
    "a.b:",
    "root",
    "service",
    "file",
    "git",
    "none",
    "auto",
    "quiet",
    "8080",
    "100MB",
    "1 gb",
    "services",
    "services/*",
    ".",
    "./services",
    "services/agent",
    "Dockerfile",
    "sub/Dockerfile",
    "VERSION",
    "invoke.yaml",
    "loop",
    "outside",
    "pipe",
)

_pieces = st.one_of(
    st.sampled_from(NEAR),
    st.sampled_from(ESCAPES),
    st.sampled_from(INJECTIONS),
    st.sampled_from(NUMBERS),
    st.sampled_from(ODD),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
text = st.one_of(_pieces, st.lists(_pieces, min_size=2, max_size=4).map("".join))
# What Linux takes as a variable's value or a path: os.fsdecode makes surrogates of what is no UTF-8.
native = text.map(lambda found: found.replace("\x00", ""))
names = native.map(lambda found: found.replace("/", "")[:60]).filter(
    lambda found: found not in {"", ".", ".."} and len(found.encode("utf-8", "surrogateescape")) <= 255
)

_scalars: st.SearchStrategy[Any] = st.one_of(
    text,
    st.integers(),
    st.sampled_from([10**4000, 0, 1, 65535, 65536]),  # Python writes out none of more than 4300 digits
    st.floats(),
    st.booleans(),
    st.none(),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=4),
    st.just(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
)
_keys = st.one_of(text, st.integers(-2, 9), st.none(), st.booleans(), st.dates(), st.floats(allow_nan=False))
values: st.SearchStrategy[Any] = st.one_of(
    text,
    _scalars,
    st.lists(text, max_size=3),
    st.recursive(
        _scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
        max_leaves=6,
    ),
)
keys = _keys
lines = st.lists(text, max_size=4)

_references = st.one_of(
    st.sampled_from(
        (
            "alpine:3.24",
            "alpine",
            "docker.io/library/alpine:latest",
            "$BASE",
            "${BASE:-x}",
            "${BASE:+",
            "scratch",
            "a b",
        )
    ),
    text,
)
_instructions = st.one_of(
    _references.map("FROM {}".format),
    st.tuples(_references, text).map(lambda both: f"FROM --platform=$BUILDPLATFORM {both[0]} AS {both[1]}"),
    st.tuples(text, text).map(lambda both: f"ARG {both[0]}={both[1]}"),
    st.tuples(_references, text).map(lambda both: f"COPY --from={both[0]} {both[1]} /"),
    st.tuples(text, text).map(lambda both: f"RUN --mount=type=cache,id={both[0]},from={both[1]} true"),
    text.map("RUN <<{0}\nFROM hidden\n{0}".format),
    text.map("COPY <<-'{0}' <<two /\n\t{0}\ntwo".format),
    text.map("EXPOSE {}".format),
    text.map("EXPOSE {}/tcp".format),
    text.map("# escape={}".format),
    text.map("#syntax={}".format),
    text.map("RUN {} \\\n# comment\n\n  more".format),
    text.map("ONBUILD FROM {}".format),
    st.just("ARG A=" + "$A" * 40),
    st.just("\n".join(["ARG B0=xxxxxxxx", *(f"ARG B{n + 1}=$B{n}$B{n}" for n in range(40)), "FROM $B40"])),
    text,
)
dockerfiles = st.lists(_instructions, min_size=1, max_size=8).map("\n".join)
