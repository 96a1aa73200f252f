"""TLS on top of any byte stream: contexts that say whom to trust, and the encrypted stream.

OpenSSL works on buffers in memory here. So the socket below stays an ordinary one, plain or green, and after
an interrupt exactly one object owns it. OpenSSL is called under a lock, because it allows only one thread at
a time in a connection. The lock is never held while waiting: a thread that waits to read would keep others
from writing.
"""

from __future__ import annotations

import ssl
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
from urllib3.exceptions import InsecureRequestWarning

from ..errors import ConfigurationError
from ..green.backends.choice import detect
from .byte_stream import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .byte_stream import ByteStream

__all__ = ["TLS", "TLSStream", "client_context", "context_for", "warn_if_unverified"]

TLS = bool | str | ssl.SSLContext | None
"""How to verify servers: None or True by certifi's authorities, a str by those in that bundle or folder,
False not at all, or a context that is used as it is."""


def client_context(verify: bool | str, protocols: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    """A context for connections to servers.

    Args:
        verify: True for the authorities of certifi, which requests trusts as well; the path of a bundle or
            folder of others; False to accept any certificate.
        protocols: what to offer by ALPN; none for protocols that have no name there.

    Raises:
        OSError: the bundle is not there, or holds no certificate.
    """
    if verify is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        bundle = certifi.where() if verify is True else verify
        is_folder = Path(bundle).is_dir()
        context = ssl.create_default_context(
            cafile=None if is_folder else bundle, capath=bundle if is_folder else None
        )
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def context_for(tls: TLS, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
    """The context for a `TLS` setting. Making one takes some 10 ms: keep it.

    Args:
        tls: the setting.
        protocols: what to offer by ALPN, unless the setting is a context.

    Raises:
        ConfigurationError: the authorities to trust cannot be read.
    """
    if isinstance(tls, ssl.SSLContext):
        return tls
    verify = True if tls is None else tls
    try:
        return client_context(verify, protocols)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the authorities to trust, {verify!r}, cannot be read: {error}") from error


def warn_if_unverified(context: ssl.SSLContext, protocol: str, host: str, advice: str) -> None:
    """Warn if a context accepts any certificate.

    Args:
        context: for a connection that is about to be made.
        protocol: its name, for the message.
        host: the host that is meant.
        advice: what to do instead, for the message.
    """
    if context.verify_mode == ssl.CERT_NONE:
        warnings.warn(
            f"Unverified {protocol}: whoever answers for {host} is believed; {advice}",
            InsecureRequestWarning,
            stacklevel=4,
        )


class TLSStream:
    """Encrypts what is sent on a byte stream, and decrypts what comes; see `ByteStream`.

    Args:
        below: connected; nothing was sent on it yet. The stream owns it from now on.
        context: says whom to trust.
        host: the server's name or address, which its certificate must be for.
    """

    is_websocket = False

    def __init__(self, below: ByteStream, context: ssl.SSLContext, host: str) -> None:
        self.peer = below.peer
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._layer = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._lock = detect().lock()

    def handshake(self) -> None:
        """Agree on keys, and verify the certificate.

        Raises:
            OSError: the connection broke, or, as ssl.SSLError, the server is not to be trusted.
            TimeoutError: not within the limit.
        """
        while True:
            try:
                self._layer.do_handshake()
            except ssl.SSLWantReadError:
                self._send_records()
                self._feed(self._below.receive())
            except ssl.SSLError:
                with suppress(OSError):
                    self._send_records()  # the alert tells the other end why
                raise
            else:
                self._send_records()
                return

    @property
    def protocol(self) -> str | None:
        """What both ends have agreed on by ALPN; None for nothing."""
        return self._layer.selected_alpn_protocol()

    @property
    def owes(self) -> bool:
        return self._outgoing.pending > 0 or self._below.owes

    @property
    def last_heard(self) -> float:
        return self._below.last_heard

    def limit(self, until: float | None, each: float | None = None) -> None:
        self._below.limit(until, each)

    def offer(self, items: Sequence[bytes | memoryview]) -> bool:
        with self._lock:
            records = self._encrypt(items)
        return self._below.offer([records])

    def flush(self) -> None:
        self._below.flush()

    def receive(self) -> bytes:
        while (data := self._decrypt()) is None:
            self._feed(self._below.receive())
        return data

    def receive_into(self, buffer: memoryview) -> int:
        """Like `receive`, but into a buffer. Returns how many bytes came; 0 at the end."""
        while (size := self._decrypt_into(buffer)) is None:
            self._feed(self._below.receive())
        return size

    def receive_now(self) -> bytes | None:
        while (data := self._decrypt()) is None:
            records = self._below.receive_now()
            if records is None:
                return None
            self._feed(records)
        return data

    def watch(self, callback: Callable[[], object]) -> bool:
        return self._below.watch(callback)

    def unwatch(self) -> None:
        self._below.unwatch()

    def acknowledge(self) -> None:
        self._below.acknowledge()

    def delivery(self) -> tuple[int, int]:
        return self._below.delivery()

    def close(self) -> None:
        self._below.close()

    def forget(self) -> None:
        self._below.forget()

    def _feed(self, records: bytes | None) -> None:
        """Pass on records that have come to OpenSSL."""
        if not records:
            # Anybody on the way can close a connection. Only TLS's own closing message ends what was sent.
            raise ConnectionResetError("the connection was closed in the middle of TLS")
        with self._lock:
            self._incoming.write(records)

    def _send_records(self) -> None:
        if self._outgoing.pending and not self._below.offer([self._outgoing.read()]):
            self._below.flush()

    # Called under the lock. The loops stand in functions of their own because a signal at the end of a loop's
    # round can skip the release of a lock that the same function has taken.

    def _encrypt(self, items: Sequence[bytes | memoryview]) -> bytes:
        for item in items:
            view = memoryview(item)
            while view:
                view = view[self._layer.write(view) :]
        return self._outgoing.read()

    def _decrypt(self) -> bytes | None:
        """Decrypt all records that have come: the hub tells only of what is still in the socket.

        Returns:
            None if there is no whole record, b"" at the end.
        """
        with self._lock:
            return self._read_all()

    def _decrypt_into(self, buffer: memoryview) -> int | None:
        """Decrypt into a buffer as much of what has come as it holds. Returns as `_decrypt` does."""
        with self._lock:
            return self._read_into(buffer)

    def _read_into(self, buffer: memoryview) -> int | None:
        size = 0
        with suppress(ssl.SSLWantReadError):
            while size < len(buffer):
                try:
                    # With a buffer it returns a number, which typeshed does not know.
                    read = int(self._layer.read(len(buffer) - size, buffer[size:]))
                except ssl.SSLZeroReturnError:
                    read = 0
                if not read:
                    return size
                size += read
        return size or None

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
