"""Source: what every source of rows does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..table import Chunk, Position

__all__ = ["Part", "Source"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a source that follow each other.

    Attributes:
        start: where they begin.
        rows: how many there are; None for all that are left.
    """

    start: Position
    rows: int | None


class Source(ABC):
    """Rows, which are read in chunks from any position on. Each time they are the same rows.

    Attributes:
        is_text: whether all cells are texts, as in CSV.
        key: the column that names a row for ever, such as the id of a drop; None if there is none.
        time_units: the columns with times that it makes itself, and of how many nanoseconds these are.
    """

    is_text: bool = False
    key: str | None = None
    time_units: Mapping[str, int] = MappingProxyType({})

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What has to be the same when a load goes on: plain JSON."""

    @abstractmethod
    def chunks(self, size: int, start: Position) -> Generator[Chunk, None, None]:
        """The rows from a position on, `size` at a time. To be closed.

        Raises:
            OSError: it cannot be read.
            InvalidInput: it is not what it should be.
        """

    def check_resumable(self) -> None:  # noqa: B027 (most sources are)
        """Raise ConfigurationError if it cannot promise the same rows each time."""

    def fraction(self) -> float | None:
        """How much of it was read, from 0 to 1; None if that is not known."""
        return None

    def parts(self, rows: int) -> list[Part]:
        """Cut it into parts of so many rows. One that cannot be cut is one part."""
        return [Part(Position(), None)]
