"""Putting a million records with payloads of 8 bytes, to a server that throws them away."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._canned_records import RECORDS, canned, fastest
from benchmarks._record_channels import columns, objects, ours, raw

TITLE = "binary records: 1,000,000 put, 8-byte payloads, to a discarding server"
UNIT = "records/s"
PEER = "one by one, threads"
SERVER = canned(0)


def putting(make: Callable[[], Any]) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        records = make()
        with ours() as channel:
            channel.put(records[:10]).raise_for_status()
            return RECORDS / fastest(lambda: channel.put(records).raise_for_status())

    return measure


def one_by_one(folder: Path) -> float:
    """Records as objects, by the per-record method."""
    from benchmarks._records_one_by_one import Float, Key, Record, encode_put

    records = [Record(Key(7, number, 0, number * 1_000, number), number / 8) for number in range(RECORDS)]
    with raw() as connection:

        def put() -> None:
            for part in encode_put(records, Float()):
                connection.sendall(part)
            connection.recv(28, socket.MSG_WAITALL)

        return RECORDS / fastest(put)


CONTENDERS = {
    PEER: one_by_one,
    "columns, threads": putting(columns),
    "columns, gevent": putting(columns),
    "columns, eventlet": putting(columns),
    "Records, threads": putting(objects),
    "Records, gevent": putting(objects),
}
TARGETS = [
    Target("columns, threads", at_least=25e6),
    Target("columns, gevent", at_least=25e6),
    Target("Records, threads", at_least=3e6),
    Target("columns, threads", PEER, at_least=15),
    Target("Records, threads", PEER, at_least=1.5),
]
