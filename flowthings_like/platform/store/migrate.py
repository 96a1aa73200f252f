"""Makes the tables of a database server, or brings them up to date, once and on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DatabaseError

from ...errors import ConfigurationError
from . import schema
from .engine import locate, open_database
from .migrations.upgrade import REVISIONS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["migrate"]


def migrate(url: str, partitions: int = 0, revisions: Path = REVISIONS) -> str:
    """Make the tables of the database at `url`, or make them those of this version.

    Processes that do so at the same time wait for each other. If it fails, nothing has changed.

    Args:
        url: the database's.
        partitions: in how many parts to cut the tables that grow; 0 for not at all. For new tables only.
        revisions: the folder with Alembic's revisions.

    Returns:
        What was done, for people to read.

    Raises:
        ConfigurationError: the database cannot be used, or has tables that would have to be cut.
    """
    database = open_database(locate(url).url)
    if database.folder is not None:
        if partitions:
            raise ConfigurationError("only tables on PostgreSQL are cut into parts")
        database.prepare()
        return f"version {schema.VERSION}"
    from . import postgresql_tables as tables  # after it is known that psycopg is there

    try:
        with database.engine.begin() as connection:
            if tables.version(connection) is None:
                tables.make_tables(connection, partitions)
                return f"made the tables of version {schema.VERSION}"
            if partitions:
                raise ConfigurationError(
                    f"{database.name} has tables already, and only new ones are cut into parts"
                )
            found, last = tables.bring_up_to_date(connection, revisions)
    except DatabaseError as error:
        raise database.unusable(error) from error
    return f"version {last}, as before" if found == last else f"from version {found} to {last}"
