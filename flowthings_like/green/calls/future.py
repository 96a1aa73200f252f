"""What becomes of a call: a value, or an exception that can be raised again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flowthings_like.errors import CallCancelled

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn, TypeAlias

    from .thunk import GreenThunk

    Outcome: TypeAlias = "tuple[Any, Raised | None]"

__all__ = ["Deliverer", "Latch", "Pending", "Raised", "as_cancelled", "without_frames"]


class Raised:
    """An exception that was caught, kept to be raised where the result is asked for.

    Raising one exception object twice would grow its traceback each time; `again` starts from the traceback
    it was caught with.
    """

    __slots__ = ("error", "traceback")

    def __init__(self, error: BaseException, traceback: TracebackType | None) -> None:
        self.error = error
        self.traceback = traceback

    @classmethod
    def caught(cls, error: BaseException) -> Raised:
        """Keep `error`, just caught, without the frame that caught it (which would make a cycle)."""
        traceback = error.__traceback__
        return cls(error, traceback.tb_next if traceback else None)

    def again(self) -> NoReturn:
        """Raise it."""
        raise self.error.with_traceback(self.traceback)


E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """The error with what it and its causes say, but without the frames they came through: those hold on to
    whoever was at work, so an object that keeps the error of its own work would keep itself alive."""
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


class Pending(Protocol):
    """A call that is under way, or done. All the threads that our pools hand out are one."""

    def ready(self) -> bool:
        """Whether it is done: with a value, with an exception, or killed. Never waits."""

    def settle(self, timeout: float | None = None) -> Outcome:
        """Wait until it is done and return (value, None) or (None, Raised).

        Anything *raised* here is not the call's: it interrupted the wait (a timeout, a kill, Ctrl-C), and
        settle may be called again. `timeout` is in seconds; DeadlineExceeded when it runs out.
        """

    def when_done(self, callback: Callable[[], object]) -> bool:
        """Have `callback` called once it is done, maybe at once. False if this kind of thread cannot tell."""

    def hurry(self) -> None:
        """Somebody waits for it: have it run now if it is still queued behind others."""

    def abandon(self) -> bool:
        """Kill it, as far as it can be killed. Never waits for it to end; says whether it soon will."""


class Deliverer:
    """What many thunks wait for in common, in place of a Pending of each: it puts their values into them.

    No abstract class: asking whether something is an instance of one takes longer than the rest of a wait.
    """

    def deliver(self, thunk: GreenThunk) -> None:
        """Wait until the thunk has its value, or something else to settle with."""
        raise NotImplementedError


class Latch(Protocol):
    """What one thread waits for and another one sets, once."""

    def set(self) -> None:
        """Let the one that waits go on, or not wait at all."""

    def hand_over(self) -> bool:
        """The same, and let it go on before the calling thread does, if that can be had."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds."""
