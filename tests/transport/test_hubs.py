"""One API in many OS threads: a hub's green threads and native threads, each with connections of its own."""

from __future__ import annotations

import _thread
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, Token
from flowthings_like.green import detect
from flowthings_like.transport.connection_pool import Pool
from tests.services.support import Answer, serving

from .support import sockets

CALLS = 65  # of each kind


_pools: list[Any] = []


@pytest.fixture(autouse=True)
def end_pools() -> Iterator[None]:
    """gevent cannot fork while threads of its pools have resolved names: these have pools, too."""
    yield
    kill_pools()


def kill_pools() -> None:
    while _pools:
        _pools.pop().kill()


def native_thread(function: Callable[[], object]) -> None:
    """Run it in an OS thread that no green library knows of."""
    name = detect().name
    if name == "gevent":
        from gevent import monkey

        monkey.get_original("_thread", "start_new_thread")(function, ())
    elif name == "eventlet":
        from eventlet import patcher

        patcher.original("threading").Thread(target=function, daemon=True).start()
    else:
        _thread.start_new_thread(function, ())


def in_pool_thread(function: Callable[[], object]) -> Any:
    """Run it in a thread of the green library's own pool; returns what to wait for."""
    name = detect().name
    if name == "gevent":
        if not _pools:
            from gevent.threadpool import ThreadPool

            _pools.append(ThreadPool(8))
        return _pools[0].spawn(function)
    if name == "eventlet":
        import eventlet
        from eventlet import tpool

        return eventlet.spawn(tpool.execute, function)
    return detect().spawn(function)


def wait_for(condition: Callable[[], object]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 20
        time.sleep(0.01)


def mixed(call: Callable[[], object]) -> list[object]:
    """What came of calls from green threads, pool threads, and native threads that end at once or go on."""
    found: list[object] = []

    def once() -> None:
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    def several() -> None:
        for _ in range(5):
            once()

    for _ in range(CALLS):
        detect().spawn(once)
        in_pool_thread(once)
        native_thread(once)
    for _ in range(CALLS // 5):
        native_thread(several)
    wait_for(lambda: len(found) == 4 * CALLS)
    return found


@pytest.mark.parametrize("way", ["auto", "requests"])
def test_a_plain_call_works_from_any_thread(way: str) -> None:
    def answer(seen: Any) -> Answer:
        time.sleep(0.001)
        return Answer()

    with serving(answer) as server:
        ready: list[object] = []
        in_pool_thread(lambda: ready.append(1))
        wait_for(lambda: ready)
        before = sockets()
        api = API(Token("a", "b"), host=server.address, secure=False, transport=way, timeout=60)
        api.flow.read("f1")
        found = mixed(lambda: api.flow.read("f1"))
        assert [each for each in found if each != {"id": "f1"}] == []
        assert len(server.seen) == 4 * CALLS + 1
        api.close()
        kill_pools()
        gc.collect()
    wait_for(lambda: sockets() <= before)


def test_a_plain_call_works_from_any_thread_on_an_embedded_platform(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 10_000})
        api.drop(flow).create({"elems": {"x": 1}})
        found = mixed(lambda: len(api.drop(flow).find(limit=1)))
        assert [each for each in found if each != 1] == []
        found = mixed(lambda: api.drop(flow).create({"elems": {"x": 2}})["elems"]["x"])
        assert [each for each in found if each != 2] == []
        assert len(api.drop(flow).find(limit=1000)) == 4 * CALLS + 1


@pytest.mark.parametrize("way", ["auto", "requests"])
def test_a_thread_that_ends_takes_its_connections_along(way: str) -> None:
    with serving() as server:
        api = API(Token("a", "b"), host=server.address, secure=False, transport=way, timeout=60)
        api.flow.read("f1")
        before = sockets()
        done: list[object] = []
        for _ in range(20):
            count = len(done)
            native_thread(lambda: done.append(api.flow.read("f1")))
            wait_for(lambda expected=count + 1: len(done) == expected)
        # As many as before, but for a thread that is about to end. On threads they share one pool.
        wait_for(lambda: sockets() <= before + 2)
        api.close()


def test_a_pool_has_connections_for_each_hub() -> None:
    opened: list[object] = []
    closed: list[object] = []

    def open_one() -> object:
        opened.append(object())
        return opened[-1]

    pool: Pool[object] = Pool("things", open_one, closed.append, size=1)
    with pool.lease() as lease:
        lease.complete()
    asked: list[object] = []

    def elsewhere() -> None:
        with pool.lease() as lease:
            lease.complete()
            asked.append(lease.connection)

    native_thread(elsewhere)
    wait_for(lambda: asked)
    if detect().name == "threads":
        assert asked == opened[:1]
    else:
        assert asked == opened[1:]
        wait_for(lambda: closed == asked)  # the thread has ended
    pool.close()
    assert sorted(map(id, closed)) == sorted(map(id, opened))


QUIET = """
import sys
{patch}
from flowthings_like import API, Token
api = API(Token("a", "b"), host=sys.argv[1], secure=False, transport=sys.argv[2])
api.flow.read("f1")
"""
PATCHES = {
    "threads": "",
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.once
@pytest.mark.parametrize("way", ["auto", "requests"])
@pytest.mark.parametrize("library", PATCHES)
def test_a_program_that_ends_with_connections_open_says_nothing(library: str, way: str) -> None:
    with serving() as server:
        code = QUIET.format(patch=PATCHES[library])
        command = [sys.executable, "-c", code, server.address, way]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_callers_that_fill_the_pool_of_native_threads_do_not_wait_for_it(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 10_000})
        found: list[object] = []

        def create() -> None:
            try:
                found.append(api.drop(flow).create({"elems": {"x": 1}})["elems"]["x"])
            except BaseException as error:
                found.append(error)

        create()
        for _ in range(CALLS):
            in_pool_thread(create)
            detect().spawn(create)
        wait_for(lambda: len(found) == 2 * CALLS + 1)
        assert found == [1] * (2 * CALLS + 1)
