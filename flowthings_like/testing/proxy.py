"""A TCP proxy that fails on purpose.

    client ---- FaultProxy ---- server
                 cut, stall, pieces, garble

It knows no protocol but the one rule that most have: the client asks, the server answers. What a client says
after it was last answered begins a new exchange, and each exchange may have one fault. One thread looks after
each connection, a green one in a patched process.
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
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST


@dataclass(frozen=True)
class Fault:
    """What goes wrong in one exchange. Make one with the class methods.

    Attributes:
        name: as it is counted.
        cut_request: after so many bytes of the request reached the server both connections are cut.
        cut_answer: after so many bytes of the answer reached the client both connections are cut.
        stall: seconds before the answer's first byte goes to the client.
        pieces: bytes of the answer that go to the client at a time.
        garble: the place of a byte of the answer that is changed on the way.
        reset: whether a cut is a reset rather than an orderly end.
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
        """Cut when `after` bytes of the request have reached the server."""
        return cls("lose_request", cut_request=after, reset=reset)

    @classmethod
    def lose_answer(cls, after: int = 0, *, reset: bool = False) -> Fault:
        """Cut when the server has answered and `after` bytes of that have reached the client.

        By then the server has taken the request and acted on it; the client cannot know.
        """
        return cls("lose_answer", cut_answer=after, reset=reset)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """Keep the answer back for so long."""
        return cls("delay", stall=seconds)

    @classmethod
    def split(cls, size: int = 1) -> Fault:
        """Hand the answer over in pieces of `size` bytes, each in a packet of its own."""
        return cls("split", pieces=size)

    @classmethod
    def spoil(cls, at: int = 0) -> Fault:
        """Change the byte at that place of the answer."""
        return cls("spoil", garble=at)


Plan = Callable[[int], "Fault | None"]
"""What goes wrong in the n-th exchange, counted from 0 over all connections; None for nothing."""


def sometimes(fault: Fault, share: float, seed: int = 0) -> Plan:
    """A plan by which `fault` strikes that share of the exchanges, the same ones for the same seed."""

    def plan(number: int) -> Fault | None:
        return fault if random.Random(f"{seed} {number}").random() < share else None

    return plan


class FaultProxy:
    """Listens on a free port of this machine and hands on what comes to `upstream`, faults included.

        with FaultProxy("127.0.0.1:8080", sometimes(Fault.lose_answer(), 0.2)) as proxy:
            api = API(token, host=proxy.address, secure=False)

    Args:
        upstream: host:port. May be changed at any time, as when a server comes back at another port.
        plan: which exchange fails and how; None for no faults. May be changed at any time.

    Attributes:
        address: host:port to connect to.
        counts: how many `connections` and `exchanges` there were, how often each fault struck, and how many
            connections were `forgotten`.
    """

    def __init__(self, upstream: str, plan: Plan | None = None) -> None:
        self.upstream = upstream
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self.address = ""
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._open: dict[_Wire, threading.Thread] = {}
        self._closing = False

    def once(self, fault: Fault) -> None:
        """Let `fault` strike the next exchange, and none after it."""
        first = self.counts["exchanges"]
        self.plan = lambda number: fault if number == first else None

    def forget(self) -> None:
        """Let the connections there are die without a word, as when a firewall on the way has forgotten them.

        They stay open, and whatever comes on them is swallowed. New connections are handed on.
        """
        for wire in list(self._open):
            wire.forgotten = True
            self.counts["forgotten"] += 1

    def start(self) -> FaultProxy:
        """Begin to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()
        return self

    def close(self) -> None:
        """Cut all connections and stop listening; return when every thread has ended."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._closing = True
        with socket.create_connection(listener.getsockname(), timeout=10):  # wakes whoever accepts
            assert self._acceptor is not None
            self._acceptor.join()
        listener.close()
        for wire, thread in list(self._open.items()):
            wire.wake()
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
            wire = _Wire(self, client)
            thread = threading.Thread(target=self._carry, args=(wire,), daemon=True)
            self._open[wire] = thread
            thread.start()

    def _carry(self, wire: _Wire) -> None:
        try:
            wire.carry()
        finally:
            self._open.pop(wire, None)

    def _next(self) -> Fault | None:
        """The fault of the exchange that begins."""
        number = self.counts["exchanges"]
        self.counts["exchanges"] += 1
        fault = self.plan(number) if self.plan is not None else None
        if fault is not None:
            self.counts[fault.name] += 1
        return fault


class _Cut(Exception):
    """Enough bytes have passed."""


class _Wire:
    """One connection and its other half."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._fault: Fault | None = None
        self._asked = 0
        self._answered: int | None = None  # bytes of the answer under way; None before the first exchange
        self.forgotten = False

    def carry(self) -> None:
        """Hand bytes on until one side ends, or a fault ends it."""
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
            pass  # one side is gone, and so is the other in a moment
        finally:
            for half in (self._server, self._client):
                if half is not None:
                    _end(half, reset=reset)

    def wake(self) -> None:
        """Have `carry` end."""
        for half in (self._client, self._server):
            if half is not None:
                _shut(half)

    def _step(self, server: socket.socket) -> bool:
        ready, _, _ = select.select([self._client, server], [], [])
        if server in ready:  # an answer first: what comes after it is a new exchange
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
                time.sleep(0)  # gives way, so that the other end reads each piece by itself
        if fault.cut_answer is not None and self._answered >= fault.cut_answer:
            raise _Cut


def _shut(half: socket.socket) -> None:
    with suppress(OSError):  # it may be shut already
        half.shutdown(socket.SHUT_RDWR)


def _end(half: socket.socket, *, reset: bool) -> None:
    if reset:
        half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    else:
        _shut(half)
    half.close()
