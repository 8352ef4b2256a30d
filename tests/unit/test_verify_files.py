"""What a verification reads out of layers: programs, leaks, the file system that they make, whole archives."""

import gzip
import io
import json
import struct
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.layers import Archive, Part, read_layer
from tasks.plan import elf, leaks
from tasks.plan.elf import Program
from tasks.plan.evidence import Entry, Kind, Layer, Leak
from tasks.plan.layering import above, merged

HEAD = b"\x7fELF\x02\x01\x01" + b"\0" * 9
KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 64 + b"\n-----END PRIVATE KEY-----\n"


def program(machine: int, *, kind: int = 2, order: str = "<", sections: int = 0) -> bytes:
    head = HEAD if order == "<" else HEAD[:5] + b"\x02" + HEAD[6:]
    return head + struct.pack(
        f"{order}HHIQQQIHHHHHH", kind, machine, 1, 0, 0, 64 if sections else 0, 0, 64, 56, 0, 64, sections, 0
    )


def archive(*members: bytes, long: bool = False) -> bytes:
    found = b"!<arch>\n"
    for member in members:
        name, content = (b"#1/8", b"a-name.o" + member) if long else (b"one.o/", member)
        found += b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (name, 0, 0, 0, 0o644, len(content)) + content
        found += b"\n" * (len(content) % 2)
    return found


def windows(*, managed: bool = False) -> bytes:
    directories = b"\0" * 8 * 14 + struct.pack("<II", 0x2008 if managed else 0, 72 if managed else 0) + b"\0" * 8
    optional = struct.pack("<H", 0x20B) + b"\0" * 110 + directories
    return b"MZ" + b"\0" * 58 + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664) + b"\0" * 18 + optional


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", None),
        (b"#!/bin/sh\n", None),
        (b"\x7fELF", None),
        (program(62), Program("amd64")),
        (program(183), Program("arm64")),
        (program(22, order=">"), Program("s390x")),
        (program(62, kind=1), Program("amd64", linkable=True)),
        (program(247, kind=1), None),  # BPF, for a kernel of any processor
        (archive(program(183, kind=1), b"text"), Program("arm64", linkable=True)),
        (archive(program(183, kind=1), program(62, kind=1)), Program("amd64 and arm64", linkable=True)),
        (archive(program(62, kind=1), long=True), Program("amd64", linkable=True)),
        (archive(b"text", b"more"), None),
        (archive(program(62, kind=1))[:100], None),  # cut off within its member's head
        (windows(), Program("Windows")),
        (windows(managed=True), None),
        (b"MZ\x90\x00" + b"\0" * 100, None),
        (program(9999), Program("machine 9999")),
        (program(62, sections=3), Program("amd64")),  # its table lies behind its end
        (program(62, sections=1) + struct.pack("<II", 0, 2) + b"\0" * 56, Program("amd64", symbols=True)),
        (program(62, sections=1) + struct.pack("<I", 0), Program("amd64")),  # cut off within its table
        (b"\x7fELF\x01\x01\x01" + b"\0" * 9 + struct.pack("<HH", 2, 40) + b"\0" * 40, Program("arm")),
        (b"\xcf\xfa\xed\xfe" + b"\0" * 60, Program("macOS")),
    ],
)
def test_the_head_of_a_program_says_what_it_is(content: bytes, expected: Program | None) -> None:
    assert elf.parse(content) == expected


def test_a_program_of_this_machine_is_dynamic() -> None:
    found = elf.parse(Path(sys.executable).resolve().read_bytes())
    assert found is not None
    assert found.dynamic


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "app/.env",
        "app/.env.production",
        "root/.netrc",
        "home/a/.ssh/id_ed25519",
        "root/.aws/credentials",
        "etc/tls/server.key",
        "app/prod.env",
        "app/.envrc",
        "app/.dockercfg",
        "etc/app.keystore",
    ],
)
def test_names_that_give_a_secret_away(path: str) -> None:
    assert leaks.secret_name(path) is not None


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        "app/.env.sample",
        "environment",
        "usr/bin/env",
        "app/id_rsa.pub",
        "aws/credentials",
        "etc/tls/server.crt",
        "usr/share/dns/root.key",
    ],
)
def test_names_that_do_not(path: str) -> None:
    assert leaks.secret_name(path) is None


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (KEY, "a private key"),
        (KEY.replace(b"BEGIN ", b"BEGIN RSA "), "a private key"),
        (KEY.replace(b"-----\nA", b"-----\nProc-Type: 4,ENCRYPTED\n\nA"), "a private key"),
        (KEY.replace(b"\n", rb"\n"), "a private key"),
        (KEY.replace(b"PRIVATE KEY", b"PGP PRIVATE KEY BLOCK"), "a private key"),
        (b"xoxp-" + b"-".join([b"1234567890"] * 3) + b"-" + b"a1" * 16, "a Slack token"),
        (b"key=sk-ant-api03-" + b"a-" * 45, "an API key"),
        (b"hf_" + b"aB" * 17, "a Hugging Face token"),
        (b"\0\0aws=AKIA" + b"Z7" * 8 + b"\n", "an AWS access key"),
        (b"token: ghp_" + b"a1" * 18, "a GitHub token"),
        (b"glpat-" + b"a" * 20, "a GitLab token"),
        (b"//registry.example/:_authToken=0123456789abcdef", "an npm token"),
        (b'{"auths": {"registry.example": {"auth": "dXNlcjpwYXNz"}}}', "a registry login"),
    ],
)
def test_contents_that_are_secrets(content: bytes, what: str) -> None:
    assert list(leaks.secrets_within("file", content)) == [Leak("file", what)]


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN PRIVATE KEY-----",  # as every TLS library has it
        b"-----BEGIN %s PRIVATE KEY-----\nfailed to find any PEM data in key input",
        b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 64,
        b"AKIA" + b"a" * 16,
        b"xAKIA" + b"Z" * 16,
        b"ghp_short",
        b'{"auths": {}}',
        b"-----BEGIN PRIVATE KEY-----\n" + b"a: " * 100_000,
        b"//registry.example/:_authToken=${NPM_TOKEN}",
    ],
)
def test_contents_that_only_look_like_it(content: bytes) -> None:
    assert list(leaks.secrets_within("file", content)) == []


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("root/.ash_history", "the history of a shell or a tool"),
        ("src/.git/config", "the history of the sources"),
        ("usr/bin/gcc", "a build tool"),
        ("usr/local/go/bin/go", "a build tool"),
        ("usr/bin/x86_64-linux-gnu-gcc-13", "a build tool"),
        ("usr/bin/aarch64-alpine-linux-musl-g++", "a build tool"),
        ("usr/bin/musl-gcc", "a build tool"),
        ("usr/bin/clang-17", "a build tool"),
        ("usr/bin/as", "a build tool"),
        ("root/.local/share/fish/fish_history", "the history of a shell or a tool"),
        ("usr/libexec/gcc/x86_64-linux-gnu/13/cc1", "a build tool"),
    ],
)
def test_what_is_left_over(path: str, what: str) -> None:
    found = leaks.leftover(path, executable=True)
    assert found is not None
    assert found.what == what


@pytest.mark.parametrize(
    "path", ["usr/bin/wget", "app/go", "etc/make", "app/history", "app/.gitignore", "usr/share/git/x", "usr/bin/my-cc"]
)
def test_what_is_not(path: str) -> None:
    assert leaks.leftover(path, executable=True) is None


def test_a_tool_that_nobody_can_run_is_none() -> None:
    assert leaks.leftover("usr/bin/make", executable=False) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [("DB_PASSWORD", True), ("API_KEY", True), ("TOKEN", True), ("TOKEN_FILE", False), ("PATH", False)],
)
def test_variables_that_give_a_secret_away(name: str, told: bool) -> None:
    assert (leaks.secret_variable(name, "x") is not None) is told
    assert leaks.secret_variable(name, "") is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("postgres://app:Zx81@db/x", True),
        ("redis://:Zx81@cache", True),
        ("postgres://app:$DB_PASSWORD@db/x", False),
        ("https://app@db/x", False),
        ("http://db:5432/x?y=a@b", False),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWl0", True),
        ("eyJhbGciOiJIUzI1NiJ9", False),
    ],
)
def test_values_that_give_themselves_away(value: str, told: bool) -> None:
    assert (leaks.secret_variable("WHERE", value) is not None) is told


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("RUN |2 MODE=fast API_TOKEN=abc /bin/sh -c make # buildkit", ["ARG API_TOKEN"]),
        ("|1 TOKEN=abc /bin/sh -c make", ["ARG TOKEN"]),
        ("RUN /bin/sh -c echo |1 TOKEN=abc", []),
        ("ARG TOKEN", []),
        ("ARG DB_PASSWORD=hunter2hunter2", ["ARG DB_PASSWORD"]),  # what it is by default
        ('ARG API_KEY="x y"', ["ARG API_KEY"]),
        ("ARG MYSQL_ALLOW_EMPTY_PASSWORD=yes", []),
        ("ARG VERSION=1", []),
    ],
)
def test_build_arguments_that_give_a_secret_away(step: str, found: list[str]) -> None:
    assert [leak.path for leak in leaks.secret_arguments(step)] == found


def layer(*entries: Entry, digest: str = "") -> Layer:
    return Layer(digest=digest, packed=1, entries=entries)


def test_a_later_layer_hides_deletes_and_empties() -> None:
    low = layer(
        Entry("a", Kind.FILE, size=1),
        Entry("b", Kind.FOLDER),
        Entry("b/c", Kind.FILE),
        Entry("d/e", Kind.FILE),
        Entry("f", Kind.FOLDER),
        Entry("f/g", Kind.FILE),
    )
    top = layer(
        Entry("a", Kind.FILE, size=2),
        Entry("b", Kind.GONE),
        Entry("d", Kind.EMPTIED),
        Entry("d/new", Kind.FILE),
        Entry("f", Kind.LINK),
    )
    found = merged([low, top])
    assert sorted(found) == ["a", "d/new", "f"]
    assert (found["a"].entry.size, found["a"].layer) == (2, 1)


@pytest.mark.parametrize(
    ("base", "count"), [((), 0), (("x",), 1), (("x", "y"), 2), (("y",), None), (("x", "y", "z"), None)]
)
def test_an_image_stands_on_a_base_whose_layers_are_its_lowest(base: tuple[str, ...], count: int | None) -> None:
    assert above([layer(digest="x"), layer(digest="y")], base) == count


def packed(files: Mapping[str, bytes | None], modes: Mapping[str, int] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mode = (modes or {}).get(name, 0o644)
            if content is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(content)
            archive.addfile(member, None if content is None else io.BytesIO(content))
    return out.getvalue()


@contextmanager
def opened(files: Mapping[str, bytes | None]) -> Iterator[Archive]:
    with tarfile.open(fileobj=io.BytesIO(packed(files))) as archive:
        yield Archive(archive)


def blob(name: str) -> str:
    return f"blobs/sha256/{name}"


def text(content: object) -> bytes:
    return json.dumps(content).encode()


def config(arch: str) -> dict[str, Any]:
    return {"architecture": arch, "os": "linux", "config": {}, "rootfs": {"diff_ids": ["sha256:unpacked"]}}


def manifest(name: str) -> dict[str, Any]:
    return {"config": {"digest": f"sha256:{name}-config"}, "layers": [{"digest": f"sha256:{name}-layer", "size": 7}]}


def test_every_platform_of_a_layout_is_found_and_what_is_no_image_is_not() -> None:
    index = {"manifests": [{"digest": f"sha256:{name}"} for name in ("amd64", "attestation", "arm64-elsewhere")]}
    files: dict[str, bytes | None] = {
        "index.json": text({"manifests": [{"digest": "sha256:index"}]}),
        blob("index"): text(index),
        blob("amd64"): text(manifest("amd64")),
        blob("amd64-config"): text(config("amd64")),
        blob("amd64-layer"): b"",
        blob("attestation"): text(manifest("attestation")),
        blob("attestation-config"): text({"architecture": "unknown", "os": "unknown"}),
        blob("attestation-layer"): b"",
    }
    with opened(files) as archive:
        assert dict(archive.images()) == {
            "linux/amd64": ("sha256:amd64", config("amd64"), (Part(blob("amd64-layer"), 7, "sha256:unpacked"),))
        }


def test_the_archive_of_an_engine_before_25_is_read_too() -> None:
    files: dict[str, bytes | None] = {
        "manifest.json": text([{"Config": "abc.json", "Layers": ["one/layer.tar"]}]),
        "abc.json": text(config("arm64")),
        "one/layer.tar": b"12345",
    }
    with opened(files) as archive:
        assert not archive.is_layout
        assert dict(archive.images()) == {
            "linux/arm64": ("sha256:abc", config("arm64"), (Part("one/layer.tar", 5, "sha256:unpacked"),))
        }


def test_an_index_that_holds_itself_ends() -> None:
    loop = text({"manifests": [{"digest": "sha256:loop"}]})
    with opened({"index.json": loop, blob("loop"): loop}) as archive:
        assert list(archive.images()) == []


def read(content: bytes) -> Layer:
    with opened({"layer": content}) as archive:
        return read_layer(archive, Part("layer", len(content), "sha256:x"))


def test_a_layer_is_read_from_end_to_end() -> None:
    big = program(62) + b"\0" * 5_000_000 + KEY
    files: dict[str, bytes | None] = {
        "./app": None,
        "./app/big": big,
        "app/.env": b"",
        "app/.wh.old": b"",
        "lib/.wh..wh..opq": b"",
        "usr/bin/make": b"#!",
    }
    modes = {"./app/big": 0o4755, "usr/bin/make": 0o755}
    for content in (packed(files, modes), gzip.compress(packed(files, modes))):
        found = read(content)
        assert found.unreadable == ""
        assert found.entries == (
            Entry("app", Kind.FOLDER, 0o644),
            Entry("app/big", Kind.FILE, 0o4755, len(big), Program("amd64")),
            Entry("app/.env", Kind.FILE, 0o644),
            Entry("app/old", Kind.GONE),
            Entry("lib", Kind.EMPTIED),
            Entry("usr/bin/make", Kind.FILE, 0o755, 2),
        )
        assert found.secrets == (Leak("app/big", "a private key"), Leak("app/.env", "an environment file"))
        assert found.leftovers == (Leak("usr/bin/make", "a build tool"),)
        assert found.size == len(big) + 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x28\xb5\x2f\xfd....", "it is packed with zstd"),
        (gzip.compress(packed({"a": b"x" * 100_000}))[:60], "it is damaged: "),
        (b"no archive at all", "it is damaged: "),
    ],
)
def test_a_layer_that_cannot_be_read_says_so(content: bytes, why: str) -> None:
    assert read(content).unreadable.startswith(why)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("RUN git clone https://bob:s3cr3tpw88@git.example.com/x", True),
        ("RUN git clone https://bob:$TOKEN@git.example.com/x", False),
        ("RUN git clone https://git.example.com/x", False),
        ('{"a":"http://a:8080","mail":"x@y"}', False),
    ],
)
def test_a_login_in_an_address_is_seen_wherever_it_stands(text: str, told: bool) -> None:
    assert (leaks.login_within("its history", text) is not None) is told
