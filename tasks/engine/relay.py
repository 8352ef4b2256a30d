"""HTTP into a network that nothing reaches: through a program that runs in it, over the engine's own connection.

``docker exec`` hands on standard input and output, so a ``nc`` in there is a cable to any port.
Python's client speaks over it; nothing is parsed that a tool wrote for people.
"""

import contextlib
import http.client
import io
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from ..plan.evidence import Answer
from .api import translated

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from docker import APIClient

# What connects to a port of its loopback: of busybox, of netcat, and of any bash.
_HERE, _HERE_6 = "127.0.0.1", "::1"
_BASH = f'exec 3<>"/dev/tcp/{_HERE}/$1" || exit; cat <&0 >&3 2>&3 & exec cat <&3'
CABLES = (("nc", _HERE), ("busybox", "nc", _HERE), ("bash", "-c", _BASH, "bash"))
LARGEST = 8_000_000  # bytes of an answer that are read
_HEAD = struct.Struct(">BxxxL")
_OUTPUT = 1  # the engine's name of that stream; the other is its errors
_NOT_FOUND = (126, 127)

UNHEARD = "nothing listens there"
"""What is wrong where a request has reached nobody."""


class _Cable:
    """What a program in a container reads and writes, with what http.client asks of a socket."""

    def __init__(self, connection: Any, seconds: float) -> None:  # noqa: ANN401 - a socket, a channel or a pipe
        """Take the connection that the engine has opened, and how long all may take."""
        self._connection = connection
        self._socket = getattr(connection, "_sock", connection)
        self._end = time.monotonic() + seconds
        self.errors = b""

    def sendall(self, content: bytes) -> None:
        self._socket.sendall(content)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Output(self))

    def close(self) -> None:
        """Leave it open: http.client closes its socket before it has read the body."""

    def receive(self, size: int) -> bytes:
        """Return what has come, at most so many bytes; nothing at the end.

        Raises TimeoutError when all has taken too long.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        with contextlib.suppress(AttributeError):  # a channel of SSH has none
            self._socket.settimeout(left)
        content: bytes = self._socket.recv(size)
        return content

    def hang_up(self) -> None:
        """End the connection, and with it the program."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._connection.close()


class _Output(io.RawIOBase):
    """The program's output, out of the frames in which the engine sends it beside its errors."""

    def __init__(self, cable: _Cable) -> None:
        self._cable = cable
        self._left = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        while not self._left:
            head = self._exactly(_HEAD.size)
            if len(head) < _HEAD.size:
                return 0
            stream, size = _HEAD.unpack(head)
            if stream == _OUTPUT:
                self._left = size
            else:
                self._cable.errors += self._exactly(size)
        content = self._cable.receive(min(self._left, len(view)))
        self._left -= len(content)
        view[: len(content)] = content
        return len(content)

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size and (piece := self._cable.receive(size - len(found))):
            found += piece
        return found


class _Connection(http.client.HTTPConnection):
    def __init__(self, port: int, cable: _Cable) -> None:
        super().__init__(_HERE, port)
        self._cable = cable

    def connect(self) -> None:
        self.sock = self._cable  # it has what http.client asks of a socket


class Relay:
    """Requests to the ports of a container's loopback."""

    def __init__(self, api: "APIClient", container: str, cable: tuple[str, ...]) -> None:
        """``container`` runs in that network and has the program that begins with ``cable``."""
        self._api, self._container, self._words = api, container, cable

    def get(self, port: int, path: str, seconds: float) -> Answer:
        """Return what a path answers, however it ends; so many seconds may pass.

        Raises EngineError when the container is gone.
        """
        first = self._get(self._words, port, path, seconds)
        if first.fault != UNHEARD:
            return first
        return self._get(tuple(word.replace(_HERE, _HERE_6) for word in self._words), port, path, seconds)

    def _get(self, words: tuple[str, ...], port: int, path: str, seconds: float) -> Answer:
        began = time.monotonic()
        with translated():
            run = self._api.exec_create(self._container, [*words, str(port)], stdin=True)
            cable = _Cable(self._api.exec_start(run["Id"], socket=True), seconds)
        try:
            connection = _Connection(port, cable)
            connection.request("GET", path, headers={"Connection": "close", "Accept": "*/*"})
            response = connection.getresponse()
            body = response.read(LARGEST)
            if response.length and len(body) < LARGEST:  # read with a size, it says nothing of what is missing
                raise http.client.IncompleteRead(body, response.length)
        except TimeoutError:
            return Answer(path=path, seconds=time.monotonic() - began, fault=f"nothing came within {seconds:.0f} s")
        except (OSError, http.client.HTTPException) as error:
            return Answer(path=path, seconds=time.monotonic() - began, fault=_reason(error, cable.errors))
        finally:
            cable.hang_up()
        return Answer(
            path=path,
            status=response.status,
            body=body,
            kind=response.getheader("content-type") or "",
            seconds=time.monotonic() - began,
        )

    def works(self) -> bool:
        """Whether the program is there."""
        from docker.errors import APIError

        try:
            run = self._api.exec_create(self._container, [*self._words, "1"])
            self._api.exec_start(run["Id"])
            code = self._api.exec_inspect(run["Id"])["ExitCode"]
        except APIError:  # newer engines say so at once
            return False
        return code not in _NOT_FOUND


def _reason(error: Exception, errors: bytes) -> str:
    said = " ".join(errors.decode(errors="replace").split())
    if "refused" in said.lower():
        return UNHEARD
    if isinstance(error, http.client.IncompleteRead):
        return "the answer was cut off"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        return said or "the connection was closed without an answer"
    return said or f"no HTTP: {str(error) or type(error).__name__}"
