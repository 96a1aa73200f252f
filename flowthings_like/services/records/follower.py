"""Follows the records that are added to a range.

The server says up to which time the records of the range do not change any more. So the records between the
last such time and the next are complete, and are asked for once. That time is where another follower can go
on.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ...errors import DeadlineExceeded, InvalidInput
from ...transport.retry import Backoff
from ...wire.tstorage.record import FIELDS, Key
from .errors import error_of
from .responses import ResponseAcq, ResponseGet, ResponseStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...wire.tstorage.record import Record
    from .record_batch import RecordBatch

__all__ = ["Followed", "Follower"]

T = TypeVar("T")
R = TypeVar("R", bound=ResponseAcq)

_log = logging.getLogger("flowthings_like")
_BACKOFF = Backoff(base=0.1, most=10.0)


class Followed(Protocol[T]):
    """What a follower needs of a channel."""

    def _reconnect(self) -> bool: ...

    def _ask_acq(self, key_min: Key, key_max: Key) -> ResponseAcq: ...

    def _get_all(self, key_min: Key, key_max: Key) -> ResponseGet[T]: ...


class Follower(Generic[T]):
    """Iterates over the records of a range, and then over those that are added; see `Channel.follow`.

    Each item is a RecordBatch or a list of Records, never empty.

    Attributes:
        acq: all records that were acquired before then have been returned. Save it when they are used, and
            give it to the next follower.
    """

    def __init__(self, channel: Followed[T], key_min: Key, key_max: Key, every: float, acq: Any) -> None:
        if isinstance(every, bool) or not isinstance(every, int | float) or not 0 <= every < 1e9:
            raise InvalidInput(f"every is {every!r}; give a number of seconds")
        start = key_min.acq if acq is None else acq
        lowest, highest = FIELDS["acq"]
        if isinstance(start, bool) or not isinstance(start, int) or not lowest <= start <= highest:
            raise InvalidInput(f"acq is {start!r}; give the acq of a follower or of an answer")
        self.acq: int = start
        self._channel = channel
        self._key_min = key_min
        self._key_max = key_max
        self._every = every
        self._has_connected = False
        self._is_over = False

    def __iter__(self) -> Iterator[RecordBatch[T] | list[Record[T]]]:
        while not self._is_over:
            horizon = self._ask(lambda: self._channel._ask_acq(self._key_min, self._key_max))
            if horizon is None:
                return
            while self.acq < horizon.acq:
                answer = self._window(horizon.acq)
                if answer is None:
                    return
                self.acq = answer.acq
                if len(answer.data):
                    yield answer.data
            if horizon.acq >= self._key_max.acq:
                return
            time.sleep(self._every)

    def close(self) -> None:
        """End the loop at its next look."""
        self._is_over = True

    def _window(self, end: int) -> ResponseGet[T] | None:
        """The records that were acquired from `acq` on and before `end`, or earlier if they are too many.

        Returns:
            The answer, whose acq is where the window has ended; None if the channel was closed.
        """
        while True:
            key_min, key_max = self._key_min._replace(acq=self.acq), self._key_max._replace(acq=end)
            answer = self._ask(lambda: self._channel._get_all(key_min, key_max))  # noqa: B023 (called at once)
            if answer is None:
                return None
            if answer:
                return ResponseGet(answer.status, end, answer.data)
            if end - self.acq == 1:
                raise error_of(answer.status, answer.reason)
            end = self.acq + (end - self.acq) // 2
            self._channel._reconnect()

    def _ask(self, call: Callable[[], R]) -> R | None:
        """Make a call until it has an answer: OK or NO_MEMORY. None if the channel was closed.

        Raises:
            RecordsError: the server refused; or it has never been reached.
        """
        failures = 0
        while not self._is_over:
            try:
                answer = call()
                status, reason = answer.status, answer.reason
            except DeadlineExceeded as error:
                if not self._has_connected:
                    raise
                status, reason = ResponseStatus.DISCONNECTED, str(error)
            else:
                if status in (ResponseStatus.OK, ResponseStatus.NO_MEMORY):
                    self._has_connected = True
                    return answer
            if status is not ResponseStatus.DISCONNECTED or not self._has_connected:
                raise error_of(status, reason)
            failures += 1
            _log.warning("a follower has lost its connection and connects again: %s", reason)
            time.sleep(_BACKOFF.pause(failures))
            if not self._channel._reconnect():
                return None
        return None
