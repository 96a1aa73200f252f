"""How packages lie in a connection: one after the other, or each in a message of a WebSocket.

Which it is shows in the first bytes: a WebSocket begins with "GET ", which as a package would be one of half
a gigabyte. So both may come to the same port.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

from ....wire.things.packages import HEADER, MAX_BODY, Package, PackageParser, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Framing", "Plain", "WebSocket", "recognise"]

_WEBSOCKET = b"GET "
_LONGEST_HEAD = 16 << 10
_BINARY = 0x82  # a whole message in one frame


class Framing(Protocol):
    """Between the bytes of one connection and packages."""

    def receive(self, data: bytes) -> list[Package]:
        """The packages that `data` completes.

        Raises:
            ProtocolError: the connection cannot be made sense of any more, or the client has closed it.
        """

    def frame(self, package: bytes) -> bytes:
        """A whole package as the connection carries it."""


def recognise(start: bytes, reply: Callable[[bytes], None]) -> Framing | None:
    """The framing of a connection that begins so; None while it is too early to tell.

    Args:
        reply: sends bytes to the client as they are.
    """
    if len(start) < len(_WEBSOCKET):
        return None
    return WebSocket(reply) if start.startswith(_WEBSOCKET) else Plain()


class Plain:
    """Packages, and nothing between them."""

    def __init__(self) -> None:
        self.receive = PackageParser().feed

    def frame(self, package: bytes) -> bytes:
        return package


class WebSocket:
    """The node's end of a WebSocket: one binary message is one package.

    Any path will do. Pings are answered; a text message is taken as a binary one, as ThingsDB does. What
    follows the package in its message is ignored.
    """

    def __init__(self, reply: Callable[[bytes], None]) -> None:
        from wsproto import ConnectionType, WSConnection

        self._reply = reply
        self._connection = WSConnection(ConnectionType.SERVER)
        self._message: list[bytes] = []
        self._size = 0
        self._open = False
        self._head = 0

    def receive(self, data: bytes) -> list[Package]:
        from wsproto import events
        from wsproto.utilities import RemoteProtocolError

        if not self._open:
            self._head += len(data)
            if self._head > _LONGEST_HEAD:
                raise ProtocolError(f"a request head of more than {_LONGEST_HEAD} bytes")
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
        # By hand: others' events are framed in their threads, while wsproto is at work in ours.
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
