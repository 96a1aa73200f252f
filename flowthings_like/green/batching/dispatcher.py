"""Sends a batch as one bulk request. If that is refused, splits it until only the faulty call fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import (
    CallCancelled,
    FlowThingsException,
    FlowThingsNotFound,
    InvalidInput,
    InvalidResponse,
)

from ..future import Failure, as_cancelled
from .bulk_marker import ALONE

if TYPE_CHECKING:
    from ..backends.contract import Pool
    from .queue import Batch, BatchQueue, Call
    from .writes import Writes

__all__ = ["Dispatcher", "fail"]

Positions = Sequence[int]
"""Positions of calls in a batch. A failure's frames must not refer to a call, which keeps the failure: that
would be a cycle. With positions they refer to the batch alone, which is emptied in the end."""

NO_SUCH_METHOD = (405, 501)
PERHAPS_NO_SUCH_METHOD = (400, 404)
NOT_ABOUT_ONE_CALL = (401, 408, 425, 429)

_ABSENT: Any = object()


class Dispatcher:
    """Sends the batches of one lazy object, and gives each call its own result or its own failure.

    Args:
        pool: runs calls that are sent alone at the same time.
        known: which bulk forms the platform has, (class of the service, method) -> bool, as far as known.
            Belongs to the api.
        writes: notes what the calls have written, before their results are set.
    """

    def __init__(self, pool: Pool, known: dict[Any, bool], writes: Writes) -> None:
        self._pool = pool
        self._known = known
        self._writes = writes

    def send(self, batch: Batch) -> None:
        """Send a batch. Afterwards each of its calls has a result or a failure, whatever happened."""
        everything = range(len(batch.calls))
        try:
            self._send(batch, everything)
        except BaseException as error:
            # Killed, timed out, Ctrl-C, or a fault: no thread must wait for a result that will not come.
            self._fail(batch, everything, as_cancelled(error))
            raise

    def _send(self, batch: Batch, positions: Positions) -> None:
        queue = batch.queue
        if len(positions) == 1:
            self._send_alone(batch, positions[0])
            return
        if self._has_bulk_form(queue) is False:
            self._send_singly(batch, positions)
            return
        try:
            answer = batch.request(positions)
        except InvalidInput:
            self._split(batch, positions)
        except FlowThingsException as error:
            self._refused(batch, positions, error)
        except Exception as error:
            self._fail(batch, positions, error)
        else:
            self._learn_bulk_form(queue, True)
            self._set_results(batch, positions, answer)

    def _has_bulk_form(self, queue: BatchQueue) -> bool | None:
        """Whether the platform has this bulk form; None as long as nobody knows."""
        return self._known.get((type(queue.service), queue.form.method))

    def _learn_bulk_form(self, queue: BatchQueue, has: bool) -> None:
        self._known[type(queue.service), queue.form.method] = has

    # A refused bulk request

    def _refused(self, batch: Batch, positions: Positions, error: FlowThingsException) -> None:
        """The platform refused the bulk request: decide from the status what to do with its calls."""
        queue, status = batch.queue, error.status
        known = self._has_bulk_form(queue)
        if status in NO_SUCH_METHOD and not known:
            self._learn_bulk_form(queue, False)
            self._send_singly(batch, positions)
        elif not 400 <= status < 500 or status in NOT_ABOUT_ONE_CALL:
            self._fail(batch, positions, error)
        elif status in PERHAPS_NO_SUCH_METHOD and not known:
            # A call that is wrong is wrong alone as well. If none is, the bulk form is not understood.
            if self._send_singly(batch, positions):
                self._learn_bulk_form(queue, False)
        elif status in queue.form.whole:
            self._fail(batch, positions, error)
        else:
            self._split(batch, positions)

    def _split(self, batch: Batch, positions: Positions) -> None:
        """Send the calls in two halves. One of them was refused, and with it all; nothing was written.

        The second half is sent after the first, so the order of writes stays.
        """
        middle = len(positions) // 2
        self._send(batch, positions[:middle])
        self._send(batch, positions[middle:])

    def _send_singly(self, batch: Batch, positions: Positions) -> bool:
        """Send each call alone. Returns whether all succeeded."""
        if batch.queue.form.writes:  # in their order
            succeeded = [self._send_alone(batch, position) for position in positions]
        else:
            tasks = [self._pool.start(self._send_alone, batch, position) for position in positions]
            succeeded = [task.outcome()[0] for task in tasks]
        if all(succeeded):
            return True
        killed = CallCancelled("the green thread of this call was killed")
        self._fail(batch, positions, killed)  # those that have no result
        return False

    def _send_alone(self, batch: Batch, position: int) -> bool:
        """Make one call without a batch. Returns whether it succeeded."""
        method, args, kwargs = batch.made_alone(position)
        try:
            value = method(*args, **kwargs)
        except Exception as error:
            self._fail(batch, (position,), error)
            return False
        self._note_writes(batch, (position,))
        batch.calls[position].set_result(value)
        return True

    # Results

    def _set_results(self, batch: Batch, positions: Positions, answer: Any) -> None:
        form = batch.queue.form
        if form.in_order and isinstance(answer, list) and len(answer) == len(positions):
            self._set_results_in_order(batch, positions, answer)
        elif not form.in_order and isinstance(answer, Mapping):
            self._set_results_by_key(batch, positions, answer)
        else:
            expected = f"a list of {len(positions)}" if form.in_order else "a map"
            what = f"the answer to {len(positions)} calls should be {expected}, not a {type(answer).__name__}"
            self._fail(batch, positions, InvalidResponse(f"{form.method}: {what}"))

    def _set_results_in_order(self, batch: Batch, positions: Positions, answer: list[Any]) -> None:
        self._note_writes(batch, positions)
        calls, left_over = batch.calls, []
        for position, value in zip(positions, answer, strict=True):
            if value is ALONE:
                left_over.append(position)
            elif isinstance(value, Exception):
                self._fail(batch, (position,), value)
            else:
                calls[position].set_result(value)
        if left_over:
            self._send_singly(batch, left_over)

    def _set_results_by_key(self, batch: Batch, positions: Positions, answer: Mapping[Any, Any]) -> None:
        self._note_writes(batch, positions)
        make_missing = getattr(batch.queue.service, "__api_missing__", _missing)
        for position in positions:
            call = batch.calls[position]
            value = answer.get(call.key, _ABSENT)
            if value is _ABSENT:
                self._fail(batch, (position,), make_missing(call.key))
            else:
                call.set_result(value)

    def _fail(self, batch: Batch, positions: Positions, error: BaseException) -> None:
        """Fail those of these calls that have no result yet."""
        self._note_writes(batch, positions)
        fail([batch.calls[position] for position in positions], error)

    def _note_writes(self, batch: Batch, positions: Positions) -> None:
        """Note what these calls have written. Called before their results are set."""
        queue = batch.queue
        if queue.form.writes and queue.form.key is None:
            self._writes.note(queue.place)
        elif queue.form.writes:
            for position in positions:
                self._writes.note(queue.place, batch.calls[position].key)


def fail(calls: list[Call], error: BaseException) -> None:
    """Fail those of these calls that have no result yet, with an exception that was just caught."""
    waiting = [call for call in calls if not call.done()]
    if waiting:
        failure = Failure.of_request(error, waiting[0].origin, len(waiting))
        for call in waiting:
            call.set_exception(failure)


def _missing(key: Any) -> Exception:
    return FlowThingsNotFound(f"the answer has nothing for {key!r}", status=404)
