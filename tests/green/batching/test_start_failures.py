"""A thread that cannot be started: who asked for it is told, and nothing else has changed."""

import _thread
from contextlib import contextmanager

import pytest

from flowthings_like.errors import CallCancelled, FlowThingsNotFound, WrongThread
from flowthings_like.green import AsyncAPI, LazyAPI, detect, force, native

from ..bulky import Platform
from ..fakes import Api, until

BACKEND = detect()
GREEN = BACKEND.name != "threads"


@pytest.fixture
def no_thread(monkeypatch):
    """A block in which no thread can be started, of the kind that this backend runs calls in."""

    def refuse(*args, **kwargs):
        raise RuntimeError("can't start new thread")

    @contextmanager
    def block():
        with monkeypatch.context() as patch:
            if GREEN:
                patch.setattr(type(BACKEND.spawn(len, "a")), "schedule", refuse)
            else:
                patch.setattr(_thread, "start_new_thread", refuse)
            yield

    return block


@pytest.fixture
def api():
    api = Platform()
    api.fill("a", "b")
    return api


@pytest.fixture
def lazy(api):
    lazy = LazyAPI(api)
    lazy._open()
    if not GREEN:  # the dispatchers of other tests are idle by now; these are none
        lazy._batcher._internal_pool = type(BACKEND.internal_pool())(BACKEND, 64)
    return lazy


@pytest.fixture
def gate(api):
    """Holds every request up until it is set."""
    api.gate = BACKEND.event()
    yield api.gate
    api.gate.set()


CALLS = {
    "read": lambda lazy: lazy.flow.read("a"),
    "find": lambda lazy: lazy.flow.find("a"),
    "update": lambda lazy: lazy.flow.update({"id": "a", "value": 5}),
    "with a timeout": lambda lazy: lazy.flow.read("a", timeout=5),
    "alone": lambda lazy: lazy.flow.read("a", only="value"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_lazy_call_that_could_not_begin_is_said_so_and_the_next_one_works(api, lazy, no_thread, call):
    if not GREEN and call is CALLS["alone"]:
        pytest.skip("runs in the pool that all share, which has threads already")
    for _ in range(3):
        with no_thread(), pytest.raises(RuntimeError, match="can't start"):
            call(lazy)
    assert api.requests == []
    assert force(call(lazy)) is not None
    assert len(api.requests) == 1


def test_a_create_that_could_not_begin_is_not_made_later(api, lazy, no_thread):
    with no_thread(), pytest.raises(RuntimeError):
        lazy.flow.create({"value": "failed"})
    assert lazy.flow.create({"value": "made"})["value"] == "made"
    assert [request[2:] for request in api.requests] == [("made",)]


@pytest.mark.needs("green", "OS threads may use one lazy object together")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_lazy_call_in_another_os_thread_leaves_the_queue_as_it_was(api, lazy, call):
    lazy.flow.create  # noqa: B018 (made here)
    for _ in range(3):
        with pytest.raises(WrongThread, match="G10"):
            native(call, lazy)
    assert api.requests == []
    assert force(call(lazy)) is not None
    assert len(api.requests) == 1


def test_a_dispatcher_does_the_work_of_another_that_could_not_be_started(api, lazy, gate, no_thread):
    first = lazy.flow.read("a")
    until(lambda: api.held == 1)
    with no_thread():
        updated = lazy.flow.update({"id": "b", "value": 7})
        made = lazy.flow.create({"value": 8})
    gate.set()
    assert (first["id"], updated["value"], made["value"]) == ("a", 7, 8)


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_dispatcher_that_dies_and_has_no_successor_leaves_nobody_waiting(api, gate, no_thread):
    lazy = LazyAPI(api, pool=1)
    held = lazy.flow.read("a")
    until(lambda: api.held == 1)
    waiting = [lazy.flow.read("b", timeout=5), lazy.flow.update({"id": "b", "value": 7})]
    with no_thread():
        (dispatcher,) = lazy._batcher._threads
        dispatcher.task.request_cancel()
        for thunk in waiting:
            with pytest.raises(RuntimeError, match="can't start"):
                force(thunk)
    with pytest.raises(CallCancelled):
        force(held)
    gate.set()
    assert lazy.flow.read("b")["value"] == 1
    assert lazy._batcher._threads == set() or GREEN


def test_functions_that_could_not_be_started_are_not_expected(api, lazy, no_thread):
    lazy._pool = BACKEND.pool(2)
    with no_thread(), pytest.raises(RuntimeError):
        lazy.map(lambda id: lazy.flow.read(id)["id"], ["a"])
    gathering = lazy._batcher.gathering
    assert gathering is None or gathering._running == set()
    assert lazy.map(lambda id: lazy.flow.read(id)["id"], ["a", "b"]) == ["a", "b"]
    assert gathering is None or gathering._running == set()


@pytest.mark.parametrize("begin", ["spawn", "start"])
def test_a_pool_counts_nothing_that_could_not_be_started(no_thread, begin):
    pool = BACKEND.pool(1)
    with no_thread():
        for _ in range(3):
            with pytest.raises(RuntimeError):
                getattr(pool, begin)(len, "ab")
    assert [BACKEND.get(getattr(pool, begin)(len, "abc")) for _ in range(2)] == [3, 3]
    if GREEN:
        until(lambda: pool.running == 0, "the end of both")


@pytest.mark.needs("green", "a worker takes calls from the queue of OS threads")
def test_a_queued_thread_that_could_not_be_started_stays_queued(no_thread):
    pool, gate = BACKEND.pool(1), BACKEND.event()
    first, second = pool.spawn(gate.wait, 20), pool.spawn(len, "ab")
    with no_thread(), pytest.raises(RuntimeError):
        second.start_now()
    assert pool.running == 1
    with pytest.raises(WrongThread):
        native(second.start_now)
    assert pool.running == 1
    gate.set()
    assert (BACKEND.get(first), BACKEND.get(second)) == (True, 2)
    until(lambda: pool.running == 0, "the end of both")


def test_an_imperative_call_that_could_not_be_started_is_not_in_the_queue(no_thread):
    calls = AsyncAPI(Api(), pool=BACKEND.pool(3))
    calls.flow.give(1)
    calls.results()
    if GREEN:
        with no_thread(), pytest.raises(RuntimeError):
            calls.flow.give(2)
    calls.flow.give(3)
    assert calls.results() == [3]


@pytest.mark.needs("threads", "about worker threads")
def test_one_worker_thread_is_enough_where_no_other_can_be_started(no_thread):
    pool = BACKEND.pool(8)
    assert pool.spawn(len, "a").get() == 1
    with no_thread():
        assert [call.get() for call in [pool.spawn(len, "ab") for _ in range(100)]] == [2] * 100
        lazy = LazyAPI(Api(), pool=pool)
        assert pool.spawn(lambda: force(lazy.flow.give(4))).get() == 4


@pytest.mark.needs("threads", "about worker threads")
def test_a_wait_for_which_no_worker_could_be_started_is_counted_down(no_thread, api):
    lazy = LazyAPI(api, pool=1)
    assert lazy.call(len, "a") == 1
    lazy.flow.read("a")["id"]  # the internal pool has a thread
    with no_thread():
        assert lazy.call(lambda: lazy.flow.read("a")["id"]) == "a"
    assert lazy._pool._waiting == 0


def test_a_missing_thing_is_still_missing(lazy):
    with pytest.raises(FlowThingsNotFound):
        force(lazy.flow.read("nope"))
