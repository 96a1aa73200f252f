"""The interface of what holds records: a list of Records, or a RecordBatch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Protocol, TypeVar

from ...wire.tstorage.record import Record

__all__ = ["GetCallback", "RecordsSet"]

T = TypeVar("T")


class RecordsSet(Iterable[Record[T]], Sized, Protocol[T]):
    """Anything with a length that iterates as Records, such as a list of them."""


GetCallback = Callable[[RecordsSet[T]], None]
"""Takes the records of one part of an answer; see `Channel.get_stream`."""
