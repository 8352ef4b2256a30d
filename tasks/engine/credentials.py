"""Where the docker client has a registry's login from: its file, a helper, the environment. Never the login itself."""

import os
from collections.abc import Mapping
from typing import Any

from . import client_file

_HUB = "https://index.docker.io/v1/"
"""What Docker Hub is called in the client's file."""
_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def source(host: str) -> str:
    """Return who would be asked for the login to a registry.

    Raises EngineError when the client's file is damaged.
    """
    return of_content(host, client_file.content(), os.environ)


def of_content(host: str, content: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return it from what the client's file says; pure."""
    key = _HUB if host in _HUB_HOSTS else host
    if environment.get("DOCKER_AUTH_CONFIG"):
        return "DOCKER_AUTH_CONFIG, where it has one"
    named = (content.get("credHelpers") or {}).get(key)
    if named:
        return f"the helper docker-credential-{named}"
    store = content.get("credsStore")
    if store:
        return f"the store docker-credential-{store}"
    entries = content.get("auths") or {}
    if any(_host(entry) == _host(key) for entry in entries):
        return f"its entry in {client_file.path()}"
    return "nobody: it is asked without a login"


def _host(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]
