"""Which of several processes runs the tasks, and what one may still do that has lost the lease."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.platform.bus import redis_lease
from flowthings_like.platform.bus.redis_bus import RedisBus
from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.problems import Unavailable
from flowthings_like.platform.resources.access.rights import Caller
from flowthings_like.platform.resources.base import verbs
from flowthings_like.platform.resources.base.registry import resources
from flowthings_like.platform.resources.drops import verbs as drop_verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore
from flowthings_like.platform.tasks.addresses import AddressRules
from flowthings_like.platform.tasks.fenced_store import FencedStore
from flowthings_like.platform.tasks.fetch import Fetcher, FetchLimits
from flowthings_like.platform.tasks.runner import TaskRunner
from flowthings_like.platform.tasks.service import TaskSettings
from tests.platform.harness import add_flow
from tests.servers.redis import Redis

from .waiting import until
from .web import Page, Web

HERE = ("127.0.0.1",)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def platforms(tmp_path: Path, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Platform]]:
    """Two processes, as it were, that tell each other of changes over Redis and would both run tasks."""
    monkeypatch.setattr(redis_lease, "VALID", 1.0)
    monkeypatch.setattr(redis_lease, "RENEWED_AFTER", 0.1)
    with ExitStack() as stack:
        made = []
        for _ in range(2):
            store = ResourceStore(tmp_path / "data", bus=RedisBus(redis.url()))
            made.append(stack.enter_context(Platform(store, "acme", tasks=TaskSettings(allowed=HERE))))
        add_flow(made[0].store, "/acme/x")
        yield made


def caller(platform: Platform) -> Caller:
    return Caller("acme", platform.accounts.ensure("acme"))


def leads(platform: Platform) -> bool:
    assert platform.tasks is not None
    return bool(platform.tasks._lease._until > time.monotonic())  # type: ignore[attr-defined]


def new_task(platform: Platform, url: str) -> Any:
    me = caller(platform)
    script = f"new Task({{request: {{uri: '{url}'}}, callback: text => [{{elems: JSON.parse(text)}}]}})"
    return verbs.create(
        platform.store, me, resources()["api-task"], {"destination": "/acme/x", "js": script}
    )["id"]


def runs(platform: Platform, id: str) -> int:
    found: int = verbs.read(platform.store, caller(platform), resources()["api-task"], id).get("runCt", 0)
    return found


def drops(platform: Platform) -> list[Any]:
    found = drop_verbs.find(platform.store, caller(platform), "/acme/x")
    return [drop["elems"] for drop in found]


def test_tasks_are_run_once_and_go_on_when_the_redis_was_away(
    platforms: list[Platform], redis: Redis, web: Web
) -> None:
    web.pages["/w"] = Page(b'{"n": 1}')
    first = new_task(platforms[0], web.url("/w"))
    until(lambda: runs(platforms[1], first) == 1)
    redis._halt()
    try:
        until(lambda: not any(map(leads, platforms)))
        second = new_task(platforms[1], web.url("/w"))
    finally:
        redis._launch()
    until(lambda: runs(platforms[0], second) == 1)
    assert len(web.asked) == 2
    assert drops(platforms[0]) == [{"n": 1}, {"n": 1}]


def test_another_process_goes_on_when_the_leader_is_closed(platforms: list[Platform], web: Web) -> None:
    web.pages["/w"] = Page(b'{"n": 1}')
    until(lambda: any(map(leads, platforms)))
    leader, other = sorted(platforms, key=leads, reverse=True)
    assert leader.tasks is not None
    leader.tasks.close()
    id = new_task(other, web.url("/w"))
    until(lambda: runs(other, id) == 1)
    assert leads(other)


def test_a_run_that_another_leader_has_overtaken_makes_no_drops(tmp_path: Path, web: Web) -> None:
    with Platform(ResourceStore(tmp_path / "data"), "acme") as platform:
        add_flow(platform.store, "/acme/x")
        id = new_task(platform, web.url("/w"))
        one, two = FencedStore(platform.store, "tasks"), FencedStore(platform.store, "tasks")
        fetcher = Fetcher(AddressRules(HERE), FetchLimits(), TaskSettings().tls)
        one.begin_term()

        def overtake(file: Any) -> None:
            two.begin_term()
            file.write(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{"n":1}')

        web.pages["/w"] = overtake
        try:
            with pytest.raises(Unavailable, match="another process runs the tasks now"):
                TaskRunner(one, fetcher).run(id)
            assert drops(platform) == []
            assert runs(platform, id) == 0
            web.pages["/w"] = Page(b'{"n": 2}')
            TaskRunner(two, fetcher).run(id)
            assert drops(platform) == [{"n": 2}]
        finally:
            fetcher.close()
