"""The database behind a store: from a folder or URL to connections that are set up alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from ...errors import ConfigurationError
from .folder import DATABASE, make_file, open_folder
from .sqlite import Sqlite

if TYPE_CHECKING:
    import os

    from .database import Database

__all__ = ["Place", "locate", "open_database"]


class Place(NamedTuple):
    """Where a platform's data is.

    Attributes:
        url: the database's.
        folder: where its files are, None if it has none.
    """

    url: URL
    folder: Path | None


def locate(place: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Place:
    """The database at a URL, or in the file in a folder, which is made.

    Args:
        place: the URL or the folder.
        folder: where the files are that are in no database; for a URL only.

    Raises:
        ConfigurationError: the folder cannot be made or written to, or is none; or the URL is none.
    """
    if not isinstance(place, str) or "://" not in place:
        found = open_folder(place)
        return Place(URL.create("sqlite", database=str(found / DATABASE)), found)
    try:
        url = sqlalchemy.make_url(place)
        if url.get_backend_name() == "sqlite":
            url.get_dialect()
    except (ArgumentError, ValueError) as error:
        # Without the error's own text, which may hold the URL's password.
        reason = "its port is no number" if isinstance(error, ValueError) else type(error).__name__
        raise _unknown(place, reason) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise _unknown(place, "only sqlite:// and postgresql:// do")
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise _unknown(place, "one in memory has no second connection; write sqlite:///FILE")
        file = Path(url.database).absolute()
        if not file.parent.is_dir():
            raise ConfigurationError(
                f"there is no folder {str(file.parent)!r} for the database {file.name!r}"
            )
        make_file(file)
        return Place(url, file.parent)
    if "@" in (url.host or ""):  # the rest of a password, which an error would show
        raise _unknown(place, "an @ in a user's name or password is written as %40")
    return Place(url, None if folder is None else open_folder(folder))


def open_database(url: URL) -> Database:
    """The database at a URL. Nothing is connected yet.

    Raises:
        ConfigurationError: the database's driver is not installed, or too old.
    """
    if url.get_backend_name() == "sqlite":
        return Sqlite(url)
    try:
        from .postgresql import Postgresql  # late: psycopg takes a while to import, and few platforms use it
    except ImportError as error:
        raise ConfigurationError(
            "a store on PostgreSQL needs the package psycopg; "
            f"run: pip install 'flowthings_like[embedded,postgresql]' ({error})"
        ) from error
    return Postgresql(url)


def _unknown(place: str, reason: str) -> ConfigurationError:
    scheme = place.partition("://")[0]
    return ConfigurationError(f"the URL {scheme}://… names no database that can be used here ({reason})")
