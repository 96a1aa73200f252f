"""TLS over a plain socket: contexts, and a stream that does the socket's reading and writing itself.

The record layer works on buffers in memory, so the socket below stays an ordinary one, whichever library has
patched it, and an interrupt finds it owned by exactly one object.
"""

from __future__ import annotations

import ssl
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import certifi
from urllib3.exceptions import InsecureRequestWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from .timing import TimedSocket

__all__ = ["TLSStream", "client_context"]

T = TypeVar("T")

_RECORD = 16_384


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


class TLSStream:
    """An encrypted connection with a socket's `send`, `sendall` and `recv`.

    Args:
        below: what carries it. Its deadline is kept for each read and write that a step takes.
        context: from `client_context`.
        host: the server's name or address, which its certificate must be for.
    """

    def __init__(self, below: TimedSocket, context: ssl.SSLContext, host: str) -> None:
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._layer = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        if context.verify_mode == ssl.CERT_NONE:
            warnings.warn(
                f"Unverified HTTPS: whoever answers for {host} is believed; leave verify_ssl (or verify) on, "
                "or give it the path of the bundle of authorities to trust",
                InsecureRequestWarning,
                stacklevel=2,
            )

    def handshake(self) -> None:
        """Agree on keys, and verify the certificate."""
        self._run(self._layer.do_handshake)

    def send(self, data: bytes | memoryview) -> int:
        """Send what fits into one record; returns how many bytes that was."""
        return self._run(partial(self._layer.write, memoryview(data)[:_RECORD]))

    def sendall(self, data: bytes | memoryview) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            view = view[self.send(view) :]

    def recv(self, size: int) -> bytes:
        """At least one byte, at most `size`; none at the end."""
        try:
            return self._run(partial(self._layer.read, size))
        except ssl.SSLZeroReturnError:
            return b""

    def quiet(self) -> bool:
        """Whether nothing has come that was not read."""
        return not self._incoming.pending and not self._layer.pending()

    def _run(self, step: Callable[[], T]) -> T:
        """One operation of the record layer, with the reading and writing it asks for."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._below.recv(4 * _RECORD)
                if not data:
                    raise ConnectionResetError("the connection was closed in the middle of TLS") from None
                self._incoming.write(data)
            except ssl.SSLError:
                with suppress(OSError):
                    self._flush()  # the alert that tells the other end why
                raise
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._below.sendall(self._outgoing.read())
