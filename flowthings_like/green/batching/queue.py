"""The data of batching: a `Call`, the `BatchQueue` where it waits, the `Batch` in which it is sent.

Nothing here starts or waits for a thread: `batcher.py` decides when a queue is asked for a batch.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from flowthings_like.telemetry.observers import BulkRequest, Carrying, SingleCall, observers

from ..future import PENDING, Failure, Future, Origin, duplicate, too_late

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType

    from flowthings_like.telemetry.event import CallEvent

    from ..future import Waiters
    from .bulk_marker import BulkForm
    from .writes import Writes

__all__ = ["NO_ITEM", "Batch", "BatchQueue", "Call"]

LARGEST = 1 << 20
"""Bytes of one batch, roughly estimated. A larger call is sent alone."""

NO_ITEM: Any = object()
"""In place of an item: this call is sent alone, but in its order among the others."""


class Call(Future):
    """A lazy call that has a bulk form, and the future of its result.

    Attributes:
        queue: where it waits.
        method, args, kwargs: make it alone.
        key: finds its result in the answer of the bulk form, and finds equal reads. None if there is no key.
        item: its entry in the list that the bulk form gets, or NO_ITEM.
        size: bytes of the item, roughly estimated.
        writes: how many writes this lazy object had made before.
        event: what observers are told of it; None if it began when there were none.
        is_shared: whether equal reads have this future too. Each then gets a copy of the result. It is set
            before `done` is asked, so a thread that takes the result sees it.
    """

    event: CallEvent | None = None

    __slots__ = (
        "_code", "_label", "_offset",
        "args", "is_shared", "item", "key", "kwargs", "method", "queue", "size", "writes",
    )  # fmt: skip

    def __init__(
        self,
        queue: BatchQueue,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: Any,
        item: Any,
        size: int,
        writes: int,
        label: str,
        code: CodeType,
        offset: int,
    ) -> None:
        self.queue = queue
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.key = key
        self.item = item
        self.size = size
        self.writes = writes
        self.is_shared = False
        self._outcome = PENDING
        self._label = label
        self._code = code
        self._offset = offset

    @property
    def origin(self) -> Origin:
        """Where the call was made."""
        return Origin(self._label, self._code, self._offset)

    @property
    def place(self) -> str:
        """The path of the service."""
        return getattr(getattr(self.method, "__self__", None), "path", "")

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the result is set."""
        if self._outcome is PENDING:
            self.queue.waiters.wait(self, timeout)
            if self._outcome is PENDING:
                raise too_late(timeout)

    def result(self, asking: Future | None = None) -> Any:
        """Wait for the result and return it; a copy of it if it is shared."""
        if self._outcome is PENDING:
            self.wait()
        outcome = self._outcome
        if type(outcome) is Failure:
            outcome.raise_for((asking or self).origin)
        return duplicate(outcome) if self.is_shared else outcome

    def set_result(self, value: Any) -> None:
        """The call returned this, or failed. It counts unless there is a result already."""
        if self._outcome is PENDING:
            self._outcome = value
            if self.queue.waiters.events:
                self.queue.waiters.wake(self)


class Batch:
    """Calls that are sent as one bulk request.

    Attributes:
        keys: the calls' keys. No two are equal, because an answer has one value for each key.
        timeout: the time-out that all its calls have.
        context: the context variables of the first call.
        is_cancelled: whether its calls were cancelled while it was in flight.
    """

    __slots__ = ("calls", "context", "is_cancelled", "keys", "queue", "timeout")

    def __init__(self, queue: BatchQueue, context: Context) -> None:
        self.queue = queue
        self.context = context
        self.calls: list[Call] = []
        self.keys: set[Any] = set()
        self.timeout: Any = None
        self.is_cancelled = False

    def request(self, positions: Sequence[int]) -> Any:
        """Call the bulk form with these calls."""
        if observers:
            events = [self.calls[position].event for position in positions]
            with Carrying(BulkRequest([each for each in events if each is not None], len(positions))):
                return self._request(positions)
        return self._request(positions)

    def _request(self, positions: Sequence[int]) -> Any:
        form = getattr(self.queue.service, self.queue.form.method)
        items = [self.calls[position].item for position in positions]
        return form(items) if self.timeout is None else form(items, timeout=self.timeout)

    def made_alone(self, position: int) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """The method, arguments and keywords that make one of the calls without a batch."""
        call = self.calls[position]
        if call.event is not None:
            return _alone, (call.event, call.method, call.args, call.kwargs), {}
        return call.method, call.args, call.kwargs


class BatchQueue:
    """The queued calls of one bulk form, in the order in which they were made.

    Any thread may append a call and ask `may_send`. All else is called under the batcher's lock.

    Args:
        service: whose bulk form to call.
        waiters: the threads that wait for results.
        is_cooperative: see `Backend`.

    Attributes:
        place: the service's path.
        calls: the calls that have not been sent.
        shares: whether equal calls share a future: reads do.
        in_flight: batches that were taken and have no results yet.
        unanswered: the last read of each key that has no result yet. Equal reads share it.
    """

    __slots__ = (
        "__weakref__", "_context", "_is_cooperative",
        "calls", "form", "in_flight", "place", "service", "shares", "unanswered", "waiters",
    )  # fmt: skip

    def __init__(self, form: BulkForm, service: Any, waiters: Waiters, is_cooperative: bool) -> None:
        self.form = form
        self.service = service
        self.place: str = getattr(service, "path", "")
        self.in_flight: list[Batch] = []
        self.unanswered: dict[Any, Call] = {}
        self.waiters = waiters
        self.shares = not form.writes
        self.calls: deque[Call] = deque()
        self._context: Context | None = None
        self._is_cooperative = is_cooperative

    def append(self, call: Call) -> None:
        """Queue a call."""
        if not self.calls:
            self._context = copy_context()
        self.calls.append(call)

    def may_share(self, call: Call, equal: Call, writes: Writes) -> bool:
        """Whether a read can share the future of `equal`, an unanswered read of the same key.

        It can if they ask for the same and no write came in between. Marks `equal` as shared.
        """
        if equal.item != call.item:
            return False
        if equal.writes != call.writes:
            key = call.key if self.form.key else None
            if writes.touched_since(equal.writes, call.place, key):
                return False
        equal.is_shared = True
        return not equal.done()

    def let_share(self, call: Call) -> None:
        """Let later reads share this one."""
        self.unanswered[call.key] = call
        if call._outcome is not PENDING:  # its answer may have come before it was noted
            self.unanswered.pop(call.key, None)

    def unanswered_calls(self) -> list[Call]:
        """The calls that have no result yet, without those that were cancelled in flight."""
        calls = list(self.calls)
        for batch in self.in_flight:
            if not batch.is_cancelled:
                calls += batch.calls
        return [call for call in calls if not call.done()]

    def cancel(self) -> None:
        """Cancel the calls that have not been sent, and mark those in flight as cancelled."""
        for call in list(self.calls):
            call.cancel()  # it stays in the queue, and `take` passes it over
        for batch in self.in_flight:
            batch.is_cancelled = True

    def may_send(self) -> bool:
        """Whether a batch may be sent now.

        Writes: if none is in flight, because their order is kept. Reads: always where threads are
        cooperative. On other threads reads wait for the batch in flight, so that they are sent together,
        unless they fill a batch or waiting would save no request.
        """
        if not self.in_flight:
            return True
        if self.form.writes:
            return False
        return self._is_cooperative or len(self.calls) >= self.form.most or self._differs()

    def _differs(self) -> bool:
        """Whether the next read has the key of one in flight that it could not share."""
        try:
            key = self.calls[0].key
        except IndexError:  # without the lock, another thread may have taken it
            return False
        return any(key in batch.keys for batch in tuple(self.in_flight))

    def take(self) -> Batch | None:
        """Take the next batch, which is in flight from here on; None if there is nothing to send."""
        context = self._context or copy_context()
        batch = Batch(self, context.copy())
        waiting, calls, keys, most, size = self.calls, batch.calls, batch.keys, self.form.most, 0
        while waiting and len(calls) < most:
            call = waiting[0]
            if call._outcome is not PENDING:  # it was cancelled
                waiting.popleft()
                continue
            key, alone = call.key, call.item is NO_ITEM
            timeout = call.kwargs.get("timeout") if call.kwargs else None
            size += call.size
            if not calls:
                batch.timeout = timeout
            elif key in keys or alone or size > LARGEST or timeout != batch.timeout:
                break
            if key is not None:
                keys.add(key)
            calls.append(call)
            waiting.popleft()
            if alone:
                break
        if not calls:
            return None
        self.in_flight.append(batch)
        return batch

    def finish(self, batch: Batch) -> None:
        """The calls of this batch have their results, or have failed."""
        if batch in self.in_flight:
            self.in_flight.remove(batch)
        if self.shares:
            unanswered = self.unanswered
            for call in batch.calls:
                if unanswered.get(call.key) is call:
                    unanswered.pop(call.key, None)
        # A failure's frames refer to the batch. Its calls keep the failure: if they stayed here, that would
        # be a reference cycle.
        batch.calls.clear()


def _alone(
    event: CallEvent, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with Carrying(SingleCall(event)):
        return method(*args, **kwargs)
