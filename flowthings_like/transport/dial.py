"""Connects sockets: to a host and port, or to the path of a UNIX socket, by a deadline."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from .retry import step_timeout

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
    """Connect to a host by TCP. Its addresses are tried in turn until one answers.

    `socket.socket` is looked up at each call, so the socket is a green one where `socket` is patched.

    Args:
        host: a name or an address.
        port: its port.
        timeout: seconds for each address; None for any number.
        until: the `time.monotonic()` by which it must be connected, or None.
        hold: called with each socket before it connects. If the process forks meanwhile, the child can then
            cut the socket off.

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
        del failure  # its traceback refers to this frame: together they would be a reference cycle


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
    """Connect a socket; close it if that fails or is interrupted."""
    try:
        if hold is not None:
            hold(made)
        made.settimeout(step_timeout(timeout, until))
        made.connect(address)
    except BaseException:
        made.close()
        raise
