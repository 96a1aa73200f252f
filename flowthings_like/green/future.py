"""The result of a call that is under way, and the exception that it may end with.

Everything else in `green` may import this module, which imports none of it.
"""

from __future__ import annotations

import copy
import sys
import warnings
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flowthings_like.errors import CallCancelled, DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import NoReturn, TypeAlias

    Outcome: TypeAlias = "tuple[Any, CapturedException | None]"

__all__ = [
    "PENDING",
    "CapturedException",
    "Failure",
    "Future",
    "OneShotEvent",
    "Origin",
    "Task",
    "UnretrievedFailure",
    "Waiters",
    "as_cancelled",
    "duplicate",
    "too_late",
    "without_frames",
]

E = TypeVar("E", bound=BaseException)


class CapturedException:
    """An exception that was caught, to be raised where the result is asked for, as often as it is.

    Raising one exception object twice makes its traceback grow; `again` starts from the traceback with which
    it was caught.
    """

    __slots__ = ("error", "traceback")

    def __init__(self, error: BaseException, traceback: TracebackType | None) -> None:
        self.error = error
        self.traceback = traceback

    @classmethod
    def caught(cls, error: BaseException) -> CapturedException:
        """Capture `error`, just caught, without the frame that caught it (which would make a cycle)."""
        return cls(error, _without_catcher(error))

    def again(self) -> NoReturn:
        """Raise it."""
        raise self.error.with_traceback(self.traceback)


class Task(Protocol):
    """A call in a thread of its own, green or not. All threads that this library's pools start are Tasks."""

    def ready(self) -> bool:
        """Whether it is done: it has a value, or an exception, or was killed. It does not wait."""

    def outcome(self, timeout: float | None = None) -> Outcome:
        """Wait until it is done, and return (value, None) or (None, CapturedException).

        An exception that is raised here is never the call's: it interrupted the wait (a timeout, a kill,
        Ctrl-C), and `outcome` may be called again.

        Raises:
            DeadlineExceeded: it was not done after `timeout` seconds.
        """

    def when_done(self, callback: Callable[[], object]) -> bool:
        """Have `callback` called when it is done, or now if it is. False if this thread cannot do that."""

    def start_now(self) -> None:
        """Start it if it is queued, although its pool is full: another thread waits for it."""

    def request_cancel(self) -> bool:
        """Kill it if it can be killed, without waiting for its end. Returns whether it will end soon."""


class OneShotEvent(Protocol):
    """An event that one thread waits for, and that is set once."""

    def set(self) -> None:
        """Wake the thread that waits; if none does yet, it will not wait."""

    def set_and_switch(self) -> bool:
        """Set it, and switch to the green thread that waits. Returns whether it switched."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds."""


class Origin:
    """Where a call was made. Kept for every call, so it holds what is at hand: looking up the line costs ten
    times as much as the rest.

    Attributes:
        label: what is called, such as "flow.read".
        code, offset: the code that calls it, and how far that has come (`f_lasti`).
    """

    __slots__ = ("code", "label", "offset")

    def __init__(self, label: str, code: CodeType, offset: int) -> None:
        self.label = label
        self.code = code
        self.offset = offset

    @property
    def line(self) -> int:
        """The line of the call."""
        for start, end, number in self.code.co_lines():
            if start <= self.offset < end and number is not None:
                return number
        return self.code.co_firstlineno

    def __str__(self) -> str:
        return f"{self.label} called at {self.code.co_filename}:{self.line} in {self.code.co_name}"


class UnretrievedFailure(RuntimeWarning):
    """A lazy call failed, and its thunk went away before anybody looked at it."""


class Failure(CapturedException):
    """The exception of a lazy call. If it goes away before anybody has seen it, it warns, once.

    Args:
        error, traceback: the exception, and the frames that it came through.
        origin: the call; of several that failed together, one.
        calls: how many calls failed with it.
        is_shared: whether several thunks may raise it. Each of them then raises a copy: a thunk that kept the
            exception it raised would, through its traceback and the caller's frame, keep itself.
    """

    __slots__ = ("_warn", "calls", "is_shared", "origin", "seen")

    def __init__(
        self,
        error: BaseException,
        traceback: TracebackType | None,
        origin: Origin,
        calls: int = 1,
        is_shared: bool = False,
    ) -> None:
        super().__init__(error, traceback)
        self.origin = origin
        self.calls = calls
        self.is_shared = is_shared
        self.seen = isinstance(error, CallCancelled)  # somebody wanted that
        self._warn = warnings.warn_explicit  # at the end of the program the module may be gone

    @classmethod
    def of_call(cls, error: BaseException, origin: Origin) -> Failure:
        """The failure of one call, whose exception was just caught."""
        return cls(error, _without_catcher(error), origin)

    @classmethod
    def of_request(cls, error: BaseException, origin: Origin, calls: int) -> Failure:
        """The failure of a request that so many calls share, whose exception was just caught."""
        return cls(error, _without_catcher(error), origin, calls, is_shared=True)

    def raise_for(self, origin: Origin) -> NoReturn:
        """Raise it, with a note of the call that was made there."""
        self.seen = True
        # In no variable of this frame: the traceback will refer to it, and so would keep the exception alive.
        raise _noted(_copied(self.error) if self.is_shared else self.error, origin).with_traceback(
            self.traceback
        )

    def __del__(self) -> None:
        if not self.seen:
            others = f" (and {self.calls - 1} more in the same request)" if self.calls > 1 else ""
            message = f"{self.origin} failed and nobody looked at its result: {self.error!r}{others}"
            self._warn(message, UnretrievedFailure, self.origin.code.co_filename, self.origin.line)


PENDING: Any = object()
"""In place of a result that is not there yet."""


class Future:
    """A result that is set once, by the thread that makes the call. Other threads wait for it here.

    Each kind of future has a `wait` of its own.
    """

    __slots__ = ("__weakref__", "_outcome")

    def __init__(self) -> None:
        self._outcome = PENDING  # then the value, or a Failure

    @property
    def origin(self) -> Origin:
        """Where the call was made."""
        raise NotImplementedError

    def done(self) -> bool:
        """Whether `result` would not wait."""
        return self._outcome is not PENDING

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the result is there.

        Whatever is raised here interrupted the wait (a timeout, a kill, Ctrl-C), which may be made again: it
        is never the call's own exception.

        Raises:
            DeadlineExceeded: that took longer than `timeout` seconds.
            WrongThread: the wait would never end in this OS thread.
        """
        raise NotImplementedError

    def result(self, asking: Future | None = None) -> Any:
        """Wait for the result and return it.

        Args:
            asking: the call that asks, if it shares this one's result.

        Raises:
            Exception: what the call raised, each time.
        """
        if self._outcome is PENDING:
            self.wait()
        outcome = self._outcome
        if type(outcome) is Failure:
            outcome.raise_for((asking or self).origin)
        return outcome

    def failure(self) -> Failure | None:
        """Wait for the result and return what it failed with; None if it has a value."""
        self.wait()
        return self._outcome if type(self._outcome) is Failure else None

    def set_result(self, value: Any) -> None:
        """The call returned this. It counts unless there is a result already."""
        if self._outcome is PENDING:
            self._outcome = value

    def set_exception(self, failure: Failure) -> None:
        """The call failed with this. It counts unless there is a result already."""
        self.set_result(failure)

    def cancel(self) -> bool:
        """Fail with CallCancelled unless the result is there. Returns whether there soon is one."""
        self.set_exception(Failure(CallCancelled("the call was given up"), None, self.origin, is_shared=True))
        return True


class Waiters:
    """The threads that wait for results of one batcher. Each change is one step, which no signal divides.

    Attributes:
        events: what they wait for.

    Args:
        new_event: makes what one thread waits for.
    """

    __slots__ = ("_new_event", "events")

    def __init__(self, new_event: Callable[[], OneShotEvent]) -> None:
        self._new_event = new_event
        self.events: dict[Future, list[OneShotEvent]] = {}

    def wait(self, future: Future, timeout: float | None) -> None:
        """Wait until this future has its result, or for so many seconds."""
        event = self._new_event()
        events = self.events.setdefault(future, [])
        events.append(event)
        try:
            if not future.done():  # asked once the event is there to be set
                event.wait(timeout)
        finally:
            events.remove(event)
            if future.done():
                self.wake(future)

    def wake(self, future: Future) -> None:
        """This future has its result: let those go on that wait for it."""
        for event in tuple(self.events.pop(future, ())):  # those that go on leave the list
            event.set()


def too_late(timeout: float | None) -> DeadlineExceeded:
    """The error of a wait that was bounded by so many seconds."""
    return DeadlineExceeded(f"the call was not done after {timeout} s")


def without_frames(error: E) -> E:
    """Take the frames off an error and its causes. Frames refer to the objects that were at work: one that
    keeps the error of its own work would otherwise keep itself alive."""
    due: list[BaseException | None] = [error]
    seen: set[int] = set()
    while due:
        found = due.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            found.__traceback__ = None
            due += (found.__cause__, found.__context__)
    return error


def as_cancelled(error: BaseException) -> BaseException:
    """What `error` is outside the green thread it was raised in: CallCancelled if that one was killed."""
    if type(error).__name__ == "GreenletExit":
        return CallCancelled("the green thread of this call was killed")
    return error


def _without_catcher(error: BaseException) -> TracebackType | None:
    """Take the frame that caught the exception off its traceback: it refers to what keeps the error."""
    traceback = error.__traceback__
    if traceback is not None:
        error.__traceback__ = traceback = traceback.tb_next
    return traceback


def _copied(error: BaseException) -> BaseException:
    try:
        own = copy.copy(error)
    except Exception:
        return error  # somebody else's, that cannot be copied: then they have it in common
    own.__cause__, own.__suppress_context__ = error.__cause__, True
    if "__notes__" in vars(own):
        vars(own)["__notes__"] = [*vars(own)["__notes__"]]
    return own


def _noted(error: BaseException, origin: Origin) -> BaseException:
    """The same error, with a note of the call."""
    note = f"{origin} (a lazy call; above is where its result was needed)"
    if note not in getattr(error, "__notes__", ()):
        if sys.version_info >= (3, 11):
            error.add_note(note)
        else:
            vars(error).setdefault("__notes__", []).append(note)
    return error


_IMMUTABLE = frozenset((str, int, float, bool, type(None), bytes))


def duplicate(value: Any) -> Any:
    """A copy of what a decoder returned that shares nothing mutable with it."""
    kind = type(value)
    if kind is dict:
        value = value.copy()
        for key, item in value.items():
            if type(item) not in _IMMUTABLE:
                value[key] = duplicate(item)
        return value
    if kind is list:
        return [item if type(item) in _IMMUTABLE else duplicate(item) for item in value]
    return value if kind in _IMMUTABLE else copy.deepcopy(value)
