"""The tables. Two hold everything that users see: resources (flows, tracks, tokens, …) and drops.

A resource's whole public document is JSON in `body`; the other columns repeat the members that look-ups use.
`path` is a flow's or device's own path and a track's source. A drop's elements are plain JSON in `elems` (no
{type, value} wrappers: `types` remembers the types that were given explicitly), so the same JSON path finds
an element everywhere. Drops are clustered by flow and id, and ids begin with the creation time, so "the
newest n of this flow" is a short range of the primary key. Age is by the wall clock, or by what a writer
says. The order of arrival is stored apart, in `arrived`: it decides what a full flow evicts.

A flow may index elements: each gets one of the columns `s0`, `s1`, … of the flow's drops, with the values
that filters.index_columns describes. These columns have one index each, for all flows, so their number does
not grow with the flows. One more index holds all of them in the order of time: sums over a flow read it in
place of the documents.

A column of PostgreSQL holds values of one type. There a slot is two columns: `n0` holds the number, in all
its digits, and `s0` what is no number, as bytes that sort as SQLite's values do (see store.slots). One of
them is null. There is no index of all slots, because its entries would be too long.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    text,
)
from sqlalchemy import Text as AnyText
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import UserDefinedType

VERSION = 3
"""The version of these tables, kept in the database. The modules in `migrations/versions` lead to it."""

metadata = MetaData()

# In the order of the code points, whatever the database's language.
Text = AnyText().with_variant(AnyText(collation="C"), "postgresql")

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("identity", Text, nullable=False),  # id of the account's identity resource
    Column("created", BigInteger, nullable=False),
)

token_hashes = Table(
    "token_hashes",
    metadata,
    Column("hash", Text, primary_key=True),  # hex SHA-256 of the token string, which itself is never stored
    Column("account", Text, nullable=False, index=True),
    Column("token_id", Text),  # the token resource that carries paths and expiry; null for the master token
)

resources = Table(
    "resources",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # flow, track, group, …
    Column("account", Text, nullable=False),
    Column("path", Text),
    Column("created", BigInteger, nullable=False),  # ms since the epoch
    Column("body", Text, nullable=False),  # JSON of the whole document, id and creationDate included
    Index("resources_by_account", "account", "kind", "created", "id"),
    Index("resources_by_path", "kind", "path"),
    Index(
        "one_flow_a_path",
        "path",
        unique=True,
        sqlite_where=text("kind = 'flow'"),
        postgresql_where=text("kind = 'flow'"),
    ),
)

SLOTS = 8
"""Most elements that one flow may index."""


class Kept(UserDefinedType[Any]):
    """A column that stores every value unchanged: integers, floats, text and bytes."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """BLOB is SQLite's word for a column that converts nothing."""
        return "BLOB"


@compiles(Kept, "postgresql")
def _bytes(_type: Kept, _compiler: Any, **_: Any) -> str:
    return "BYTEA"


@compiles(CreateColumn, "sqlite")
def _column(element: CreateColumn, compiler: Any, **options: Any) -> Any:
    """The columns of numbers are PostgreSQL's alone."""
    if element.element.name in NUMBER_NAMES:
        return None
    return compiler.visit_create_column(element, **options)


SLOT_NAMES = tuple(f"s{number}" for number in range(SLOTS))
NUMBER_NAMES = tuple(f"n{number}" for number in range(SLOTS))
"""By slot, PostgreSQL's column for the numbers, because its columns hold values of one type."""


def _on_sqlite(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where)).ddl_if(dialect="sqlite")


def _on_postgresql(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=text(where)).ddl_if(dialect="postgresql")


drops = Table(
    "drops",
    metadata,
    Column("flow_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("created", BigInteger, nullable=False),  # ms since the epoch
    Column("edited", BigInteger),  # ms since the epoch; null while never edited
    Column("creator", Text),
    Column("fhash", Text),
    Column("elems", Text, nullable=False),  # JSON, plain values
    Column("types", Text),  # JSON {"/element/path": "type"} for types that JSON alone does not tell
    Column("location", Text),  # JSON {lat, lon, specifiers}
    Column("parent", Text),  # JSON {flowId, dropId}: what a track copied it from
    Column("arrived", BigInteger, nullable=False, server_default=text("0")),  # its number within the flow
    Column("indexed", BigInteger),  # `created` again where the flow has indexes, null elsewhere
    *(Column(name, Kept) for name in SLOT_NAMES),
    *(Column(name, Numeric) for name in NUMBER_NAMES),
    Index(
        "one_drop_a_hash",
        "flow_id",
        "fhash",
        unique=True,
        sqlite_where=text("fhash IS NOT NULL"),
        postgresql_where=text("fhash IS NOT NULL"),
    ),
    Index("drops_by_arrival", "flow_id", "arrived"),
    # PostgreSQL's entries are too short for all slots at once, and its tables have no other order to avoid.
    _on_sqlite("drops_indexed", "flow_id", "indexed", "id", *SLOT_NAMES, where="indexed IS NOT NULL"),
    *(
        _on_sqlite(f"drops_by_{name}", "flow_id", name, "id", where=f"{name} IS NOT NULL")
        for name in SLOT_NAMES
    ),
    # Numbers first, then texts and markers: where the number is null, it sorts last.
    *(
        _on_postgresql(
            f"drops_by_{name}",
            *("flow_id", number, name, "id"),
            where=f"{number} IS NOT NULL OR {name} IS NOT NULL",
        )
        for number, name in zip(NUMBER_NAMES, SLOT_NAMES, strict=True)
    ),
    sqlite_with_rowid=False,
)

# Which elements a flow indexes, and how far the backfill of its drops is.
element_indexes = Table(
    "element_indexes",
    metadata,
    Column("flow_id", Text, primary_key=True),
    Column("slots", Text, nullable=False),  # JSON [null | {"element": name, "ready": bool}], by slot
    Column("cursor", Text),  # id of the last drop that was backfilled, "" at the start; null when done
    sqlite_with_rowid=False,
)

# How many drops a flow holds, because counting would read all of them at every write; and how many have ever
# arrived in it.
sizes = Table(
    "sizes",
    metadata,
    Column("flow_id", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("arrivals", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

# Drops of flows that hold none, for a minute and only while somebody follows flows: for followers in other
# processes, and for those that connect again.
passing_drops = Table(
    "passing_drops",
    metadata,
    Column("flow_id", Text, primary_key=True),
    Column("arrived", BigInteger, primary_key=True),
    Column("stored", BigInteger, nullable=False),  # ms since the epoch
    Column("body", Text, nullable=False),  # JSON, the columns of `rows.SELECT`
    sqlite_with_rowid=False,
)

counters = Table(
    "counters",
    metadata,
    Column("stat", Text, primary_key=True),
    Column("object_id", Text, primary_key=True),
    Column("hour", Integer, primary_key=True),  # hours since the epoch, UTC
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# When tasks run next, and what their next run has to know of the last one.
task_runs = Table(
    "task_runs",
    metadata,
    Column("task_id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("due", BigInteger),  # ms since the epoch; null if it is not to be run
    Column("state", Text, nullable=False),  # JSON
    Index(
        "task_runs_by_due",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

# How often a process has begun to lead something; see `tasks.fenced_store`.
leaders = Table(
    "leaders",
    metadata,
    Column("name", Text, primary_key=True),  # what is led
    Column("term", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Results of writes with an idempotency key, so that a repetition gets the result and is not done again.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("mark", LargeBinary, primary_key=True),  # the key's beginning; hash of the key and who used it
    Column("created", BigInteger, nullable=False),  # ms since the epoch
    Column("result", LargeBinary, nullable=False),  # unreadable without the request and its token
    sqlite_with_rowid=False,
)

# The things node: collections, their values, and the users and tokens that it accepts besides the accounts.
things_collections = Table(
    "things_collections",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # MessagePack
)

things_values = Table(
    "things_values",
    metadata,
    Column("collection", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),  # thing, room, procedure
    Column("key", Text, primary_key=True),  # an id in decimal, or a name
    Column("body", LargeBinary, nullable=False),  # MessagePack
    sqlite_with_rowid=False,
)

things_users = Table(
    "things_users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),  # MessagePack; of a password, its hash
    sqlite_with_rowid=False,
)

things_tokens = Table(
    "things_tokens",
    metadata,
    Column("hash", Text, primary_key=True),  # hex SHA-256 of the token, which itself is never stored
    Column("account", Text, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),  # MessagePack
    sqlite_with_rowid=False,
)

DISTRIBUTED = {
    "drops": "flow_id",
    "sizes": "flow_id",
    "passing_drops": "flow_id",
    "counters": "object_id",
    "idempotency_keys": "mark",
}
"""The tables that grow, and the column of each by whose hash it can be cut into parts. Each unique index of
these tables has that column, as parts demand it. What belongs to one flow is in one part."""

# What PostgreSQL has besides. SQLite keeps its version in the file, and has no group that may have been
# written when the answer to its COMMIT was lost.
on_server = MetaData()

platform_state = Table(
    "platform_state",
    on_server,
    Column("version", Integer, primary_key=True, autoincrement=False),  # of these tables
    Column("changes", BigInteger, nullable=False),  # to what writers keep in mind; how many there have been
)

# By writer, the last group of jobs that it has committed.
platform_writers = Table(
    "platform_writers",
    on_server,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("written", DateTime(timezone=True), nullable=False),
)
