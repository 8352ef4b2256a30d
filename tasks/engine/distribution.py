"""A registry over HTTP, as the OCI distribution specification has it: manifests, tags, small blobs.

The tools that push and sign give no status and no Retry-After, cannot list tags, and move a tag in several
requests; moving all tags of a release at once, and back, needs each of them. Everything that comes is held
against its digest: a proxy's page and a damaged body are no manifests.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ..errors import PushError
from ..plan.names import is_loopback
from ..plan.retrying import can_pass
from .in_time import in_time
from .logins import Logins
from .registry import host_of, is_unknown, reason
from .retries import PassingError, Retries

if TYPE_CHECKING:
    from requests import Response

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_KINDS = (INDEX, MANIFEST, f"{_DOCKER}.list.v2+json", f"{_DOCKER}.v2+json")
_HUB = "docker.io"
_SECONDS = (10.0, 20.0)  # to connect, and between two pieces of an answer, at most
_WHOLE = 60.0  # seconds that one answer may take in all
_PIECES = 3  # times that it may take as long as is waited for the next byte
_LARGEST = 4 * 1024 * 1024  # bytes: what the specification lets a registry refuse a manifest for
_AT_ONCE = 8  # requests
_PAGE = 1000  # tags asked for at once
_DAMAGED_AGAIN = 1  # tries: a body that was damaged on its way comes whole now, a proxy's page stays one
_LOGINS = 3  # requests: without a login, with another thread's token, with one of its own
_UNAUTHORIZED, _NOT_FOUND, _CREATED, _ACCEPTED = 401, 404, 201, 202


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index, byte for byte."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """What it is called by its content."""
        return digest_of(self.content)


def digest_of(content: bytes) -> str:
    """Return the digest of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Distribution:
    """The repositories below one registry's path; any thread may ask."""

    def __init__(
        self, registry: str, retries: Retries, bundle: Path | None = None, *, seconds: float = _SECONDS[1]
    ) -> None:
        """``registry`` is ``host[:port][/path]``; ``bundle`` holds the authorities that this machine trusts.

        ``seconds`` without a word are as good as no answer; no more than 20, for all that is asked here is small.
        """
        import requests

        self.registry, self.retries = registry, retries
        first, _, rest = registry.partition("/")
        self._host = host_of(registry)
        self._prefix = rest if first in {self._host, _HUB} else registry
        near = is_loopback(self._host)
        self._root = f"{'http' if near else 'https'}://{self._host}/v2/"
        self._session = requests.Session()
        self._session.verify = True if bundle is None else str(bundle)
        if near:  # as Docker does: a proxy cannot reach this machine's loopback
            self._session.trust_env = False
            self._session.proxies = {}
        self._seconds = (min(_SECONDS[0], seconds), min(_SECONDS[1], seconds))
        self._logins = Logins(self._host, self._session, self._seconds)

    def anew(self) -> "Distribution":
        """Return the same with fresh patience: what takes others back may not fail for what was waited before."""
        other = copy(self)
        other.retries = self.retries.anew()
        return other

    def manifest(self, name: str, reference: str) -> Manifest | None:
        """Return what a repository below the path has under a tag or digest; None where it has nothing.

        Raises PushError when the registry refuses or does not answer well, however patiently it is asked.
        """
        return self.retries.call(f"{name}:{reference}", lambda: self._manifest(name, reference))

    def manifests(self, wanted: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Manifest | None]:
        """Return what repositories have under tags or digests, each given by name and reference, several at once.

        Raises PushError as ``manifest`` does.
        """
        asked = tuple(dict.fromkeys(wanted))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(asked, pool.map(lambda one: self.manifest(*one), asked), strict=True))

    def put(self, name: str, reference: str, manifest: Manifest) -> None:
        """Give a repository a manifest under a tag or its digest.

        Raises PushError as ``manifest`` does.
        """

        def step() -> None:
            headers = {"Content-Type": manifest.media_type}
            answer = self._ask("PUT", name, f"manifests/{reference}", headers=headers, data=manifest.content)
            told = answer.headers.get("docker-content-digest", manifest.digest)
            if answer.status_code != _CREATED or told != manifest.digest:
                raise self._damaged(name, f"HTTP {answer.status_code} to a manifest that was sent")

        self.retries.call(f"{name}:{reference}", step)

    def tags(self, name: str) -> tuple[str, ...]:
        """Return all tags of a repository; none where there is no such repository.

        Raises PushError as ``manifest`` does.
        """
        return self.retries.call(f"the tags of {name}", lambda: self._tags(name))

    def blob(self, name: str, digest: str) -> bytes:
        """Return a small blob.

        Raises PushError as ``manifest`` does, and where it is not there.
        """

        def step() -> bytes:
            answer = self._ask("GET", name, f"blobs/{digest}")
            if answer.status_code == _NOT_FOUND:
                raise PushError(
                    f"{self._place(name)} has no blob {digest}", hint="inv container-releases shows what is whole"
                )
            if digest_of(answer.content) != digest:
                raise self._damaged(name, f"a blob that is not {digest}")
            return answer.content

        return self.retries.call(f"a blob of {name}", step)

    def upload(self, name: str, content: bytes) -> str:
        """Give a repository a small blob and return its digest; one that is there already is not sent again.

        Raises PushError as ``manifest`` does.
        """
        digest = digest_of(content)

        def step() -> str:
            if self._ask("HEAD", name, f"blobs/{digest}").status_code != _NOT_FOUND:
                return digest
            begun = self._ask("POST", name, "blobs/uploads/")
            place = begun.headers.get("location")
            if begun.status_code != _ACCEPTED or place is None:
                raise self._damaged(name, f"HTTP {begun.status_code} to an upload that was begun")
            address = urljoin(self._root, place)
            address += f"{'&' if '?' in address else '?'}digest={digest}"
            headers = {"Content-Type": "application/octet-stream"}
            if self._ask("PUT", name, address, headers=headers, data=content).status_code != _CREATED:
                raise self._damaged(name, "no word that an upload has ended")
            return digest

        return self.retries.call(f"a blob of {name}", step)

    def _manifest(self, name: str, reference: str) -> Manifest | None:
        answer = self._ask("GET", name, f"manifests/{reference}", headers={"Accept": ", ".join(_KINDS)})
        if answer.status_code == _NOT_FOUND:
            return None
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        found = Manifest(kind, answer.content)
        wanted = reference if ":" in reference else answer.headers.get("docker-content-digest", found.digest)
        if kind not in _KINDS:
            raise self._damaged(name, f"{kind or 'nothing'} in place of a manifest")
        if found.digest != wanted:
            raise self._damaged(name, f"a manifest that is not {wanted}")
        return found

    def _tags(self, name: str) -> tuple[str, ...]:
        found: list[str] = []
        address, asked = f"tags/list?n={_PAGE}", set[str]()
        while address:
            if address in asked:
                raise self._damaged(name, "a list of tags that never ends")
            asked.add(address)
            answer = self._ask("GET", name, address)
            if answer.status_code == _NOT_FOUND:
                return ()
            try:
                listed = answer.json()["tags"] or []
            except (ValueError, KeyError, TypeError, RecursionError):
                listed = None
            if not isinstance(listed, list):
                raise self._damaged(name, "something else than its tags")
            found += [tag for tag in listed if isinstance(tag, str)]
            following = answer.links.get("next", {}).get("url", "")
            address = urljoin(self._address(name, address), following) if following and listed else ""
        return tuple(dict.fromkeys(found))

    def _ask(self, method: str, name: str, path: str, **more: Any) -> "Response":  # noqa: ANN401 - requests' own
        """Return the answer to one request: a good one, or one that says that there is nothing.

        Raises PassingError for what can pass, PushError for what cannot.
        """
        import requests

        address = path if "://" in path else self._address(name, path)
        if not address.startswith(self._root):  # a login is for one host, and no answer names another
            raise PushError(f"{self._host} leads elsewhere: {address.partition('?')[0]}", hint="check --registry")
        headers = more.pop("headers", {})
        try:
            for _ in range(_LOGINS):
                said = self._logins.header(name)
                answer = self._whole(method, address, headers={**headers, **said}, **more)
                if answer.status_code != _UNAUTHORIZED or not self._logins.renew(name, answer, said):
                    break
        except requests.RequestException as error:
            if is_unknown(error):
                raise PushError(f"there is no {self._host}: {reason(error)}", hint="check --registry") from error
            raise PassingError(f"{self._host} does not answer: {reason(error)}") from error
        if answer.ok or answer.status_code == _NOT_FOUND:
            return answer
        raise self._refusal(name, answer)

    def _whole(self, method: str, address: str, **more: Any) -> "Response":  # noqa: ANN401 - requests' own
        """Return an answer with all of its content, which is small and does not take for ever."""
        import requests

        def ask() -> "Response":
            with self._session.request(method, address, timeout=self._seconds, stream=True, **more) as answer:
                content = bytearray()
                for piece in answer.iter_content(1 << 16):
                    content += piece
                    if len(content) > _LARGEST:
                        raise requests.ConnectionError(f"an answer without an end: {len(content)} bytes so far")
                answer._content = bytes(content)  # noqa: SLF001 - as requests itself keeps it
            return answer

        return in_time(min(_WHOLE, _PIECES * self._seconds[1]), ask)

    def _refusal(self, name: str, answer: "Response") -> PushError:
        words, place, status = _words(answer), self._place(name), answer.status_code
        said = f"HTTP {status}" + (f" ({words})" if words else "")
        after = _seconds(answer.headers.get("retry-after"))
        if can_pass(status, words, told=after is not None):
            return PassingError(f"{place}: {said}", after=after)
        if status in {_UNAUTHORIZED, 403}:
            return PushError(
                f"{place} refuses the login ({self._logins.source}): {said}",
                hint=f"docker login {self._host}, as somebody who may push there",
            )
        return PushError(f"{place} refuses the request: {said}", hint="check --registry, and what that registry allows")

    def _damaged(self, name: str, what: str) -> PassingError:
        return PassingError(
            f"{self._place(name)} answers with {what}",
            hint="is there a proxy in between? check --registry",
            times=_DAMAGED_AGAIN,
        )

    def _place(self, name: str) -> str:
        return f"{self.registry}/{name}"

    def _address(self, name: str, path: str) -> str:
        return f"{self._root}{'/'.join(filter(None, (self._prefix, name)))}/{path}"


def _words(answer: "Response") -> str:
    """Return what a registry says of a refusal, in its own JSON; nothing of a page for people."""
    try:
        errors = json.loads(answer.content)["errors"]
        return "; ".join(f"{one.get('code', '')}: {one.get('message', '')}" for one in errors)[:300]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = answer.content[:300].decode("utf-8", "replace")
        return "" if "<" in text else " ".join(text.split())


def _seconds(told: str | None) -> float | None:
    """Return what Retry-After says in seconds; None where it says nothing that can be used."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    if told is None:
        return None
    if told.isascii() and told.strip().isdigit():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
