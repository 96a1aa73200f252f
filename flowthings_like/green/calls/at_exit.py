"""Waits at the end of the program for the calls of `async_()` and `lazy()` that are not done.

As concurrent.futures does, it waits for each call, which the call's own time-out bounds. Calls that were not
done are listed on stderr. Ctrl-C ends the wait. Cancelled calls are not waited for, nor are calls of the
process that this one was forked from.
"""

from __future__ import annotations

import atexit
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

from flowthings_like.errors import CallCancelled

from ..future import Failure, Future

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..future import Origin, Task

__all__ = ["forget", "track", "track_batches"]

LINES = 20
"""Different failures that are listed."""


class Batches(Protocol):
    """Sends calls in batches."""

    def futures(self) -> list[Future]:
        """The calls that have no result yet, without those that were cancelled."""


class _UnderWay:
    """The calls of one process that may not be done. They are held by what runs them, not by this."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.calls: dict[ref[Any], Origin] = {}
        self.batches: dict[ref[Batches], None] = {}

    def unfinished(self) -> list[tuple[Any, Origin]]:
        """Each call that is not done, a Future or a thread, and where it was made."""
        found: list[tuple[Any, Origin]] = []
        for reference, origin in self.calls.copy().items():
            call = reference()
            if call is not None and not _is_done(call):
                found.append((call, origin))
        for owner in self.batches.copy():
            batches = owner()
            if batches is not None:
                found += ((future, future.origin) for future in batches.futures())
        return found


_under_way: _UnderWay | None = None


def _here() -> _UnderWay:
    global _under_way
    here = _under_way
    if here is None or here.pid != os.getpid():
        if here is None:
            atexit.register(_finish)
        here = _under_way = _UnderWay()
    return here


def track(call: Future | Task, origin: Origin) -> None:
    """Finish this call before the program ends."""
    calls = _here().calls
    calls[ref(call, calls.pop)] = origin


def track_batches(batches: Batches) -> None:
    """Finish what is submitted there before the program ends."""
    here = _here().batches
    here[ref(batches, here.pop)] = None


def forget(calls: Iterable[Future | Task]) -> None:
    """Do not wait for these calls: they were cancelled."""
    here = _here()
    for call in calls:
        here.calls.pop(ref(call), None)


def _finish() -> None:
    here = _under_way
    if here is None or here.pid != os.getpid():
        return
    waited: dict[int, Any] = {}  # by id
    failed: list[_FailedCall] = []
    failures: dict[str, int] = {}
    try:
        _wait_for_all(here, waited, failed)
    except BaseException as interruption:
        for call, origin in here.unfinished():
            if id(call) not in waited:
                _count(failures, origin, f"not waited for after {type(interruption).__name__}")
    for each in [each for each in failed if not each.is_seen()]:
        _count(failures, each.origin, f"{type(each.error).__name__}: {str(each.error)[:300]}")
        if each.failure is not None:
            each.failure.seen = True
    if failures:
        _say(failures)


@dataclass(frozen=True)
class _FailedCall:
    origin: Origin
    error: BaseException
    failure: Failure | None

    def is_seen(self) -> bool:
        """Whether a function has got the exception meanwhile, that was chained to the call."""
        failure = self.failure
        return failure is not None and failure.seen and not isinstance(self.error, CallCancelled)


def _wait_for_all(here: _UnderWay, waited: dict[int, Any], failed: list[_FailedCall]) -> None:
    while calls := [call for call in here.unfinished() if id(call[0]) not in waited]:
        for call, origin in calls:
            found = _wait(call)
            waited[id(call)] = call
            if isinstance(found, Failure):
                failed.append(_FailedCall(origin, found.error, found))
            elif found is not None:
                failed.append(_FailedCall(origin, found, None))


def _is_done(call: Future | Task) -> bool:
    return call.done() if isinstance(call, Future) else call.ready()


def _wait(call: Future | Task) -> Failure | BaseException | None:
    """Wait for a call; why it has no value, or None."""
    try:
        value, captured = (call.failure(), None) if isinstance(call, Future) else call.outcome()
    except Exception as error:  # nothing can wait for it here
        return error
    if isinstance(value, Failure):
        return value
    return None if captured is None else captured.error


def _count(failures: dict[str, int], origin: Origin, reason: str) -> None:
    what = f"{origin}: {reason}"
    failures[what] = failures.get(what, 0) + 1


def _say(failures: dict[str, int]) -> None:
    lines = [f"  {count} x {what}\n" for what, count in list(failures.items())[:LINES]]
    if len(failures) > LINES:
        lines.append(f"  and {len(failures) - LINES} different ones\n")
    count = sum(failures.values())
    sys.stderr.write(
        f"flowthings_like: {count} of the calls that were under way when the program ended "
        f"{'was' if count == 1 else 'were'} not done:\n{''.join(lines)}"
    )
    sys.stderr.flush()
