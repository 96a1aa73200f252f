"""Copies the files of a folder, all as they were at one moment, while other processes use it.

SQLite's databases are copied by SQLite, from a read transaction that sees that moment; nobody waits for it.
DuckDB's are copied as files, with `CopyLock` held, so that nothing is committed meanwhile. They are copied
before, too: with the lock held only what has changed is written.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ...errors import ConfigurationError
from ..duckdb.copy_lock import CopyLock
from ..records.database import FILE as RECORDS
from ..records.payload_file import FILE as PAYLOADS
from ..store.folder import DATABASE
from ..streams.database import FILE as STREAMS
from .copying import sync_file, update_copy

__all__ = ["FILES", "Snapshot", "copy_folder", "is_platform"]

OWN_DATABASE = "db.sqlite"
"""The database of `api.db`, which is the user's own."""

_SQLITE = (DATABASE, OWN_DATABASE)
_DUCKDB = (STREAMS, RECORDS)
FILES = (*_SQLITE, *_DUCKDB)
"""The databases of a platform's folder. It has at least one; drops may be on a server."""

_BUSY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was copied.

    Attributes:
        moment: the moment that the files show.
        names: the files.
        held: seconds during which nothing was committed to streams and records.
    """

    moment: datetime
    names: list[str]
    held: float


def is_platform(folder: Path) -> bool:
    """Whether a folder is a platform's."""
    return any((folder / name).is_file() for name in FILES)


def copy_folder(folder: Path, target: Path) -> Snapshot:
    """Copy a platform's folder into another one, which exists and is empty.

    Not to be called in a process that has the folder open: closing a file of DuckDB's releases its locks.

    Raises:
        ConfigurationError: a file cannot be copied.
    """
    try:
        return _copy(folder, target)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"{str(folder)!r} cannot be copied: {error}") from error


def _copy(folder: Path, target: Path) -> Snapshot:
    databases = [name for name in _DUCKDB if (folder / name).exists()]
    for name in databases:
        (target / name).parent.mkdir(mode=0o700, exist_ok=True)
        for file in _files_of(folder, name):
            update_copy(folder / file, target / file)
    names: list[str] = []
    payloads = 0
    with ExitStack() as opened:
        with ExitStack() as locks:
            for name in databases:
                lock = CopyLock((folder / name).parent)
                locks.callback(lock.close)
                locks.enter_context(lock.held())
            since, moment = time.monotonic(), datetime.now(timezone.utc)
            sources = {
                name: opened.enter_context(closing(_at_this_moment(folder / name)))
                for name in _SQLITE
                if (folder / name).exists()
            }
            for name in databases:
                files = _files_of(folder, name)
                for file in files:
                    update_copy(folder / file, target / file)
                for gone in set(_files_of(target, name)) - set(files):
                    (target / gone).unlink()  # a log that was written into the database meanwhile
                names += files
            if (folder / PAYLOADS).exists():
                payloads = (folder / PAYLOADS).stat().st_size
            held = time.monotonic() - since
        for name, source in sources.items():
            with closing(sqlite3.connect(target / name)) as copy:
                source.backup(copy)
            (target / name).chmod(0o600)
            names.append(name)
    if (folder / PAYLOADS).exists() and RECORDS in databases:
        # What was committed does not change any more, and the rest belongs to nothing.
        update_copy(folder / PAYLOADS, target / PAYLOADS, payloads)
        names.append(PAYLOADS)
    for name in names:
        sync_file(target / name)
    return Snapshot(moment, names, held)


def _files_of(folder: Path, name: str) -> list[str]:
    """A database of DuckDB, and its logs, whose names begin with that of the database."""
    path = folder / name
    found = path.parent.glob(f"{path.name}*")
    return sorted(each.relative_to(folder).as_posix() for each in found if each.is_file())


def _at_this_moment(path: Path) -> sqlite3.Connection:
    """A connection that sees a database as it is now, for as long as it is open."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
