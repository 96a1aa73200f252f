"""Puts of one record, one after the other, on one connection."""

from __future__ import annotations

import socket
from pathlib import Path

from benchmarks import Target
from benchmarks._canned_records import canned, fastest
from benchmarks._record_channels import ours, raw

TITLE = "binary records: puts of one record, one after the other"
UNIT = "puts/s"
PEER = "one by one, threads"
SERVER = canned(0)
PUTS, FEW = 5_000, 20


def sequential(folder: Path) -> float:
    from flowthings_like.records import Key, Record

    records = [Record(Key(7, 1, 0, 1_000, 1), 0.5)]
    with ours() as channel:
        channel.put(records).raise_for_status()

        def run() -> None:
            for _ in range(PUTS):
                channel.put(records)

        return PUTS / fastest(run)


def by_the_peer(folder: Path) -> float:
    """The per-record method, whose three writes wait for the server's delayed acknowledgements."""
    from benchmarks._records_one_by_one import Float, Key, Record, encode_put

    records = [Record(Key(7, 1, 0, 1_000, 1), 0.5)]
    with raw() as connection:

        def run() -> None:
            for _ in range(FEW):
                for part in encode_put(records, Float()):
                    connection.sendall(part)
                connection.recv(28, socket.MSG_WAITALL)

        return FEW / fastest(run)


def by_hand(folder: Path) -> float:
    """A socket and the bytes of the request, in one write: the most that Python can do."""
    from benchmarks._records_one_by_one import Float, Key, Record, encode_put

    request = b"".join(encode_put([Record(Key(7, 1, 0, 1_000, 1), 0.5)], Float()))
    with raw() as connection:

        def run() -> None:
            for _ in range(PUTS):
                connection.sendall(request)
                connection.recv(28, socket.MSG_WAITALL)

        return PUTS / fastest(run)


CONTENDERS = {
    PEER: by_the_peer,
    "raw socket, threads": by_hand,
    "channel, threads": sequential,
    "channel, gevent": sequential,
    "channel, eventlet": sequential,
}
TARGETS = [
    Target("channel, threads", at_least=25_000),
    Target("channel, gevent", at_least=25_000),
    Target("channel, threads", "raw socket, threads", at_least=0.7),
]
