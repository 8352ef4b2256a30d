"""Ask a registry over HTTP whether it answers."""

from pathlib import Path

from ..errors import PushError
from ..plan.names import is_loopback

TIMEOUT = 10.0  # seconds
_HUB = "registry-1.docker.io"


def host_of(registry: str) -> str:
    """Return the host that a registry with its path is asked at; a bare path is Docker Hub's."""
    first = registry.partition("/")[0]
    if first == "docker.io" or not ("." in first or ":" in first or first == "localhost"):
        return _HUB
    return first


def require(registry: str, bundle: Path | None = None) -> None:
    """See that a registry answers, whoever may use it; ``bundle`` holds the authorities that this machine trusts.

    Raises PushError with the reason when it does not.
    """
    import requests

    host = host_of(registry)
    near = is_loopback(host)
    scheme = "http" if near else "https"
    no_proxy = {"http": "", "https": ""}  # as Docker does: a proxy cannot reach this machine's loopback
    try:
        answer = requests.get(
            f"{scheme}://{host}/v2/",
            timeout=TIMEOUT,
            allow_redirects=False,
            proxies=no_proxy if near else None,
            verify=True if bundle is None else str(bundle),
        )
    except requests.RequestException as error:
        raise PushError(
            f"the registry {host} cannot be reached: {_reason(error)}",
            hint="check the network and --registry; docker login if it needs one",
        ) from error
    if answer.status_code not in {200, 401, 403}:
        raise PushError(
            f"{host} does not answer as a registry: HTTP {answer.status_code} for /v2/", hint="check --registry"
        )
    if "html" in answer.headers.get("content-type", ""):  # a proxy's page, with whatever code
        raise PushError(f"{host} does not answer as a registry, but with a page for people", hint="check --registry")


def _reason(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return str(getattr(error, "strerror", None) or error)
