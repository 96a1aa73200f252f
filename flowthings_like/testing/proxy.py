"""A TCP proxy that fails on purpose.

    client ---- FaultProxy ---- server
                 cut, stall, pieces, garble

It knows no protocol. It relies on one rule that most protocols have: the client asks and the server answers.
Bytes from the client after an answer begin a new exchange, and each exchange may have one fault. Each
connection is served by a thread, which is a green thread in a patched process.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["Fault", "FaultProxy", "sometimes"]

_CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # the value of SO_LINGER by which close() sends a RST


@dataclass(frozen=True)
class Fault:
    """What goes wrong in one exchange. Use the class methods to make one.

    Attributes:
        name: the key under which the proxy counts the fault.
        cut_request: both connections are closed after so many bytes of the request have reached the server.
        cut_answer: both connections are closed after so many bytes of the answer have reached the client.
        stall: seconds before the first byte of the answer is sent to the client.
        pieces: how many bytes of the answer are sent to the client at a time.
        garble: the position of the byte of the answer that is changed.
        reset: whether the connections are closed by a RST instead of a FIN.
    """

    name: str
    cut_request: int | None = None
    cut_answer: int | None = None
    stall: float = 0.0
    pieces: int | None = None
    garble: int | None = None
    reset: bool = False

    @classmethod
    def lose_request(cls, after: int = 0, *, reset: bool = False) -> Fault:
        """Close the connections when `after` bytes of the request have reached the server."""
        return cls("lose_request", cut_request=after, reset=reset)

    @classmethod
    def lose_answer(cls, after: int = 0, *, reset: bool = False) -> Fault:
        """Close the connections when `after` bytes of the answer have reached the client.

        The server has acted on the request by then, and the client cannot know.
        """
        return cls("lose_answer", cut_answer=after, reset=reset)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Hold the answer back for so many seconds."""
        return cls("delay", stall=seconds)

    @classmethod
    def split(cls, size: int = 1) -> Fault:
        """Send the answer in pieces of `size` bytes, each in its own packet."""
        return cls("split", pieces=size)

    @classmethod
    def spoil(cls, at: int = 0) -> Fault:
        """Change the byte at that position of the answer."""
        return cls("spoil", garble=at)


Plan = Callable[[int], "Fault | None"]
"""A function from the number of an exchange, counted from 0 over all connections, to its fault or None."""


def sometimes(fault: Fault, share: float, seed: int = 0) -> Plan:
    """A plan that gives the fault to this share of the exchanges, the same ones for the same seed."""

    def plan(number: int) -> Fault | None:
        return fault if random.Random(f"{seed} {number}").random() < share else None

    return plan


class FaultProxy:
    """Listens on a free local port and relays each connection to `upstream`, with faults.

        with FaultProxy("127.0.0.1:8080", sometimes(Fault.lose_answer(), 0.2)) as proxy:
            api = API(token, host=proxy.address, secure=False)

    Args:
        upstream: host:port. It may be changed at any time, as when a server restarts on another port.
        plan: which exchange has which fault; None for no faults. It may be changed at any time.

    Attributes:
        address: the host:port to connect to.
        counts: the number of `connections`, of `exchanges`, of each fault, and of `forgotten` connections.
    """

    def __init__(self, upstream: str, plan: Plan | None = None) -> None:
        self.upstream = upstream
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self.address = ""
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._open: dict[_Relay, threading.Thread] = {}
        self._closing = False

    def once(self, fault: Fault) -> None:
        """Give the fault to the next exchange, and to no other."""
        first = self.counts["exchanges"]
        self.plan = lambda number: fault if number == first else None

    def forget(self) -> None:
        """Stop relaying the open connections without closing them, as a firewall that has forgotten them.

        Bytes that arrive on them are dropped. New connections are relayed.
        """
        for relay in list(self._open):
            relay.forgotten = True
            self.counts["forgotten"] += 1

    def start(self) -> FaultProxy:
        """Start to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()
        return self

    def close(self) -> None:
        """Close all connections, stop listening, and wait for all threads."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._closing = True
        with socket.create_connection(listener.getsockname(), timeout=10):  # ends the wait in accept()
            assert self._acceptor is not None
            self._acceptor.join()
        listener.close()
        for relay, thread in list(self._open.items()):
            relay.wake()
            thread.join()

    def __enter__(self) -> FaultProxy:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            if self._closing:
                client.close()
                return
            self.counts["connections"] += 1
            relay = _Relay(self, client)
            thread = threading.Thread(target=self._serve, args=(relay,), daemon=True)
            self._open[relay] = thread
            thread.start()

    def _serve(self, relay: _Relay) -> None:
        try:
            relay.run()
        finally:
            self._open.pop(relay, None)

    def _next(self) -> Fault | None:
        """Count a new exchange, and return its fault."""
        number = self.counts["exchanges"]
        self.counts["exchanges"] += 1
        fault = self.plan(number) if self.plan is not None else None
        if fault is not None:
            self.counts[fault.name] += 1
        return fault


class _Cut(Exception):
    """Raised when it is time to close the connections."""


class _Relay:
    """One connection from a client, and the connection to the server for it."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._fault: Fault | None = None
        self._asked = 0
        self._answered: int | None = None  # bytes of the current answer; None before the first exchange
        self.forgotten = False

    def run(self) -> None:
        """Relay bytes until one side closes, or a fault closes both."""
        reset = False
        try:
            host, _, port = self._proxy.upstream.rpartition(":")
            self._server = server = socket.create_connection((host, int(port)), timeout=30)
            server.settimeout(None)
            for one in (self._client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._step(server):
                pass
        except _Cut:
            reset = self._fault is not None and self._fault.reset
        except (OSError, ValueError):
            pass  # one side is closed; the other is closed below
        finally:
            for side in (self._server, self._client):
                if side is not None:
                    _close(side, reset=reset)

    def wake(self) -> None:
        """Make `run` return."""
        for side in (self._client, self._server):
            if side is not None:
                _shut_down(side)

    def _step(self, server: socket.socket) -> bool:
        ready, _, _ = select.select([self._client, server], [], [])
        if server in ready:  # the answer first, because bytes from the client after it begin a new exchange
            data = server.recv(_CHUNK)
            if data and not self.forgotten:
                self._answer(data)
            return bool(data)
        data = self._client.recv(_CHUNK)
        if data and not self.forgotten:
            self._ask(server, data)
        return bool(data)

    def _ask(self, server: socket.socket, data: bytes) -> None:
        if self._answered != 0:
            self._fault = self._proxy._next()
            self._asked = self._answered = 0
        fault = self._fault
        if fault is not None and fault.cut_request is not None:
            server.sendall(data[: max(0, fault.cut_request - self._asked)])
            self._asked += len(data)
            if self._asked >= fault.cut_request:
                raise _Cut
            return
        server.sendall(data)

    def _answer(self, data: bytes) -> None:
        begun = self._answered or 0
        self._answered = begun + len(data)
        fault = self._fault
        if fault is None:
            self._client.sendall(data)
            return
        if fault.stall and not begun:
            time.sleep(fault.stall)
        if fault.garble is not None and begun <= fault.garble < self._answered:
            at = fault.garble - begun
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        if fault.cut_answer is not None:
            data = data[: max(0, fault.cut_answer - begun)]
        size = fault.pieces or len(data) or 1
        for first in range(0, len(data), size):
            self._client.sendall(data[first : first + size])
            if fault.pieces:
                time.sleep(0)  # lets the client read each piece by itself
        if fault.cut_answer is not None and self._answered >= fault.cut_answer:
            raise _Cut


def _shut_down(side: socket.socket) -> None:
    with suppress(OSError):  # it may be shut down already
        side.shutdown(socket.SHUT_RDWR)


def _close(side: socket.socket, *, reset: bool) -> None:
    if reset:
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    else:
        _shut_down(side)
    side.close()
