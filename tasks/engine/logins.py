"""Logins to one registry, as its answers ask for them: Basic, or a token of its token service.

The docker SDK reads the client's file and asks the credential helpers; a login goes nowhere but to the registry
and the token service that it names.
"""

import base64
import json
import os
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..errors import PushError
from ..plan.names import is_loopback
from . import client_file, credentials
from .in_time import in_time

if TYPE_CHECKING:
    from requests import Response, Session

_HUB = "registry-1.docker.io"


class Logins:
    """The headers that say who asks, by repository."""

    def __init__(self, host: str, session: "Session", seconds: tuple[float, float]) -> None:
        """Take the registry's host, the session to ask its token service with, and the time for that."""
        self._host, self._session, self._seconds = host, session, seconds
        self._headers: dict[str, str] = {}
        self._lock = Lock()
        self._known: Mapping[str, Any] | None = None

    @property
    def source(self) -> str:
        """Where the login is from; never what it is."""
        return credentials.source(self._host)

    def header(self, name: str) -> Mapping[str, str]:
        """Return what a request for a repository has to say; nothing as long as nobody has asked."""
        known = self._headers.get(name)
        return {} if known is None else {"Authorization": known}

    def renew(self, name: str, answer: "Response", sent: Mapping[str, str]) -> bool:
        """Get what an answer of 401 asks for; whether there is anything else to ask with than what was ``sent``.

        Raises PushError when the token service is not one to be trusted.
        """
        from requests.utils import parse_dict_header

        challenge = answer.headers.get("www-authenticate", "")
        scheme, _, rest = challenge.partition(" ")
        with self._lock:
            known = self._headers.get(name)
            if known is not None and known != sent.get("Authorization"):
                return True  # another thread has asked meanwhile
            if scheme.lower() == "basic":
                said = self._basic()
            elif scheme.lower() == "bearer":
                token = self._token(parse_dict_header(rest))  # type: ignore[no-untyped-call]
                said = None if token is None else f"Bearer {token}"
            else:
                said = None
            if said is None or (scheme.lower() == "basic" and said == known):
                return False  # it has been tried
            self._headers[name] = said
            return True

    def _token(self, told: Mapping[str, str | None]) -> str | None:
        """Ask a token service, with the login where there is one."""
        realm = told.get("realm") or ""
        if not (realm.startswith("https://") or (realm.startswith("http://") and is_loopback(realm[7:]))):
            raise PushError(f"{self._host} names no token service to be trusted with a login", hint="check --registry")
        asked = {key: value for key in ("service", "scope") if (value := told.get(key))}
        login = self._login()
        refresh = login.get("IdentityToken")
        basic = None if refresh else self._basic()

        def ask() -> "Response":
            if refresh:
                form = {
                    **asked,
                    "grant_type": "refresh_token",
                    "refresh_token": refresh,
                    "client_id": "container-tasks",
                }
                return self._session.post(realm, data=form, timeout=self._seconds, allow_redirects=False)
            headers = {} if basic is None else {"Authorization": basic}
            return self._session.get(realm, params=asked, headers=headers, timeout=self._seconds, allow_redirects=False)

        answer = in_time(sum(self._seconds), ask)
        if answer.status_code in {401, 403}:
            return None
        answer.raise_for_status()
        try:
            content = answer.json()
            found = content.get("token") or content.get("access_token")
        except (ValueError, AttributeError):
            found = None
        return found if isinstance(found, str) else None

    def _basic(self) -> str | None:
        login = self._login()
        # The SDK spells what a helper says with capitals.
        name, word = (login.get(key) or login.get(key.title()) for key in ("username", "password"))
        if not name or not word:
            return None
        return f"Basic {base64.b64encode(f'{name}:{word}'.encode()).decode()}"

    def _login(self) -> Mapping[str, Any]:
        """Return what the client's file or a helper has for the registry.

        Raises PushError when the helper cannot be asked.
        """
        if self._known is None:
            from docker.auth import load_config
            from docker.errors import DockerException

            given = os.environ.get("DOCKER_AUTH_CONFIG")
            try:
                content = dict(client_file.content())
                if given:
                    content["auths"] = {**(content.get("auths") or {}), **(json.loads(given).get("auths") or {})}
                config = load_config(config_dict=content)
                host = None if self._host == _HUB else self._host
                self._known = config.resolve_authconfig(host) or {}
            except (DockerException, ValueError, OSError, AttributeError, TypeError) as error:
                raise PushError(
                    f"the login to {self._host} cannot be had from {self.source}: {type(error).__name__}",
                    hint=f"docker login {self._host}",
                ) from None
        return self._known
