"""Where a database is and who may use it, as a URL and as a driver's arguments."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

__all__ = ["Database", "new_password"]

# What drivers call the name of the database.
DATABASE_ARGUMENTS = {
    "psycopg": "dbname",
    "psycopg2": "dbname",
    "pg8000": "database",
    "pymysql": "database",
}


class Database:
    """A database of a server, with a user and a password.

    Attributes:
        host: where its server is.
        port: where its server is.
        user: an administrator.
        password: it has characters that a URL must quote, and is in no repr.
        database: the database's name.
    """

    scheme: str  # the first part of its URL

    def __init__(self, host: str, port: int, user: str, password: str, database: str) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database

    @property
    def url(self) -> str:
        """For example postgresql://user:password@127.0.0.1:20001/name."""
        password = quote(self.password, safe="")
        return f"{self.scheme}://{self.user}:{password}@{self.host}:{self.port}/{self.database}"

    def connect_args(self, driver: str) -> dict[str, Any]:
        """The keyword arguments of the `connect` of psycopg, psycopg2, pg8000 or pymysql."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            DATABASE_ARGUMENTS[driver]: self.database,
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.database} at {self.host}:{self.port}>"


def new_password() -> str:
    """A password that occurs nowhere else, so that a test can look for it."""
    return f"p@ss:w/rd%{secrets.token_hex(8)}"
