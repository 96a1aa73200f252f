"""Calls that wait to be sent together: a queue holds the calls of one bulk form, a batch is sent at once."""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from ..future import PENDING, Failure, Future, Origin, duplicate, too_late

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

    from ..future import Waiters
    from .bulk_form import BulkForm
    from .writes import Writes

__all__ = ["NO_ITEM", "Batch", "BatchQueue", "Call"]

LARGEST = 1 << 20
"""Bytes that the calls of one batch bring along, by a rough estimate, beyond the first call's."""

NO_ITEM: Any = object()
"""In place of what goes into the list of the bulk form: this call goes alone, but in its turn."""


class Call(Future):
    """A lazy call that has a bulk form, and the future of its result.

    Attributes:
        queue: where it waits.
        method, args, kwargs: how it is made alone.
        key: names its result in the answer of the bulk form, and tells equal reads; None for neither.
        item: what it puts into the list of the bulk form, or NO_ITEM.
        size: about how many bytes it brings along.
        writes: how many writes were before it.
        is_shared: whether equal reads are to get its result too, each a copy of it. Set before it is asked
            whether the result is there: so whoever takes the result knows.
    """

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
        """The path that it is about."""
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
    """Calls that leave together.

    Attributes:
        keys: those of its calls: two calls with one key cannot be told apart in an answer.
        timeout: of each of its calls.
        context: the context variables of the call that came first.
        is_given_up: whether nobody waits for it any more.
    """

    __slots__ = ("calls", "context", "is_given_up", "keys", "queue", "timeout")

    def __init__(self, queue: BatchQueue, context: Context) -> None:
        self.queue = queue
        self.context = context
        self.calls: list[Call] = []
        self.keys: set[Any] = set()
        self.timeout: Any = None
        self.is_given_up = False

    def request(self, positions: Iterable[int]) -> Any:
        """Call the bulk form with these calls."""
        form = getattr(self.queue.service, self.queue.form.method)
        items = [self.calls[position].item for position in positions]
        return form(items) if self.timeout is None else form(items, timeout=self.timeout)

    def made_alone(self, position: int) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """How one call is made as if there were no batch: its method, arguments and keywords."""
        call = self.calls[position]
        return call.method, call.args, call.kwargs


class BatchQueue:
    """Calls of one method, of one service or of all of its class, in the order in which they were made.

    Any thread may append one. Whatever else changes a queue does so under the batcher's lock.

    Args:
        service: whose bulk form to call.
        waiters: the threads that wait for results.
        is_cooperative: whether threads run in turns, see `Backend`.

    Attributes:
        place: the service's path.
        calls: those that have not left.
        shares: whether equal calls share a request: those that only read.
        in_flight: batches that were sent and are not answered.
        unanswered: the last read of each key, which equal ones may share.
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
        """Whether a read may have the result of one with the same key that is on its way: they ask for the
        same, and nothing was written in between. If so that one is marked as shared."""
        if equal.item != call.item:
            return False
        if equal.writes != call.writes:
            key = call.key if self.form.key else None
            if writes.touched_since(equal.writes, call.place, key):
                return False
        equal.is_shared = True
        return not equal.done()

    def let_share(self, call: Call) -> None:
        """From here on equal reads may share the request of this one."""
        self.unanswered[call.key] = call
        if call.done():  # it may have landed before it was noted
            self.unanswered.pop(call.key, None)

    def unanswered_calls(self) -> list[Call]:
        """The results that are still to come, but for calls that were given up."""
        calls = list(self.calls)
        for batch in self.in_flight:
            if not batch.is_given_up:
                calls += batch.calls
        return [call for call in calls if not call.done()]

    def give_up(self) -> None:
        """Nobody waits for these calls any more: those that have not left are not made."""
        for call in list(self.calls):
            call.cancel()  # it stays in the queue, and is passed over there
        for batch in self.in_flight:
            batch.is_given_up = True

    def may_send(self) -> bool:
        """Whether a batch may leave now: writes one after the other; reads when none is on its way, when
        there are enough for a whole batch, when waiting would not save a request, or, where threads run in
        turns, always."""
        if not self.in_flight:
            return True
        if self.form.writes:
            return False
        return self._is_cooperative or len(self.calls) >= self.form.most or self._differs()

    def _differs(self) -> bool:
        """Whether the next read has the key of one that is on its way, but could not share it."""
        try:
            key = self.calls[0].key
        except IndexError:  # asked without the lock, and it has changed meanwhile
            return False
        return any(key in batch.keys for batch in tuple(self.in_flight))

    def take(self) -> Batch | None:
        """The next batch, which is on its way from here on; None if there is nothing to send."""
        context = self._context or copy_context()
        batch = Batch(self, context.copy())
        waiting, calls, keys, most, size = self.calls, batch.calls, batch.keys, self.form.most, 0
        while waiting and len(calls) < most:
            call = waiting[0]
            if call.done():  # it was given up, or never queued
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

    def landed(self, batch: Batch) -> None:
        """The calls of this batch have their results."""
        if batch in self.in_flight:
            self.in_flight.remove(batch)
        if self.shares:
            unanswered = self.unanswered
            for call in batch.calls:
                if unanswered.get(call.key) is call:
                    unanswered.pop(call.key, None)
        # The frames of a failure lead to the batch; from there they must not lead back to the failure.
        batch.calls.clear()
