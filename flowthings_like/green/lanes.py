"""What waits to leave together: a lane holds the calls of one kind, a batch is what leaves at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from .thunk import GreenThunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .coalesce import Coalescer
    from .marks import Bulk

__all__ = ["IN_TURN", "KEY", "Batch", "Call", "Lane", "weigh"]

LARGEST = 1 << 20
"""Bytes that the calls of one batch bring along, by a rough estimate, beyond the first call's."""

Call = tuple[Any, ...]
"""What is known of a call that was enrolled, kept in its thunk: its Origin (three members); its key in the
answer of the bulk form; how many writes were before it. That is all for the usual read, whose key is what it
puts into the list of the bulk form. Other calls have five more: what they put into that list; what equals
that of an equal read (None for a write); their weight in bytes; the place they are about; and how they are
made alone (None: with what they put into the list)."""

KEY, WRITES, ITEM, SAME, WEIGHT, PLACE, ALONE = range(3, 10)
BRIEF = 5

IN_TURN: Any = object()
"""In place of what goes into the list: this call goes alone, but in its turn."""


class Batch:
    """Calls that leave together: each once, with those that are equal to it."""

    __slots__ = ("context", "index", "lane", "sharing", "thunks")

    def __init__(self, lane: Lane, context: Context) -> None:
        self.lane = lane
        self.context = context
        self.thunks: list[GreenThunk] = []
        self.index: dict[Any, int] = {}
        self.sharing: dict[int, list[GreenThunk]] = {}  # thunks of equal reads, by the call's position

    def item(self, position: int) -> Any:
        """What a call puts into the list of the bulk form."""
        call = self.thunks[position]._call
        return call[KEY if len(call) == BRIEF else ITEM]

    def made_alone(self, position: int) -> Any:
        """(method, arguments, keywords) of a call."""
        made = self.thunks[position]._call[ALONE:]
        return (made and made[0]) or (self.lane.method, (self.item(position),), self.lane.options)

    def everyone(self, position: int) -> tuple[GreenThunk, ...]:
        """The thunks of a call and of its equals."""
        return self.thunks[position], *self.sharing.get(position, ())

    def written(self, positions: Iterable[int]) -> set[tuple[str, Any]]:
        """The places, and the keys there, that these writes were about."""
        if self.lane.form.key is None:
            return {(self.lane.place, None)}
        calls = [self.thunks[position]._call for position in positions]
        return {(call[PLACE], call[KEY]) for call in calls}


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
        self.place: str = getattr(service, "path", "")
        self.queue: deque[GreenThunk] = deque()
        self.flying: list[Batch] = []
        self.scheduled = False
        self._context: Context | None = None

    def enrol(self, thunk: GreenThunk) -> None:
        """Queue a call, and see to it that it leaves."""
        queue = self.queue
        if not queue:
            self._context = copy_context()
        queue.append(thunk)
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
        thunks, index, most = batch.thunks, batch.index, self.form.most
        before = self.flying[::-1]
        while queue and len(thunks) < most:
            thunk = queue.popleft()
            call = thunk._call
            key = call[KEY]
            again = key in index
            if (again and self._share(batch, thunk)) or (before and self._share_one_of(before, thunk)):
                continue
            alone = False
            if len(call) > BRIEF:
                weight += call[WEIGHT]
                alone = call[ITEM] is IN_TURN
            if again or (thunks and (alone or weight > LARGEST)):
                queue.appendleft(thunk)
                break
            if key is not None:
                index[key] = len(thunks)
            thunks.append(thunk)
            if alone:
                break
        if not thunks:
            return None
        self.flying.append(batch)
        return batch

    def _share_one_of(self, batches: list[Batch], thunk: GreenThunk) -> bool:
        return any(self._share(batch, thunk) for batch in batches)

    def _share(self, batch: Batch, thunk: GreenThunk) -> bool:
        """Let a read share the request of an equal one, unless what they ask for was written in between."""
        call = thunk._call
        position = batch.index.get(call[KEY])
        if position is None or self.form.writes:
            return False
        first = batch.thunks[position]._call
        if (len(call) > BRIEF or len(first) > BRIEF) and _same(first) != _same(call):
            return False
        if first[WRITES] != call[WRITES]:
            place = call[PLACE] if len(call) > BRIEF else self.place
            of_key = call[KEY] if self.form.key else None
            if self.coalescer.writes.touched_since(first[WRITES], place, of_key):
                return False
        batch.sharing.setdefault(position, []).append(thunk)
        return True


def _same(call: Call) -> Any:
    """What is equal for equal reads."""
    return call[KEY if len(call) == BRIEF else SAME]


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
