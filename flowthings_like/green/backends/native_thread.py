"""Calls that block: what runs them in an OS thread of a pool, or directly where the caller may block."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import FlowThingsError

from ..future import CapturedException
from .contract import NativeCall, NativePool

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..future import Outcome

__all__ = ["InlineCall", "InlinePool", "call_captured", "in_native_thread", "pool_closed"]

# Not a thread-local, because a patched one has values for each green thread.
_inside: ContextVar[bool] = ContextVar("flowthings_like_native", default=False)


def in_native_thread() -> bool:
    """Whether the caller was called through `native`, so that it may block."""
    return _inside.get()


def call_captured(function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    """Call `function(*args)` and return its outcome.

    It raises nothing: after a SystemExit or KeyboardInterrupt eventlet's worker threads end and the caller
    waits for ever, and gevent's print every exception.
    """
    _inside.set(True)
    try:
        return function(*args), None
    except BaseException as error:
        return None, CapturedException.caught(error)


class InlineCall(NativeCall):
    """A call that was made directly, and is done."""

    __slots__ = ("_outcome",)

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._outcome: Outcome
        try:
            self._outcome = copy_context().run(function, *args), None
        except Exception as error:
            self._outcome = None, CapturedException.caught(error)

    def done(self) -> bool:
        return True

    def wait(self) -> Any:
        value, raised = self._outcome
        if raised is not None:
            raised.again()
        return value

    def when_done(self, callback: Callable[[], object]) -> None:
        callback()


class InlinePool(NativePool):
    """A NativePool for callers that may block: it makes the calls directly."""

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self.name = name
        self._is_closed = False

    def submit(self, function: Callable[..., Any], /, *args: Any) -> NativeCall:
        if self._is_closed:
            raise pool_closed(self.name)
        return InlineCall(function, args)

    def close(self) -> None:
        self._is_closed = True


def pool_closed(name: str) -> FlowThingsError:
    """The error for a call in a NativePool that is closed."""
    return FlowThingsError(f"the native pool {name!r} is closed and runs no more calls")
