import pytest

from tasks.plan.failures import Excerpt, Kind, diagnose

RUN = "[build 3/4] RUN go build ./..."
ENDED = 'process "/bin/sh -c go build ./..." did not complete successfully: exit code: 1'

CASES = {
    "a Go compiler": (RUN, ENDED, ["./main.go:7:2: undefined: foo"], Kind.STEP),
    "a Rust compiler": (RUN, ENDED, ["error[E0425]: cannot find value `x`"], Kind.STEP),
    "a compiler, though a download was slow": (
        RUN,
        ENDED,
        ["warning: spurious network error (2 tries remaining): timed out", "error[E0308]: mismatched types"],
        Kind.STEP,
    ),
    "a test that lost a connection": (RUN, ENDED, ["--- FAIL", "server_test.go:10:3: connection refused"], Kind.STEP),
    "nothing said": (RUN, ENDED, [], Kind.STEP),
    "Go without trust": (
        RUN,
        ENDED,
        ["main.go:4:2: x@v1: Get: dial tcp: tls: failed to verify: x509: certificate signed by unknown authority"],
        Kind.DOWNLOAD,
    ),
    "a reset in the middle of a download": (
        RUN,
        ENDED,
        ['a.go:14:2: m@v1: Get "https://proxy.example/m.zip": read tcp 10.0.0.2:1->10.0.0.3:443: connection reset'],
        Kind.DOWNLOAD,
    ),
    "Go without a name": (RUN, ENDED, ["go: dial tcp: lookup modules.example: no such host"], Kind.DOWNLOAD),
    "cargo without a network": (
        RUN,
        ENDED,
        ["error: failed to download from `https://crates.example`", "Could not resolve host: crates.example"],
        Kind.DOWNLOAD,
    ),
    "wget without a name": (RUN, ENDED, ["wget: bad address 'example.com'"], Kind.DOWNLOAD),
    "a registry of packages that is down": (RUN, ENDED, ["npm error 503 Service Unavailable"], Kind.DOWNLOAD),
    "a base that is not there": (
        "[internal] load metadata for docker.io/library/golang:9",
        "docker.io/library/golang:9: not found",
        [],
        Kind.BASE,
    ),
    "a base that does not arrive": ("[build 1/4] FROM docker.io/library/golang:1", "unexpected EOF", [], Kind.BASE),
    "a base, as buildx says it": ("", "failed to solve: failed to resolve source metadata for golang:9", [], Kind.BASE),
    "a registry that refuses": (
        "exporting to image",
        "failed to push ghcr.io/a/b: unexpected status: 403 Forbidden",
        [],
        Kind.PUSH,
    ),
    "a registry that is gone": ("pushing layers", "connection refused", [], Kind.PUSH),
    "no room for a step": (RUN, ENDED, ["write /out: no space left on device"], Kind.DISK),
    "no room for a base": ("[build 1/4] FROM a", "write /x: no space left on device", [], Kind.DISK),
    "a builder that went away": (RUN, "rpc error: code = Unavailable desc = error reading", [], Kind.ENGINE),
    "a builder that went away before": ("", "failed to receive status: rpc error: code = Unavailable", [], Kind.ENGINE),
    "a builder that does not answer": (
        "[internal] waiting for connection",
        "context deadline exceeded",
        [],
        Kind.ENGINE,
    ),
    "a Dockerfile that cannot be read": (
        "[internal] load build definition from Dockerfile",
        "failed to read dockerfile: open Dockerfile: no such file",
        [],
        Kind.DEFINITION,
    ),
    "a Dockerfile with a wrong word": (
        "",
        "failed to solve: dockerfile parse error on line 3: unknown instruction: RUM",
        [],
        Kind.DEFINITION,
    ),
    "a file that is not in the context": ("[build 2/4] COPY a /a", '"/a": not found', [], Kind.STEP),
}


@pytest.mark.parametrize(("step", "error", "lines", "kind"), CASES.values(), ids=CASES)
def test_a_failure_is_told_by_its_words(step: str, error: str, lines: list[str], kind: Kind) -> None:
    assert diagnose(step=step, error=error, lines=lines).kind is kind


@pytest.mark.parametrize(
    ("step", "error", "line", "hint"),
    [
        (RUN, ENDED, "x509: certificate signed by unknown authority", "mount the secret id=ca, or set container.ca"),
        (RUN, ENDED, "no such host", "run the same command again when the network answers"),
        ("pushing a", "401 Unauthorized", "", "docker login to that registry, with the right to push"),
        ("pushing a", "connection reset", "", "run the same command again when the registry answers"),
        ("pushing a", "413 Request Entity Too Large", "", "it will say so again: see --registry"),
        ("[internal] load metadata for a", "not found", "", "container.mirror names a registry that has them"),
        (RUN, ENDED, "no space left on device", "inv container-clean"),
        ("", "write /x/.container/tmp/.tmp-b.json1: no space left on device", "", "the disk of this checkout"),
        (RUN, "transport is closing", "", "inv container-setup starts the engine again"),
    ],
)
def test_a_failure_names_what_mends_it(step: str, error: str, line: str, hint: str) -> None:
    assert hint in diagnose(step=step, error=error, lines=[line]).hint


def test_sources_that_do_not_compile_need_no_hint() -> None:
    assert diagnose(step=RUN, error=ENDED, lines=["main.go:1:1: undefined: x"]).hint == ""


def test_the_message_leaves_the_script_out() -> None:
    error = 'process "/bin/sh -c set -eu\nmany lines" did not complete successfully: exit code: 7'
    assert diagnose(step=RUN, error=error, lines=[]).message == "the step ended with exit code: 7"
    assert diagnose(step="", error="no such target", lines=[]).message == "no such target"


def test_a_failure_keeps_the_steps_lines_and_the_excerpt() -> None:
    found = diagnose(step=RUN, error=ENDED, lines=["a", "b"], excerpt=Excerpt("a/Dockerfile", 3, (">>> RUN",)))
    assert (found.step, found.lines, found.excerpt) == (RUN, ("a", "b"), (">>> RUN",))
    assert (found.dockerfile, found.line, found.place) == ("a/Dockerfile", 3, "a/Dockerfile:3")


def test_a_step_that_ended_with_another_builds_is_no_failed_step() -> None:
    found = diagnose(step="[build 3/4] RUN go build", error="no active sessions", lines=())
    assert found.kind is Kind.CROSSED
    assert found.hint


def test_the_same_image_exported_twice_at_once_is_begun_again() -> None:
    error = f'image "moby-dangling@sha256:{"5a" * 32}": already exists'
    assert diagnose(step="[_base] exporting to image", error=error, lines=(), excerpt=None).kind is Kind.CROSSED
