"""Which failures of a registry can pass, and how they are waited for."""

import pytest

from tasks.engine.retries import PassingError, Retries
from tasks.errors import PushError
from tasks.plan.retrying import Patience, can_pass, words_can_pass

QUICK = Patience(times=3, wait=0.01, limit=10.0)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 522, 599])
def test_these_statuses_can_pass(status: int) -> None:
    assert can_pass(status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 416])
def test_these_cannot(status: int) -> None:
    assert not can_pass(status, "denied: requested access to the resource is denied")


def test_a_forbidden_that_means_too_often_can_pass() -> None:
    assert can_pass(403, "You have exceeded a secondary rate limit")
    assert can_pass(403, "", told=True)


@pytest.mark.parametrize(
    "words",
    [
        "failed to push localhost:5000/a: unexpected status from PUT request to http://x: 429 Too Many Requests",
        'failed to do request: Put "http://x": read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer',
        "failed to copy: httpReadSeeker: failed open: unexpected status code http://x: 503 Service Unavailable",
        "failed to push x: unexpected status from POST request to http://x: 500 Internal Server Error",
        "failed to push: EOF",
        'Head "http://x": net/http: HTTP/1.x transport connection broken: malformed HTTP status code "2"',
        "error: dial tcp 10.0.0.1:443: i/o timeout",
        "context deadline exceeded",
        "net/http: TLS handshake timeout",
        "failed to push localhost:1/a: pushing layers: nothing for 3 s",
        "403 Forbidden: You have exceeded a secondary rate limit",
        "rpc error: code = Unavailable desc = error reading from server: EOF",
    ],
)
def test_these_words_of_the_tools_can_pass(words: str) -> None:
    assert words_can_pass(words)


@pytest.mark.parametrize(
    "words",
    [
        "failed to push x: unexpected status from HEAD request to http://x: 401 Unauthorized",
        "push access denied, repository does not exist: server message: insufficient_scope",
        "failed to push x: unexpected status from PUT request to http://x: 400 Bad Request",
        "unexpected status from PUT request to http://x: 413 Request Entity Too Large",
        "denied: requested access to the resource is denied",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "manifest invalid: manifest invalid",
        'Head "http://x": net/http: HTTP/1.x transport connection broken: malformed HTTP response "220 smtp"',
        "no basic auth credentials",
        "process did not complete successfully: exit code: 1",
    ],
)
def test_these_cannot_pass(words: str) -> None:
    assert not words_can_pass(words)


def _failing(times: int, error: Exception) -> tuple[list[int], "object"]:
    seen: list[int] = []

    def step() -> str:
        seen.append(len(seen))
        if len(seen) <= times:
            raise error
        return "done"

    return seen, step


def test_what_can_pass_is_tried_until_it_does() -> None:
    notes: list[str] = []
    seen, step = _failing(2, PassingError("the registry: HTTP 503"))
    assert Retries(QUICK, notes.append).call("a:v1", step) == "done"  # type: ignore[arg-type]
    assert len(seen) == 3
    assert len(notes) == 2
    assert notes[0].startswith("a:v1: the registry: HTTP 503; again in 0.0")


def test_it_is_not_tried_for_ever() -> None:
    seen, step = _failing(100, PassingError("HTTP 503"))
    with pytest.raises(PassingError, match="HTTP 503"):
        Retries(QUICK).call("a", step)  # type: ignore[arg-type]
    assert len(seen) == 4


def test_what_cannot_pass_is_tried_once() -> None:
    seen, step = _failing(100, PushError("denied"))
    with pytest.raises(PushError, match="denied"):
        Retries(QUICK).call("a", step)  # type: ignore[arg-type]
    assert len(seen) == 1


def test_an_error_can_be_worth_fewer_tries() -> None:
    for times, tries in ((0, 1), (1, 2), (9, 4)):
        seen, step = _failing(100, PassingError("a page in place of a manifest", times=times))
        with pytest.raises(PassingError, match="a page"):
            Retries(QUICK).call("a", step)  # type: ignore[arg-type]
        assert len(seen) == tries


def test_the_registry_says_when_to_come_back() -> None:
    notes: list[str] = []
    seen, step = _failing(1, PassingError("HTTP 429", after=0.3))
    Retries(QUICK, notes.append).call("a", step)  # type: ignore[arg-type]
    assert "again in 0.3 s" in notes[0]
    assert len(seen) == 2


def test_all_waiting_of_a_run_has_one_limit() -> None:
    retries = Retries(Patience(times=50, wait=0.1, longest=0.1, limit=0.35))
    counts = []
    for _ in range(2):
        seen, step = _failing(100, PassingError("HTTP 503"))
        with pytest.raises(PassingError):
            retries.call("a", step)  # type: ignore[arg-type]
        counts.append(len(seen))
    assert 2 <= counts[0] <= 4
    assert counts[1] <= 2, "the second step has what the first left"
    seen, step = _failing(1, PassingError("HTTP 503"))
    assert retries.anew().call("a", step) == "done"  # type: ignore[arg-type]


def test_a_wait_longer_than_the_limit_is_not_begun() -> None:
    seen, step = _failing(100, PassingError("HTTP 429", after=3600))
    notes: list[str] = []
    with pytest.raises(PassingError):
        Retries(QUICK, notes.append).call("a", step)  # type: ignore[arg-type]
    assert len(seen) == 1
    assert notes == ["a: the next try would be in 3600 s, and retry_limit leaves 10 s"]
