"""Logins to a registry, as its answers ask for them."""

from pathlib import Path

import pytest
import requests

from tasks.engine.logins import Logins
from tasks.errors import PushError
from tests.support import client

HOST = "registry.test:5000"
LOGIN = ("robot", "let-me-in")


def asks(challenge: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code = 401
    answer.headers["WWW-Authenticate"] = challenge
    return answer


@pytest.fixture
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Logins:
    monkeypatch.delenv("DOCKER_AUTH_CONFIG", raising=False)
    for name, value in client(tmp_path / "client", {HOST: LOGIN}).items():
        monkeypatch.setenv(name, value)
    return Logins(HOST, requests.Session(), (1.0, 1.0))


def test_a_password_is_said_once(logins: Logins) -> None:
    assert logins.header("team/one") == {}
    assert logins.renew("team/one", asks("Basic realm=here"), {})
    said = logins.header("team/one")
    assert said["Authorization"].startswith("Basic ")
    assert not logins.renew("team/one", asks("Basic realm=here"), said)


def test_who_asked_before_another_thread_knew_asks_again_with_what_it_knows(logins: Logins) -> None:
    assert logins.renew("team/one", asks("Basic realm=here"), {})
    assert logins.renew("team/one", asks("Basic realm=here"), {})


def test_a_challenge_that_nobody_knows_is_none(logins: Logins) -> None:
    for challenge in ("", "Negotiate", "Digest realm=x"):
        assert not logins.renew("team/one", asks(challenge), {})


@pytest.mark.parametrize("realm", ["http://elsewhere.test/token", "ftp://x", "", "//x"])
def test_a_token_service_in_the_clear_is_told_no_password(logins: Logins, realm: str) -> None:
    with pytest.raises(PushError, match="names no token service to be trusted with a login"):
        logins.renew("team/one", asks(f'Bearer realm="{realm}",service="x"'), {})
