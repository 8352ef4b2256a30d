"""Ask a registry over HTTP whether it answers."""

import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PushError
from ..plan.names import is_loopback
from ..plan.retrying import can_pass
from .in_time import in_time
from .retries import PassingError

if TYPE_CHECKING:
    from requests import Response

_PROXY = 3.0  # seconds in which a proxy has to take a connection
TIMEOUT = 10.0  # seconds
_WHOLE = 1.25  # times that all of an answer may take as long as its next byte
HUB = "registry-1.docker.io"


def host_of(registry: str) -> str:
    """Return the host that a registry with its path is asked at; a bare path is Docker Hub's."""
    first = registry.partition("/")[0]
    if first == "docker.io" or not ("." in first or ":" in first or first == "localhost"):
        return HUB
    return first


def require(registry: str, bundle: Path | None = None, *, seconds: float = TIMEOUT) -> None:
    """See that a registry answers, whoever may use it; ``bundle`` holds the authorities that this machine trusts.

    ``seconds`` may pass without a word. Raises PushError with the reason when it does not; PassingError where it is
    there, and what is in the way can pass.
    """
    import requests

    host = host_of(registry)
    try:
        answer = _asked(host, bundle, seconds)
    except requests.RequestException as error:
        kind = PassingError if _has_been_there(error) else PushError
        raise kind(
            f"the registry {host} cannot be reached: {reason(error)}",
            hint="check the network and --registry; docker login if it needs one",
        ) from error
    if answer.status_code not in {200, 401, 403}:
        kind = PassingError if can_pass(answer.status_code) else PushError
        raise kind(f"{host} does not answer as a registry: HTTP {answer.status_code} for /v2/", hint="check --registry")
    if "html" in answer.headers.get("content-type", ""):  # a proxy's page, with whatever code
        raise PushError(f"{host} does not answer as a registry, but with a page for people", hint="check --registry")


def silence(address: str, bundle: Path | None = None) -> str:
    """Return why nothing speaks HTTP at an address; empty where anything does, whatever it says."""
    import requests

    try:
        in_time(
            _WHOLE * TIMEOUT,
            lambda: requests.get(
                address,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
                verify=True if bundle is None else str(bundle),
            ).close(),
        )
    except requests.Timeout:
        return f"no answer within {TIMEOUT:g} s"
    except requests.RequestException as error:
        return f"no answer: {reason(error)}"
    return ""


def ahead(host: str, bundle: Path | None = None) -> float | None:
    """Return by how many seconds a registry's clock is ahead of this machine's; None where it does not say."""
    import requests

    try:
        told = _asked(host, bundle, TIMEOUT).headers.get("date", "")
        return (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
    except (requests.RequestException, ValueError, TypeError):
        return None


def _asked(host: str, bundle: Path | None, seconds: float) -> "Response":
    import requests

    near = is_loopback(host)
    no_proxy = {"http": "", "https": ""}  # as Docker does: a proxy cannot reach this machine's loopback

    def ask() -> "Response":
        with requests.get(
            f"{'http' if near else 'https'}://{host}/v2/",
            timeout=seconds,
            allow_redirects=False,
            proxies=no_proxy if near else None,
            stream=True,  # what stands in its head is enough
            verify=True if bundle is None else str(bundle),
        ) as answer:
            return answer

    return in_time(_WHOLE * seconds, ask)


def _has_been_there(error: BaseException) -> bool:
    """Whether a connection was made, and then broke: with a wrong name or port none is."""
    import requests

    broken = isinstance(_innermost(error), TimeoutError | ConnectionResetError | IncompleteRead | requests.ReadTimeout)
    return broken and not isinstance(error, requests.ConnectTimeout)


def reason(error: BaseException) -> str:
    """Return the innermost reason of an error, for a message."""
    error = _innermost(error)
    return str(getattr(error, "strerror", None) or error)


def is_unknown(error: BaseException) -> bool:
    """Whether nothing has the name of the host that was asked."""
    return isinstance(_innermost(error), socket.gaierror)


def _innermost(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error


def dead_proxies(host: str) -> tuple[str, ...]:
    """Return the variables that send requests to a host through a proxy where nobody answers, whichever counts first.

    None of them where the one that counts answers.
    """
    from requests.utils import select_proxy, should_bypass_proxies

    address = f"https://{host}/v2/"
    if is_loopback(host) or should_bypass_proxies(address, None):
        return ()
    names = [name for kind in ("https", "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper())]
    counts = [name for name in names if os.environ.get(name)]
    known = {name.lower().removesuffix("_proxy"): os.environ[name] for name in reversed(counts)}
    return tuple(silent_proxies(counts)) if _is_silent(select_proxy(address, known)) else ()


def silent_proxies(names: Iterable[str]) -> list[str]:
    """Return those of these variables that name a proxy where nobody answers."""
    return [name for name in names if _is_silent(os.environ.get(name))]


def _is_silent(proxy: str | None) -> bool:
    from urllib.parse import urlsplit

    if not proxy:
        return False
    try:
        place = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        usual = 443 if place.scheme == "https" else 1080 if place.scheme.startswith("socks") else 80
        with socket.create_connection((place.hostname or "", place.port or usual), _PROXY):
            return False
    except (OSError, ValueError):
        return True
