"""The record store: what a session asks of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...green.backends.choice import native
from ...wire.tstorage.replies import encode_reply_records
from .acquisition import AcquisitionClock, now
from .committed import read_committed
from .database import FILE, Database
from .payload_file import FILE as PAYLOADS
from .payload_file import PayloadFile
from .problems import Refused
from .ranges import check_acq, check_get
from .reader import Snapshot, read_pages
from .staging import StagedPut, StagingArea
from .writer import Stamps, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...wire.tstorage.record import Key
    from .committed import Committed

__all__ = ["Found", "RecordStore"]

STAGED_IN_MEMORY = 256 << 20
"""Bytes of all puts that are being received, in memory."""

PUT_IN_MEMORY = 128 << 20
"""Bytes of one such put in memory. What comes then waits in a file."""

STAGED_ON_DISK = 32 << 30
"""Bytes of all such puts in files."""

UNFINISHED = 1 << 30
"""Bytes of records that have not come whole, of all such puts. One record may have 32 MiB."""

_log = logging.getLogger("flowthings_like.platform.records")


class RecordStore:
    """The records of a folder. One process at a time can have it open.

    Methods wait, and other green threads go on meanwhile.

    Args:
        folder: where the files are, or are made.
        memory: how much DuckDB may hold, such as "512MB".

    Raises:
        ConfigurationError: DuckDB is not installed, or the files cannot be used.
    """

    def __init__(self, folder: Path, memory: str = "512MB") -> None:
        self._database: Database = native(Database, folder / FILE, memory)
        try:
            found: Committed = native(read_committed, self._database)
            self._payload_file: PayloadFile = native(PayloadFile, folder / PAYLOADS, found.payload_end)
        except BaseException:
            native(self._database.close)
            raise
        self._clock = AcquisitionClock(found.last_stamp)
        self._writer = Writer(self._database, self._payload_file, self._clock, found.rows)
        self._area = StagingArea(
            (folder / PAYLOADS).parent, STAGED_IN_MEMORY, PUT_IN_MEMORY, STAGED_ON_DISK, UNFINISHED
        )

    def close(self) -> None:
        """Write what is queued and close the files."""
        self._writer.close()
        native(self._close)

    def begin_put(self, has_acq: bool) -> StagedPut:
        """A put that is to be received. `has_acq`: its records come with their acq."""
        return StagedPut(self._area, has_acq)

    def put(self, put: StagedPut) -> Stamps:
        """Store a put that was received whole. Returns its stamps once it is on disk.

        Raises:
            Refused: it cannot be stored.
        """
        return self._writer.submit(put)

    def acq(self, low: Key, high: Key) -> int:
        """The acq below which records between two keys do not change any more.

        Raises:
            Refused: no request may have such a range.
        """
        snapshot: Snapshot = native(self._snapshot)
        check_acq(low, high, max(snapshot.horizon, now()))
        return min(high.acq, snapshot.horizon)

    def get(self, low: Key, high: Key) -> Found:
        """Search for the records between two keys.

        Raises:
            Refused: no GET may have such a range.
        """
        snapshot: Snapshot = native(self._snapshot)
        check_get(low, high, max(snapshot.horizon, now()))
        pages = read_pages(self._database, self._payload_file, snapshot, low, high)
        encoded = (buffer for page in pages for buffer in encode_reply_records(page))
        return Found(encoded, min(high.acq, snapshot.horizon))

    def _close(self) -> None:
        try:
            self._database.close()
        finally:
            self._payload_file.close()

    def _snapshot(self) -> Snapshot:
        # The rows second: all that was committed below the horizon is among them.
        horizon = self._clock.horizon()
        return Snapshot(horizon, self._writer.rows)


class Found:
    """The records that a GET has found, encoded for the reply.

    Attributes:
        acq: the end of the reply says it: records with a lower acq do not change any more.
    """

    def __init__(self, encoded: Iterator[memoryview], acq: int) -> None:
        self._encoded = encoded
        self.acq = acq

    def next(self) -> memoryview | None:
        """The next records; None if there are no more. Other green threads go on while it reads.

        Raises:
            Refused: they cannot be read.
        """
        found: memoryview | None = native(self._next)
        return found

    def _next(self) -> memoryview | None:
        try:
            return next(self._encoded, None)
        except Refused:
            raise
        except Exception as error:
            _log.exception("records cannot be read")
            raise Refused("the store cannot read now") from error
