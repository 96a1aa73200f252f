"""Lets the tests' platforms keep their data on PostgreSQL, without a test that says so.

    FLOWTHINGS_STORE=postgresql python -m tests --backend threads tests/platform

Each folder that a platform is opened in then stands for a database of its own on the shared server. With
`postgresql-parts` the tables that grow are cut into parts by a hash. Files of the folder stay in it.
Processes that a test starts do not know of this: they get the place from `place_of`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from flowthings_like.platform.store import engine as engines
from flowthings_like.platform.store.engine import Place
from flowthings_like.platform.store.migrate import migrate

from .postgres import PostgresDatabase, PostgresServer

__all__ = ["STORE", "StoreDatabases", "place_of", "platform_databases", "store_databases"]

STORE = os.environ.get("FLOWTHINGS_STORE", "sqlite")
"""Where the tests' platforms keep their data: "sqlite", "postgresql" or "postgresql-parts"."""

PARTS = 3


def place_of(folder: Path) -> str:
    """Where a platform in this folder keeps its data, for a process that a test starts: a folder or a URL."""
    if STORE == "sqlite":
        return str(folder)
    return engines.locate(folder).url.render_as_string(hide_password=False)


class StoreDatabases:
    """The databases of a server that stand for folders."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._by_folder: dict[Path, PostgresDatabase] = {}
        self._template: PostgresDatabase | None = None
        self._locate = engines.locate

    def locate(self, place: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Place:
        """What `engine.locate` returns while this is in its place."""
        located = self._locate(place, folder)
        if located.folder is None or "://" in str(place):
            return located
        return Place(sqlalchemy.make_url(self.of(located.folder).url), located.folder)

    def of(self, folder: Path) -> PostgresDatabase:
        """The database that stands for a folder."""
        found = self._by_folder.get(folder)
        if found is None:
            template = self._template
            if template is None:
                template = self._server.new_database()
                migrate(template.url, PARTS if STORE == "postgresql-parts" else 0)
                self._template = template
            found = self._by_folder.setdefault(folder, self._server.new_database(template.database))
        return found

    def folders(self) -> set[Path]:
        """Those that have a database."""
        return set(self._by_folder)

    def drop(self, folders: set[Path]) -> None:
        """Remove their databases, but those that are still used."""
        for folder in folders:
            if not self._by_folder[folder].sessions():
                self._server.drop(self._by_folder.pop(folder))


@pytest.fixture(scope="session")
def platform_databases(request: pytest.FixtureRequest) -> Iterator[StoreDatabases | None]:
    """The databases of the tests' platforms; None if they are in folders."""
    if STORE == "sqlite":
        yield None
        return
    databases = StoreDatabases(request.getfixturevalue("postgres"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "locate", databases.locate)
        yield databases


@pytest.fixture(autouse=True, scope="session")
def _platforms_on_postgres(platform_databases: StoreDatabases | None) -> None:
    """Before any other fixture opens a platform."""


@pytest.fixture(autouse=True)
def store_databases(platform_databases: StoreDatabases | None) -> Iterator[StoreDatabases | None]:
    """The same; afterwards, the databases that were made for the test are removed."""
    known = set() if platform_databases is None else platform_databases.folders()
    yield platform_databases
    if platform_databases is not None:
        platform_databases.drop(platform_databases.folders() - known)
