"""The database of the streams: its file and its tables.

Points stand in the table `points`, a segment after the other, so that each column is compressed well: a
segment is up to 65,536 points of one stream in the order of their times. `segments` says what a segment has,
`rollups` has its statistics for windows of several sizes. Points that came last stand in `recent`, in the
order in which they came.

A stream's points carry the version that has added them. A version that takes points away adds a row to
`removals`: a range of times, which it takes away from the points that were added before it. So every version
of a stream stays readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..duckdb import database
from .problems import Code, StreamProblem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "Database"]

FILE = "streams/streams.duckdb"
"""The database in the platform's folder."""

FORMAT = 1
"""The number of the tables' layout. It changes when an older program could not use them."""

_TABLES = """
create table if not exists streams (
    id integer not null,
    account varchar not null,
    uuid uuid not null,
    collection varchar not null,
    name varchar not null,
    unit varchar not null,
    ingress varchar not null,
    distiller varchar not null,
    annotations json not null,
    property_version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    retention bigint,
    trimmed bigint not null,
    version bigint not null
);
create table if not exists obliterated (account varchar not null, uuid uuid not null);
create table if not exists segments (
    id integer not null,
    stream integer not null,
    first bigint not null,
    last bigint not null,
    count integer not null,
    min_added bigint not null,
    max_added bigint not null,
    base tinyint not null,
    top tinyint not null
);
create table if not exists points (
    segment integer not null, time bigint not null, value double not null, added bigint not null
);
create table if not exists rollups (
    segment integer not null,
    level tinyint not null,
    time bigint not null,
    min double not null,
    mean double not null,
    max double not null,
    count integer not null,
    m2 double not null
);
create table if not exists recent (
    stream integer not null, time bigint not null, value double not null, added bigint not null
);
create table if not exists removals (
    stream integer not null, version bigint not null, first bigint not null, until bigint not null
);
create table if not exists commits (stream integer not null, version bigint not null, time bigint not null);
create table if not exists garbage (segment integer not null);
create table if not exists retention (
    account varchar not null, collection varchar not null, remove_older_than bigint not null
);
create table if not exists devices (
    account varchar not null,
    id bigint not null,
    fields json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create table if not exists units (
    account varchar not null,
    id bigint not null,
    fields json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
"""


class Database(database.Database):
    """The open database.

    Args:
        path: the file, which is made if it is missing. One process at a time can have it open.
        memory: how much DuckDB may hold, such as "1GB".

    Raises:
        ConfigurationError: DuckDB is not installed, the file cannot be used, or another process has it open.
    """

    def __init__(self, path: Path, memory: str = "1GB") -> None:
        super().__init__(
            path, database.Schema("streams", FORMAT, _TABLES, "embedded,streams"), _closed, memory
        )


def _closed() -> StreamProblem:
    return StreamProblem(Code.RESOURCES_DEPLETED, "the store is closed")
