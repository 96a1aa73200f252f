"""One client's connection: reads its requests, one after the other, and answers each."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ...green.backends import choice as backend
from ...green.backends.choice import native
from ...wire.tstorage.layout import Form
from ...wire.tstorage.outcome import Malformed
from ...wire.tstorage.replies import (
    ACCEPTED,
    ERROR,
    FAILED_END,
    acq_reply,
    end_of_records,
    put_reply,
)
from ...wire.tstorage.requests import AcqRequest, GetRequest, PutBegun, PutDone, PutPiece, RequestReader
from ..leader.after_fork import abandon_socket
from .problems import Refused

if TYPE_CHECKING:
    from ...wire.tstorage.record import Key
    from ...wire.tstorage.requests import RequestEvent
    from .limits import Limits
    from .staging import StagedPut
    from .store import RecordStore

__all__ = ["Session"]

_RECEIVED_AT_ONCE = 256 << 10

_READ_NATIVELY = 16 << 10
"""Bytes that are read in a native thread: a hub would stand still for too long."""

_SMALL_PIECE = 512
"""Records that are staged where they are. With more, a hub would stand still for too long."""

_WHOLE_REPLY = 64 << 10
"""Bytes of a reply that is sent at once. The header of a longer one leaves before its records."""

_HEADER_LEAD = 0.003
"""Seconds between that header and the first record. A client of TStorage that reads arrays fails if its first
read has the header and a part of a row: it looks for the end mark at a wrong place."""

_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)

_log = logging.getLogger("flowthings_like.platform.records")


class Session:
    """A connection, from its first byte to its last.

    Args:
        store: what is read and written.
        sock: the connected socket. It belongs to the session.
        peer: the client's address, for the log.
        limits: its time-outs.

    Attributes:
        is_busy: whether a request is under way.
    """

    def __init__(self, store: RecordStore, sock: socket.socket, peer: str, limits: Limits) -> None:
        self._store = store
        self._sock = sock
        self._peer = peer
        self._limits = limits
        self._reader = RequestReader()
        self._put: StagedPut | None = None
        self._buffer = memoryview(bytearray(_RECEIVED_AT_ONCE))
        self._error = ERROR
        self.is_busy = False

    def serve(self) -> None:
        """Answer requests until the connection ends, or one is refused."""
        try:
            self._answer_all()
        except Refused as refused:
            _log.info("a request from %s was refused: %s", self._peer, refused)
            self._refuse()
        except OSError:
            pass  # the client has closed the connection, or was silent for too long
        except Exception:
            _log.exception("the connection from %s failed", self._peer)
            self._refuse()
        finally:
            self.close()

    def abort(self) -> None:
        """End the connection at once."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        """In a forked child: close the inherited socket without any effect on the parent."""
        abandon_socket(self._sock)

    def close(self) -> None:
        """Forget a put that was not received whole, and close the socket. More calls do nothing."""
        put, self._put = self._put, None
        if put is not None:
            put.discard()
        with suppress(OSError):
            self._sock.close()

    def _answer_all(self) -> None:
        here = backend.detect()
        while count := self._receive():
            data = self._buffer[:count]
            if count < _READ_NATIVELY:
                events = self._reader.feed(data)
            else:
                here.fair_yield()
                events = native(self._reader.feed, data)
            for event in events:
                self._handle(event)
            if self._put is not None:
                self._put.note_unfinished(self._reader.buffered)
            self.is_busy = not self._reader.is_idle

    def _receive(self) -> int:
        limits = self._limits
        self._sock.settimeout(limits.idle_timeout if self._reader.is_idle else limits.stall_timeout)
        if _QUICK_ACK is not None:
            # A client that sends a put in small pieces waits for the acknowledgement of each: 40 ms.
            with suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        return self._sock.recv_into(self._buffer)

    def _handle(self, event: RequestEvent) -> None:
        self.is_busy = True
        match event:
            case PutPiece(block):
                assert self._put is not None
                put = self._put
                if len(block) < _SMALL_PIECE:
                    put.add(block.columns())
                else:
                    native(lambda: put.add(block.columns()))
            case PutBegun(form):
                self._put = self._store.begin_put(form is Form.PUTA)
            case PutDone():
                self._finish_put()
            case GetRequest(low, high):
                self._answer_get(low, high)
            case AcqRequest(low, high):
                self._send(acq_reply(self._store.acq(low, high)))
            case Malformed(reason):
                raise Refused(reason)

    def _finish_put(self) -> None:
        put, self._put = self._put, None
        assert put is not None
        stamps = self._store.put(put)
        self._send(put_reply(-1, -1) if put.has_acq else put_reply(stamps.lowest, stamps.highest))

    def _answer_get(self, low: Key, high: Key) -> None:
        found = self._store.get(low, high)
        end = end_of_records(found.acq)
        first: list[memoryview] = []
        size = len(ACCEPTED) + len(end)
        while size <= _WHOLE_REPLY and (records := found.next()) is not None:
            first.append(records)
            size += len(records)
        if size <= _WHOLE_REPLY:
            self._send(b"".join([ACCEPTED, *first, end]))
            return
        self._send(ACCEPTED)
        self._error = FAILED_END  # if reading fails from now on
        backend.detect().sleep(_HEADER_LEAD)
        while first:
            self._send(first.pop(0))
        while (records := found.next()) is not None:
            self._send(records)
        self._send(end)
        self._error = ERROR

    def _send(self, data: bytes | memoryview) -> None:
        self._sock.settimeout(self._limits.stall_timeout)
        self._sock.sendall(data)

    def _refuse(self) -> None:
        """Send the error, and give the client time to read it: closing with unread bytes would reset it."""
        deadline = time.monotonic() + self._limits.linger
        with suppress(OSError):
            self._send(self._error)
            self._sock.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self._sock.settimeout(left)
                if not self._sock.recv_into(self._buffer):
                    break
