"""Dialling: a connected socket to a host and port, or to a UNIX socket's path, by a deadline."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from .retry import sooner

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dial", "dial_unix"]


def dial(
    host: str,
    port: int,
    *,
    timeout: float | None = None,
    until: float | None = None,
    hold: Callable[[socket.socket], object] | None = None,
) -> socket.socket:
    """Connect to a host by TCP: to each of its addresses in turn, until one answers.

    `socket` is looked up at each call, so the socket is a green one where that is patched in.

    Args:
        host: a name or an address.
        port: its port.
        timeout: seconds for each address; None for any number.
        until: the `time.monotonic()` by which it must be connected, or None.
        hold: called with each socket before it connects. A process that forks meanwhile can then cut it off
            in the child.

    Raises:
        OSError: no address answers; the error is that of the last one. TimeoutError: not in time.
    """
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        try:
            made = socket.socket(family, kind, protocol)
            _connect(made, address, timeout, until, hold)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        except OSError as error:
            failure = error
    try:
        raise failure or OSError(f"{host} has no address")
    finally:
        del failure  # or its traceback and this frame keep each other alive


def dial_unix(path: str, *, until: float | None = None) -> socket.socket:
    """Connect to a UNIX socket.

    Raises:
        OSError: nobody listens there. TimeoutError: not in time.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _connect(made, path, None, until, None)
    return made


def _connect(
    made: socket.socket,
    address: Any,
    timeout: float | None,
    until: float | None,
    hold: Callable[[socket.socket], object] | None,
) -> None:
    """Connect a socket, or close it."""
    try:
        if hold is not None:
            hold(made)
        made.settimeout(sooner(timeout, until))
        made.connect(address)
    except BaseException:
        made.close()
        raise
