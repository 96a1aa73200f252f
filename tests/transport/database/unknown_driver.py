"""A DB-API module that nothing is known of."""

from sqlite3 import Error, connect, paramstyle

__all__ = ["Error", "connect", "paramstyle"]
