"""What runs on the far side of a native thread pool."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..future import CapturedException

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..future import Outcome

__all__ = ["call_captured", "in_native_thread"]

# A context variable rather than a thread-local: those are per green thread once patched.
_inside: ContextVar[bool] = ContextVar("flowthings_like_native", default=False)


def in_native_thread() -> bool:
    """Whether this code was called through `native`, so that it may block where it is."""
    return _inside.get()


def call_captured(function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    """Call `function(*args)` and return its outcome.

    Nothing is raised: eventlet's workers die of a SystemExit or KeyboardInterrupt and their caller waits for
    ever, and gevent's print what they raise.
    """
    _inside.set(True)
    try:
        return function(*args), None
    except BaseException as error:
        return None, CapturedException.caught(error)
