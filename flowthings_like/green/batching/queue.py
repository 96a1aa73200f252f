"""What waits to leave together: a lane holds the calls of one kind, a batch is what leaves at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from ..calls.thunk import GreenThunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..calls.marks import Bulk
    from .batcher import Coalescer

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

    __slots__ = ("context", "index", "lane", "sharing", "thunks", "timeout")

    def __init__(self, lane: Lane, context: Context) -> None:
        self.lane = lane
        self.context = context
        self.timeout = lane.timeout
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
        return (made and made[0]) or (self.lane.method, (self.item(position),), self.options)

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of the bulk form, and of each of the calls."""
        return {} if self.timeout is None else {"timeout": self.timeout}

    def ask(self, positions: Iterable[int]) -> Any:
        """Call the bulk form with these calls."""
        form = getattr(self.lane.service, self.lane.form.method)
        return form([self.item(position) for position in positions], **self.options)

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

    Any OS thread may enrol. Whatever else changes a lane does so under the coalescer's lock.

    Args:
        service, method: whose bulk form to call, and the method that has it.
        timeout: of each of the calls. Writes have one lane for all time-outs, because they keep their order:
            it is then each call's own.
    """

    def __init__(
        self,
        coalescer: Coalescer,
        form: Bulk,
        service: Any,
        method: Callable[..., Any],
        timeout: Any = None,
    ) -> None:
        self.coalescer = coalescer
        self.form = form
        self.service = service
        self.method = method
        self.timeout = timeout
        self.place: str = getattr(service, "path", "")
        self.queue: deque[GreenThunk] = deque()
        self.flying: list[Batch] = []
        self._context: Context | None = None

    def enrol(self, thunk: GreenThunk) -> None:
        """Queue a call, and see to it that it leaves. If that fails, or is interrupted, the call is not made
        unless it has left already."""
        queue = self.queue
        if not queue:
            self._context = copy_context()
        try:
            queue.append(thunk)
            # Without the lock: whoever takes from the queue looks at it again once it has changed these.
            if self not in self.coalescer.ready and self.may_leave():
                self.coalescer.schedule(self)
            if not len(queue) % self.form.most:
                self.coalescer.let_leave()
        except BaseException:
            thunk._pending = None
            raise

    def may_leave(self) -> bool:
        """Whether a batch may leave now: writes one after the other; reads when none is on its way, when
        there are enough for a whole batch, when waiting would not save a request, or, where threads run in
        turns, always."""
        if not self.flying:
            return True
        if self.form.writes:
            return False
        return self.coalescer.in_turns or len(self.queue) >= self.form.most or self._differs()

    def _differs(self) -> bool:
        """Whether the next read is about the same key as one on its way, but asks for something else."""
        try:
            call = self.queue[0]._call
            for batch in tuple(self.flying):
                position = batch.index.get(call[KEY])
                if position is not None and _same(batch.thunks[position]._call) != _same(call):
                    return True
        except IndexError:  # asked without the lock, and it has changed meanwhile
            pass
        return False

    def take(self) -> Batch | None:
        """The next batch; None if all that was queued could share what is on its way. Called under the
        coalescer's lock, when a batch may leave."""
        context = self._context or copy_context()
        batch, queue, weight = Batch(self, context.copy()), self.queue, 0
        thunks, index, most, timeout = batch.thunks, batch.index, self.form.most, self.timeout
        before = self.flying[::-1]
        while queue and len(thunks) < most:
            thunk = queue.popleft()
            if thunk._pending is not self.coalescer:  # given up, or never enrolled
                continue
            call = thunk._call
            key = call[KEY]
            again = key in index
            if (again and self._share(batch, thunk)) or (before and self._share_one_of(before, thunk)):
                continue
            alone = False
            if len(call) > BRIEF:
                weight += call[WEIGHT]
                alone = call[ITEM] is IN_TURN
                timeout = self._timeout_of(call)
            if again or (thunks and (alone or weight > LARGEST or timeout != batch.timeout)):
                queue.appendleft(thunk)
                break
            batch.timeout = timeout
            if key is not None:
                index[key] = len(thunks)
            thunks.append(thunk)
            if alone:
                break
        if not thunks:
            return None
        self.flying.append(batch)
        return batch

    def _timeout_of(self, call: Call) -> Any:
        made = call[ALONE]
        return made[2].get("timeout") if made is not None and self.form.writes else self.timeout

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
