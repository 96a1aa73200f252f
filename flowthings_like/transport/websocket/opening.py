"""Opens connections for live messages: asks for a session, and connects to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from ... import errors
from .client import RedirectError
from .live_connection import LiveConnection, open_websocket
from .local_connection import LocalConnection

if TYPE_CHECKING:
    import socket

    from .local_connection import Channel

__all__ = ["APIConnection", "AnyConnection", "Opening"]

AnyConnection = LiveConnection | LocalConnection


class APIConnection(Protocol):
    """The members of an API's connection that live messages use.

    Attributes:
        open_channel: opens a session by its id without a socket; None if the platform is not in this process.
    """

    creds: Any
    timeout: Any
    verify_ssl: bool | str
    ws_host: str | None
    open_channel: Callable[[str], Channel] | None

    def encode(self, value: Any) -> bytes | str: ...

    def decode(self, text: bytes) -> Any: ...


class Opening:
    """Opens one connection after the other.

    Args:
        connection: the API's.
        new_session: asks for a session, and returns the URL of its WebSocket.
        options: see `websocket.create_connection`.
        first_url: of a session that was opened already; None for none.
    """

    def __init__(
        self,
        connection: APIConnection,
        new_session: Callable[[], str],
        options: Mapping[str, Any] | None = None,
        first_url: str | None = None,
    ) -> None:
        self._connection = connection
        self._new_session = new_session
        self._options = options or {}
        self._url = first_url

    def open(self, hold: Callable[[socket.socket], object], tick: float) -> AnyConnection:
        """Open a connection.

        Args:
            hold: called with the socket before it connects.
            tick: seconds that one read or write may take.

        Raises:
            FlowThingsError: the session is refused, or there is no connection.
        """
        url, self._url = self._url or self._new_session(), None
        connection = self._connection
        try:
            if connection.open_channel is not None:
                session_id = unquote(urlsplit(url).path.split("/")[-2])
                return LocalConnection(connection.open_channel(session_id), tick)
            opened = open_websocket(
                url, self._trusted(), connection.timeout.connect, dict(self._options), hold
            )
        except RedirectError as error:
            place = urlsplit(error.location).netloc.rpartition("@")[2]
            raise errors.InvalidResponse(
                f"WebSocket to {connection.ws_host}: {error.status}, "
                f"a redirect to {place or 'another path'}, "
                "which is not followed: headers and cookies would travel along. "
                "Give the final host as ws_host="
            ) from None
        except OSError as error:
            reason = type(error.__cause__ or error).__name__
            raise errors.ConnectionFailed(f"WebSocket to {connection.ws_host}: {reason}") from error
        return LiveConnection(opened, tick)

    def _trusted(self) -> bool | str:
        """The authorities to trust."""
        verify = self._connection.verify_ssl
        if verify is not True:
            return verify
        return os.environ.get("REQUESTS_CA_BUNDLE") or True
