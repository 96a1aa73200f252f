"""The clients of an API that are not REST: rooms and queries, databases, time series, records.

Each is made when it is first used, because the packages that it imports take a while.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .services.rest.registry import Services

if TYPE_CHECKING:
    from contextlib import ExitStack

    from .services.database.pool import ConnectionPool
    from .services.records.api_client import Records
    from .services.streams.client import Client as StreamClient
    from .services.things.api_room import RoomService
    from .services.things.client import Client
    from .transport.http.client import Connection

__all__ = ["Families", "FamilyOptions"]


@dataclass(frozen=True, slots=True)
class FamilyOptions:
    """Where the servers are. None for those of the embedded platform.

    Attributes:
        things: the URL of a ThingsDB node.
        db: the URL of a database.
        streams: the URL of a BTrDB server.
        streams_key: its API key.
        records: the URL of a TStorage server.
    """

    things: str | None
    db: str | None = field(repr=False)  # it may hold a password
    streams: str | None
    streams_key: str | None = field(repr=False)
    records: str | None


class Families(Services):
    """The services of an API, and its clients of the other families."""

    _connection: Connection
    _families: FamilyOptions
    _platform: Any
    _things: Client | None = None
    _room: RoomService | None = None
    _db: ConnectionPool | None = None
    _stream: StreamClient | None = None
    _record: Records | None = None

    @property
    def things(self) -> Client:
        """The ThingsDB client, for rooms and queries. It connects when it is first used.

        It connects to the node in the option `things`, or to the node of the embedded platform.

        Raises:
            ConfigurationError: the URL is not valid, or a package that the client needs is not installed.
        """
        if self._things is None:
            made = self._make_things()
            # Two threads may be here at once. Both must return the same client.
            self._things = self._things or made
        return self._things

    def _make_things(self) -> Client:
        from .services.things.client import Client
        from .services.things.node_addresses import nodes_of

        connection = self._connection
        allowed = connection.timeout
        client = Client._of(
            nodes_of(self._families.things, self._platform, lambda: connection.creds),
            tls=connection.verify_ssl,
            timeout=allowed.read if allowed.total is None else allowed.total,
            async_lib=lambda: connection.async_lib,
        )
        if connection.closed:
            client.close()
        return client

    @property
    def room(self) -> RoomService:
        """The rooms. `api.room("gales")` is the room of that name, on the node to which `things` connects.

        Raises:
            ConfigurationError: as for `things`.
        """
        if self._room is None:
            from .services.things.api_room import RoomService

            self._room = RoomService(lambda: self.things)
        return self._room

    @property
    def db(self) -> ConnectionPool:
        """The pool of connections to the database in the option `db`. It connects when it is first used.

        Without the option it is an SQLite file of your own, `db.sqlite` in the embedded platform's folder.

        Raises:
            ConfigurationError: there is no database, or its driver is not installed.
            InvalidInput: the URL cannot be read.
        """
        if self._db is None:
            from .services.database.api_database import open_database

            made = open_database(self._families.db, self._platform)
            if self._connection.closed:
                made.close()
            self._db = self._db or made  # two threads may be here at once
        return self._db

    @property
    def stream(self) -> StreamClient:
        """The client of time series. It connects when it is first used.

        It connects to the server in the option `streams`, or to the store of the embedded platform.

        Raises:
            ConfigurationError: the URL is not valid.
        """
        if self._stream is None:
            from .services.streams.api_client import open_client

            made = open_client(
                self._families.streams, self._families.streams_key, self._platform, self._connection
            )
            self._stream = self._stream or made  # two threads may be here at once
        return self._stream

    @property
    def record(self) -> Records:
        """The store of binary records. `api.record(payload_type)` is a channel to it.

        It connects, when it is first used, to the server in the option `records`, or to the store of the
        embedded platform.

        Raises:
            ConfigurationError: the URL is not valid.
        """
        if self._record is None:
            from .services.records.api_client import open_records

            made = open_records(self._families.records, self._platform, self._connection)
            self._record = self._record or made  # two threads may be here at once
        return self._record

    def _close_families(self, closing: ExitStack) -> None:
        """Have the clients that were made closed, the last one first."""
        for client in (self._db, self._stream, self._record, self._things):
            if client is not None:
                closing.callback(client.close)
