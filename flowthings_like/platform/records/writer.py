"""The single writer: puts that come together share one commit, and one wait for the disk."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..duckdb.writer import DatabaseWriter
from ..store.group_commit import Job
from .committed import read_committed
from .problems import Refused
from .tables import LONG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .acquisition import AcquisitionClock
    from .batches import Batch
    from .database import Database
    from .payload_file import PayloadFile
    from .staging import StagedPut
    from .tables import Table

__all__ = ["Stamps", "Writer"]

_ROWS_AT_ONCE = 1 << 20
"""Rows that are inserted with one statement, about. DuckDB writes what a second statement in a transaction
inserts twice."""

_log = logging.getLogger("flowthings_like.platform.records")


@dataclass(frozen=True, slots=True)
class Stamps:
    """The stamps that a PUT has got: the lowest and the highest."""

    lowest: int
    highest: int


class Writer(DatabaseWriter):
    """Commits puts. A job's work is a StagedPut.

    Args:
        database: the open database.
        payload_file: the open file.
        clock: stamps records.
        rows: as the attribute.

    Attributes:
        rows: {table: rows} that are committed. The mapping is replaced with each commit.
    """

    def __init__(
        self,
        database: Database,
        payload_file: PayloadFile,
        clock: AcquisitionClock,
        rows: Mapping[Table, int],
    ) -> None:
        super().__init__(database)
        self._payload_file = payload_file
        self._clock = clock
        self.rows = rows

    def submit(self, put: StagedPut) -> Stamps:
        """Store a put with the next commit. Returns once it is on disk.

        A caller that is interrupted here does not know whether it was stored; the writer goes on.

        Raises:
            Refused: it cannot be stored.
        """
        stamps: Stamps = self._submit(Job(put))
        return stamps

    def _commit(self, jobs: list[Job]) -> None:
        first = self._clock.begin(len(jobs))
        try:
            self._insert(jobs, first)
        finally:
            self._clock.end()
        for stamp, job in enumerate(jobs, first):
            job.error = None
            job.result = Stamps(stamp, stamp)

    def _insert(self, jobs: list[Job], first_stamp: int) -> None:
        inserter = _Inserter(self._cursor, self._payload_file)
        for stamp, job in enumerate(jobs, first_stamp):
            inserter.insert(job.work, stamp)
        inserter.flush()
        self._cursor.execute("insert into commits values ($1)", [first_stamp + len(jobs) - 1])
        self._payload_file.sync()  # first, so that no row is on disk without its payload
        self._cursor.execute("commit")
        self._payload_file.commit()
        added = inserter.added
        self.rows = {table: rows + added.get(table, 0) for table, rows in self.rows.items()}

    def _as_problem(self, error: BaseException) -> BaseException:
        _log.error("records cannot be stored: %s", error)
        return Refused("the store cannot write now")

    def _undo(self) -> None:
        super()._undo()
        # A commit that failed while it waited for the disk may be there all the same.
        with suppress(Exception):
            found = read_committed(self._database)
            self._payload_file.rollback(found.payload_end)
            self.rows = found.rows


class _Inserter:
    """Inserts the records of one transaction.

    Attributes:
        added: {table: rows} so far.
    """

    def __init__(self, cursor: Any, payload_file: PayloadFile) -> None:
        self._cursor = cursor
        self._payload_file = payload_file
        self._waiting: dict[Table, list[dict[str, Any]]] = {}
        self._counts: dict[Table, int] = {}
        self.added: dict[Table, int] = {}

    def insert(self, put: StagedPut, stamp: int) -> None:
        """Insert the records of a put, now or with `flush`."""
        for batch in put.batches():
            self._waiting.setdefault(batch.table, []).append(self._columns(batch, stamp))
            count = self._counts[batch.table] = self._counts.get(batch.table, 0) + len(batch)
            if count >= _ROWS_AT_ONCE:
                self._flush(batch.table)

    def flush(self) -> None:
        """Insert what waits."""
        for table in list(self._waiting):
            self._flush(table)

    def _columns(self, batch: Batch, stamp: int) -> dict[str, Any]:
        columns = batch.columns
        if "acq" not in columns:
            columns = {**columns, "acq": np.full(len(batch), stamp, np.int64)}
        if batch.table is LONG:
            sizes = columns["size"].astype(np.int64)
            position = self._payload_file.append(batch.payload)
            columns = {**columns, "position": position + np.cumsum(sizes) - sizes}
        return columns

    def _flush(self, table: Table) -> None:
        waiting = self._waiting.pop(table)
        count = self._counts.pop(table)
        incoming = waiting[0]
        if len(waiting) > 1:
            incoming = {name: np.concatenate([each[name] for each in waiting]) for name in incoming}
        names = ", ".join(table.columns)
        # DuckDB finds the variable `incoming`. What is registered under a name it keeps until the commit.
        self._cursor.execute(f"insert into {table.name} select {names} from incoming")
        self.added[table] = self.added.get(table, 0) + count
