"""Getting a million records with payloads of 8 bytes, from a server that has the reply ready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._canned_records import RECORDS, canned, fastest
from benchmarks._record_channels import ours, raw

TITLE = "binary records: 1,000,000 got, 8-byte payloads, from a prebuilt reply"
UNIT = "records/s"
PEER = "one by one, threads"
SERVER = canned()


def everything(channel: Any) -> Any:
    from flowthings_like.records import Key

    return channel.get(Key.min(), Key.max()).raise_for_status().data


def as_columns(channel: Any) -> int:
    return len(everything(channel))


def as_objects(channel: Any) -> int:
    return len(list(everything(channel)))


def one_by_one(channel: Any) -> int:
    from flowthings_like.records import Key

    return sum(1 for _ in channel.get_iter(Key.min(), Key.max())) - 1  # the last one is the response


def getting(get: Callable[[Any], int]) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        with ours() as channel:
            assert get(channel) == RECORDS
            return RECORDS / fastest(lambda: get(channel))

    return measure


def by_the_peer(folder: Path) -> float:
    """Records as objects, by the per-record method."""
    from benchmarks._records_one_by_one import Float, decode_records
    from flowthings_like.records import Key
    from flowthings_like.wire.tstorage.requests import get_request

    request = get_request(Key.min(), Key.max())
    with raw() as connection:

        def get() -> None:
            connection.sendall(request)
            records, _ = decode_records(connection.recv_into, Float())
            assert len(records) == RECORDS

        return RECORDS / fastest(get)


CONTENDERS = {
    PEER: by_the_peer,
    "columns, threads": getting(as_columns),
    "columns, gevent": getting(as_columns),
    "columns, eventlet": getting(as_columns),
    "Records, threads": getting(as_objects),
    "Records, gevent": getting(as_objects),
    "get_iter, threads": getting(one_by_one),
}
TARGETS = [
    Target("columns, threads", at_least=25e6),
    Target("columns, gevent", at_least=25e6),
    Target("Records, threads", at_least=1.5e6),
    Target("columns, threads", PEER, at_least=40),
    Target("Records, threads", PEER, at_least=3),
]
