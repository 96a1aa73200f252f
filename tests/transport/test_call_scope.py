"""The limits that a scope gives to all calls that are made within it."""

from __future__ import annotations

import math
import time

import pytest

from flowthings_like import CallCancelled, DeadlineExceeded
from flowthings_like.green import detect
from flowthings_like.transport.call_scope import CallScope, limit_call, limit_seconds, limit_timeout
from flowthings_like.transport.retry import Timeout


def test_limits_of_calls_are_the_shorter_ones() -> None:
    assert limit_call(None) is None
    assert limit_call(7.0) == 7.0
    scope = CallScope(time.monotonic() + 100)
    assert scope.run(limit_call, None) == scope.deadline
    assert scope.run(limit_call, 7.0) == 7.0
    assert scope.run(limit_seconds, 7.0) == 7.0
    assert 99 < (scope.run(limit_seconds, None) or 0) <= 100
    limited = scope.run(limit_timeout, Timeout(10.0, None, math.inf, 3.0))
    assert limited.connect == 10.0
    assert limited.reused == 3.0
    assert 99 < (limited.read or 0) <= 100
    assert 99 < (limited.total or 0) <= 100
    unlimited = Timeout(10.0, None, math.inf)
    assert CallScope().run(limit_timeout, unlimited) == unlimited
    assert limit_call(None) is None


def test_a_scope_that_was_cancelled_refuses_calls_until_it_ends() -> None:
    scope = CallScope()
    scope.cancel("over")
    for limit in (limit_call, limit_seconds):
        with pytest.raises(CallCancelled, match="over"):
            scope.run(limit, None)
    scope.end()
    assert scope.run(limit_call, None) is None


def test_scopes_within_each_other() -> None:
    outer, inner = CallScope(time.monotonic() + 100), CallScope(time.monotonic() + 50)

    def both() -> list[float | None]:
        return [limit_call(None), inner.run(limit_call, None), limit_call(None)]

    assert outer.run(both) == [outer.deadline, inner.deadline, outer.deadline]


def test_a_function_that_raises_leaves_no_scope_behind() -> None:
    with pytest.raises(ZeroDivisionError):
        CallScope(time.monotonic() + 100).run(lambda: 1 / 0)
    assert limit_call(None) is None


def test_a_scope_also_counts_in_the_threads_that_are_started_in_it() -> None:
    scope = CallScope(time.monotonic() + 100)
    deadline, pool = scope.deadline, detect().pool(1)
    assert scope.run(pool.start, limit_call, None).outcome()[0] == deadline
    assert pool.start(limit_call, None).outcome()[0] is None


def test_a_deadline_that_has_passed_refuses_calls() -> None:
    scope = CallScope(time.monotonic() - 1)
    for limit in (limit_call, limit_seconds):
        with pytest.raises(DeadlineExceeded):
            scope.run(limit, 1000.0)
    assert limit_seconds(1000.0) == 1000.0
