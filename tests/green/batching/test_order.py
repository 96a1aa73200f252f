"""Lazy creates on one flow are stored in the order in which they were made; finds that differ go at once."""

import contextlib
import itertools
import sys
import threading

import pytest

from flowthings_like.green import LazyAPI, detect, force, future
from flowthings_like.green.batching import batcher, dispatcher, queue
from flowthings_like.green.batching.bulk_marker import bulk
from flowthings_like.green.calls import bulk_method

from ..bulky import Platform
from ..fakes import until

BACKEND = detect()
GREEN = BACKEND.name != "threads"


class Flow:
    """Stores numbers. Two requests at once are a fault."""

    __api_service__ = True
    path = "/drop/f"

    def __init__(self):
        self.stored = []
        self.inside = 0
        self.overlaps = 0

    @bulk("create_many", most=500, writes=True)
    def create(self, model, **params):
        return self.create_many([model], **params)[0]

    def create_many(self, models, **params):
        self.overlaps += bool(self.inside)
        self.inside += 1
        BACKEND.sleep(0.0005)
        self.stored += [model["n"] for model in models]
        self.inside -= 1
        return list(models)


class FlowApi:
    def __init__(self):
        self.flow = Flow()


def in_order(creates):
    api = FlowApi()
    lazy = LazyAPI(api)
    thunks = [lazy.flow.create({"n": n}) for n in range(creates)]
    for thunk in thunks:
        force(thunk)
    return api.flow.overlaps == 0 and api.flow.stored == list(range(creates))


def test_creates_are_stored_in_their_order_and_never_two_batches_at_once(often):
    assert [in_order(5000) for _ in range(30)] == [True] * 30


def test_creates_of_each_of_several_threads_keep_their_order(often):
    api = FlowApi()
    lazy = LazyAPI(api)
    lazy.flow.create({"n": (9, 0)}).force()

    def make(who):
        for thunk in [lazy.flow.create({"n": (who, n)}) for n in range(400)]:
            force(thunk)

    threads = [BACKEND.spawn(make, who) for who in range(3)]
    for thread in threads:
        BACKEND.get(thread)
    assert api.flow.overlaps == 0
    for who in range(3):
        assert [n for w, n in api.flow.stored if w == who] == list(range(400))


def test_creates_with_time_outs_of_their_own_keep_their_order_too():
    api = Platform()
    api.gate = BACKEND.event()
    lazy = LazyAPI(api)
    first = lazy.flow.create({"value": 0})
    until(lambda: api.held == 1)
    seen = []
    api.failure = lambda kind, asked: seen.append((kind, asked))
    thunks = [lazy.flow.create({"value": n}, timeout=n // 3) for n in range(1, 9)]
    thunks += [lazy.flow.create({"value": 9}), lazy.flow.create({"value": 10}, strange=True)]
    api.gate.set()
    assert [thunk["value"] for thunk in [first, *thunks]] == list(range(11))
    assert [n for _, asked in seen for n in asked] == list(range(11))
    assert [asked for _, asked in seen[1:]] == [(1, 2), (3, 4, 5), (6, 7, 8), (9,), (10,)]


@pytest.mark.needs("threads", "green threads are switched at known places")
@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="3.12 crashes where some threads are traced")
@pytest.mark.parametrize("withdrawn", [False, True])
def test_no_call_is_left_behind_wherever_a_dispatcher_is_held_up(withdrawn):
    """Others are submitted while it is, or wait until it goes on."""
    for place in itertools.count(1):
        if not held_up_there(place, withdrawn):
            break
    assert place > 10


def held_up_there(place, withdrawn):
    """Whether the dispatcher got there."""
    api = Platform()
    api.fill("a", "b")
    lazy = LazyAPI(api)
    lazy._open()
    lazy._batcher._internal_pool = BACKEND.pool(1)
    held, go_on, found = threading.Event(), threading.Event(), []
    with traced_threads(place, held, go_on, (batcher, queue, dispatcher, future)):
        first = lazy.flow.read("a")
        if withdrawn:
            first._future.cancel()
        reached = held.wait(2)
    submitting = threading.Thread(target=lambda: found.append(lazy.flow.read("b")), daemon=True)
    submitting.start()
    submitting.join(0.02)  # it may have to wait for a lock
    go_on.set()
    submitting.join(20)
    forcing = threading.Thread(target=lambda: found.append(force(found[0])), daemon=True)
    forcing.start()
    forcing.join(20)
    assert found[1:] == [{"id": "b", "value": 1, "tags": ["b"]}], place
    return reached


CALLS = {
    "read": lambda lazy: lazy.flow.read("b"),
    "update": lambda lazy: lazy.flow.update({"id": "b", "value": 1}),
}


@pytest.mark.needs("threads", "green threads are switched at known places")
@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="3.12 crashes where some threads are traced")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_call_is_left_behind_wherever_its_caller_is_held_up(call):
    """The batch that it waits for lands meanwhile."""
    for place in itertools.count(1):
        if not caller_held_up_there(place, call):
            break
    assert place > 5


def caller_held_up_there(place, call):
    """Whether the caller got there."""
    api = Platform()
    api.fill("a", "b")
    api.gate = BACKEND.event()
    lazy = LazyAPI(api)
    first = call(lazy)
    until(lambda: api.held == 1)
    held, go_on, found = threading.Event(), threading.Event(), []
    with traced_threads(place, held, go_on, (batcher, queue, future, bulk_method)):
        calling = threading.Thread(target=lambda: found.append(call(lazy)), daemon=True)
        calling.start()
    while calling.is_alive() and not held.wait(0.01):
        pass
    api.gate.set()
    waiting = threading.Thread(target=force, args=(first,), daemon=True)
    waiting.start()
    waiting.join(0.02)  # the caller may hold a lock
    go_on.set()
    calling.join(20)
    forcing = threading.Thread(target=lambda: found.append(force(found[0])), daemon=True)
    forcing.start()
    for thread in (waiting, forcing):
        thread.join(20)
    assert found[1:] == [{"id": "b", "value": 1, "tags": ["b"]}], place
    return held.is_set()


@contextlib.contextmanager
def traced_threads(place, held, go_on, modules):
    """The next new thread stops before the place-th line of these modules that it runs."""
    files = {module.__file__ for module in modules}
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            count += 1
            if count == place:
                held.set()
                assert go_on.wait(20)
        return trace

    threading.settrace(trace)
    try:
        yield
    finally:
        threading.settrace(None)


@pytest.mark.needs("threads", "on green threads a batch never waits for another")
def test_finds_on_one_flow_that_differ_do_not_wait_for_each_other():
    api = Platform()
    api.gate = BACKEND.event()
    api.service("/drop/a").store({"value": 5})
    lazy = LazyAPI(api)
    thunks = [lazy.drop("a").find(least) for least in range(8)]
    until(lambda: api.held == 8, "all of them at once")
    api.gate.set()
    assert [len(thunk) for thunk in thunks] == [1] * 6 + [0] * 2
