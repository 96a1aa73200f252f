"""What waits to leave together: a lane holds the calls of one kind, a batch is what leaves at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from .thunk import GreenThunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from .coalesce import Coalescer
    from .marks import Bulk

__all__ = ["ALONE", "Alone", "Batch", "Call", "Lane", "weigh"]

LARGEST = 1 << 20
"""Bytes that the calls of one batch bring along, by a rough estimate, beyond the first call's."""

Call = tuple[GreenThunk, Any, Any, Any, int, int, str, "Alone | None"]
"""A call that was enrolled: its thunk; its key in the bulk form's answer; what it puts into the bulk form's
list; what equals that of an equal read (None for a write); how many writes were before it; its weight in
bytes; the place it is about; and how it is made alone (None: by the lane's method, with the key)."""

Alone = tuple["Callable[..., Any]", tuple[Any, ...], dict[str, Any]]

ALONE: Any = object()
"""In place of what goes into the list: this call goes alone, but in its turn."""


class Batch:
    """Calls that leave together: each once, with those that are equal to it."""

    __slots__ = ("calls", "context", "index", "lane", "sharing")

    def __init__(self, lane: Lane, context: Context) -> None:
        self.lane = lane
        self.context = context
        self.calls: list[Call] = []
        self.index: dict[Any, int] = {}
        self.sharing: dict[int, list[GreenThunk]] = {}  # thunks of equal reads, by the call's position


class Lane:
    """Calls of one method, of one service or of all of its class, on their way into batches.

    Any OS thread may enrol; what takes from the lane is guarded by the coalescer.

    Args:
        service, method: whose bulk form to call, and the method that has it.
        options: the keywords of either.
    """

    def __init__(
        self,
        coalescer: Coalescer,
        form: Bulk,
        service: Any,
        method: Callable[..., Any],
        options: dict[str, Any],
    ) -> None:
        self.coalescer = coalescer
        self.form = form
        self.service = service
        self.method = method
        self.options = options
        self.queue: deque[Call] = deque()
        self.flying: list[Batch] = []
        self.scheduled = False
        self._context: Context | None = None

    def enrol(self, call: Call) -> None:
        """Queue a call, and see to it that it leaves."""
        queue = self.queue
        if not queue:
            self._context = copy_context()
        queue.append(call)
        if not self.scheduled and self.may_leave():
            self.coalescer.schedule(self)

    def ask(self, items: list[Any]) -> Any:
        """Call the bulk form."""
        return getattr(self.service, self.form.method)(items, **self.options)

    def may_leave(self) -> bool:
        """Whether a batch may leave now: writes one after the other; reads when none is on its way, when
        there are enough for a whole batch, or, where threads run in turns, always."""
        if not self.flying:
            return True
        return not self.form.writes and (self.coalescer.in_turns or len(self.queue) >= self.form.most)

    def take(self) -> Batch | None:
        """The next batch; None if all that was queued could share what is on its way."""
        self.scheduled = False  # first: what is enrolled from here on asks for its own departure
        context = self._context or copy_context()
        batch, queue, weight = Batch(self, context.copy()), self.queue, 0
        calls, index, most = batch.calls, batch.index, self.form.most
        before = self.flying[::-1]
        while queue and len(calls) < most:
            call = queue.popleft()
            _, key, item, same, _, heavy, _, _ = call
            again = key in index
            if same is not None and (
                (again and self._share(batch, call)) or (before and self._share_one_of(before, call))
            ):
                continue
            weight += heavy
            if again or (calls and (item is ALONE or weight > LARGEST)):
                queue.appendleft(call)
                break
            if key is not None:
                index[key] = len(calls)
            calls.append(call)
            if item is ALONE:
                break
        if not calls:
            return None
        self.flying.append(batch)
        return batch

    def _share_one_of(self, batches: list[Batch], call: Call) -> bool:
        return any(self._share(batch, call) for batch in batches)

    def _share(self, batch: Batch, call: Call) -> bool:
        """Let a read share the request of an equal one, unless what they ask for was written in between."""
        thunk, key, _, same, writes, _, place, _ = call
        position = batch.index.get(key)
        if position is None:
            return False
        first = batch.calls[position]
        if first[3] != same:
            return False
        of_key = key if self.form.key else None
        if first[4] != writes and self.coalescer.writes.touched_since(first[4], place, of_key):
            return False
        batch.sharing.setdefault(position, []).append(thunk)
        return True


def weigh(value: Any) -> int:
    """About how many bytes of JSON `value` is; -1 if a thunk is in it, which may have to be waited for."""
    try:
        return _weigh(value)
    except RecursionError:  # it holds itself; what encodes it says so
        return -1


def _weigh(value: Any) -> int:
    kind = type(value)
    if kind is dict:
        total = 2
        for key, item in value.items():
            of_item = type(item)
            if of_item is str:
                total += len(item) + 16
            elif of_item in _SMALL:
                total += 16
            elif type(key) is GreenThunk or (inner := _weigh(item)) < 0:
                return -1
            else:
                total += inner + 16
        return total
    if kind is str or kind is bytes:
        return len(value) + 3
    if kind is GreenThunk:
        return -1
    if kind is list or kind is tuple or isinstance(value, Mapping):
        total = 2
        for item in value if kind is list or kind is tuple else (*value, *value.values()):
            if (inner := _weigh(item)) < 0:
                return -1
            total += inner + 1
        return total
    return 8 if kind in _SMALL else 32


_SMALL = frozenset((int, float, bool, type(None)))
