"""Listens on a port and starts a green thread for each connection."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...green.backends import choice as backend
from ..leader.after_fork import abandon_socket

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Listener"]

_log = logging.getLogger("flowthings_like.platform")

_BACKLOG = 256
_ACCEPT_RETRY = 0.1  # seconds to wait when a connection cannot be accepted: most likely no descriptor is free
_KEEP_ALIVE = (  # so that a client that has vanished is noticed
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
)


class Listener:
    """Accepts connections and serves each in a green thread of its own.

    Args:
        host, port: where to listen; port 0 takes a free one.
        serve: called in the green thread with the connected socket and the client's address.
        name: what messages call the server, such as "the things node".

    Attributes:
        address: the (host, port) that it listens at.

    Raises:
        ConfigurationError: the address cannot be listened at.
    """

    def __init__(self, host: str, port: int, serve: Callable[[socket.socket, str], None], name: str) -> None:
        self._serve = serve
        self._name = name
        self._closed = False
        try:
            self._sock = _listen(host, port)
        except OSError as error:
            raise ConfigurationError(f"{name} cannot listen at {host}:{port}: {error.strerror}") from error
        self.address: tuple[str, int] = self._sock.getsockname()[:2]
        self._thread = backend.detect().spawn(self._accept)

    def close(self) -> None:
        """Accept no more connections. More calls do nothing."""
        if not self._closed:
            self._closed = True
            with suppress(OSError):  # this wakes the accepting thread, which then closes the socket
                self._sock.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        """In a forked child: close the inherited socket without any effect on the parent."""
        self._closed = True
        abandon_socket(self._sock)

    def _accept(self) -> None:
        here = backend.detect()
        try:
            while not self._closed:
                try:
                    sock, address = self._sock.accept()
                except OSError as error:
                    if self._closed:
                        return
                    _log.warning("%s could not take a connection: %s", self._name, error)
                    here.sleep(_ACCEPT_RETRY)
                    continue
                try:
                    _set_options(sock)
                    here.spawn(self._serve, sock, f"{address[0]}:{address[1]}")
                except BaseException:
                    sock.close()
                    raise
        finally:
            self._closed = True
            self._sock.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _set_options(sock: socket.socket) -> None:
    with suppress(OSError):  # the client may have closed the connection again
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
