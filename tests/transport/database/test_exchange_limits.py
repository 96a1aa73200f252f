"""What stops an exchange, and what does not: the stages of a LimitedExchange, without a thread."""

from __future__ import annotations

import time

import pytest

from flowthings_like.errors import CallCancelled, DeadlineExceeded
from flowthings_like.transport.call_scope import CallScope
from flowthings_like.transport.database import exchange_limits
from flowthings_like.transport.database.exchange_limits import LimitedExchange

pytestmark = pytest.mark.once


class Exchanging:
    """A session that notes what is done to it."""

    def __init__(self, can_cancel: bool = True) -> None:
        self.done: list[str] = []
        self._can_cancel = can_cancel

    def interrupt(self) -> bool:
        self.done.append("interrupt")
        return self._can_cancel

    def end_socket(self) -> None:
        self.done.append("end socket")


def passed() -> CallScope:
    return CallScope(time.monotonic() - 1)


def test_an_exchange_in_time_is_left_alone() -> None:
    session = Exchanging()
    limited = LimitedExchange(session, CallScope(time.monotonic() + 60))
    assert limited.look()
    assert not limited.end()
    assert not limited.look()
    assert session.done == []


def test_a_deadline_cancels_the_statement_once_and_then_ends_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Exchanging()
    limited = LimitedExchange(session, passed())
    assert limited.look()
    assert limited.look()
    assert session.done == ["interrupt"]
    monkeypatch.setattr(limited, "_cut_at", 0.0)
    assert limited.look()
    assert session.done == ["interrupt", "end socket"]
    assert limited.end()
    assert isinstance(limited.failure(), DeadlineExceeded)


def test_a_driver_that_cannot_cancel_loses_its_socket_at_once() -> None:
    session = Exchanging(can_cancel=False)
    LimitedExchange(session, passed()).look()
    assert session.done == ["interrupt", "end socket"]


def test_nothing_is_done_to_an_exchange_that_has_ended_or_was_abandoned() -> None:
    session = Exchanging()
    ended, abandoned = LimitedExchange(session, passed()), LimitedExchange(Exchanging(), passed())
    assert not ended.end()
    assert not ended.look()
    assert not ended.end()
    assert not abandoned.look()
    assert session.done == []


def test_a_cancelled_scope_stops_what_has_begun_before_its_end_and_nothing_later() -> None:
    session, scope = Exchanging(), CallScope()
    before = LimitedExchange(session, scope)
    assert before.look()
    scope.cancel("the client has gone")
    scope.end()
    after = LimitedExchange(session, scope)
    assert after.look()
    assert session.done == []
    assert before.look()
    assert session.done == ["interrupt"]
    failure = before.failure()
    assert isinstance(failure, CallCancelled)
    assert str(failure) == "the client has gone"


def test_a_rollback_has_a_limit_of_its_own() -> None:
    session = Exchanging()
    limited = LimitedExchange(session, None, time.monotonic() + exchange_limits.UNDO_SECONDS)
    assert limited.look()
    assert session.done == []
    late = LimitedExchange(session, None, time.monotonic() - 1)
    assert late.look()
    assert session.done == ["interrupt"]
