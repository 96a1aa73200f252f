"""How fast a token may make requests and send bytes, and how large a body may be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flowthings_like import API, FlowThingsError, Retry, Token
from flowthings_like.platform.embedded import open_platform
from flowthings_like.platform.problems import TooManyRequests
from flowthings_like.platform.rest import rates
from flowthings_like.platform.rest.application import Limits
from flowthings_like.platform.rest.rates import Rate, RateLimiter
from flowthings_like.testing.server import Server

from ..harness import at_once


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(limiter: RateLimiter, caller: str = "me", most: int = 1000) -> int:
    """How many requests are let through now."""
    for count in range(most):
        try:
            limiter.take(caller)
        except TooManyRequests:
            return count
    return most


def test_a_caller_has_a_burst_and_then_a_rate(clock: Clock) -> None:
    limiter = RateLimiter("requests", Rate(10, burst=5), clock)
    assert taken(limiter) == 5
    clock.now += 0.1
    assert taken(limiter) == 1
    clock.now += 3600
    assert taken(limiter) == 5, "no more than the burst, however long it was quiet"
    assert taken(limiter, "another") == 5, "each has its own"


def test_who_is_refused_is_told_when_to_come_again(clock: Clock) -> None:
    limiter = RateLimiter("bytes", Rate(100), clock)
    limiter.take("me", 0.0)
    limiter.charge("me", 1200)  # which was received whole: 200 were there
    with pytest.raises(TooManyRequests, match="100 bytes a second") as refused:
        limiter.take("me", 0.0)
    assert refused.value.retry_after == 10
    clock.now += 9.9
    with pytest.raises(TooManyRequests):
        limiter.take("me", 0.0)
    clock.now += 0.2
    limiter.take("me", 0.0)


def test_refused_requests_cost_nothing(clock: Clock) -> None:
    limiter = RateLimiter("requests", Rate(1, burst=1), clock)
    limiter.take("me")
    for _ in range(100):
        with pytest.raises(TooManyRequests):
            limiter.take("me")
    clock.now += 1
    limiter.take("me")


def test_threads_get_together_what_one_would_get(clock: Clock) -> None:
    limiter = RateLimiter("requests", Rate(1, burst=100), clock)
    assert sum(at_once([lambda: taken(limiter)] * 8)) == 100


def test_buckets_of_quiet_callers_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_MOST_BUCKETS", 10)
    limiter = RateLimiter("requests", Rate(1, burst=1), clock)
    for number in range(10):
        limiter.take(f"{number}")
    clock.now += 0.5
    limiter.take("last")
    assert len(limiter._buckets) == 11, "those that are not full stay"
    clock.now += 0.6
    limiter.take("next")
    assert set(limiter._buckets) == {"last", "next"}


def test_a_client_that_sends_too_much_waits_and_gets_everything(tmp_path: Path) -> None:
    limits = Limits(request_rate=Rate(5, burst=3))
    with Server(tmp_path, limits=limits) as server, server.api() as api:
        begun = time.monotonic()
        for number in range(5):
            api.flow.create({"path": f"/acme/f{number}"})
        assert time.monotonic() - begun > 0.9, "Retry-After was a second"
        with server.api(retry=False) as hasty, hasty.async_() as calls:
            for _ in range(20):
                calls.flow.find()
            errors = [error for error, _ in calls.results(with_exceptions=True) if error is not None]
        assert {getattr(error, "status", None) for error in errors} == {429}
        assert "5 requests a second" in str(errors[0])


def test_each_token_has_its_own_rate(tmp_path: Path) -> None:
    with Server(tmp_path, limits=Limits(request_rate=Rate(0.01, burst=3))) as server, server.api() as api:
        other = api.token.create({"paths": {"/acme": {"read": True}}})["tokenString"]
        with API(Token("acme", other), host=server.address, secure=False, retry=Retry(attempts=1)) as guest:
            for _ in range(3):
                guest.flow.find()
            with pytest.raises(FlowThingsError, match="a second"):
                guest.flow.find()
        api.flow.find()


def test_requests_over_a_live_session_count_too(tmp_path: Path) -> None:
    with open_platform(tmp_path, "acme", limits=Limits(request_rate=Rate(0.01, burst=2))) as platform:
        caller = platform.accounts.caller(platform.token, "acme")
        statuses = [platform.application.call(caller, "GET", "flow").status for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_bytes_of_bodies_are_counted_and_bounded(tmp_path: Path) -> None:
    limits = Limits(max_body=3000, byte_rate=Rate(1000, burst=1000))
    with Server(tmp_path, limits=limits) as server, server.api(retry=False) as api:
        api.flow.create({"path": "/acme/a", "description": "x" * 2000})
        with pytest.raises(FlowThingsError, match="1,000 bytes a second"):
            api.flow.create({"path": "/acme/b"})
        with server.api() as patient:
            patient.flow.create({"path": "/acme/b"})
            with pytest.raises(FlowThingsError, match="the limit is 3000 bytes"):
                patient.flow.create({"path": "/acme/c", "description": "x" * 4000})
