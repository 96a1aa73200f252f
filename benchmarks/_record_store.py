"""The record store of an embedded platform in a process of its own, records for it, and a socket to it."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks._processes import serving_until_closed

MILLION = 1_000_000
METERS = 1_000
SECOND = 10**9
HOUR = 1_000 * SECOND
"""A million records are 1,000 seconds of 1,000 meters."""

STORE = """
import sys
from gevent import monkey; monkey.patch_all()
from gevent.os import tp_read
from flowthings_like.platform.embedded import open_platform
platform = open_platform(sys.argv[1], "acme")
print(*platform.records_address(), flush=True)
tp_read(0, 1)  # waits until stdin is closed, in a native thread
platform.close()
"""


def embedded(folder: Path) -> AbstractContextManager[str]:
    """What a benchmark's SERVER is: the store on the last core, as "host port"."""
    return serving_until_closed(STORE, folder / "platform")


def connect() -> socket.socket:
    """A connection to the store that the environment names."""
    host, port = os.environ["BENCHMARK_SERVER"].split()
    sock = socket.create_connection((host, int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def rows(number: int, payload_size: int = 8) -> Any:
    """The `number`-th million of records, as the rows of a PUT: each second, a value of each meter."""
    import numpy as np

    kinds = [("size", "<i4"), ("mid", "<i8"), ("moid", "<i4"), ("cap", "<i8")]
    found = np.zeros(MILLION, np.dtype([*kinds, ("payload", f"V{payload_size}")]))
    found["size"] = 20 + payload_size
    found["mid"] = np.tile(np.arange(METERS), MILLION // METERS)
    found["moid"] = 7
    found["cap"] = np.repeat(np.arange(MILLION // METERS), METERS) * SECOND + number * HOUR
    values = np.random.default_rng(number).bytes(MILLION * payload_size)
    found["payload"] = np.frombuffer(values, f"V{payload_size}")
    return found


def put(sock: socket.socket, rows: Any, cid: int = 1) -> None:
    """Put rows with one request, and wait for the reply."""
    sock.sendall(struct.pack("<iQii", 5, 0, cid, rows.nbytes))
    sock.sendall(memoryview(rows.view("u1")))
    sock.sendall(struct.pack("<i", -1))
    reply = receive(sock, 28)
    assert reply[:12] == struct.pack("<iQ", 0, 16)


def get(sock: socket.socket, first_cap: int, last_cap: int, count: int, cid: int = 1) -> None:
    """Get the records of a time, of which there are so many, with 8 bytes each."""
    low = struct.pack("<iqiqq", cid, 0, 0, first_cap, 0)
    high = struct.pack("<iqiqq", cid + 1, 1 << 40, 99, last_cap, (1 << 63) - 1)
    sock.sendall(struct.pack("<iQ", 1, 64) + low + high)
    reply = receive(sock, 36 + 44 * count)
    assert reply[-20:-8] == struct.pack("<iQ", 0, 8)


def receive(sock: socket.socket, size: int) -> memoryview:
    """Exactly so many bytes."""
    data = memoryview(bytearray(size))
    left = data
    while left:
        count = sock.recv_into(left)
        assert count
        left = left[count:]
    return data
