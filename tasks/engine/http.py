"""Ask services of this machine over HTTP whether they are well."""

import http.client
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

_SECONDS = 2.0  # that one answer may take


def faults(urls: Iterable[str]) -> Mapping[str, str]:
    """Return what is wrong at each address, asked all at once; empty text where it answers 2xx.

    No proxy is asked and no redirect is followed, as by a HEALTHCHECK inside the container.
    """
    asked = tuple(dict.fromkeys(urls))
    if not asked:
        return {}
    with ThreadPoolExecutor(len(asked)) as pool:
        return dict(zip(asked, pool.map(_fault, asked), strict=True))


def _fault(url: str) -> str:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)
    try:
        connection.request("GET", url.partition(place.netloc)[2] or "/", headers={"Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}"
    finally:
        connection.close()
    return "" if status // 100 == 2 else f"{url} answers HTTP {status}"  # noqa: PLR2004 - what HTTP calls success
