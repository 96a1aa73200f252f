"""Sockets that listen, and errors that say why one cannot."""

from __future__ import annotations

import socket

from ..errors import ConfigurationError

__all__ = ["listen"]

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ConfigurationError."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise ConfigurationError(f"cannot listen at {where}: {error.strerror or error}") from error
    return sock
