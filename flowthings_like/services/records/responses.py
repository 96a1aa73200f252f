"""The answers of a channel's calls: a status, and what was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...wire.tstorage.status import ResponseStatus
from .errors import error_of

if TYPE_CHECKING:
    from ...wire.tstorage.record import Record
    from .record_batch import RecordBatch

__all__ = ["Response", "ResponseAcq", "ResponseGet", "ResponseStatus"]

T = TypeVar("T")
Self = TypeVar("Self", bound="Response")


@dataclass(frozen=True)
class Response:
    """The answer of a call. It is true only if the call succeeded.

    Attributes:
        status: whether it succeeded, and if not, why.
        skipped: how many records a put has left out because they were invalid.
        reason: what went wrong, in words; "" for OK.
    """

    status: ResponseStatus
    skipped: int = field(default=0, kw_only=True)
    reason: str = field(default="", kw_only=True, compare=False)

    def is_ok(self) -> bool:
        """Whether the call succeeded."""
        return self.status.is_ok()

    def __bool__(self) -> bool:
        return self.is_ok()

    def raise_for_status(self: Self) -> Self:
        """Return this answer, or raise the exception for its status.

        Raises:
            RecordsError: the status is not OK: Disconnected, UnparseableEntity or NoMemory for these, and
                RecordsError itself for ERROR and BAD_REQUEST.
        """
        if not self:
            raise error_of(self.status, self.reason)
        return self


@dataclass(frozen=True)
class ResponseAcq(Response):
    """The answer of a call that asks for an acquisition time.

    Attributes:
        acq: all records that were acquired before then, in nanoseconds since 2001-01-01 UTC, are stored; -1
            if the call failed.
    """

    acq: int = -1


@dataclass(frozen=True)
class ResponseGet(ResponseAcq, Generic[T]):
    """The answer of `get`.

    Attributes:
        data: the records: a RecordBatch if all payloads have one size and numpy is installed, else a list of
            Records. If the call failed, those that had come before.
    """

    data: RecordBatch[T] | list[Record[T]] = field(default_factory=list[Any])
