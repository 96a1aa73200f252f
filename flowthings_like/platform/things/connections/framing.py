"""How a connection carries packages: one after the other, or each as a message of a WebSocket.

Both come to the same port. The first bytes tell them apart: a WebSocket begins with "GET ". As the header of
a package, these bytes would announce half a gigabyte.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

from ....wire.things.header import HEADER, ProtocolError
from ....wire.things.packages import MAX_BODY, Package, PackageParser

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Framing", "PlainFraming", "WebSocketFraming", "detect_framing"]

_WEBSOCKET = b"GET "
_MAX_HEAD = 16 << 10  # bytes of the request that opens a WebSocket
_BINARY = 0x82  # a whole message in one frame


class Framing(Protocol):
    """Converts between the bytes of one connection and packages."""

    def receive(self, data: bytes) -> list[Package]:
        """Return the packages that `data` completes.

        Raises:
            ProtocolError: the bytes are not of this framing, or the client has closed the connection.
        """

    def frame(self, package: bytes) -> bytes:
        """Return the bytes that carry a whole package."""


def detect_framing(start: bytes, reply: Callable[[bytes], None]) -> Framing | None:
    """Return the framing of a connection that begins with these bytes; None if they are too few to tell.

    Args:
        reply: sends bytes to the client as they are.
    """
    if len(start) < len(_WEBSOCKET):
        return None
    return WebSocketFraming(reply) if start.startswith(_WEBSOCKET) else PlainFraming()


class PlainFraming:
    """One package after the other."""

    def __init__(self) -> None:
        self.receive = PackageParser().feed

    def frame(self, package: bytes) -> bytes:
        return package


class WebSocketFraming:
    """The server side of a WebSocket. Each binary message is one package.

    Any path is accepted. Pings are answered. As in ThingsDB, a text message counts as a binary one, and bytes
    after the package in its message are ignored.
    """

    def __init__(self, reply: Callable[[bytes], None]) -> None:
        from wsproto import ConnectionType, WSConnection

        self._reply = reply
        self._connection = WSConnection(ConnectionType.SERVER)
        self._message: list[bytes] = []
        self._size = 0
        self._open = False
        self._head_size = 0

    def receive(self, data: bytes) -> list[Package]:
        from wsproto import events
        from wsproto.utilities import RemoteProtocolError

        if not self._open:
            self._head_size += len(data)
            if self._head_size > _MAX_HEAD:
                raise ProtocolError(f"a request head of more than {_MAX_HEAD} bytes")
        packages: list[Package] = []
        try:
            self._connection.receive_data(data)
            for event in self._connection.events():
                if isinstance(event, events.Message):
                    part = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
                    self._add(part)
                    if event.message_finished:
                        packages.append(self._finish())
                elif isinstance(event, events.Request):
                    self._accept(event)
                elif isinstance(event, events.Ping):
                    self._reply(self._connection.send(event.response()))
                elif isinstance(event, events.CloseConnection):
                    self._reply(self._connection.send(event.response()))
                    raise ProtocolError("closed by the client")
        except RemoteProtocolError as error:
            if not self._open:
                self._reply(self._connection.send(events.RejectConnection(status_code=400)))
            raise ProtocolError(f"not a WebSocket: {error}") from error
        return packages

    def frame(self, package: bytes) -> bytes:
        # Without wsproto: other sessions send events from their threads while ours uses it.
        size = len(package)
        if size < 126:
            return bytes((_BINARY, size)) + package
        if size < 1 << 16:
            return struct.pack(">BBH", _BINARY, 126, size) + package
        return struct.pack(">BBQ", _BINARY, 127, size) + package

    def _accept(self, request: object) -> None:
        from wsproto.events import AcceptConnection

        offered = getattr(request, "subprotocols", [])
        chosen = "thingsdb-protocol" if "thingsdb-protocol" in offered else None
        self._reply(self._connection.send(AcceptConnection(subprotocol=chosen)))
        self._open = True

    def _add(self, part: bytes) -> None:
        self._message.append(part)
        self._size += len(part)
        if self._size > MAX_BODY + HEADER:
            raise ProtocolError(f"a message of more than {MAX_BODY} bytes")

    def _finish(self) -> Package:
        message = b"".join(self._message)
        self._message.clear()
        self._size = 0
        packages = PackageParser().feed(message)
        if not packages:
            raise ProtocolError(f"a message of {len(message)} bytes is not a whole package")
        return packages[0]
