"""A bus over Redis while the Redis is away, stands still, or a caller is interrupted."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from flowthings_like.errors import ConfigurationError
from flowthings_like.green.backends.choice import detect
from flowthings_like.platform.bus import redis_bus, redis_connections, redis_lease
from flowthings_like.platform.bus.redis_bus import RedisBus
from flowthings_like.platform.bus.redis_connections import Away, RedisConnections
from tests.servers.redis import Redis
from tests.transport.things.scripted_node import wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """A Redis that the tests of this module stop and start."""
    with Redis() as found:
        yield found


@pytest.fixture
def bus(server: Redis) -> Iterator[RedisBus]:
    with closing(RedisBus(server.url())) as found:
        yield found


@contextmanager
def standing_still(server: Redis) -> Iterator[None]:
    """Let the Redis answer nothing, with its connections open."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_process_that_may_have_missed_news_counts_that_as_news(server: Redis, bus: RedisBus) -> None:
    told: list[None] = []
    news = bus.news("drops")
    news.on_change = lambda: told.append(None)
    wait_until(lambda: news.is_exact)
    wait_until(lambda: len(told) == 1)  # it may have missed some before it listened
    before = news.read()
    server.restart()
    wait_until(lambda: news.is_exact and news.read() != before)
    wait_until(lambda: len(told) >= 2)
    with closing(RedisBus(server.url())) as other:
        sending = other.news("drops")
        wait_until(lambda: sending.is_exact)
        before = news.read()
        sending.change()
        wait_until(lambda: news.read() != before)


def test_what_was_noted_while_the_redis_was_away_is_sent_later(server: Redis, bus: RedisBus) -> None:
    with closing(RedisBus(server.url())) as other:
        news, heard = bus.news("drops"), other.news("drops")
        version = other.version("rights")
        wait_until(lambda: news.is_exact and heard.is_exact)
        version.change()
        server._halt()
        try:
            started = time.monotonic()
            for _ in range(100):  # neither waits
                news.change()
                bus.version("rights").change()
                assert version.read() != version.read()
            assert time.monotonic() - started < 60
            wait_until(lambda: not heard.is_exact)
        finally:
            server._launch()
        wait_until(lambda: version.read() == version.read())
        wait_until(lambda: heard.is_exact)
        seen = heard.read()
        news.change()
        wait_until(lambda: heard.read() != seen)


def test_a_redis_that_lost_its_keys_brings_no_version_back(server: Redis, bus: RedisBus) -> None:
    version = bus.version("rights")
    version.change()
    seen = version.read()
    server.restart()
    wait_until(lambda: version.read() == version.read())
    assert version.read() != seen


def test_a_lease_that_cannot_be_renewed_is_lost_in_time(
    server: Redis, bus: RedisBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_lease, "VALID", 1.5)
    monkeypatch.setattr(redis_lease, "RENEWED_AFTER", 0.1)
    with closing(RedisBus(server.url())) as other:
        one, two = bus.lease("tasks"), other.lease("tasks")
        wait_until(one.acquire)
        for _ in range(20):  # renewed
            detect().sleep(0.1)
            assert one.acquire()
            assert not two.acquire()
        with standing_still(server):
            wait_until(lambda: not one.acquire())
        wait_until(two.acquire)  # it has expired
        assert not one.acquire()
        two.release()


def test_a_silent_redis_is_given_up(
    server: Redis, bus: RedisBus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_bus, "HEARTBEAT", 0.5)
    news = bus.news("drops")
    wait_until(lambda: news.is_exact)
    detect().sleep(2.0)  # several heartbeats
    assert news.is_exact
    with caplog.at_level(logging.WARNING), standing_still(server):
        wait_until(lambda: not news.is_exact)
        assert "followers look into the store" in caplog.text
        assert not bus.state().is_connected
    wait_until(lambda: news.is_exact)


def test_a_loss_and_its_end_are_one_line_each_and_counted(
    server: Redis, bus: RedisBus, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(RedisBus(server.url())) as other, caplog.at_level(logging.INFO):
        news, heard = bus.news("drops"), other.news("drops")
        assert not bus.state().is_connected  # yet
        wait_until(lambda: news.is_exact and heard.is_exact)
        news.change()
        wait_until(lambda: other.state().received == 1)
        wait_until(lambda: bus.state().sent == 1)
        before = bus.state()
        assert (before.is_connected, before.received, before.losses) == (True, 0, 0)
        assert other.state().sent == 0
        assert time.time() - 60 < before.last_reached <= time.time()
        other.close()
        server._halt()
        try:
            wait_until(lambda: not bus.state().is_connected)
            for _ in range(20):  # all of which fail, in the listener, the sender and here
                news.change()
                bus.version("rights").change()
                bus.lease("tasks").acquire()
                detect().sleep(0.05)
        finally:
            server._launch()
        wait_until(lambda: bus.state().is_connected and news.is_exact)
        bus.version("rights").change()
        wait_until(lambda: bus.state().sent == 2)
    found = bus.state()
    assert (found.is_connected, found.losses) == (True, 1)
    assert found.last_reached > before.last_reached
    lines = [record.getMessage() for record in caplog.records if "the bus is" in record.getMessage()]
    assert len(lines) == 2, lines
    assert lines[0].startswith("the bus is away, callers and followers look into the store: ")
    assert lines[1].startswith("the bus is back after ")
    assert server.password not in caplog.text


@pytest.mark.needs("green", "a thread cannot be killed")
def test_an_interrupted_command_leaves_no_answer_for_the_next_one(server: Redis) -> None:
    with closing(RedisConnections(server.url())) as connections:
        assert connections.call("SET", "a", "1") == b"OK"
        with standing_still(server):
            task = detect().spawn(connections.call, "GET", "a")
            detect().sleep(0.1)
            task.kill()
        wait_until(lambda: _is_there(connections))
        for number in range(20):
            assert connections.call("ECHO", str(number)) == str(number).encode()


def _is_there(connections: RedisConnections) -> bool:
    try:
        return bool(connections.call("PING") == b"PONG")
    except Away:
        return False


def test_many_threads_share_the_connections(server: Redis) -> None:
    with closing(RedisConnections(server.url())) as connections:
        pool = detect().pool(40)

        def work(number: int) -> None:
            for turn in range(25):
                assert connections.call("ECHO", f"{number}:{turn}") == f"{number}:{turn}".encode()

        for task in [pool.spawn(work, number) for number in range(40)]:
            task.get()
        assert len(connections._idle) <= redis_connections.MOST


@pytest.mark.once
def test_no_secret_is_shown(server: Redis, caplog: pytest.LogCaptureFixture) -> None:
    secret = server.password
    with closing(RedisBus(server.url())) as bus:
        assert secret not in repr(bus)
    shown: list[Callable[[], object]] = [
        lambda: RedisBus(f"redis://:{secret}@127.0.0.1:x/0"),
        lambda: RedisBus(f"nonsense://:{secret}@127.0.0.1/0"),
        lambda: RedisBus(f"{server.url()}weather"),  # redis-py would take 0
    ]
    for wrong in shown:
        with pytest.raises(ConfigurationError, match="cannot be read") as caught:
            wrong()
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None
    with (
        closing(RedisBus(server.url().replace("p%40ss", "other"))) as bus,
        pytest.raises(ConfigurationError) as refused,
    ):
        bus.check()
    assert secret not in str(refused.value)
    assert secret not in caplog.text
