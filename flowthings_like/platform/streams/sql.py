"""SQL over an account's streams, devices and units, and over nothing else.

A query runs on a database of its own, in memory, which has copies of the account's rows only: no other
account, no points. It has no access to files, loads no extensions and sees no variables of Python. Its
settings are locked. `sql_statement` has checked the query before.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from ...green.backends import choice as backend
from ...green.backends.choice import native
from ..store.group_commit import NativeLock
from .problems import Code, StreamProblem
from .sql_statement import bad_sql, check
from .tables import insert_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .database import Database

__all__ = ["SQL"]

SECONDS = 10.0
"""How long a query may take."""

MEMORY = "256MB"
"""What a query may hold."""

MOST_BYTES = 32 << 20
"""Bytes of all rows of an answer."""

_MOST_PARAMETERS = 1_000
_MOST_KEPT = 8
_FETCHED = 1_000

_TABLES = """
create table streams (
    uuid uuid, collection varchar, name varchar, unit varchar, ingress varchar, distiller varchar,
    annotations json, property_version bigint, created_at timestamptz, updated_at timestamptz
);
create table devices (
    id bigint, name varchar, description varchar, type varchar, location varchar, properties json,
    created_at timestamptz, updated_at timestamptz
);
create table units (
    id bigint, name varchar, symbol varchar, description varchar,
    created_at timestamptz, updated_at timestamptz
);
create macro skeys(annotations) as unnest(json_keys(annotations));
create macro exist(annotations, key) as list_contains(json_keys(annotations), key);
create macro fetchval(annotations, key) as
    annotations ->> ('/' || replace(replace(key, '~', '~0'), '/', '~1'));
"""

_STREAMS = (
    "select uuid::varchar as uuid, collection, name, unit, ingress, distiller, "
    "annotations::varchar as annotations, property_version, created_at, updated_at "
    "from streams where account = $1 order by id"
)
_LOCKS = (
    "set enable_external_access = false",
    "set python_enable_replacements = false",
    "set lock_configuration = true",
)
_DEVICES = (
    "select id, fields->>'name', fields->>'description', fields->>'type', fields->>'location', "
    "(fields->'properties')::varchar, created_at::varchar, updated_at::varchar "
    "from devices where account = $1 order by id"
)
_UNITS = (
    "select id, fields->>'name', fields->>'symbol', fields->>'description', created_at::varchar, "
    "updated_at::varchar from units where account = $1 order by id"
)


class _Copy:
    """An account's rows in a database of their own.

    Attributes:
        generation: of the metadata that were copied.
        root: the connection.
    """

    __slots__ = ("_making", "generation", "root")

    def __init__(self, database: Database, account: str, generation: int) -> None:
        self.generation = generation
        self._making = NativeLock()
        self.root = database.in_memory({"memory_limit": MEMORY, "threads": 1, "temp_directory": ""})
        self.root.execute("set TimeZone = 'UTC'")
        self.root.execute(_TABLES)
        insert_columns(self.root, "streams", database.columns(_STREAMS, [account]))
        for table, query in (("devices", _DEVICES), ("units", _UNITS)):
            rows = database.rows(query, [account])
            if rows:
                self.root.executemany(
                    f"insert into {table} values ({', '.join(f'${n + 1}' for n in range(len(rows[0])))})",
                    rows,
                )
        for lock in _LOCKS:
            self.root.execute(lock)

    def connect(self) -> Any:
        """A connection that the caller closes."""
        with self._making:
            return self.root.cursor()


class SQL:
    """Runs queries of accounts.

    Args:
        database: where the rows are copied from.
        generation: returns a number that changes whenever the metadata change.
    """

    def __init__(self, database: Database, generation: Callable[[], int]) -> None:
        self._database = database
        self._generation = generation
        self._copies: OrderedDict[str, _Copy] = OrderedDict()

    def query(self, account: str, statement: str, parameters: Sequence[str]) -> list[bytes]:
        """The rows of a query, each as a JSON object.

        Raises:
            StreamProblem: BAD_SQL if the query is not allowed or fails; RESOURCES_DEPLETED if it takes too
                long, or holds or returns too much.
        """
        if len(parameters) > _MOST_PARAMETERS:
            raise bad_sql(f"a query has at most {_MOST_PARAMETERS:,} parameters")
        cursor = native(self._connect, account)
        here = backend.detect()
        done = here.event()
        outcome = _Outcome()

        def run() -> None:
            try:
                outcome.rows = native(self._run, cursor, statement, parameters)
            except BaseException as error:
                outcome.error = error
            finally:
                done.set()

        here.spawn(run)
        try:
            in_time = done.wait(SECONDS)
        finally:
            # Also when this caller is interrupted. The query may not have begun yet: hence more than once.
            if not done.is_set():
                cursor.interrupt()
        while not done.wait(0.05):
            cursor.interrupt()
        try:
            if outcome.error is not None:
                if not in_time:
                    raise StreamProblem(
                        Code.RESOURCES_DEPLETED, f"the query took more than {SECONDS:.0f} s and was stopped"
                    )
                raise outcome.error
            return outcome.rows
        finally:
            outcome.error = None  # its traceback refers to this frame

    def _run(self, cursor: Any, statement: str, parameters: Sequence[str]) -> list[bytes]:
        error = self._database.Error
        try:
            check(cursor, statement, error)
            cursor.execute(statement, list(parameters))
            return _encoded(cursor)
        except error as problem:
            if "Out of Memory" in str(problem):
                raise StreamProblem(
                    Code.RESOURCES_DEPLETED, f"the query needs more than {MEMORY} of memory"
                ) from None
            raise bad_sql(str(problem).splitlines()[0]) from None
        finally:
            cursor.close()

    def _connect(self, account: str) -> Any:
        generation = self._generation()
        copy = self._copies.get(account)
        if copy is None or copy.generation != generation:
            copy = self._copies[account] = _Copy(self._database, account, generation)
            while len(self._copies) > _MOST_KEPT:
                self._copies.popitem(last=False)
        return copy.connect()


class _Outcome:
    """What a query has returned or raised."""

    __slots__ = ("error", "rows")

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.error: BaseException | None = None


def _encoded(cursor: Any) -> list[bytes]:
    names = [column[0] for column in cursor.description]
    is_json = [str(column[1]) == "JSON" for column in cursor.description]
    rows: list[bytes] = []
    size = 0
    while True:
        found = cursor.fetchmany(_FETCHED)
        for row in found:
            values = [
                orjson.Fragment(value) if raw and isinstance(value, str) else _plain(value)
                for value, raw in zip(row, is_json, strict=True)
            ]
            encoded = orjson.dumps(dict(zip(names, values, strict=True)), default=_plain)
            size += len(encoded)
            if size > MOST_BYTES:
                raise StreamProblem(
                    Code.RESOURCES_DEPLETED, f"the rows of an answer have at most {MOST_BYTES:,} bytes"
                )
            rows.append(encoded)
        if len(found) < _FETCHED:
            return rows


def _plain(value: Any) -> Any:
    """The value as JSON has it: times as ISO text, UUIDs as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return (value.astimezone(timezone.utc) if value.tzinfo else value).isoformat()
    if isinstance(value, date | UUID):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if value is None or isinstance(value, str | int | bool | list | dict):
        return value
    return str(value)
