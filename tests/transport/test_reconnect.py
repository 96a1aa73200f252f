"""The states of a reconnecting connection, with fake connections; and when keep-alives are due."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from flowthings_like.transport.heartbeat import KeepAlive
from flowthings_like.transport.reconnect import TRANSITIONS, ReconnectingConnection, State

from .things.scripted_node import wait_until


class Link:
    """A fake connection."""

    peer = "nowhere"
    in_flight = 0

    def __init__(self) -> None:
        self.closed = False
        self.last_heard = monotonic()
        self.asked = 0

    def send_keepalive(self) -> None:
        self.asked += 1

    def delivery(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        self.closed = True

    def wait_closed(self, timeout: float | None = None) -> bool:
        return True

    def forget(self) -> None:
        pass


class Kept(ReconnectingConnection[Link]):
    """Connects unless there is something in `failures`. Records its states."""

    def __init__(self, **options: Any) -> None:
        self.states = [State.IDLE]
        self.failures: list[Exception] = []
        super().__init__(**{"reconnect": True, "keepalive": 60.0, "answer_within": 60.0, **options})

    def _enter(self, state: State) -> None:
        super()._enter(state)
        self.states.append(state)

    def _attempt(self) -> Link:
        if self.failures:
            raise self.failures.pop(0)
        return Link()

    def _is_final(self, error: Exception) -> bool:
        return isinstance(error, PermissionError)

    def _pause(self, failures: int) -> float:
        return 0.0

    def lose(self) -> None:
        link = self.current
        assert link is not None
        link.close()
        self._wakeup.set()

    def wait_for(self, *expected: State) -> None:
        wait_until(lambda: self.states == list(expected))
        self.states.clear()


@pytest.fixture
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    made = Kept(**getattr(request, "param", {}))
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.close()
    thread.join(10)
    assert made.ended.is_set()
    assert made.state is State.CLOSED


def test_every_state_is_in_the_table_and_can_end() -> None:
    assert TRANSITIONS.keys() == set(State)
    assert all(State.CLOSED in after for state, after in TRANSITIONS.items() if state is not State.CLOSED)
    made = Kept()
    with pytest.raises(RuntimeError, match="cannot follow"):
        made._enter(State.REPLACING)


def test_a_life(kept: Kept) -> None:
    kept.wait_for(State.IDLE)
    kept.failures = [OSError("not yet"), OSError("not yet")]
    kept.ask()
    again = (State.BACKING_OFF, State.CONNECTING)
    kept.wait_for(State.CONNECTING, *again, *again, State.CONNECTED)
    kept.lose()
    kept.wait_for(State.CONNECTING, State.CONNECTED)
    first = kept.current
    kept.move()
    kept.wait_for(State.REPLACING, State.CONNECTED)
    assert kept.current is not first
    kept.failures = [OSError("nowhere to go")]
    kept.move()
    kept.wait_for(State.REPLACING, State.CONNECTED)
    kept.failures = [PermissionError("no")]
    kept.lose()
    kept.wait_for(State.CONNECTING, State.IDLE)
    assert isinstance(kept.failure, PermissionError)


@pytest.mark.parametrize("kept", [{"reconnect": False}], indirect=True)
def test_without_reconnect_a_loss_ends_in_idleness(kept: Kept) -> None:
    kept.ask()
    kept.wait_for(State.IDLE, State.CONNECTING, State.CONNECTED)
    kept.lose()
    kept.wait_for(State.IDLE)


@pytest.mark.parametrize("kept", [{"keepalive": 0.01, "answer_within": 0.05}], indirect=True)
def test_silence_is_a_loss(kept: Kept) -> None:
    kept.ask()
    kept.wait_for(State.IDLE, State.CONNECTING, State.CONNECTED)
    link = kept.current
    assert link is not None
    wait_until(lambda: link.closed)
    assert link.asked == 1


class Watched:
    def __init__(self) -> None:
        self.last_heard = 0.0
        self.sent = self.backlog = 0

    def delivery(self) -> tuple[int, int]:
        return self.sent, self.backlog


def test_when_keepalives_are_due_in_silence() -> None:
    watched, one = Watched(), KeepAlive(10.0, 5.0, False, 0.0)
    assert one.pause(watched, 4.0) == 6.0
    assert not one.is_due(watched, 9.0)
    watched.last_heard = 8.0
    assert not one.is_due(watched, 17.0)
    assert one.is_due(watched, 18.0)
    one.sent(watched, 18.0)
    assert not one.is_due(watched, 30.0)
    assert one.pause(watched, 19.0) == 4.0
    waiting = KeepAlive(1.0, 5.0, False, 0.0)
    waiting.sent(watched, 18.0)
    assert [waiting.pause(watched, now) for now in (18.0, 20.0, 22.5)] == [1.0, 1.0, 0.5]
    assert not one.is_dead(watched, 22.9)
    assert one.is_dead(watched, 23.0)
    watched.last_heard = 18.5
    assert not one.is_dead(watched, 100.0)


def test_a_request_that_moves_on_is_no_silence() -> None:
    watched, one = Watched(), KeepAlive(10.0, 5.0, False, 0.0)
    watched.backlog = 1000
    one.sent(watched, 10.0)
    watched.sent = 1
    assert not one.is_dead(watched, 15.0)
    assert one.is_due(watched, 15.0)
    one.sent(watched, 15.0)
    assert one.is_dead(watched, 20.0)


def test_periodic_keepalives_do_not_wait_for_silence() -> None:
    watched, one = Watched(), KeepAlive(10.0, 15.0, True, 0.0)
    watched.last_heard = 9.0
    assert one.is_due(watched, 10.0)
    one.sent(watched, 10.0)
    assert one.pause(watched, 11.0) == 9.0
    assert one.is_due(watched, 20.0)
    one.sent(watched, 20.0)
    assert one.is_dead(watched, 25.0)  # the first of them was not answered
