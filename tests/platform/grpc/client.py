"""A client that sends exact frames."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, SettingsFrame

from flowthings_like.wire.grpc.frames import PREFACE
from flowthings_like.wire.grpc.messages import prefix
from tests.grpc_server import Running

__all__ = ["Client", "connected"]

PATIENCE = 20.0


class Client:
    """One connection to a server.

    Attributes:
        stream: the number of the last call.
    """

    def __init__(self, address: tuple[str, int], *, greets: bool = True) -> None:
        self.sock = socket.create_connection(address, timeout=PATIENCE)
        self.stream = -1
        self.encoder = Encoder()
        self._decoder = Decoder()
        self._data = b""
        if greets:
            self.sock.sendall(PREFACE + SettingsFrame(0).serialize())

    def send(self, *frames: Frame) -> None:
        self.sock.sendall(b"".join(frame.serialize() for frame in frames))

    def begin(self, method: str = "Echo", headers: dict[str, str] | None = None) -> int:
        """Begin a call, with these headers besides or instead; "" leaves one out. Returns its stream."""
        self.stream += 2
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": f"/tests.Service/{method}",
            ":authority": "x",
            "te": "trailers",
            "content-type": "application/grpc",
        } | (headers or {})
        block = self.encoder.encode([(name, value) for name, value in fields.items() if value])
        self.send(HeadersFrame(self.stream, block, flags=["END_HEADERS"]))
        return self.stream

    def data(self, data: bytes, *, end: bool = True) -> None:
        """Send some of the last call's request."""
        self.send(DataFrame(self.stream, data, flags=["END_STREAM"] if end else []))

    def ask(self, method: str = "Echo", request: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.begin(method, headers)
        self.data(prefix(len(request)) + request)

    def read(self) -> Frame | None:
        """The next frame; None at the end of the connection."""
        with suppress(EOFError, ConnectionError):
            while len(self._data) < 9:
                self._read_more()
            frame, length = Frame.parse_frame_header(memoryview(self._data[:9]))
            while len(self._data) < 9 + length:
                self._read_more()
            frame.parse_body(memoryview(self._data[9 : 9 + length]))
            self._data = self._data[9 + length :]
            return frame
        return None

    def until(self, kind: type[Frame]) -> Any:
        """Read until a frame of this kind has come."""
        while True:
            frame = self.read()
            assert frame is not None, "the connection has ended"
            if isinstance(frame, kind):
                return frame

    def answer(self) -> tuple[dict[str, str], bytes]:
        """The headers, trailers included, and the data of the next answer that is complete."""
        fields: dict[str, str] = {}
        data = bytearray()
        while True:
            frame = self.read()
            assert frame is not None, "the connection has ended"
            if isinstance(frame, HeadersFrame):
                fields |= self._decoder.decode(frame.data)
            if isinstance(frame, DataFrame):
                data += frame.data
            if "END_STREAM" in frame.flags:
                return fields, bytes(data)

    def status(self) -> str:
        """The status of the next answer."""
        return self.answer()[0]["grpc-status"]

    def goodbye(self) -> GoAwayFrame:
        """The GOAWAY before the end of the connection."""
        last: GoAwayFrame = self.until(GoAwayFrame)
        assert self.ends()
        return last

    def ends(self) -> bool:
        """Wait until the connection ends, however that is."""
        while self.read() is not None:
            pass
        return True

    def close(self) -> None:
        self.sock.close()

    def _read_more(self) -> None:
        data = self.sock.recv(65_536)
        if not data:
            raise EOFError
        self._data += data


@contextmanager
def connected(server: Running, *, greets: bool = True) -> Iterator[Client]:
    client = Client(server.server.address, greets=greets)
    try:
        yield client
    finally:
        client.close()
