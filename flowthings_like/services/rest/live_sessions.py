"""Opens sessions for live messages. They have a host of their own, and URLs without version and account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...errors import InvalidResponse
from ...transport.http.urls import segment

if TYPE_CHECKING:
    from ...transport.http.client import Connection

__all__ = ["SESSIONS", "new_session"]

SESSIONS = "/session"
"""The path on the WebSocket host."""


def new_session(connection: Connection, retry: Literal[False] | None = None) -> str:
    """Open a session, and return the URL of its socket.

    Args:
        connection: the API's.
        retry: False to try once.

    Raises:
        FlowThingsException: the platform refuses a session.
    """
    session = connection.call("POST", connection.session_url(SESSIONS), SESSIONS, retry=retry)
    id = session.get("id") if isinstance(session, dict) else None
    if not isinstance(id, str) or not id:
        raise InvalidResponse("the platform opened a session without an id")
    return connection.socket_url(f"{SESSIONS}/{segment(id)}/ws")
