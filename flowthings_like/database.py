"""Databases alone: connection pools for any DB-API driver, without an API and its credentials.

from flowthings_like.database import ConnectionPool

pool = ConnectionPool("sqlite3", "users.db")
pool.run_query("select login, name from users where login = ?", ("yoen",))
"""

from __future__ import annotations

from .errors import (
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    DeadlineExceeded,
    FlowThingsError,
    InvalidInput,
    WrongThread,
)
from .services.database.connections import Holder, PoolStatistics
from .services.database.options import PoolOptions
from .services.database.pool import ConnectionPool
from .services.database.transaction import Connection, PooledConnection, Transaction

__all__ = [
    "ConfigurationError",
    "Connection",
    "ConnectionFailed",
    "ConnectionLost",
    "ConnectionPool",
    "DeadlineExceeded",
    "FlowThingsError",
    "Holder",
    "InvalidInput",
    "PoolOptions",
    "PoolStatistics",
    "PooledConnection",
    "Transaction",
    "WrongThread",
]
