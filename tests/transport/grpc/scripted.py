"""A server that sends the frames that a script tells it to send."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from flowthings_like.green.backends.choice import detect
from flowthings_like.wire.grpc.messages import prefix

__all__ = ["Session", "scripted"]

PREFACE = 24
OK = [(":status", "200"), ("content-type", "application/grpc")]


class Session:
    """One connection of the server.

    Attributes:
        number: how many connections there were before.
        frames: those that have come, in order; PING, SETTINGS and WINDOW_UPDATE are left out.
    """

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number = number
        self.sock = sock
        self.frames: list[Frame] = []
        self.pings: list[PingFrame] = []
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._data = b""

    def send(self, *frames: Frame) -> None:
        self.sock.sendall(b"".join(frame.serialize() for frame in frames))

    def settings(self, **values: int) -> None:
        self.send(SettingsFrame(0, settings={getattr(SettingsFrame, name): values[name] for name in values}))

    def headers(self, stream: int, headers: list[tuple[str, str]] = OK, *, end: bool = False) -> None:
        flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
        self.send(HeadersFrame(stream, self._encoder.encode(headers), flags=flags))

    def data(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.send(DataFrame(stream, data, flags=["END_STREAM"] if end else []))

    def answer(self, stream: int, *messages: bytes, status: int = 0) -> None:
        self.headers(stream)
        for message in messages:
            self.data(stream, prefix(len(message)) + message)
        self.headers(stream, [("grpc-status", str(status))], end=True)

    def reset(self, stream: int, code: int) -> None:
        self.send(RstStreamFrame(stream, error_code=code))

    def goaway(self, last: int, code: int = 0) -> None:
        self.send(GoAwayFrame(0, last_stream_id=last, error_code=code))

    def window(self, stream: int, size: int) -> None:
        self.send(WindowUpdateFrame(stream, window_increment=size))

    def request(self) -> int:
        """Read until a request is complete. Returns its stream."""
        while True:
            frame = self.read()
            if "END_STREAM" in frame.flags:
                return int(frame.stream_id)

    def until(self, kind: type[Frame]) -> Any:
        """Read until a frame of this kind has come."""
        while True:
            frame = self.read()
            if isinstance(frame, kind):
                return frame

    def read(self) -> Frame:
        """The next frame."""
        while True:
            frame = self._read()
            if isinstance(frame, SettingsFrame):
                if "ACK" not in frame.flags:
                    self.send(SettingsFrame(0, flags=["ACK"]))
            elif isinstance(frame, PingFrame):
                self.pings.append(frame)
            elif isinstance(frame, WindowUpdateFrame):
                pass
            else:
                if isinstance(frame, HeadersFrame | ContinuationFrame):
                    frame.fields = dict(self._decoder.decode(frame.data))
                self.frames.append(frame)
                return frame

    def _read(self) -> Frame:
        header = self._exactly(9)
        frame, length = Frame.parse_frame_header(memoryview(header))
        frame.parse_body(memoryview(self._exactly(length)))
        return frame

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            data = self.sock.recv(65_536)
            if not data:
                raise EOFError
            self._data += data
        found, self._data = self._data[:size], self._data[size:]
        return found


class Scripted:
    """The server.

    Attributes:
        address: (host, port).
        sessions: one for each connection.
        failures: what the script has raised.
    """

    def __init__(self, script: Callable[[Session], object], greets: bool) -> None:
        self.script = script
        self.greets = greets
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.sessions: list[Session] = []
        self.failures: list[BaseException] = []
        self.threads: list[Any] = []

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                session = Session(len(self.sessions), sock)
                self.sessions.append(session)
                self.threads.append(detect().spawn(self.serve, session))

    def serve(self, session: Session) -> None:
        try:
            if self.greets:
                session._exactly(PREFACE)
                session.settings()
            self.script(session)
        except (OSError, EOFError):
            pass
        except BaseException as error:
            self.failures.append(error)
        finally:
            session.sock.close()


@contextmanager
def scripted(script: Callable[[Session], object], *, greets: bool = True) -> Iterator[Scripted]:
    """Run a server. Each connection runs the script and is closed.

    Args:
        script: what a connection does.
        greets: whether it reads the preface and sends its settings first.
    """
    server = Scripted(script, greets)
    accepting = detect().spawn(server.accept)
    try:
        yield server
    finally:
        with suppress(OSError):
            server.listener.shutdown(socket.SHUT_RDWR)
        for session in server.sessions:
            with suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)
        for thread in [accepting, *server.threads]:
            detect().get(thread, 20)
        server.listener.close()
        assert server.failures == []
