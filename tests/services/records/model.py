"""A store in memory behind the protocol, as far as the tests of channels need one."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack, unpack_from

from flowthings_like.records import Key
from tests.transport.records.scripted import REFUSED, Session, record, reply

__all__ = ["Model"]


class Model:
    """The records that were put, and answers to requests. Each put gets the next acq.

    Attributes:
        stored: the records as they came, in order.
        clock: the acq of the next put, and the horizon.
    """

    def __init__(self, stored: Iterable[tuple[Key, bytes]] = (), clock: int = 100) -> None:
        self.stored = list(stored)
        self.clock = clock

    def answer(self, session: Session, request: bytes) -> bytes | None:
        (command,) = unpack_from("<i", request)
        if command in (5, 6):
            return self._put(request, is_with_acq=command == 6)
        key_min, key_max = Key(*unpack_from("<iqiqq", request, 12)), Key(*unpack_from("<iqiqq", request, 44))
        acq = min(key_max.acq, self.clock)
        if key_min.cid < 0 or key_max.cid < 0 or key_min.acq > self.clock:
            return self._refuse(session)
        if command == 7:
            return pack("<iQq", 0, 8, acq)
        key_max = key_max._replace(acq=acq)
        if any(low >= high for low, high in zip(key_min, key_max, strict=True)):
            return self._refuse(session)
        found = [
            record(key, payload)
            for key, payload in sorted(self.stored)
            if all(low <= at < high for low, at, high in zip(key_min, key, key_max, strict=True))
        ]
        return reply(*found, acq=acq)

    def _refuse(self, session: Session) -> None:
        session.send(REFUSED)

    def _put(self, request: bytes, *, is_with_acq: bool) -> bytes:
        self.clock += 1
        acq, at = self.clock - 1, 12
        while (cid := unpack_from("<i", request, at)[0]) >= 0:
            end = at + 8 + unpack_from("<i", request, at + 4)[0]
            at += 8
            while at < end:
                (size,) = unpack_from("<i", request, at)
                short = unpack_from("<qiqq" if is_with_acq else "<qiq", request, at + 4)
                key = Key(cid, *short) if is_with_acq else Key(cid, *short, acq)
                self.stored.append((key, request[at + (32 if is_with_acq else 24) : at + 4 + size]))
                at += 4 + size
        lowest, highest = (-1, -1) if is_with_acq else (acq, acq)
        return pack("<iQqq", 0, 16, lowest, highest)
