"""Where the docker client has a registry's login from: its file, a helper, the environment. Never the login itself."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import client_file

_HUB = "https://index.docker.io/v1/"
"""What Docker Hub is called in the client's file."""
_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Source:
    """Who knows the login."""

    told: str
    helper: str | None = None
    """The program that is asked for it."""

    @property
    def missing(self) -> bool:
        """Whether that program is not there."""
        return self.helper is not None and shutil.which(self.helper) is None


def source(host: str) -> Source:
    """Return who would be asked for the login to a registry.

    Raises EngineError when the client's file is damaged.
    """
    return of_content(host, client_file.content(), os.environ)


def of_content(host: str, content: Mapping[str, Any], environment: Mapping[str, str]) -> Source:
    """Return it from what the client's file says; pure."""
    key = _HUB if host in _HUB_HOSTS else host
    if environment.get("DOCKER_AUTH_CONFIG"):
        return Source("DOCKER_AUTH_CONFIG, where it has one")
    named = (content.get("credHelpers") or {}).get(key)
    if named:
        return Source(f"the helper docker-credential-{named}", f"docker-credential-{named}")
    store = content.get("credsStore")
    if store:
        return Source(f"the store docker-credential-{store}", f"docker-credential-{store}")
    entries = content.get("auths") or {}
    if any(_host(entry) == _host(key) for entry in entries):
        return Source(f"its entry in {client_file.path()}")
    return Source("nobody: it is asked without a login")


def _host(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]
