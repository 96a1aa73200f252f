"""Streams of a BTrDB server in memory, for the law: LookupStreams, and SQL on the platform's own table."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import duckdb

from flowthings_like.filters.streams import Lookup, Query
from flowthings_like.platform.streams.sql import _TABLES
from flowthings_like.platform.streams.sql_statement import check
from flowthings_like.services.streams.dialect import Descriptor

TAGS = ("name", "unit", "ingress", "distiller")


class StreamTable:
    """A table of streams."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute(_TABLES)
        self.streams: list[Descriptor] = []

    def store(self, streams: list[Descriptor]) -> None:
        """Replace the streams."""
        self.streams = streams
        self.connection.execute("delete from streams")
        values = [
            value
            for one in streams
            for value in (
                str(one.uuid),
                one.collection,
                *(one.tags.get(name) for name in TAGS),
                json.dumps(one.annotations),
            )
        ]
        row = f"({', '.join('?' * 7)}, 1, now(), now())"
        self.connection.execute(f"insert into streams values {', '.join([row] * len(streams))}", values)

    def find(self, request: Lookup | Query) -> set[UUID]:
        """The streams that a server returns."""
        if isinstance(request, Query):
            statement = f"select uuid from streams where {request.where}"
            check(self.connection.cursor(), statement, duckdb.Error)
            rows = self.connection.execute(statement, list(request.parameters)).fetchall()
            return {uuid for (uuid,) in rows}
        return {one.uuid for one in self.streams if _looked_up(one, request)}

    def close(self) -> None:
        self.connection.close()


def _looked_up(one: Descriptor, request: Lookup) -> bool:
    name = one.collection
    if not (name.startswith(request.collection) if request.is_prefix else name == request.collection):
        return False
    tags: dict[str, Any] = one.tags
    return all(
        tags.get(key) if value is None else tags.get(key) == value for key, value in request.tags.items()
    ) and all(
        key in one.annotations and value in (None, one.annotations[key])
        for key, value in request.annotations.items()
    )
