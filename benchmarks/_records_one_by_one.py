"""TStorage's protocol one record at a time: a straight reimplementation of the per-record method.

This is how the protocol's Python client works, written anew in as few lines as it takes: a frozen dataclass
for each key and each record, a method call for each part of each record, and a receive buffer from which
records are parsed in a loop. It stands here to be compared with, and is used nowhere else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Float", "Key", "Record", "decode_records", "encode_put"]

_HEADER = struct.Struct("<iQ")
_INT32 = struct.Struct("<i")
_BATCH = struct.Struct("<ii")
_KEY = struct.Struct("<iqiqq")
_PUT, _PUTA = 5, 6


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A key, with the methods that the protocol's documents give it."""

    cid: int = -1
    mid: int = -1
    moid: int = -1
    cap: int = -1
    acq: int = -1

    def valid(self) -> bool:
        return self.cid >= 0

    def to_bytes(self, *, with_cid: bool = True, with_acq: bool = True) -> bytes:
        if with_cid:
            if with_acq:
                return struct.pack("<iqiqq", self.cid, self.mid, self.moid, self.cap, self.acq)
            return struct.pack("<iqiq", self.cid, self.mid, self.moid, self.cap)
        if with_acq:
            return struct.pack("<qiqq", self.mid, self.moid, self.cap, self.acq)
        return struct.pack("<qiq", self.mid, self.moid, self.cap)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, offset: int = 0) -> Key | None:
        if len(data) - offset < _KEY.size:
            return None
        key = cls(*_KEY.unpack_from(data, offset))
        return key if key.valid() else None


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """A key and a value."""

    key: Key
    value: Any


class Float:
    """Payloads of one float of 64 bits."""

    def to_bytes(self, value: float) -> bytes:
        return struct.pack("<d", value)

    def from_bytes(self, payload: bytes | memoryview) -> float | None:
        if len(payload) != 8:
            return None
        number: float = struct.unpack("<d", payload)[0]
        return number


def encode_put(
    records: Iterable[Record], payload_type: Float, most: int = 2**31 - 1, *, acq: bool = False
) -> Iterator[bytes | bytearray]:
    """The parts of a put, each to be sent by itself: a header, the batches, the end mark.

    Args:
        most: bytes of a batch, at most.
        acq: whether to send it.
    """
    groups: dict[int, list[Record]] = {}
    for record in records:
        groups.setdefault(record.key.cid, []).append(record)
    yield _HEADER.pack(_PUTA if acq else _PUT, 0)
    for cid, group in groups.items():
        batch = bytearray(_BATCH.size)
        for record in group:
            key = record.key.to_bytes(with_cid=False, with_acq=acq)
            payload = payload_type.to_bytes(record.value)
            size = len(key) + len(payload)
            if len(batch) > _BATCH.size and len(batch) - _BATCH.size + 4 + size > most:
                _BATCH.pack_into(batch, 0, cid, len(batch) - _BATCH.size)
                yield batch
                batch = bytearray(_BATCH.size)
            batch += _INT32.pack(size)
            batch += key
            batch += payload
        _BATCH.pack_into(batch, 0, cid, len(batch) - _BATCH.size)
        yield batch
    yield _INT32.pack(-1)


def decode_records(
    receive_into: Callable[[memoryview], int],
    payload_type: Float,
    buffer_size: int = 65_536,
) -> tuple[list[Record], int]:
    """The records of the reply to a GET, and its acq.

    Args:
        receive_into: fills a buffer, as a socket's `recv_into` does.

    Raises:
        ValueError: a key or a payload is none.
    """
    buffer = bytearray(buffer_size)
    records: list[Record] = []
    filled = at = 0
    has_begun = False
    while True:
        view = memoryview(buffer)
        filled += receive_into(view[filled:])
        if not has_begun and filled >= _HEADER.size:
            has_begun = True
            at = _HEADER.size
        while has_begun and filled - at >= 4:
            (size,) = _INT32.unpack_from(buffer, at)
            if not size:
                if filled - at < 4 + _HEADER.size + 8:
                    break
                return records, int.from_bytes(view[at + 16 : at + 24], "little", signed=True)
            if filled - at < 4 + size:
                break
            key = Key.from_bytes(buffer, at + 4)
            value = payload_type.from_bytes(view[at + 36 : at + 4 + size])
            if key is None or value is None:
                raise ValueError("a record that does not parse")
            records.append(Record(key, value))
            at += 4 + size
        rest = filled - at
        buffer[:rest] = buffer[at:filled]
        filled, at = rest, 0
