"""Patience: how long a call may take, and whether, when and how often it is made again.

    call      |-- attempt --x   pause   |-- attempt --x      pause      |-- attempt --> answer
    deadline  |---------------------------------------------------------------------------------|

A `Retry` says what is tried again and how long the pauses are; `persist` is the loop. Nothing here knows HTTP
beyond a status and the Retry-After header, or which green library runs it: pauses are `time.sleep`, looked up
when it is called, so green threads go on meanwhile and any of them can be interrupted.
"""

from __future__ import annotations

import logging
import math
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from ..errors import ConnectionFailed, DeadlineExceeded, InvalidInput

__all__ = [
    "Backoff",
    "Clock",
    "Deadline",
    "Limits",
    "Retry",
    "check_retry",
    "check_timeout",
    "limits",
    "new_key",
    "persist",
    "retry_after",
]

Answer = TypeVar("Answer", bound="tuple[Any, Mapping[str, str], int]")

_log = logging.getLogger("flowthings_like")
SHORTEST = 0.001
"""Seconds, the shortest time-out. What is left of a deadline may be negative, a time-out may not."""

_LONGEST = 1e9  # seconds; a socket takes no time-out that is much longer


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with full jitter: computes the pause before an attempt is repeated.

    The pause after the n-th failure in a row is drawn evenly from 0 to `min(most, base * 2 ** (n - 1))`
    seconds ("full jitter"), so clients that lost the same server do not come back at the same time.

    >>> Backoff(base=1.0, most=60.0).longest(3)
    4.0

    Attributes:
        base: seconds, the longest pause after the first failure.
        most: seconds, the longest pause after any number of failures.
    """

    base: float = 1.0
    most: float = 60.0

    def longest(self, failures: int) -> float:
        """The longest pause after this many failures in a row; 0 where there was none."""
        # The exponent is bounded because a float overflows at 2 ** 1024.
        return min(self.most, self.base * 2.0 ** min(failures - 1, 1000)) if failures > 0 else 0.0

    def pause(self, failures: int, jitter: float | None = None) -> float:
        """Seconds to wait after this many failures in a row.

        Args:
            failures: how many; 0 waits for nothing.
            jitter: 0 to 1, where in its range the pause lies; None draws it.
        """
        return self.longest(failures) * (_draw() if jitter is None else jitter)


def _draw() -> float:
    """A random number from 0 to 1. Not from the program's own sequence, which it may have seeded: processes
    with the same seed would wait for the same time."""
    return random.SystemRandom().random()


@dataclass(frozen=True)
class Retry:
    """When a call is made again.

    >>> Retry(attempts=3).new(most=1.0)
    Retry(attempts=3, base=0.1, most=1.0, within=60.0, statuses=(429, 502, 503, 504), writes=True)

    The pause after an attempt follows `Backoff(base, most)`. Where the platform said Retry-After that much is
    added. A pause that would outlast the deadline is not begun.

    Attributes:
        attempts: how often a call is made at most; 1 for no second time.
        base: seconds, the longest first pause.
        most: seconds, the longest pause whatever the attempt.
        within: seconds after which no further attempt begins, where `timeout` does not bound the whole call.
        statuses: answers after which a call is made again.
        writes: whether writes are made again, too, when they may have reached the platform. Each carries an
            idempotency key, so a platform that keeps keys, as the embedded one does, does not write twice;
            for one that does not, say False.

    Raises:
        InvalidInput: numbers that make no sense.
    """

    attempts: int = 5
    base: float = 0.1
    most: float = 5.0
    within: float = 60.0
    statuses: tuple[int, ...] = (429, 502, 503, 504)
    writes: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.attempts, int) or isinstance(self.attempts, bool) or self.attempts < 1:
            raise InvalidInput(f"Retry: attempts is {self.attempts!r}; give a whole number, 1 or more")
        for name in ("base", "most", "within"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
                raise InvalidInput(f"Retry: {name} is {value!r}; give seconds, 0 or more")
        if not isinstance(self.statuses, Iterable) or not all(_is_status(each) for each in self.statuses):
            raise InvalidInput(f"Retry: statuses is {self.statuses!r}; give statuses of failures, as (503,)")
        object.__setattr__(self, "statuses", tuple(self.statuses))

    def new(self, **changes: Any) -> Retry:
        """The same policy with these attributes changed."""
        unknown = changes.keys() - self.__dataclass_fields__.keys()
        if unknown:
            known = ", ".join(self.__dataclass_fields__)
            raise InvalidInput(f"Retry has no {', '.join(sorted(unknown))}: it has {known}")
        return replace(self, **changes)

    def pause(self, attempt: int, chance: float, told: float = 0.0) -> float:
        """Seconds to wait after an attempt.

        Args:
            attempt: which one it was, from 1.
            chance: 0 to 1, where in its range the pause lies.
            told: seconds that the platform asked for.
        """
        return told + Backoff(self.base, self.most).pause(attempt, chance)


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599


def check_retry(retry: Any) -> Retry | None:
    """A policy from what an option says: a Retry, or None and False for none at all.

    Raises:
        InvalidInput: it is something else.
    """
    if retry is None or retry is False:
        return None
    if isinstance(retry, Retry):
        return retry
    raise InvalidInput(f"retry is {retry!r}; give a Retry, or False to make each call once")


class Limits(NamedTuple):
    """What a `timeout=` comes to, in seconds. None waits for ever.

    Attributes:
        connect: to connect, in one attempt.
        read: between two reads, in one attempt.
        total: for the whole call, retries included; None if the timeout said nothing of it, inf for ever.
        reused: until something of the answer comes, on a connection that was used before and may have died
            since; None for no such bound.
    """

    connect: float | None
    read: float | None
    total: float | None
    reused: float | None = None


def limits(timeout: Any) -> Limits:
    """One number is for the whole call; (to connect, between two reads) is for each attempt.

    Raises:
        InvalidInput: it is neither.
    """
    connect, read = check_timeout(timeout)
    if isinstance(timeout, tuple):
        return Limits(connect, read, None)
    return Limits(connect, read, math.inf if timeout > _LONGEST else float(timeout))


def check_timeout(timeout: Any) -> tuple[float | None, float | None]:
    """(seconds to connect, seconds between two reads); None in it waits for ever.

    Raises:
        InvalidInput: not one positive number or two; `float("inf")` is how to wait for ever.
    """
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if len(pair) == 2 and all(_is_seconds(part) for part in pair):
        return tuple(None if part > _LONGEST else float(part) for part in pair)  # type: ignore[return-value]
    raise InvalidInput(
        f"timeout is {timeout!r}; give seconds above 0, or (to connect, between two reads); "
        'float("inf") waits for ever'
    )


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def as_limits(timeout: Any) -> Limits:
    """A time-out as a sender takes it: Limits, one number for each step, or (connect, read[, total]).

    None, for all or in the tuple, waits for ever.

    Raises:
        InvalidInput: it is something else.
    """
    if isinstance(timeout, Limits):
        return timeout
    given = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if not 2 <= len(given) <= 3 or not all(part is None or _is_seconds(part) for part in given):
        raise InvalidInput(f"timeout is {timeout!r}; give seconds above 0, or (to connect, for each read)")
    connect, read, total = (*(None if part is None or part > _LONGEST else part for part in given), None)[:3]
    return Limits(connect, read, total)


class Clock:
    """Where retries take time and chance from. Tests have one of their own."""

    def now(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait, while other green threads go on."""
        time.sleep(seconds)

    def chance(self) -> float:
        """A random number from 0 to 1."""
        return _draw()


class Deadline:
    """A moment by which something must be done.

    Args:
        end: the moment, as `clock.now()` counts; inf for never.
    """

    __slots__ = ("_clock", "_end")

    def __init__(self, end: float, clock: Clock) -> None:
        self._clock = clock
        self._end = end

    def left(self) -> float:
        """Seconds until then; negative afterwards."""
        return self._end - self._clock.now()

    def bound(self, seconds: float | None) -> float | None:
        """`seconds` or what is left, whichever is less; None is for ever."""
        left = self.left()
        if math.isinf(left):
            return seconds
        left = max(left, SHORTEST)
        return left if seconds is None else min(seconds, left)


def new_key() -> str:
    """A fresh idempotency key: 128 bits in hex, 48 of the clock in ms and 80 of chance.

    It begins with the time because a platform keeps many keys, and sorted ones are cheap to insert.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def persist(
    attempt: Callable[[Limits], Answer],
    policy: Retry | None,
    allowed: Limits,
    *,
    repeatable: bool,
    clock: Clock,
    what: str = "",
) -> tuple[Answer, int]:
    """Make a call until it is answered for good.

    Args:
        attempt: makes it once, within the limits it is given.
        policy: None makes it once.
        allowed: how long everything may take.
        repeatable: whether the call may be made again although it may have reached the platform.
        what: the call, for the log.

    Returns:
        The last answer, whatever its status, and how many attempts it took.

    Raises:
        ConnectionFailed, DeadlineExceeded: what the last attempt raised; `attempts` says how many there were.
        Whatever else `attempt` raises, at once.
    """
    connect, read, total, _ = allowed
    timeout = allowed._replace(total=None) if total == math.inf else allowed
    if policy is None:
        return attempt(timeout), 1
    begun = clock.now()
    whole = Deadline(math.inf if total is None else begun + total, clock)
    horizon = Deadline(begun + policy.within, clock) if total is None else whole
    number = 1
    while True:
        if repeatable and number < policy.attempts:
            # What is waited for on a dead connection must leave time for another attempt, on a new one.
            timeout = timeout._replace(reused=_half(timeout.read, horizon.left()))
        try:
            answer = attempt(timeout)
        except (ConnectionFailed, DeadlineExceeded) as error:
            error.attempts = number
            if number == policy.attempts or not error.retryable or not (repeatable or not error.sent):
                raise
            pause = policy.pause(number, clock.chance())
            if pause >= horizon.left():
                raise
            reason = type(error).__name__
        else:
            if answer[2] not in policy.statuses or not repeatable or number == policy.attempts:
                return answer, number
            pause = policy.pause(number, clock.chance(), retry_after(answer[1], clock.wall()) or 0.0)
            if pause >= horizon.left():
                return answer, number
            reason = str(answer[2])
        _log.debug("%s: %s, attempt %d of %d; again in %.3f s", what, reason, number, policy.attempts, pause)
        clock.sleep(pause)
        number += 1
        timeout = Limits(whole.bound(connect), whole.bound(read), whole.bound(None))


def _half(read: float | None, left: float) -> float | None:
    longest = left if read is None else min(read, left)
    return None if math.isinf(longest) else max(longest / 2, SHORTEST)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the platform asks to wait; None if it does not say so, or not so that it can be read.

    Args:
        headers: of the answer. Retry-After is a number of seconds or an HTTP date.
        now: seconds since the epoch.
    """
    said = (headers.get("Retry-After") or headers.get("retry-after") or "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    from email.utils import parsedate_to_datetime  # it brings in socket, which may not be patched yet

    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
