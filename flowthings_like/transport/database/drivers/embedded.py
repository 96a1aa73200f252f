"""The drivers of databases in this process: sqlite3 and duckdb."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from .base import Driver, Memory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DuckDB", "SQLite"]

_numbers = count(1)


class SQLite(Driver):
    """sqlite3. A connection may be used in any OS thread, in one at a time."""

    is_embedded = True

    def shared_memory(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Memory | None:
        database = args[0] if args else kwargs.get("database")
        if database not in (":memory:", b":memory:", ""):
            return None
        if self.module.sqlite_version_info >= (3, 36):  # memdb locks as files do: writers wait for each other
            uri = f"file:/flowthings-{os.getpid()}-{next(_numbers)}?vfs=memdb"
        else:
            uri = f"file:flowthings-{os.getpid()}-{next(_numbers)}?mode=memory&cache=shared"
        others = {name: value for name, value in kwargs.items() if name != "database"}
        return Memory((uri, *args[1:]), {**others, "uri": True})

    def connect(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.module.connect(*args, **{**kwargs, "check_same_thread": False})

    def drop(self, connection: Any) -> None:
        # It and its cache of statements refer to each other, so that its transaction would keep the database
        # locked until the garbage collector comes.
        self.abort(connection)

    def abort(self, connection: Any) -> None:
        # The transaction of a closed connection lasts as long as something refers to one of its cursors.
        try:
            with suppress(self.error):
                connection.rollback()
        finally:
            super().abort(connection)

    def is_lost(self, connection: Any, error: Exception, handled: BaseException | None) -> bool:
        # Its InterfaceError is about a parameter. What cannot be repaired, such as a file that is no
        # database, a new connection does not repair either.
        return False

    def canceller(self, connection: Any) -> Callable[[], object]:
        return connection.interrupt  # type: ignore[no-any-return]


class DuckDB(Driver):
    """duckdb. A cursor of its own is a connection of its own, so a connection serves as its cursor."""

    is_embedded = True
    begins = True

    def shared_memory(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Memory | None:
        database = args[0] if args else kwargs.get("database", ":memory:")
        if str(database) not in (":memory:", ""):
            return None
        others = {name: value for name, value in kwargs.items() if name != "database"}
        return Memory((f":memory:flowthings-{os.getpid()}-{next(_numbers)}", *args[1:]), others)

    def begin(self, connection: Any) -> None:
        connection.begin()

    def cursor(self, connection: Any, *args: Any, **kwargs: Any) -> Any:
        return connection

    def close_cursor(self, cursor: Any) -> None:
        pass

    def is_lost(self, connection: Any, error: Exception, handled: BaseException | None) -> bool:
        return False

    def canceller(self, connection: Any) -> Callable[[], object]:
        return connection.interrupt  # type: ignore[no-any-return]
