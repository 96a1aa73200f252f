"""Finds out that the client of a request has gone, and cancels the request's calls then.

Servers do not tell an application that its client has gone before it writes the next part of the response.
But several of them hand over the client's socket, whose state the kernel knows. One thread for each event
loop looks at the sockets of all open requests, four times a second. It reads nothing from them.

A client that has closed its sending side only, and still reads, counts as gone, as it does for nginx.
"""

from __future__ import annotations

import _socket
import sys
from typing import TYPE_CHECKING, Any, Protocol

from ..transport.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["INTERVAL", "ClientWatch", "Watched", "find_client"]

INTERVAL = 0.25
"""Seconds between two looks."""

_ESTABLISHED = 1  # a state of a TCP connection, as the kernel's headers number them


class Watched(Protocol):
    """A request whose calls can be cancelled."""

    def is_due(self) -> str | None:
        """Why its calls should be cancelled now; None if they should not. Does not wait."""

    def cancel(self, reason: str) -> None:
        """Cancel its calls."""


class ClientWatch(Watch[Watched]):
    """Looks at requests as long as there are some, in a thread of its own."""

    interval = INTERVAL

    def _look(self, thing: Watched) -> None:
        reason = thing.is_due()
        if reason is not None:
            # In a thread of its own, because it waits for the calls that it stops.
            self._backend.spawn(thing.cancel, reason)
            self.discard(thing)


def find_client(environ: Mapping[str, Any]) -> Callable[[], bool] | None:
    """A function that returns whether the client of a request has gone, without waiting.

    Args:
        environ: of WSGI. gunicorn, eventlet.wsgi, gevent.pywsgi and waitress put what is needed there; uWSGI
            has it in its module.

    Returns:
        None if the server gives no access to the client.
    """
    said: Callable[[], bool] | None = environ.get("waitress.client_disconnected")
    if said is not None:
        return said
    sock = environ.get("gunicorn.socket")
    if sock is None and "eventlet.input" in environ:
        sock = environ["eventlet.input"].get_socket()
    if sock is None:
        sock = getattr(environ.get("wsgi.input"), "socket", None)  # gevent.pywsgi
    if sock is not None and hasattr(sock, "fileno"):
        return lambda: has_gone(sock.fileno())
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None and "uwsgi.version" in environ:
        descriptor: int = uwsgi.connection_fd()
        return lambda: has_gone(descriptor)
    return None


def has_gone(descriptor: int) -> bool:
    """Whether the other end of a connected socket has closed it or its sending side. Reads nothing."""
    if descriptor < 0:
        return False
    # Not `socket.socket`, which may be green: this one never waits. Given a family, it asks nothing first.
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, descriptor)
    try:
        return _is_closed(probe)
    except OSError as error:
        return isinstance(error, ConnectionError)
    finally:
        probe.detach()


def _is_closed(probe: _socket.socket) -> bool:
    if hasattr(_socket, "TCP_INFO"):
        try:
            # The first byte is the state. It is also right while a part of the request has not been read, and
            # under TLS.
            return probe.getsockopt(_socket.IPPROTO_TCP, _socket.TCP_INFO, 1)[0] != _ESTABLISHED
        except OSError:
            pass  # a Unix socket, behind a proxy
    try:
        return probe.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
