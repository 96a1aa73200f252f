"""Where a lazy call was made, and what is said of it when it fails."""

from __future__ import annotations

import copy
import sys
import warnings
from types import CodeType
from typing import TYPE_CHECKING, Any

from .future import Raised

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn

    from .future import Outcome

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
        _noted(error, origin)

    def again(self) -> NoReturn:
        self.seen = True
        super().again()

    def __del__(self) -> None:
        if not self.seen:
            _warn(self.origin, f"{self.error!r}")


class Deferred:
    """Why calls that travelled together have no result: a Pending that is done.

    Exceptions are made as they are raised, each time another one: a thunk that kept the one it raised would,
    through its traceback and the caller's frame, keep itself.

    Args:
        origin: the call; of several that failed together, one.
    """

    __slots__ = ("_origin", "_seen")

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._seen = False

    def make(self) -> BaseException:
        """An exception to raise."""
        raise NotImplementedError

    def fate(self) -> str:
        """What happened, for the warning that nobody looked."""
        return f"{self.make()!r}"

    def of(self, origin: Origin) -> Unmade:
        """The failure of one call's thunk, which from here on sees to it that somebody looks."""
        self._seen = True
        return Unmade(self, origin)

    def __del__(self) -> None:
        if not self._seen:
            _warn(self._origin, self.fate())

    def settle(self, timeout: float | None = None) -> Outcome:
        return None, self.of(self._origin)

    def ready(self) -> bool:
        return True

    def when_done(self, callback: Callable[[], object]) -> bool:
        callback()
        return True

    def hurry(self) -> None: ...

    def abandon(self) -> bool:
        return True


class Unmade(Raised):
    """The failure of one thunk, whose exception is made when it is raised."""

    __slots__ = ("_cause", "_origin", "_seen")

    def __init__(self, cause: Deferred, origin: Origin) -> None:
        self._cause = cause
        self._origin = origin
        self._seen = False

    @property
    def error(self) -> BaseException:  # type: ignore[override]
        return self._cause.make()

    def again(self) -> NoReturn:
        self._seen = True
        raise _noted(self._cause.make(), self._origin)  # in no variable of this frame, to which it will lead

    def __del__(self) -> None:
        if not self._seen:
            _warn(self._origin, self._cause.fate())


class FailedTogether(Deferred):
    """The failure of a request that several calls shared. It is warned about once, not once a call."""

    __slots__ = ("_calls", "_raised")

    def __init__(self, raised: Raised, origin: Origin, calls: int) -> None:
        super().__init__(origin)
        self._raised = raised
        self._calls = calls

    def make(self) -> BaseException:
        error = self._raised.error
        try:
            own = copy.copy(error)
        except Exception:
            own = error  # somebody else's, that cannot be copied: then they have it in common
        own.__cause__, own.__suppress_context__ = error.__cause__, True
        return own.with_traceback(self._raised.traceback)

    def fate(self) -> str:
        others = f" (and {self._calls - 1} more in the same request)" if self._calls > 1 else ""
        return f"{self._raised.error!r}{others}"


class Lacking(Deferred):
    """The failure of a call whose key is not in the answer to all."""

    __slots__ = ("_key", "_make")

    def __init__(self, make: Callable[[Any], Exception], key: Any, origin: Origin) -> None:
        super().__init__(origin)
        self._make = make
        self._key = key

    def make(self) -> BaseException:
        return self._make(self._key)


def _warn(origin: Origin, fate: str, warn: Any = warnings.warn_explicit) -> None:
    message = f"{describe(origin)} failed and nobody looked at its result: {fate}"
    warn(message, UnretrievedFailure, origin[1].co_filename, line(origin))


def _noted(error: BaseException, origin: Origin) -> BaseException:
    """The same error, with a note of the call."""
    note = f"{describe(origin)} (a lazy call; above is where its result was needed)"
    if note not in getattr(error, "__notes__", ()):
        if sys.version_info >= (3, 11):
            error.add_note(note)
        else:
            vars(error).setdefault("__notes__", []).append(note)
    return error
