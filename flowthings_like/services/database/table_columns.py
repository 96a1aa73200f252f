"""Finds out what types the columns of a table have, so that a filter can be written in SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...filters.columns import DIALECTS, Column, Dialect, Kind

if TYPE_CHECKING:
    from ...transport.database.drivers.base import Driver

__all__ = ["dialect_for", "read_columns"]

_DIALECTS = {
    "sqlite3": "sqlite",
    "pysqlite3": "sqlite",
    "pysqlite3.dbapi2": "sqlite",
    "duckdb": "duckdb",
    "psycopg": "postgresql",
    "psycopg2": "postgresql",
    "pg8000": "postgresql",
    "pymysql": "mysql",
    "MySQLdb": "mysql",
    "mysql.connector": "mysql",
    "mariadb": "mysql",
}

_POSTGRESQL = {  # by the object ids of the types, which never change
    16: Kind.BOOLEAN,
    20: Kind.WHOLE,
    21: Kind.WHOLE,
    23: Kind.WHOLE,
    25: Kind.TEXT,
    114: Kind.NESTED,
    701: Kind.REAL,
    1043: Kind.TEXT,
    1082: Kind.DATE,
    1114: Kind.MOMENT,
    1184: Kind.ZONED_MOMENT,
    1700: Kind.DECIMAL,
    2950: Kind.UUID,
    3802: Kind.NESTED,
}

_NAMED: dict[str, dict[str, Kind]] = {
    "mysql": {
        **dict.fromkeys(["tinyint", "smallint", "mediumint", "int", "bigint", "year"], Kind.WHOLE),
        **dict.fromkeys(["char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum"], Kind.TEXT),
        "double": Kind.REAL,
        "decimal": Kind.DECIMAL,
        "date": Kind.DATE,
        "datetime": Kind.MOMENT,
        "timestamp": Kind.MOMENT,
        "json": Kind.NESTED,
    },
    "duckdb": {
        **dict.fromkeys(["tinyint", "smallint", "integer", "bigint"], Kind.WHOLE),
        **dict.fromkeys(["utinyint", "usmallint", "uinteger", "ubigint"], Kind.WHOLE),
        "varchar": Kind.TEXT,
        "double": Kind.REAL,
        "float": Kind.REAL,
        "decimal": Kind.DECIMAL,
        "boolean": Kind.BOOLEAN,
        "date": Kind.DATE,
        "timestamp": Kind.MOMENT,
        "timestamp_s": Kind.MOMENT,
        "timestamp_ms": Kind.MOMENT,
        "timestamp with time zone": Kind.ZONED_MOMENT,
        "uuid": Kind.UUID,
        "json": Kind.NESTED,
    },
}

_TYPE = re.compile(r"([a-z_ ]+?)\s*(?:\(\s*\d+\s*(?:,\s*(\d+)\s*)?\))?(?:\s+(?:un)?signed)?(?:\s+zerofill)?")


def dialect_for(driver: Driver) -> Dialect:
    """The dialect of SQL of a driver's database. Standard SQL for a driver that is not known."""
    return DIALECTS[_DIALECTS.get(driver.name, "standard")]


def read_columns(driver: Driver, connection: Any, table: str, names: Iterable[str]) -> dict[str, Column]:
    """The columns of a table, by name.

    Args:
        driver, connection: the DB-API driver's.
        table: its name, in quotes.
        names: the columns. The database is not asked about others.

    Raises:
        Exception: the driver's own error, if there is no such table or column.
        InvalidInput: the column's name is written with other capitals.
    """
    dialect = dialect_for(driver)
    wanted = list(dict.fromkeys(names))
    cursor = driver.cursor(connection)
    if dialect is DIALECTS["mysql"]:
        cursor.execute(f"SHOW FULL COLUMNS FROM {table}")
        found = {_text(row[0]): _mysql(row) for row in map(_values, cursor.fetchall())}
        # What is not there goes on to the database, whose own error names it.
        found |= {name: Column(Kind.OTHER) for name in wanted if name.lower() not in map(str.lower, found)}
    else:
        listed = ", ".join(map(dialect.quote, wanted))
        statement = f"SELECT {listed} FROM {table} WHERE 1 = 0"
        if dialect is DIALECTS["duckdb"]:
            cursor.execute(f"DESCRIBE {statement}")
            found = {row[0]: _named("duckdb", row[1]) for row in cursor.fetchall()}
        else:
            cursor.execute(statement)
            found = {one[0]: _described(driver, one) for one in cursor.description}
            cursor.fetchall()
    driver.close_cursor(cursor)
    _check_capitals(wanted, found, table)
    return {name: found[name] for name in wanted}


def _check_capitals(wanted: list[str], found: dict[str, Column], table: str) -> None:
    for name in wanted:
        if name not in found:
            meant = next((one for one in found if one.lower() == name.lower()), None)
            hint = "" if meant is None else f"; write {meant}"
            raise InvalidInput(f"the table {table} has no column {name}{hint}")


def _described(driver: Driver, description: Any) -> Column:
    code = description[1]
    dialect = _DIALECTS.get(driver.name, "standard")
    if dialect == "sqlite":
        return Column(Kind.ANY)
    if dialect == "postgresql":
        scale = description[5] if _POSTGRESQL.get(code) is Kind.DECIMAL else None
        known = isinstance(scale, int) and 0 <= scale <= 1000
        return Column(_POSTGRESQL.get(code, Kind.OTHER), scale if known else None)
    for name, kind in (("STRING", Kind.TEXT), ("NUMBER", Kind.NUMBER), ("DATETIME", Kind.MOMENT)):
        if getattr(driver.module, name, None) == code:  # PEP 249's type objects
            return Column(kind)
    return Column(Kind.OTHER)


def _named(dialect: str, name: str) -> Column:
    found = _TYPE.fullmatch(name.lower())
    kind = Kind.OTHER if found is None else _NAMED[dialect].get(found[1], Kind.OTHER)
    if name.lower().startswith("enum("):
        kind = Kind.TEXT
    if found is None or kind is not Kind.DECIMAL:
        return Column(kind)
    return Column(kind, int(found[2] or 0))


def _mysql(row: Any) -> Column:
    """A column as SHOW FULL COLUMNS describes it: its name, type and collation, and more."""
    column = _named("mysql", _text(row[1]))
    if column.kind is not Kind.TEXT:
        return column
    return Column(Kind.TEXT, takes_unicode=_text(row[2]).startswith("utf8"))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _values(row: Any) -> Any:
    return tuple(row.values()) if isinstance(row, dict) else row
