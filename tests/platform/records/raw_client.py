"""A client of the record store that packs and unpacks bytes by itself, so that it can send anything."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

I32_MAX, I64_MAX = 2**31 - 1, 2**63 - 1
I32_MIN, I64_MIN = -(2**31), -(2**63)

ERROR = b"\xff\xff\xff\xff" + bytes(8)


class Stored(NamedTuple):
    """A record: its key and its payload."""

    cid: int
    mid: int
    moid: int
    cap: int
    acq: int
    payload: bytes


LOWEST = (0, I64_MIN, I32_MIN, I64_MIN, I64_MIN)
HIGHEST = (I32_MAX, I64_MAX, I32_MAX, I64_MAX, I64_MAX)

Key = tuple[int, int, int, int, int]


def header(command: int, size: int = 0) -> bytes:
    return struct.pack("<iQ", command, size)


def key(fields: Key) -> bytes:
    return struct.pack("<iqiqq", *fields)


def get_request(low: Key = LOWEST, high: Key = HIGHEST) -> bytes:
    return header(1, 64) + key(low) + key(high)


def acq_request(low: Key = LOWEST, high: Key = HIGHEST) -> bytes:
    return header(7, 64) + key(low) + key(high)


def batches(records: Iterable[Stored], with_acq: bool = False) -> bytes:
    """A batch for each record."""
    return b"".join(batch(record.cid, [record], with_acq) for record in records)


def batch(cid: int, records: Iterable[Stored], with_acq: bool = False) -> bytes:
    parts = []
    for record in records:
        short = struct.pack("<qiq", *record[1:4]) + (struct.pack("<q", record.acq) if with_acq else b"")
        parts += [struct.pack("<i", len(short) + len(record.payload)), short, record.payload]
    packed = b"".join(parts)
    return struct.pack("<ii", cid, len(packed)) + packed


END = struct.pack("<i", -1)


def put_request(records: Iterable[Stored], with_acq: bool = False) -> bytes:
    return header(6 if with_acq else 5) + batches(records, with_acq) + END


class RawClient:
    """A connection.

    Args:
        address: (host, port) of the store.
    """

    def __init__(self, address: tuple[str, int], timeout: float = 60.0) -> None:
        self.sock = socket.create_connection(tuple(address), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.sock.makefile("rb", 1 << 18)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def receive(self, size: int) -> bytes:
        """Exactly so many bytes. Raises EOFError if the connection ends before."""
        found = self._file.read(size)
        if len(found) < size:
            raise EOFError(f"{len(found)} bytes of {size}")
        return found

    def put_reply_or_error(self) -> bytes:
        """The reply to a put, or an error."""
        return found if (found := self.receive(12)) == ERROR else found + self.receive(16)

    def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        return self._file.read()

    def put(self, records: Iterable[Stored], with_acq: bool = False) -> tuple[int, int]:
        """Put records. Returns the two stamps of the reply."""
        self.send(put_request(records, with_acq))
        return self.put_reply()

    def put_reply(self) -> tuple[int, int]:
        code, size, lowest, highest = struct.unpack("<iQqq", self.receive(28))
        assert (code, size) == (0, 16)
        return lowest, highest

    def acq(self, low: Key = LOWEST, high: Key = HIGHEST) -> int:
        self.send(acq_request(low, high))
        code, size, acq = struct.unpack("<iQq", self.receive(20))
        assert (code, size) == (0, 8)
        return int(acq)

    def get(self, low: Key = LOWEST, high: Key = HIGHEST) -> tuple[list[Stored], int]:
        """Get records. Returns them and the acq of the end."""
        self.send(get_request(low, high))
        assert self.receive(12) == bytes(12)
        records = list(self._records())
        code, size, acq = struct.unpack("<iQq", self.receive(20))
        assert (code, size) == (0, 8)
        return records, acq

    def _records(self) -> Iterator[Stored]:
        while size := struct.unpack("<i", self.receive(4))[0]:
            record = self.receive(size)
            yield Stored(*struct.unpack_from("<iqiqq", record), record[32:])

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
