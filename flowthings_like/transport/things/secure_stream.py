"""TLS on top of a socket's stream.

The record layer works on buffers in memory, under a lock that is held for no wait: OpenSSL allows no two
threads in one connection at once, and one that read and waited would keep the other from writing.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from contextlib import suppress

from urllib3.exceptions import InsecureRequestWarning

from ...green.backends.contract import detect
from .sockets import CHUNK, TRUST, SocketStream

__all__ = ["SecureStream"]


class SecureStream(SocketStream):
    """An encrypted stream. It takes the place of the plain one, whose socket it goes on with.

    Args:
        plain: connected, nothing sent yet.
        context: what to trust.
        host: the node's name or address, which its certificate must be for.
    """

    def __init__(self, plain: SocketStream, context: ssl.SSLContext, host: str) -> None:
        super().__init__(plain._below, plain.peer)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._layer = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._lock = detect().lock()
        if context.verify_mode == ssl.CERT_NONE:
            warnings.warn(
                f"Unverified TLS: whoever answers for {host} is believed; {TRUST}",
                InsecureRequestWarning,
                stacklevel=4,
            )

    @property
    def owes(self) -> bool:
        return self._outgoing.pending > 0

    def handshake(self) -> None:
        """Agree on keys, and verify the certificate."""
        while True:
            try:
                self._layer.do_handshake()
            except ssl.SSLWantReadError:
                self._send_records()
                if not self._receive_records():
                    raise ConnectionResetError("the connection was closed in the middle of TLS") from None
            except ssl.SSLError:
                self._send_records()  # the alert that tells the other end why
                raise
            else:
                self._send_records()
                return

    def offer(self, packages: Sequence[bytes]) -> bool:
        with self._lock:
            records = self._encrypt(packages)
        return self.offer_bytes(records)

    def _encrypt(self, packages: Sequence[bytes]) -> bytes:
        for package in packages:
            view = memoryview(package)
            while view:
                view = view[self._layer.write(view) :]
        return self._outgoing.read()

    def receive(self) -> bytes:
        while (data := self._decrypt()) is None:
            if not self._receive_records():
                return b""
        return data

    def receive_now(self) -> bytes | None:
        while (data := self._decrypt()) is None:
            records = super().receive_now()
            if not records:
                return records
            with self._lock:
                self._incoming.write(records)
        return data

    def _decrypt(self) -> bytes | None:
        """All that the records hold that are here: the hub only tells of what is still in the socket. None
        if there is no whole one, b"" at the end."""
        with self._lock:
            return self._read_all()

    def _read_all(self) -> bytes | None:
        found: list[bytes] = []
        with suppress(ssl.SSLWantReadError):
            while True:
                try:
                    data = self._layer.read(CHUNK)
                except ssl.SSLZeroReturnError:
                    data = b""
                if not data:
                    return b"".join(found)
                found.append(data)
        return b"".join(found) or None

    def _receive_records(self) -> bool:
        records = super().receive()
        with self._lock:
            self._incoming.write(records)
        return bool(records)

    def _send_records(self) -> None:
        if self._outgoing.pending and not self.offer_bytes(self._outgoing.read()):
            self.flush()
