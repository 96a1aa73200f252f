"""A client's and a server's connection that are joined in memory."""

from __future__ import annotations

from flowthings_like.wire.grpc.client import ClientCall, ClientConnection
from flowthings_like.wire.grpc.frames import FrameScreen
from flowthings_like.wire.grpc.limits import CLIENT_LIMITS, Http2Limits, server_limits
from flowthings_like.wire.grpc.metadata import request_headers
from flowthings_like.wire.grpc.server import ServerCall, ServerConnection
from flowthings_like.wire.grpc.status import Status

LIMIT = 1 << 20
SERVER_LIMITS = server_limits(1 << 16, 8 << 10, 10)


class Purse:
    """A budget that counts."""

    def __init__(self, size: int = 1 << 30) -> None:
        self.free = size

    def take(self, size: int) -> bool:
        if size > self.free:
            return False
        self.free -= size
        return True

    def give_back(self, size: int) -> None:
        self.free += size


class Pair:
    """Both ends, and what has happened at each."""

    def __init__(
        self, client_limits: Http2Limits = CLIENT_LIMITS, server_limits: Http2Limits = SERVER_LIMITS
    ) -> None:
        self.purse = Purse()
        self.client = ClientConnection(client_limits)
        self.server = ServerConnection(server_limits, LIMIT, self.purse)
        self.client_screen = FrameScreen(client_limits)
        self.server_screen = FrameScreen(server_limits, expects_preface=True)
        self.server_news: list[ServerCall] = []
        self.client_news: list[ClientCall] = []
        self.room = 100

    def call(self, request: bytes = b"", method: bytes = b"/a/B") -> ClientCall:
        headers = request_headers(method, b"localhost", False, None, [])
        call = ClientCall(headers, request, LIMIT)
        self.client.begin(call)
        return call

    def to_server(self, most: int = 1 << 30) -> bytes:
        """Carry over what the client has to send. Returns it."""
        data = self.client.take(most)
        for piece in self.server_screen.feed(data, 0.0):
            self.server_news += self.server.receive(piece, self.room)
        return data

    def to_client(self, most: int = 1 << 30) -> bytes:
        data = self.server.take(most)
        for piece in self.client_screen.feed(data, 0.0):
            self.client_news += self.client.receive(piece)
        return data

    def exchange(self) -> None:
        """Carry over until nothing is left to send."""
        while any([self.to_server(), self.to_client()]):
            pass

    def asked(self) -> ServerCall:
        """The call that the server was asked last."""
        self.exchange()
        return self.server_news[-1]

    def answer(self, call: ServerCall, *messages: bytes, status: Status | None = None) -> None:
        for message in messages:
            self.server.send(call, message)
        self.server.finish(call, status or Status(0))
        self.exchange()
