"""ThingsDB alone: a client and its rooms, without an API and its credentials.

from flowthings_like.things import Client, Room, event

client = Client()
client.connect_pool(["localhost"], "admin", "pass")
client.query("1 + 1")
"""

from __future__ import annotations

from .errors import (
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsError,
    InvalidInput,
    InvalidResponse,
    WrongThread,
)
from .services.things.client import Client, set_package_fail_file
from .services.things.events import EventsLost, RoomEvents
from .services.things.room import NotJoined, Room, event
from .wire.things import errors as things_errors
from .wire.things.errors import ThingsDBError

__all__ = [
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "DeadlineExceeded",
    "EventsLost",
    "FlowThingsError",
    "InvalidInput",
    "InvalidResponse",
    "NotJoined",
    "Room",
    "RoomEvents",
    "ThingsDBError",
    "WrongThread",
    "event",
    "set_package_fail_file",
    "things_errors",
]
