"""What `native` runs in an OS thread of a green library's thread pool."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..future import CapturedException

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..future import Outcome

__all__ = ["call_captured", "in_native_thread"]

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
