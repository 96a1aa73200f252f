"""Runs the revisions that a database lacks, within the caller's transaction.

A new database needs none: its tables are made as they are now. So Alembic is imported only where there is
something to bring up to date. Which version a database has is the store's to know, not Alembic's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["REVISIONS", "upgrade"]

REVISIONS = Path(__file__).parent / "versions"


def upgrade(connection: Connection, found: int, revisions: Path = REVISIONS) -> int:
    """Bring the tables from version `found` to the last one, which is returned.

    Args:
        connection: within a transaction, which the caller ends.
        found: the version of its tables.
        revisions: the folder with Alembic's revisions.
    """
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(revisions.parent), version_locations=[str(revisions)])
    steps = list(scripts.iterate_revisions("head", str(found)))
    last = int(steps[0].revision) if steps else found
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(steps):
            step.module.upgrade()
    return last
