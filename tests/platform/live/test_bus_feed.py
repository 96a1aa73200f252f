"""Followers in another process, which hears of new drops over Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowthings_like.platform.bus import redis_bus
from flowthings_like.platform.bus.redis_bus import RedisBus
from flowthings_like.platform.live import feed
from flowthings_like.platform.live.session import Session
from flowthings_like.platform.live.session_ids import Credential
from flowthings_like.platform.resources.access.token_strings import hashed
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.wire.live import Since, Start
from tests.platform.harness import add_flow, until
from tests.servers.redis import Redis

from .test_feed import Host, Reader, create


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A Redis that the tests of this module stop and start."""
    with Redis() as server:
        yield server


@pytest.fixture
def store(folder: Path, redis: Redis) -> Iterator[Store]:
    with Store(folder, bus=RedisBus(redis.url())) as opened:
        yield opened


@pytest.fixture
def elsewhere(store: Store, folder: Path, redis: Redis) -> Iterator[Store]:
    """The same data as another process sees it."""
    with Store(folder, bus=RedisBus(redis.url())) as opened:
        yield opened


@pytest.fixture
def host(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A feed that looks into the database for nothing but news."""
    monkeypatch.setattr(feed, "SAFETY_INTERVAL", 1000.0)
    monkeypatch.setattr(feed, "SERVER_INTERVAL", 1000.0)
    made = Host(store)
    yield made
    made.feed.close()


@pytest.fixture
def flow(store: Store, elsewhere: Store) -> str:
    until(lambda: store.announcements.news.is_exact and elsewhere.announcements.news.is_exact)
    return add_flow(store, "/acme/a")


def test_news_bring_what_another_process_creates(host: Host, elsewhere: Store, flow: str) -> None:
    reader = host.follow(flow)
    for n in range(0, 30, 3):
        create(elsewhere, flow, n, n + 1, n + 2)
        assert reader.numbers(3) == [n, n + 1, n + 2]


def test_what_came_while_the_redis_was_away_comes_when_it_is_back(
    host: Host, elsewhere: Store, flow: str, redis: Redis
) -> None:
    reader = host.follow(flow)
    create(elsewhere, flow, 1)
    assert reader.numbers(1) == [1]
    redis._halt()
    try:
        until(lambda: not host.store.announcements.news.is_exact)
        create(elsewhere, flow, 2, 3)
        create(host.store, flow, 4)
        assert reader.numbers(3) == [2, 3, 4]  # what this process creates shows what it has missed
        create(elsewhere, flow, 5)
        reader.read()
        assert reader.found == []
    finally:
        redis._launch()
    assert reader.numbers(1) == [5]


def test_rights_are_read_once_for_all_who_follow(
    host: Host, elsewhere: Store, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = Credential(hashed(host.accounts.new_master("acme")), "acme")
    readers = []
    for _ in range(30):
        session = Session(host, credential)
        session.subscribe(flow, Since(Start.NOW), "", False)
        readers.append(Reader(session))
    create(elsewhere, flow, 0)
    assert [reader.numbers(1) for reader in readers] == [[0]] * 30
    asked: list[str] = []
    read = redis_bus._RedisVersion.read
    monkeypatch.setattr(redis_bus._RedisVersion, "read", lambda self: asked.append(self._key) or read(self))
    create(elsewhere, flow, 1)
    assert [reader.numbers(1) for reader in readers] == [[1]] * 30
    assert len(asked) < 5


def test_followers_go_on_while_the_redis_is_away(
    host: Host, elsewhere: Store, flow: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = host.follow(flow)
    redis._halt()
    try:
        until(lambda: not host.store.announcements.news.is_exact)
        monkeypatch.setattr(feed, "SERVER_INTERVAL", 0.05)
        create(elsewhere, flow, *range(5))
        assert reader.numbers(5) == list(range(5))
    finally:
        redis._launch()
