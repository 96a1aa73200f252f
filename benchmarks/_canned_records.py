"""A TStorage server that does not think: it throws puts away and has the answer to a get ready.

    python -m benchmarks._canned_records [--records N] [--payload BYTES]

It prints its port. A thread serves each connection. A put is read to its end mark, which no record of the
benchmarks contains, and acknowledged. Every get has the same N records.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from benchmarks._processes import on_last_core

RECORDS = 1_000_000
PAYLOAD = 8

_HEADER = struct.Struct("<iQ")
_KEYS = 64
_GET, _PUT, _PUTA, _GETACQ = 1, 5, 6, 7
_END = b"\xff\xff\xff\xff"
_ACQ = struct.pack("<q", 817_000_000_000_000_000)
_STORED = _HEADER.pack(0, 16) + _ACQ + _ACQ
_HORIZON = _HEADER.pack(0, 8) + _ACQ


def reply(records: int, payload: int) -> bytes:
    """The answer to a get: keys of one client that count up, and payloads that are doubles and zeros."""
    import numpy as np

    key = [("cid", "<i4"), ("mid", "<i8"), ("moid", "<i4"), ("cap", "<i8"), ("acq", "<i8")]
    value = [("value", "<f8"), ("rest", f"V{payload - 8}")] if payload else []
    rows = np.zeros(records, [("size", "<i4"), *key, *value])
    rows["size"], rows["cid"], rows["acq"] = 32 + payload, 7, 1_000_000
    rows["mid"] = np.arange(records)
    rows["cap"] = np.arange(records) * 1_000
    if payload:
        rows["value"] = np.arange(records) / 8
    return _HEADER.pack(0, 0) + rows.tobytes() + bytes(4) + _HORIZON


def _converse(connection: socket.socket, answer: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    while True:
        had = connection.recv_into(view)
        while 0 < had < _HEADER.size:
            had += connection.recv_into(view[had:])
        if not had:
            return
        command, _ = _HEADER.unpack_from(buffer)
        if command in (_PUT, _PUTA):
            tail = bytes(view[max(_HEADER.size, had - 4) : had])
            while tail != _END:
                size = connection.recv_into(view)
                if not size:
                    return
                tail = bytes(view[size - 4 : size]) if size >= 4 else (tail + bytes(view[:size]))[-4:]
            connection.sendall(_STORED)
            continue
        while had < _HEADER.size + _KEYS:
            had += connection.recv_into(view[had:])
        connection.sendall(answer if command == _GET else _HORIZON)


def _serve(connection: socket.socket, answer: bytes) -> None:
    with closing(connection), suppress(ConnectionError):
        _converse(connection, answer)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--payload", type=int, default=PAYLOAD)
    arguments = parser.parse_args()
    answer = reply(arguments.records, arguments.payload)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, answer), daemon=True).start()


def canned(records: int = RECORDS, payload: int = PAYLOAD) -> Callable[[Path], object]:
    """What a benchmark's SERVER is: such a server on the last core, as its port."""

    @contextmanager
    def running(_folder: Path) -> Iterator[str]:
        command = [sys.executable, "-m", "benchmarks._canned_records"]
        options = ["--records", str(records), "--payload", str(payload)]
        with on_last_core([*command, *options], stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            yield server.stdout.readline().strip()

    return running


def port() -> int:
    """The port of the server that the environment names."""
    return int(os.environ["BENCHMARK_SERVER"])


def fastest(run: Callable[[], object], rounds: int = 3) -> float:
    """The seconds of the fastest of some rounds; the others are slowed down by other programs."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    main()
