"""Deadlines and retries: how long a call may take, and whether, when and how often it is repeated.

    call      |-- attempt --x   pause   |-- attempt --x      pause      |-- attempt --> answer
    deadline  |---------------------------------------------------------------------------------|

A `Retry` says what is repeated, `Backoff` computes the pauses, and `call_with_retries` is the loop. Nothing
here knows HTTP beyond a status and the Retry-After header. Pauses are `time.sleep`, looked up when it is
called: so other green threads run meanwhile, and a pause can be interrupted.
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
    "Retry",
    "Timeout",
    "call_with_retries",
    "check_retry",
    "check_timeout",
    "earliest",
    "new_idempotency_key",
    "parse_timeout",
    "retry_after",
    "step_timeout",
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
    """Says when a failed call is repeated.

    >>> Retry(attempts=3).new(most=1.0)
    Retry(attempts=3, base=0.1, most=1.0, within=60.0, statuses=(429, 502, 503, 504), writes=True)

    The pause after an attempt follows `Backoff(base, most)`. If the platform sent Retry-After, that time is
    added. If the pause would outlast the deadline, the call fails at once.

    Attributes:
        attempts: how many attempts a call has at most, the first one included.
        base: seconds, the longest pause after the first attempt.
        most: seconds, the longest pause after any attempt.
        within: seconds after which no further attempt begins, where `timeout` does not bound the whole call.
        statuses: the HTTP statuses after which a call is repeated.
        writes: whether writes are repeated that may have reached the platform. Each carries an idempotency
            key, so a platform that keeps keys, as the embedded one does, does not write twice. For a platform
            that does not, say False.

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

    def pause(self, attempt: int, jitter: float, retry_after: float = 0.0) -> float:
        """Seconds to wait after an attempt.

        Args:
            attempt: its number, from 1.
            jitter: 0 to 1, where in its range the pause lies.
            retry_after: seconds that the platform asked for.
        """
        return retry_after + Backoff(self.base, self.most).pause(attempt, jitter)


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599


def check_retry(retry: Any) -> Retry | None:
    """The policy that an option names: a Retry; None and False stand for no retries.

    Raises:
        InvalidInput: it is something else.
    """
    if retry is None or retry is False:
        return None
    if isinstance(retry, Retry):
        return retry
    raise InvalidInput(f"retry is {retry!r}; give a Retry, or False to make each call once")


class Timeout(NamedTuple):
    """Time-outs of one call, in seconds. None waits for ever.

    Attributes:
        connect: to connect, in one attempt.
        read: between two reads, in one attempt.
        total: for the whole call, retries included; None if none was given, inf waits for ever.
        reused: until the first byte of the answer, on a connection that was used before and may be dead; None
            for no such bound.
    """

    connect: float | None
    read: float | None
    total: float | None
    reused: float | None = None


def parse_timeout(timeout: Any) -> Timeout:
    """The time-outs that an option `timeout=` means.

    One number is for the whole call. A pair (to connect, between two reads) is for each attempt.

    Raises:
        InvalidInput: it is neither.
    """
    connect, read = check_timeout(timeout)
    if isinstance(timeout, tuple):
        return Timeout(connect, read, None)
    return Timeout(connect, read, math.inf if timeout > _LONGEST else float(timeout))


def check_timeout(timeout: Any) -> tuple[float | None, float | None]:
    """Check an option `timeout=`; returns (seconds to connect, seconds between two reads), None for ever.

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


def as_timeout(timeout: Any) -> Timeout:
    """The time-outs that a sender is given: a Timeout, one number for each step, or (connect, read[, total]).

    None waits for ever.

    Raises:
        InvalidInput: it is something else.
    """
    if isinstance(timeout, Timeout):
        return timeout
    given = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if not 2 <= len(given) <= 3 or not all(part is None or _is_seconds(part) for part in given):
        raise InvalidInput(f"timeout is {timeout!r}; give seconds above 0, or (to connect, for each read)")
    connect, read, total = (*(None if part is None or part > _LONGEST else part for part in given), None)[:3]
    return Timeout(connect, read, total)


class Clock:
    """The time and the random numbers that retries use. Tests replace it."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait. Other green threads run meanwhile."""
        time.sleep(seconds)

    def jitter(self) -> float:
        """A random number from 0 to 1."""
        return _draw()


class Deadline:
    """A time by which something must be done.

    Args:
        end: the time, as `clock.now()` counts; inf for never.
    """

    __slots__ = ("_clock", "_end")

    def __init__(self, end: float, clock: Clock) -> None:
        self._clock = clock
        self._end = end

    def left(self) -> float:
        """Seconds that are left; negative after the deadline."""
        return self._end - self._clock.now()

    def bound(self, seconds: float | None) -> float | None:
        """The shorter of `seconds` and what is left; None is for ever."""
        left = self.left()
        if math.isinf(left):
            return seconds
        left = max(left, SHORTEST)
        return left if seconds is None else min(seconds, left)


def step_timeout(timeout: float | None, until: float | None) -> float | None:
    """The time-out for one socket call: at most `timeout`, and at most what is left until a deadline.

    Nothing can interrupt an OS thread that waits in a socket's call. So each call is given what is left.

    Args:
        until: the deadline, a `time.monotonic()`; None for none.

    Raises:
        TimeoutError: the deadline has passed.
    """
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left if timeout is None else min(timeout, left)


def earliest(one: float | None, other: float | None) -> float | None:
    """The earlier of two deadlines; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def new_idempotency_key() -> str:
    """Make an idempotency key: 128 bits in hex, 48 of the clock in ms and 80 random ones.

    It begins with the time because a platform keeps many keys, and sorted ones are cheap to insert.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def call_with_retries(
    attempt: Callable[[Timeout], Answer],
    policy: Retry | None,
    timeout: Timeout,
    *,
    repeatable: bool,
    clock: Clock,
    what: str = "",
) -> tuple[Answer, int]:
    """Make a call, and repeat it after failures as the policy says.

    Args:
        attempt: makes the call once, within the time-outs that it is given.
        policy: None makes one attempt.
        timeout: how long everything may take.
        repeatable: whether the call may be repeated although it may have reached the platform.
        what: the call, for the log.

    Returns:
        The last answer, whatever its status, and the number of attempts.

    Raises:
        ConnectionFailed, DeadlineExceeded: what the last attempt raised; `attempts` says how many there were.
        Whatever else `attempt` raises, at once.
    """
    connect, read, total, _ = timeout
    timeout = timeout._replace(total=None) if total == math.inf else timeout
    if policy is None:
        return attempt(timeout), 1
    started = clock.now()
    deadline = Deadline(math.inf if total is None else started + total, clock)
    retry_deadline = Deadline(started + policy.within, clock) if total is None else deadline
    number = 1
    while True:
        if repeatable and number < policy.attempts:
            # A wait on a dead connection must leave time for another attempt, on a new connection.
            timeout = timeout._replace(reused=_half(timeout.read, retry_deadline.left()))
        try:
            answer = attempt(timeout)
        except (ConnectionFailed, DeadlineExceeded) as error:
            error.attempts = number
            if number == policy.attempts or not error.retryable or not (repeatable or not error.sent):
                raise
            pause = policy.pause(number, clock.jitter())
            if pause >= retry_deadline.left():
                raise
            reason = type(error).__name__
        else:
            _, headers, status = answer
            if status not in policy.statuses or not repeatable or number == policy.attempts:
                return answer, number
            pause = policy.pause(number, clock.jitter(), retry_after(headers, clock.wall()) or 0.0)
            if pause >= retry_deadline.left():
                return answer, number
            reason = str(status)
        _log.debug("%s: %s, attempt %d of %d; again in %.3f s", what, reason, number, policy.attempts, pause)
        clock.sleep(pause)
        number += 1
        timeout = Timeout(deadline.bound(connect), deadline.bound(read), deadline.bound(None))


def _half(read: float | None, left: float) -> float | None:
    longest = left if read is None else min(read, left)
    return None if math.isinf(longest) else max(longest / 2, SHORTEST)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the platform asks to wait by Retry-After; None if the header is missing or unreadable.

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
