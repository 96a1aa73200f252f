"""Connections that died silently while they were idle: one call finds out, and all are closed."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from flowthings_like import API, DeadlineExceeded, Token
from flowthings_like.testing import FaultProxy
from flowthings_like.transport.http import native_transport, requests_deadlines
from tests.services.support import Answer, Seen, serving

CREDS = Token("acc", "tok")
WAYS = ["auto", "requests"]


@pytest.fixture(autouse=True)
def stale_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody has to wait for connections to become suspicious."""
    monkeypatch.setattr(native_transport, "STALE_AFTER", 0.0)
    monkeypatch.setattr(requests_deadlines, "STALE_AFTER", 0.0)


class Meeting:
    """What a server answers: at once, but for calls that are to be under way all at the same time."""

    def wait_for(self, count: int) -> None:
        """Have the calls that meet answered when there are so many."""
        self._all_there = threading.Barrier(count)

    def __call__(self, seen: Seen) -> Answer:
        if seen.target.endswith("meet"):
            self._all_there.wait(60)
        return Answer()


def fill(api: API, count: int, meeting: Meeting) -> None:
    """Have so many connections open and idle."""
    failures: list[BaseException] = []

    def call() -> None:
        try:
            api.flow.read("meet")
        except BaseException as error:
            failures.append(error)

    meeting.wait_for(count)
    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


@pytest.mark.parametrize("timeout", [(1, 4), 4, (3, 4)], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_eight_dead_connections_cost_one_timeout(
    way: str, timeout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Meeting()
    with (
        serving(meeting) as server,
        FaultProxy(server.address) as proxy,
        API(CREDS, host=proxy.address, secure=False, timeout=60, transport=way) as api,
    ):
        fill(api, 8, meeting)
        before = proxy.counts["connections"]
        assert before == 8
        proxy.forget()
        began = time.monotonic()
        assert api.flow.read("f1", timeout=timeout) == {"id": "f1"}
        took = time.monotonic() - began
        half = (timeout[1] if isinstance(timeout, tuple) else timeout) / 2
        assert took >= half
        # One wait: then all eight were closed, and one new connection was made.
        assert proxy.counts["connections"] == before + 1
        # However slowly this machine answers now, it is not because a connection has died.
        monkeypatch.setattr(native_transport, "STALE_AFTER", 1000.0)
        monkeypatch.setattr(requests_deadlines, "STALE_AFTER", 1000.0)
        for _ in range(8):
            assert api.flow.read("f1", timeout=60) == {"id": "f1"}
        assert proxy.counts["connections"] == before + 1


@pytest.mark.parametrize("way", WAYS)
def test_a_write_is_repeated_with_its_idempotency_key(way: str) -> None:
    with serving() as server, FaultProxy(server.address) as proxy:
        with API(CREDS, host=proxy.address, secure=False, timeout=6, transport=way) as api:
            api.flow.read("f1", timeout=60)
            proxy.forget()
            api.flow.create({"path": "/acc/a"})
        assert [seen.method for seen in server.seen] == ["GET", "POST"]
        assert proxy.counts["connections"] == 2


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_may_not_be_repeated_gets_the_whole_timeout(way: str) -> None:
    gone = threading.Event()

    def late(seen: Seen) -> Answer:
        if seen.method == "POST":
            gone.wait(3)
        return Answer()

    with serving(late) as server:
        options: dict[str, Any] = {"secure": False, "transport": way, "retry": False}
        with API(CREDS, host=server.address, **options) as api:
            api.flow.read("f1")
            assert api.flow.create({"path": "/acc/a"}, timeout=20) == {"id": "f1"}
            with pytest.raises(DeadlineExceeded):
                api.flow.create({"path": "/acc/a"}, timeout=1)
            gone.set()
        assert [seen.method for seen in server.seen] == ["GET", "POST", "POST"]


@pytest.mark.parametrize(("idle", "asked"), [(1000.0, 2), (0.0, 3)])
def test_only_a_connection_that_was_idle_is_suspected(
    idle: float, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_transport, "STALE_AFTER", idle)
    answered = threading.Event()

    def late(seen: Seen) -> Answer:
        if seen.target.endswith("late"):
            answered.wait(4.0)  # longer than half of the time, shorter than all of it
            answered.set()
        return Answer()

    with serving(late) as server:
        with API(CREDS, host=server.address, secure=False) as api:
            api.flow.read("f1")
            assert api.flow.read("late", timeout=(10, 6.4)) == {"id": "f1"}
        assert len(server.seen) == asked
