"""The calls of a client about metadata: SQL, devices and units, retention, names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...green.calls.markers import reads
from ...transport.outgoing_values import resolve
from ...transport.outgoing_values import text as to_text
from ...wire.btrdb.errors import BTRDBTypeError, BTRDBValueError, StreamNotFoundError
from ...wire.numpy_values import scalar
from .arguments import check_collection, check_version, to_uuid
from .needed import needed
from .stream import Stream
from .streamset import StreamSet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from uuid import UUID

    from .dialect import Dialect

__all__ = ["Inventory"]

Row = dict[str, Any]


class Inventory:
    """The calls of a client that are about metadata."""

    def _dialect(self) -> Dialect:
        raise NotImplementedError

    @reads
    def sql_query(self, query: str, params: Sequence[str] | None = None) -> list[Row]:
        """Make a SQL query about metadata: the tables streams, devices and units.

        Args:
            query: a SELECT, with $1, $2 and so on for the parameters.
            params: the parameters; those that are not str are converted.

        Returns:
            A dict for each row.

        Raises:
            BadSQLValue: the query or a parameter is not valid.
            NotSupported: the server takes no SQL.
        """
        given = resolve(params)
        if isinstance(given, str | bytes):
            raise BTRDBTypeError("params is a list of values, not one value")
        texts = [str(scalar(resolve(each))) for each in given or ()]
        return list(self._dialect().sql(to_text(query, "query"), texts))

    query = sql_query

    # Names

    @reads
    def list_unique_annotations(self, collection: str | None = None) -> list[str]:
        """The keys of all annotations of streams whose collection begins so."""
        return self._unique("skeys(annotations)", collection)

    @reads
    def list_unique_names(self, collection: str | None = None) -> list[str]:
        """The names of all streams whose collection begins so."""
        return self._unique("name", collection)

    @reads
    def list_unique_units(self, collection: str | None = None) -> list[str]:
        """The units of all streams whose collection begins so."""
        return self._unique("unit", collection)

    def _unique(self, column: str, collection: str | None) -> list[str]:
        begin = check_collection(collection or "", is_prefix=True)
        # Not LIKE, for which % and _ in a name would stand for others.
        where = f"left(collection, {len(begin)}) = $1"
        query = f"select distinct({column}) as value from streams where {where}"
        return [row["value"] for row in self._dialect().sql(query, [begin])]

    # Collections

    @reads
    def get_collection_properties(self, collection: str) -> Row:
        """The properties of a collection: {"retention": {"remove_older_than": a timedelta, or None}}.

        Raises:
            NotSupported: the server has no retention policies.
        """
        with needed():
            from .store_calls import get_retention
        found = get_retention(self._dialect(), collection=check_collection(collection))
        return {"retention": {"remove_older_than": found.remove_older_than}}

    def set_collection_retention(
        self, collection: str, override_per_stream: bool = False, remove_older_than: timedelta | None = None
    ) -> None:
        """Set the retention policy of a collection.

        Args:
            override_per_stream: it is to apply to streams with a policy of their own too. Theirs are removed.
            remove_older_than: points that are older are removed in the background; None keeps them for ever.

        Raises:
            NotSupported: the server has no retention policies.
        """
        with needed():
            from .store_calls import set_retention
        set_retention(
            self._dialect(),
            remove_older_than,
            collection=check_collection(collection),
            override_per_stream=bool(override_per_stream),
        )

    # Devices and units

    @reads
    def get_device(self, device_id: int) -> Row:
        """The device with this id, a dict of the columns of the table devices.

        Raises:
            StreamNotFoundError: there is none.
        """
        return self._row("devices", device_id)

    @reads
    def list_devices(self) -> list[Row]:
        """All devices that the key may see."""
        return self.sql_query("select * from devices order by id")

    def create_device(self, **fields: Any) -> int:
        """Create a device with these columns. Returns its id.

        Raises:
            NotSupported: the server does not take devices from clients.
        """
        return self._write("CreateDevice", 0, fields)

    def update_device(self, device_id: int, **fields: Any) -> None:
        """Change columns of a device; the others stay."""
        self._write("UpdateDevice", device_id, fields)

    def delete_device(self, device_id: int) -> None:
        """Delete a device."""
        self._write("DeleteDevice", device_id)

    @reads
    def get_unit(self, unit_id: int) -> Row:
        """The unit with this id, a dict of the columns of the table units.

        Raises:
            StreamNotFoundError: there is none.
        """
        return self._row("units", unit_id)

    @reads
    def list_units(self) -> list[Row]:
        """All units."""
        return self.sql_query("select * from units order by id")

    def create_unit(self, **fields: Any) -> int:
        """Create a unit with these columns. Returns its id.

        Raises:
            NotSupported: the server does not take units from clients.
        """
        return self._write("CreateUnit", 0, fields)

    def update_unit(self, unit_id: int, **fields: Any) -> None:
        """Change columns of a unit; the others stay."""
        self._write("UpdateUnit", unit_id, fields)

    def delete_unit(self, unit_id: int) -> None:
        """Delete a unit."""
        self._write("DeleteUnit", unit_id)

    def _row(self, table: str, id: Any) -> Row:
        id = scalar(resolve(id))
        if isinstance(id, bool) or not isinstance(id, int):
            raise BTRDBTypeError(f"an id is a whole number, not {type(id).__name__}")
        # The number stands in the query, because parameters are texts.
        rows = self.sql_query(f"select * from {table} where id = {id}")
        if not rows:
            raise StreamNotFoundError(f"the table {table} has no row with the id {id}")
        return rows[0]

    def _write(self, method: str, id: Any, fields: Mapping[str, Any] | None = None) -> int:
        with needed():
            from .store_calls import write_row
        return write_row(self._dialect(), method, id, fields)

    # Streams by name

    def _streams(
        self, identifiers: Sequence[UUID | str], versions: Sequence[int] | None, is_collection_prefix: bool
    ) -> StreamSet:
        pinned = None
        if versions is not None:
            if not isinstance(versions, list | tuple):
                raise BTRDBTypeError(f"versions is {type(versions).__name__}; give a list")
            if len(versions) != len(identifiers):
                raise BTRDBValueError(f"there are {len(identifiers)} streams and {len(versions)} versions")
            pinned = [check_version(version) for version in versions]
        client: Any = self
        found = client._map(lambda each: self._named(client, each, is_collection_prefix), identifiers)
        streams = StreamSet(found, client=client)
        if pinned is not None:
            versions_of = dict(zip((stream.uuid for stream in found), pinned, strict=True))
            streams.pin_versions(versions_of)
        return streams

    def _named(self, client: Any, identifier: Any, is_prefix: bool) -> Stream:
        identifier = resolve(identifier)
        try:
            return Stream(client, to_uuid(identifier))
        except BTRDBTypeError:
            if not isinstance(identifier, str):
                raise
        collection, slash, name = identifier.rpartition("/")
        if not slash or not collection or not name:
            raise InvalidInput(f"{identifier[:60]!r} is neither a UUID nor 'collection/name'")
        found = list(self._dialect().lookup(check_collection(collection), is_prefix, {"name": name}, {}))
        if len(found) != 1:
            many = "no stream" if not found else f"{len(found)} streams"
            raise StreamNotFoundError(f"{identifier!r} is the name of {many}")
        return Stream._of(client, found[0])
