"""A put that has not been received whole: its records wait, in memory or in a file without a name.

The file vanishes with the process, so a put that was interrupted leaves nothing behind.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from .batches import Batch, divide
from .problems import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...wire.tstorage.columns import RecordColumns
    from .tables import Table

__all__ = ["StagedPut", "StagingArea"]


_SMALL = 256 << 10
"""Bytes that each put may have in memory, whatever the others have."""


class StagingArea:
    """Bounds what all staged puts together take.

    Args:
        folder: where files are made.
        memory: bytes of all puts in memory, about.
        put_memory: bytes of one put in memory, about.
        disk: bytes of all puts in files, about. A put that would take more is refused.
        unfinished: bytes of records that have not come whole, of all puts, about. A put that would take more
            is refused.
    """

    def __init__(self, folder: Path, memory: int, put_memory: int, disk: int, unfinished: int) -> None:
        self.folder = folder
        self.memory = memory
        self.put_memory = put_memory
        self.disk = disk
        self.unfinished = unfinished
        # Puts come and go in any thread, also when garbage is collected: no lock, only atomic operations.
        self._usages: dict[Usage, None] = {}

    def open(self) -> Usage:
        """Count another put."""
        usage = Usage()
        self._usages[usage] = None
        return usage

    def close(self, usage: Usage) -> None:
        """Count a put no longer. More calls do nothing."""
        self._usages.pop(usage, None)

    def is_memory_full(self, usage: Usage) -> bool:
        """Whether this put must leave memory. A small one never must."""
        if usage.memory <= min(_SMALL, self.put_memory):
            return False
        return usage.memory > self.put_memory or sum(each.memory for each in list(self._usages)) > self.memory

    def check_unfinished(self) -> None:
        """Raise Refused if records that have not come whole take too much."""
        if sum(each.unfinished for each in list(self._usages)) > self.unfinished:
            raise Refused(f"records that have not come whole may take {self.unfinished:,} bytes")

    def check_disk(self, size: int) -> None:
        """Raise Refused if there is no room for so many bytes more in files."""
        if size + sum(each.disk for each in list(self._usages)) > self.disk:
            raise Refused(f"puts that are under way may take {self.disk:,} bytes")


@dataclass(eq=False, slots=True)
class Usage:
    """What one put takes: bytes in memory, in its file, and of a record that has not come whole."""

    memory: int = 0
    disk: int = 0
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class _Column:
    """An array in the file."""

    position: int
    count: int
    kind: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class _Spilled:
    """A batch in the file."""

    table: Table
    columns: dict[str, _Column]
    payload: _Column


class StagedPut:
    """The records of one put that have come so far.

    Its methods are called in native threads, one at a time. Its memory and its file go with the object.

    Args:
        area: bounds all of them.
        has_acq: whether records come with their acq, as in a PUTA.
    """

    def __init__(self, area: StagingArea, has_acq: bool) -> None:
        self.has_acq = has_acq
        self._area = area
        self._batches: list[Batch] = []
        self._spilled: list[_Spilled] = []
        self._file: IO[bytes] | None = None
        self._usage = area.open()

    def __del__(self) -> None:
        self.discard()

    def discard(self) -> None:
        """Forget its records, unless it was given to the writer. More calls do nothing."""
        self._batches.clear()
        self._area.close(self._usage)
        if self._file is not None:
            self._file.close()

    def add(self, records: RecordColumns) -> None:
        """Add records.

        Raises:
            Refused: puts take too much already, or the file cannot be written.
        """
        for batch in divide(records):
            self._batches.append(batch)
            self._usage.memory += batch.bytes
            if self._area.is_memory_full(self._usage):
                self._spill()

    def note_unfinished(self, size: int) -> None:
        """Count the bytes of a record that has not come whole, which the reader of the connection has.

        Raises:
            Refused: they are too many, together with those of others.
        """
        grown = size > self._usage.unfinished
        self._usage.unfinished = size
        if grown and size > _SMALL:
            self._area.check_unfinished()

    def batches(self) -> Iterator[Batch]:
        """All records, in the order in which they came."""
        for spilled in self._spilled:
            yield self._read(spilled)
        yield from self._batches

    def _spill(self) -> None:
        """Move what is in memory to the file."""
        self._area.check_disk(self._usage.memory)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._area.folder, buffering=0)  # noqa: SIM115
            for batch in self._batches:
                columns = {name: self._write(array) for name, array in batch.columns.items()}
                self._spilled.append(_Spilled(batch.table, columns, self._write(batch.payload)))
        except OSError as error:
            raise Refused(f"a put cannot be staged: {error.strerror}") from error
        self._batches.clear()
        self._usage.disk += self._usage.memory
        self._usage.memory = 0

    def _write(self, array: Any) -> _Column:
        assert self._file is not None
        position = self._file.tell()
        left = array.view(np.uint8).data
        while left:
            left = left[self._file.write(left) :]
        return _Column(position, len(array), array.dtype)

    def _read(self, spilled: _Spilled) -> Batch:
        return Batch(
            spilled.table,
            {name: self._load(column) for name, column in spilled.columns.items()},
            self._load(spilled.payload),
        )

    def _load(self, column: _Column) -> Any:
        assert self._file is not None
        found = np.empty(column.count, column.kind)
        into, position = found.view(np.uint8).data, column.position
        while into:
            count = os.preadv(self._file.fileno(), [into], position)
            if not count:
                raise OSError("the file of a put is too short")
            into, position = into[count:], position + count
        return found
