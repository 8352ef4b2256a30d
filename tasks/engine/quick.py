"""What every run asks, put to the engine's socket with the standard library alone.

Importing the docker SDK takes a quarter of the processor time of a run that has nothing to build. What goes wrong
here is asked again through the SDK, which knows every way to reach an engine, and whose errors are told.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from . import client_file
from .machine.reach import USUAL_SOCKET

_TIMEOUT = 30.0  # seconds
_OK = 200


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class UnansweredError(Exception):
    """The engine did not answer this way, for whatever reason."""


@dataclass(frozen=True, slots=True)
class Socket:
    """An engine that listens on a socket of this machine."""

    path: Path

    def version(self) -> Mapping[str, Any]:
        """Return what GET /version says. Raises UnansweredError."""
        return self._mapping("/version")

    def info(self) -> Mapping[str, Any]:
        """Return what GET /info says. Raises UnansweredError."""
        return self._mapping("/info")

    def images(self, references: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Return what GET /images/json says of exact references. Raises UnansweredError."""
        query = urlencode({"filters": json.dumps({"reference": list(references)})})
        return self._list(f"/images/json?{query}")

    def image(self, reference: str) -> Mapping[str, Any]:
        """Return what GET /images/…/json says of one image. Raises UnansweredError, also where it is not there."""
        return self._mapping(f"/images/{quote(reference)}/json")

    def history(self, reference: str) -> Sequence[Mapping[str, Any]]:
        """Return what GET /images/…/history says of one image. Raises UnansweredError as ``image`` does."""
        return self._list(f"/images/{quote(reference)}/history")

    def _list(self, path: str) -> Sequence[Mapping[str, Any]]:
        answer = self._get(path)
        if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
            raise UnansweredError
        return answer

    def _mapping(self, path: str) -> Mapping[str, Any]:
        answer = self._get(path)
        if not isinstance(answer, dict):
            raise UnansweredError
        return answer

    def _get(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        connection = _UnixConnection(str(self.path))
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != _OK:
                raise UnansweredError
            return json.loads(content)
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            raise UnansweredError from error
        finally:
            connection.close()


def engine(context: str) -> Socket | None:
    """Return the engine of docker's command line where it listens on a socket of this machine, else None.

    ``context`` is the one that is chosen.
    """
    host = os.environ.get("DOCKER_HOST")
    if host:
        path = host.removeprefix("unix://")
        return Socket(Path(path)) if path != host and path.startswith("/") else None
    return Socket(USUAL_SOCKET) if context == client_file.DEFAULT else None
