"""The driver for a DB-API module."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ....errors import ConfigurationError, InvalidInput
from .base import Driver
from .embedded import DuckDB, SQLite
from .mysql import PyMySQL
from .postgresql import PG8000, Psycopg, Psycopg2

__all__ = ["find_driver"]

_KNOWN: dict[str, type[Driver]] = {
    "sqlite3": SQLite,
    "duckdb": DuckDB,
    "psycopg": Psycopg,
    "psycopg2": Psycopg2,
    "pg8000": PG8000,
    "pg8000.dbapi": PG8000,
    "pg8000.legacy": PG8000,
    "pymysql": PyMySQL,
}


def find_driver(dbapi: str | ModuleType) -> Driver:
    """The driver that a DB-API 2.0 module, or its name, stands for.

    Raises:
        ConfigurationError: there is no such module, or it is no DB-API module.
    """
    if isinstance(dbapi, str):
        try:
            module = import_module(dbapi)
        except ModuleNotFoundError as error:
            if error.name != dbapi.partition(".")[0]:
                raise
            raise ConfigurationError(f"there is no module {dbapi!r}; install the driver's package") from None
    elif isinstance(dbapi, ModuleType):
        module = dbapi
    else:
        raise InvalidInput(f"the driver is a {type(dbapi).__name__}; give a DB-API module or its name")
    missing = [name for name in ("connect", "Error", "paramstyle") if not hasattr(module, name)]
    if missing:
        raise ConfigurationError(
            f"{module.__name__} has no {', '.join(missing)}, so it is no DB-API 2.0 module; "
            "some packages keep it in a submodule, as pg8000.dbapi"
        )
    return _KNOWN.get(module.__name__, Driver)(module)
