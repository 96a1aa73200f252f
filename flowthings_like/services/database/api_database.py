"""The database of an API: `api.db`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ConfigurationError
from .pool import ConnectionPool

__all__ = ["DATABASE", "open_database"]

DATABASE = "db.sqlite"
"""The file in the folder of an embedded platform. It is the user's own: the platform has another one."""


def open_database(url: str | None, platform: Any) -> ConnectionPool:
    """The pool for an API.

    Args:
        url: the API's option `db`; None if it has none.
        platform: the API's embedded platform; None if it has none.

    Raises:
        ConfigurationError: there is neither; or the URL names a driver that is not installed.
        InvalidInput: the URL cannot be read.
    """
    if url is not None:
        return ConnectionPool.from_url(url)
    folder = None if platform is None else platform.store.folder
    if folder is None:
        raise ConfigurationError(
            "this API knows no database; write API(…, db='postgresql://user:password@host/name'), or set "
            "'db' in the profile or FLOWTHINGS_DB, or use API.embedded(folder), which keeps one in its folder"
        )
    return ConnectionPool("sqlite3", str(Path(folder) / DATABASE), cp_openfun=_use_wal)


def _use_wal(connection: Any) -> None:
    """Let calls read while another one writes. SQLite notes this in the file."""
    connection.execute("pragma journal_mode = wal").close()
