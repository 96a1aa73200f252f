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
    scope.enter()
    try:
        assert limit_call(None) == scope.deadline
        assert limit_call(7.0) == 7.0
        assert limit_seconds(7.0) == 7.0
        assert 99 < (limit_seconds(None) or 0) <= 100
        limited = limit_timeout(Timeout(10.0, None, math.inf, 3.0))
        assert limited.connect == 10.0
        assert limited.reused == 3.0
        assert 99 < (limited.read or 0) <= 100
        assert 99 < (limited.total or 0) <= 100
        scope.cancel("over")
        for limit in (limit_call, limit_seconds):
            with pytest.raises(CallCancelled, match="over"):
                limit(None)
    finally:
        scope.exit()
    assert limit_call(None) is None


def test_scopes_within_each_other_end_in_any_order() -> None:
    outer, inner = CallScope(time.monotonic() + 100), CallScope(time.monotonic() + 50)
    outer.enter()
    inner.enter()
    assert limit_call(None) == inner.deadline
    inner.exit()
    assert limit_call(None) == outer.deadline
    outer.exit()
    assert limit_call(None) is None


def test_a_scope_also_counts_in_the_threads_that_are_started_in_it() -> None:
    scope = CallScope(time.monotonic() + 100)
    scope.enter()
    pool = detect().pool(1)
    task = pool.start(limit_call, None)
    assert task.outcome()[0] == scope.deadline
    scope.exit()
    assert pool.start(limit_call, None).outcome()[0] is None


def test_a_deadline_that_has_passed_refuses_calls() -> None:
    scope = CallScope(time.monotonic() - 1)
    scope.enter()
    try:
        for limit in (limit_call, limit_seconds):
            with pytest.raises(DeadlineExceeded):
                limit(1000.0)
    finally:
        scope.exit()
    assert limit_seconds(1000.0) == 1000.0
