"""The tables: records by the size of their payloads, because DuckDB moves numbers faster than bytes.

A payload of at most 24 bytes is kept as whole numbers of 8 bytes, the last one padded with zeros, in the
table for this many numbers: `words_0` to `words_3`. Longer payloads are in the payload file, which takes less
work from about 24 bytes on, but one more wait for the disk. The table `long` has their places in it. They are
no column of bytes: DuckDB would hold 2,048 payloads in memory at once to read a single one.

Each table has its records in the order in which they were committed, and never loses one. So a row's number
(`rowid`) tells whether it was there at a certain time.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COLUMNS", "LONG", "LONGEST_IN_WORDS", "TABLES", "WORD", "Table", "table_for"]

COLUMNS = {"cid": "integer", "mid": "bigint", "moid": "integer", "cap": "bigint", "acq": "bigint"}
"""The columns of the key, which every table has first."""

WORD = 8
"""Bytes of one number."""

LONGEST_IN_WORDS = 24
"""The largest payload that is kept as numbers."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of records.

    Attributes:
        name: of the table.
        columns: {name: type} of all its columns, in their order.
        words: how many numbers a payload takes; None if payloads are in the payload file.
    """

    name: str
    columns: dict[str, str]
    words: int | None

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def statement(self) -> str:
        """The statement that makes it if it is missing."""
        columns = ", ".join(f"{name} {kind} not null" for name, kind in self.columns.items())
        return f"create table if not exists {self.name} ({columns});"


def _in_words(count: int) -> Table:
    words = {f"w{number}": "ubigint" for number in range(count)}
    return Table(f"words_{count}", {**COLUMNS, "size": "utinyint", **words}, count)


LONG = Table("long", {**COLUMNS, "size": "integer", "position": "bigint"}, None)
"""The records whose payloads are in the payload file: `size` bytes from `position`."""

_IN_WORDS = tuple(_in_words(count) for count in range(LONGEST_IN_WORDS // WORD + 1))

TABLES = (*_IN_WORDS, LONG)
"""All tables of records."""


def table_for(size: int) -> Table:
    """The table for payloads of this size."""
    return LONG if size > LONGEST_IN_WORDS else _IN_WORDS[-(-size // WORD)]
