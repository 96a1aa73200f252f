"""AsyncAPI: what is queued, collected, cancelled and left alone."""

import concurrent.futures
import sys
from types import SimpleNamespace

import pytest

from flowthings_like.errors import CallCancelled, ConfigurationError, DeadlineExceeded
from flowthings_like.green import AsyncAPI, detect

from ..fakes import Api, interrupted, tenant, until

BACKEND = detect()
GREEN = BACKEND.name != "threads"


@pytest.fixture
def api():
    return Api()


@pytest.fixture
def calls(api):
    return AsyncAPI(api)


@pytest.fixture
def gate():
    gate = BACKEND.event()
    yield gate
    gate.set()


def test_results_come_in_the_order_of_the_calls(calls, gate):
    calls.flow.wait(gate, 0)
    for i in range(1, 50):
        calls.flow.give(i)
    gate.set()
    assert calls.results() == list(range(50))


def test_the_queue_is_empty_after_results_and_may_be_used_again(calls):
    assert calls.results() == []
    assert calls.flow.give(1).get() == 1
    assert calls.results() == [1]
    assert calls.results() == []
    calls.flow.give(2)
    assert calls.results() == [2]


def test_arguments_reach_the_call(calls):
    calls.flow.give(1, limit=10, label="x", method=3)
    calls.request("GET", "/flow")
    assert calls.results() == [(1, {"limit": 10, "label": "x", "method": 3}), "GET /flow"]


def test_the_thread_is_the_librarys_own(calls):
    thread = calls.flow.give(1)
    if BACKEND.name == "gevent":
        assert isinstance(thread, sys.modules["gevent"].Greenlet)
    elif BACKEND.name == "eventlet":
        assert isinstance(thread, sys.modules["eventlet"].greenthread.GreenThread)
    assert calls.results() == [1]


def test_calls_run_at_once(api, calls, gate):
    for _ in range(30):
        calls.flow.wait(gate)
    until(lambda: api.flow.running == 30, "all thirty under way")
    gate.set()
    calls.results()


def test_the_first_error_is_raised_when_all_are_done_and_nothing_is_lost(api, calls, gate):
    calls.flow.give("a")
    calls.flow.fail(KeyError("first"))
    calls.flow.fail(ValueError("second"))
    calls.flow.wait(gate, "slow")
    BACKEND.spawn(lambda: (until(lambda: api.flow.running), gate.set()))
    with pytest.raises(KeyError, match="first"):
        calls.results()
    assert api.flow.running == 0
    assert [(type(error), value) for error, value in calls.collected] == [
        (type(None), "a"),
        (KeyError, None),
        (ValueError, None),
        (type(None), "slow"),
    ]
    calls.flow.give("next")  # a batch that failed does not spoil the next one
    assert calls.results() == ["next"]


def test_with_exceptions_catches_whatever_the_calls_raise(calls):
    raised = [ValueError("v"), OSError("network"), BaseException("odd")]
    for error in raised:
        calls.flow.give(str(error))
        calls.flow.fail(error)
    pairs = calls.results(with_exceptions=True)
    assert pairs[0::2] == [(None, "v"), (None, "network"), (None, "odd")]
    assert [error for error, _ in pairs[1::2]] == raised
    assert calls.results(with_exceptions=True) == []


@pytest.mark.parametrize("with_exceptions", [False, True])
def test_a_timeout_loses_and_cancels_nothing(calls, gate, with_exceptions):
    calls.flow.give(1)
    calls.flow.wait(gate, 2)
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            calls.results(with_exceptions, timeout=0.01)
    gate.set()
    assert calls.results(timeout=20) == [1, 2]


def test_an_interrupted_collection_can_be_made_again(calls, gate):
    calls.flow.give(1)
    calls.flow.wait(gate, 2)
    with interrupted():
        calls.results()
        raise AssertionError("was not interrupted")
    gate.set()
    assert calls.results() == [1, 2]


def test_as_completed_hands_out_each_thread_when_it_is_done(calls, gate):
    names = {calls.flow.wait(gate, "slow"): "slow", calls.flow.give("quick"): "quick"}
    seen = []
    for thread in calls.as_completed(timeout=20):
        assert thread.get() == names[thread]
        seen.append(names[thread])
        gate.set()
    assert seen == ["quick", "slow"]
    assert calls.results() == []
    assert list(calls.as_completed()) == []


def test_as_completed_leaves_in_the_queue_what_it_did_not_hand_out(calls, gate):
    slow = [calls.flow.wait(gate, i) for i in range(3)]
    quick = calls.flow.give("quick")
    until(quick.ready, "the quick one")
    handed = calls.as_completed(timeout=1)
    assert next(handed) is quick
    with pytest.raises(DeadlineExceeded, match="3 calls"):
        next(handed)
    gate.set()
    assert calls.results() == [0, 1, 2]
    assert all(thread.ready() for thread in slow)


def test_as_completed_hands_out_failures_too(calls):
    calls.flow.fail(ValueError("v"))
    (thread,) = calls.as_completed()
    with pytest.raises(ValueError, match="v"):
        thread.get()


def test_a_call_may_collect_calls_of_its_own_in_a_pool_of_one(api):
    pool = BACKEND.pool(1)
    calls = AsyncAPI(api, pool=pool)

    def inner():
        nested = AsyncAPI(api, pool=pool)
        for i in range(3):
            nested.flow.give(i)
        first = [thread.get() for thread in nested.as_completed(timeout=20)]
        nested.flow.give(3)
        return sorted(first) + nested.results()

    calls.flow.run(inner)
    assert calls.results(timeout=20) == [[0, 1, 2, 3]]


def test_leaving_a_with_block_waits_for_all(api, calls, gate):
    with calls:
        calls.flow.wait(gate, 1)
        calls.flow.fail(ValueError("kept for results"))
        BACKEND.spawn(lambda: (until(lambda: api.flow.running), gate.set()))
    assert api.flow.running == 0
    assert [type(error) for error, _ in calls.results(with_exceptions=True)] == [type(None), ValueError]


def leave_with_an_error(calls, gate, threads):
    with calls:
        threads += [calls.flow.wait(gate) for _ in range(5)]
        until(lambda: calls.flow.running == 2, "two under way")
        raise LookupError("of the block")


def test_leaving_a_with_block_by_an_error_cancels_the_calls(api, gate):
    calls, threads = AsyncAPI(api, pool=2), []
    with pytest.raises(LookupError):
        leave_with_an_error(calls, gate, threads)
    assert calls.results() == []
    if GREEN:  # their finally blocks have run; and the queued ones never start
        assert api.flow.running == 0
        cancelled = threads
    else:
        assert api.flow.running == 2
        cancelled = threads[2:]
    gate.set()
    for thread in cancelled:
        with pytest.raises(CallCancelled):
            BACKEND.get(thread)
    assert api.flow.peak <= 2


def test_an_interrupted_join_cancels_the_calls(api, calls, gate):
    with interrupted():
        with calls:
            calls.flow.wait(gate)
        raise AssertionError("was not interrupted")
    assert calls.results() == []
    assert api.flow.running in ((0,) if GREEN else (0, 1))  # a thread that has started on it runs on


def test_services_factories_and_plain_attributes(api, calls):
    api.drop("f1").newest()
    calls.drop("f1").newest()
    calls.drop.create({"path": "/x"})
    calls.device("d1").newest()
    assert calls.results() == [{"flow": "f1"}, {"path": "/x"}, {"flow": "d1"}]
    assert calls.websocket is api.websocket
    assert calls.websocket.connect() == "connected"
    assert calls.flow.path == "/flow"
    assert list(calls.flow.iterate()) == ["a", "b", "c"]
    assert calls.creds == "acme"
    assert calls.close() == "closed"
    assert calls.flow._private() == "private"
    assert calls.results() == []


def test_unknown_names_are_the_targets_own_error(calls):
    with pytest.raises(AttributeError, match="nothing"):
        calls.nothing.find()
    with pytest.raises(AttributeError, match="no_such_method"):
        calls.flow.no_such_method()


def test_context_is_the_callers_at_the_time_of_the_call(calls):
    for name in ("acme", "globex"):
        token = tenant.set(name)
        calls.flow.run(tenant.get)
        tenant.reset(token)
    assert calls.results() == ["acme", "globex"]


def test_a_given_number_bounds_the_calls_at_once(api, gate):
    calls = AsyncAPI(api, pool=2)
    for i in range(8):
        calls.flow.wait(gate, i)
    until(lambda: api.flow.running == 2)
    gate.set()
    assert calls.results() == list(range(8))
    assert api.flow.peak <= 3


def test_a_pool_of_the_librarys_own_is_used_and_stays_quiet(api, capfd):
    if BACKEND.name == "gevent":
        from gevent.pool import Pool

        pool, running = (theirs := Pool(2)), lambda: len(theirs)
    elif BACKEND.name == "eventlet":
        from eventlet import GreenPool

        pool, running = (theirs := GreenPool(2)), lambda: theirs.running()
    else:
        pytest.skip("no such library here")
    calls, gate = AsyncAPI(api, pool=pool), BACKEND.event()
    calls.flow.wait(gate, 1)
    assert running() == 1
    gate.set()
    for i in range(2, 10):
        calls.flow.give(i)
    calls.flow.fail(ValueError("quiet"))
    pairs = calls.results(with_exceptions=True)
    assert [value for _, value in pairs] == [*range(1, 10), None]
    until(lambda: running() == 0, "the pool's books balanced")
    assert capfd.readouterr().err == ""
    if BACKEND.name == "eventlet":
        pool.waitall()
        assert pool.free() == 2


class FakeThread:
    """The original client's test double: the call is made when it is waited for."""

    def __init__(self, function, args, kwargs):
        self.call = function, args, kwargs

    def wait(self):
        function, args, kwargs = self.call
        return function(*args, **kwargs)


class FakePool:
    spawned = 0

    def spawn(self, function, *args, **kwargs):
        type(self).spawned += 1
        return FakeThread(function, args, kwargs)


def test_a_stand_in_for_the_library_is_used_as_it_is(api):
    FakePool.spawned = 0
    fake = SimpleNamespace(__name__="eventlet", GreenPool=FakePool)
    calls = AsyncAPI(api, async_lib=fake)
    thread = calls.flow.give(1)
    assert isinstance(thread, FakeThread)
    assert thread.wait() == 1
    calls.flow.fail(OSError("network"))
    error, _ = calls.results(with_exceptions=True)[1]
    assert isinstance(error, OSError)
    calls.flow.give(2)
    assert [thread.wait() for thread in calls.as_completed()] == [2]
    assert FakePool.spawned == 3


def test_a_stand_in_for_gevent_has_its_pool_in_a_module(api):
    class Thread(FakeThread):
        def get(self, timeout=None):
            return self.wait()

    class Pool:
        def spawn(self, function, *args, **kwargs):
            return Thread(function, args, kwargs)

    fake = SimpleNamespace(__name__="gevent", pool=SimpleNamespace(Pool=Pool))
    calls = AsyncAPI(api, async_lib=fake)
    calls.flow.give(1)
    assert calls.results(timeout=5) == [1]


def test_an_executor_will_do_for_a_pool(api):
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        calls = AsyncAPI(api, pool=executor)
        token = tenant.set("acme")
        calls.flow.run(tenant.get)
        tenant.reset(token)
        calls.flow.fail(TimeoutError("the call's own"))
        pairs = calls.results(with_exceptions=True, timeout=20)
    assert pairs[0] == (None, "acme")
    assert isinstance(pairs[1][0], TimeoutError)
    assert not isinstance(pairs[1][0], DeadlineExceeded)


@pytest.mark.parametrize("pool", [object(), "gevent", 0, -3, True])
def test_what_is_no_pool_is_refused_when_the_first_call_is_made(api, pool):
    calls = AsyncAPI(api, pool=pool)
    with pytest.raises(ConfigurationError, match="pool"):
        calls.flow.give(1)
    assert api.flow.count == 0
    assert calls.results() == []
