"""Where a lazy call was made, and what is said of it when it fails."""

from __future__ import annotations

import copy
import sys
import warnings
from types import CodeType
from typing import TYPE_CHECKING, Any

from .outcome import Raised

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn

    from .outcome import Outcome

__all__ = ["FailedTogether", "Failure", "Lacking", "Origin", "UnretrievedFailure", "describe", "line"]

Origin = tuple[str, CodeType, int]
"""What is called, the code that calls it, and how far that has come (`f_lasti`). Kept for every call, so it
holds what is at hand: looking up the line costs ten times as much as the rest."""


class UnretrievedFailure(RuntimeWarning):
    """A lazy call failed, and its thunk went away before anybody looked at it."""


def line(origin: Origin) -> int:
    """The line of the call."""
    _, code, offset = origin
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            return number
    return code.co_firstlineno


def describe(origin: Origin) -> str:
    """The call and its place, for people."""
    label, code, _ = origin
    return f"{label} called at {code.co_filename}:{line(origin)} in {code.co_name}"


class Failure(Raised):
    """The exception of a lazy call. If it goes away unseen, it says so, once."""

    __slots__ = ("origin", "seen")

    def __init__(self, error: BaseException, traceback: TracebackType | None, origin: Origin) -> None:
        super().__init__(error, traceback)
        self.origin = origin
        self.seen = False
        _add_note(error, f"{describe(origin)} (a lazy call; above is where its result was needed)")

    def again(self) -> NoReturn:
        self.seen = True
        super().again()

    def __del__(self) -> None:
        if not self.seen:
            _warn(self.origin, f"{self.error!r}")


class Deferred:
    """A failure that no thunk was asked for yet: a Pending that is done. Each thunk gets an exception of its
    own, made when it is asked for.

    Args:
        origin: the call; of several that failed together, one.
    """

    __slots__ = ("_origin", "_seen")

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._seen = False

    def ready(self) -> bool:
        return True

    def settle(self, timeout: float | None = None) -> Outcome:
        self._seen = True  # from here on the thunk's own Failure sees to it
        return None, self._raised()

    def _raised(self) -> Raised:
        raise NotImplementedError

    def _fate(self) -> str:
        raise NotImplementedError

    def __del__(self) -> None:
        if not self._seen:
            _warn(self._origin, self._fate())

    def when_done(self, callback: Callable[[], object]) -> bool:
        callback()
        return True

    def hurry(self) -> None: ...

    def abandon(self) -> bool:
        return True


class FailedTogether(Deferred):
    """The failure of a request that several calls shared. It is warned about once, not once a call."""

    __slots__ = ("_calls", "_cause")

    def __init__(self, cause: Raised, origin: Origin, calls: int = 1) -> None:
        super().__init__(origin)
        self._cause = cause
        self._calls = calls

    def _raised(self) -> Raised:
        cause = self._cause
        if self._calls > 1:
            try:
                own = copy.copy(cause.error)
                own.__cause__ = cause.error.__cause__
                own.__suppress_context__ = True
                return Raised(own, cause.traceback)
            except Exception:
                pass  # an exception of somebody else's that cannot be copied: then they have it in common
        return Raised(cause.error, cause.traceback)

    def _fate(self) -> str:
        others = f" (and {self._calls - 1} more in the same request)" if self._calls > 1 else ""
        return f"{self._cause.error!r}{others}"


class Lacking(Deferred):
    """The failure of a call whose key is not in the answer to all."""

    __slots__ = ("_key", "_make")

    def __init__(self, make: Callable[[Any], Exception], key: Any, origin: Origin) -> None:
        super().__init__(origin)
        self._make = make
        self._key = key

    def _raised(self) -> Raised:
        return Raised(self._make(self._key), None)

    def _fate(self) -> str:
        return f"{self._make(self._key)!r}"


def _warn(origin: Origin, fate: str, warn: Any = warnings.warn_explicit) -> None:
    message = f"{describe(origin)} failed and nobody looked at its result: {fate}"
    warn(message, UnretrievedFailure, origin[1].co_filename, line(origin))


def _add_note(error: BaseException, note: str) -> None:
    if note in getattr(error, "__notes__", ()):
        return
    if sys.version_info >= (3, 11):
        error.add_note(note)
    else:
        vars(error).setdefault("__notes__", []).append(note)
