"""Two servers of several workers on one PostgreSQL and one Redis, all of which are killed or restarted."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowthings_like import API, FlowThingsError, Retry, Token
from tests.platform.rest.served import Served
from tests.servers.postgres import PostgresServer
from tests.servers.redis import Redis

pytestmark = [pytest.mark.once, pytest.mark.needs("threads", "the load comes from threads")]

PATIENCE = 90.0  # seconds, for a machine that is busy with other things


@dataclass
class Cluster:
    """The servers, and what they share."""

    postgres: PostgresServer
    redis: Redis
    servers: list[Served]
    token: str

    def api(self, number: int) -> API:
        """An API of one of the servers, which is patient."""
        server = self.servers[number % len(self.servers)]
        host = f"127.0.0.1:{server.port}"
        return API(
            Token("acme", self.token), host=host, secure=False, timeout=PATIENCE, retry=Retry(attempts=1000)
        )

    def kill_a_worker(self, chance: random.Random) -> None:
        """Kill one of all workers with SIGKILL."""
        pids = [pid for server in self.servers for pid in server.workers()]
        if pids:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(pids), signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Two servers with as many workers each as the test's parameter says."""
    with ExitStack() as stack:
        postgres, redis = stack.enter_context(PostgresServer()), stack.enter_context(Redis())
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("FLOWTHINGS_BUS_URL", redis.url())
        environment.setenv("FLOWTHINGS_STORE_URL", postgres.new_database().url)
        options = ("--workers", str(request.param), "--connections", "0")
        starting = [ThreadPoolExecutor(1).submit(Served, None, *options) for _ in range(2)]
        servers = [stack.enter_context(future.result()) for future in starting]
        (token,) = [line for server in servers for line in server.printed if line.startswith("token: ")]
        yield Cluster(postgres, redis, servers, token.removeprefix("token: "))
        for server in servers:  # both at a time, then one after the other is waited for
            server.process.send_signal(signal.SIGQUIT)


@dataclass
class Writer:
    """Creates drops until it is stopped, and notes what was acknowledged."""

    api: API
    flow: str
    number: int
    acknowledged: list[int] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def run(self, stopping: threading.Event) -> None:
        turn = 0
        while not stopping.is_set():
            n = turn * 1000 + self.number
            turn += 1
            try:
                self.api.drop(self.flow).create({"elems": {"n": n}})
            except FlowThingsError as error:
                self.failures.append(error)
            else:
                self.acknowledged.append(n)


def run_under_load(cluster: Cluster, seconds: float, writers: int, interval: float) -> None:
    """Kill a worker again and again, restart Redis and PostgreSQL once, and look at what has come."""
    chance = random.Random(20_261_127)
    flow = cluster.api(0).flow.create({"path": "/acme/a", "capacity": 10_000_000})["id"]
    writing = [Writer(cluster.api(number), flow, number) for number in range(writers)]
    stopping = threading.Event()
    with ExitStack() as stack:
        followers = [
            stack.enter_context(stack.enter_context(cluster.api(number)).drop(flow).follow())
            for number in range(4)
        ]
        threads = [threading.Thread(target=writer.run, args=(stopping,)) for writer in writing]
        for thread in threads:
            thread.start()
        try:
            begun = time.monotonic()
            restarts = [(seconds / 3, cluster.redis), (2 * seconds / 3, cluster.postgres)]
            while (passed := time.monotonic() - begun) < seconds:
                if restarts and passed > restarts[0][0]:
                    restarts.pop(0)[1].restart()
                cluster.kill_a_worker(chance)
                time.sleep(interval)
        finally:
            stopping.set()
            for thread in threads:
                thread.join(2 * PATIENCE)
        acknowledged = Counter(n for writer in writing for n in writer.acknowledged)
        assert [error for writer in writing for error in writer.failures] == []
        assert len(acknowledged) >= 2 * seconds, "there was hardly any load"
        stored = [drop["elems"]["n"] for drop in cluster.api(0).drop(flow).iterate()]
        assert Counter(stored) == acknowledged, "each acknowledged drop is there, once"
        orders = [heard(follower, len(stored)) for follower in followers]
        assert sorted(orders[0]) == sorted(stored)
        for order in orders:
            assert order == orders[0], "every subscriber gets the same order"


def heard(follower: Any, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        drop = follower.get(PATIENCE)
        assert drop is not None, f"{len(found)} of {count} have come"
        found.append(drop["elems"]["n"])
    assert follower.get(0) is None
    return found


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_nothing_is_lost_or_doubled_while_workers_are_killed(cluster: Cluster) -> None:
    run_under_load(cluster, seconds=6.0, writers=3, interval=1.0)


@pytest.mark.long
@pytest.mark.parametrize("cluster", [4], indirect=True)
def test_nothing_is_lost_or_doubled_in_a_minute(cluster: Cluster) -> None:
    run_under_load(cluster, seconds=60.0, writers=6, interval=1.0)


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_a_change_counts_in_every_worker_before_it_is_answered(cluster: Cluster) -> None:
    with cluster.api(0) as one, cluster.api(1) as two:
        flow = one.flow.create({"path": "/acme/shared"})["id"]
        for turn in range(10):
            token = one.token.create({"paths": {"/acme/shared": {"dropRead": True}}})
            holder_of = Token("acme", token["tokenString"])
            holders = [
                API(holder_of, host=each._connection.host, secure=False, retry=False)
                for each in (one, two)
                for _ in range(4)  # connections to several workers
            ]
            for holder in holders:
                assert holder.drop(flow).find() == []
            (one, two)[turn % 2].token.delete(token["id"])
            for holder in holders:
                with pytest.raises(FlowThingsError, match="unknown token"):
                    holder.drop(flow).find()
                holder.close()
