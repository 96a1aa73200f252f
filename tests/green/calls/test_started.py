"""Green threads that a pool starts for calls: nothing of one call is left for the next."""

import sys
import threading
import warnings

import pytest

from flowthings_like.errors import CallCancelled
from flowthings_like.green import LazyAPI, detect, force

from ..fakes import Api, interrupted, python, tenant, until

BACKEND = detect()
GREEN = BACKEND.name != "threads"

pytestmark = pytest.mark.needs("green", "about green threads")
if not GREEN:
    pytest.skip("about green threads", allow_module_level=True)

if BACKEND.name == "gevent":
    from gevent import Timeout, getcurrent, spawn
    from gevent.local import local
elif BACKEND.name == "eventlet":
    from eventlet import Timeout, getcurrent, spawn
    from eventlet.corolocal import local


@pytest.fixture
def pool():
    return BACKEND.pool()


def run(pool, function, *args):
    value, raised = pool.start(function, *args).outcome()
    if raised is not None:
        raised.again()
    return value


def ident():
    return id(getcurrent())


def test_calls_at_the_same_time_have_threads_of_their_own(pool):
    gate = BACKEND.event()
    jobs = [pool.start(lambda: (gate.wait(20), ident())[1]) for _ in range(10)]
    BACKEND.sleep(0)
    gate.set()
    assert len({job.outcome()[0] for job in jobs}) == 10


def test_context_variables_do_not_stay(pool):
    def swap(name):
        before = tenant.get()
        tenant.set(name)
        return before

    assert [run(pool, swap, name) for name in ("one", "two")] == ["nobody", "nobody"]


class Counted(local):
    def __init__(self):
        self.value = "new"


@pytest.mark.parametrize("make", [local, Counted, threading.local])
def test_green_locals_do_not_stay_and_what_they_held_is_let_go(pool, make):
    class Held:
        pass

    gone = []
    store = make()

    def use(number):
        before = getattr(store, "held", None)
        store.held = Held()
        weak.append(ref(store.held, gone.append))
        return before, ident()

    from weakref import ref

    weak = []
    first, second = run(pool, use, 1), run(pool, use, 2)
    assert (first[0], second[0]) == (None, None)
    assert not hasattr(store, "held")  # eventlet's keep the last one's until they are looked at again
    until(lambda: len(gone) == 2, "the end of what both had held")


def test_the_current_thread_does_not_stay(pool):
    names = [run(pool, lambda: threading.current_thread().name) for _ in range(3)]
    assert len(names) == 3
    run(pool, lambda: setattr(threading.current_thread(), "marked", True))
    assert not run(pool, lambda: hasattr(threading.current_thread(), "marked"))


def test_attributes_of_the_green_thread_do_not_stay(pool):
    def use():
        current = getcurrent()
        found = getattr(current, "request", None)
        current.request = "mine"
        return found

    assert [run(pool, use) for _ in range(3)] == [None] * 3


def test_a_timeout_that_was_never_cancelled_hits_no_later_call(pool):
    def careless():
        Timeout(0.005).start() if BACKEND.name == "gevent" else Timeout(0.005)
        return ident()

    def later():
        BACKEND.sleep(0.02)
        return "unharmed"

    careless_thread = run(pool, careless)
    assert run(pool, later) == "unharmed"
    assert careless_thread


def test_a_failure_or_a_kill_ends_the_call_and_no_other(pool):
    class Odd(BaseException):
        pass

    def odd():
        raise Odd

    with pytest.raises(Odd):
        run(pool, odd)
    gate = BACKEND.event()
    job = pool.start(gate.wait, 20)
    BACKEND.sleep(0)
    job.request_cancel()
    with pytest.raises(CallCancelled, match="killed"):
        BACKEND.get(job)
    assert job.dead
    until(lambda: pool.running == 0, "the end of both")
    assert run(pool, len, "abc") == 3


def test_a_call_given_up_before_it_began_never_runs(pool):
    ran = []
    job = pool.start(ran.append, 1)
    job.request_cancel()
    with pytest.raises(CallCancelled):
        BACKEND.get(job)
    BACKEND.sleep(0.001)
    assert ran == []
    assert job.request_cancel()


def test_an_interrupted_wait_can_be_made_again_and_leaves_nothing_behind(pool):
    gate = BACKEND.event()
    job = pool.start(lambda: (gate.wait(20), "done")[1])
    for _ in range(3):
        with interrupted():
            job.outcome()
            raise AssertionError("was not interrupted")
    gate.set()
    assert job.outcome() == ("done", None)


def test_a_wait_that_was_interrupted_is_not_woken_later(pool):
    """The wake-up may already be on its way when the wait is interrupted."""
    gate = BACKEND.event()
    woken = []

    def waiter():
        job = pool.start(gate.wait, 20)
        with interrupted():
            job.outcome()
        gate.set()
        BACKEND.sleep(0.01)
        woken.append("in order")

    BACKEND.get(BACKEND.spawn(waiter))
    assert woken == ["in order"]


def test_many_calls_in_many_green_threads(pool):
    def work(number):
        BACKEND.sleep(0.0001 * (number % 7))
        return number

    def caller(first):
        return [run(pool, work, number) for number in range(first, first + 50)]

    callers = [spawn(caller, first) for first in range(0, 500, 50)]
    found = [caller.get() if BACKEND.name == "gevent" else caller.wait() for caller in callers]
    assert [number for numbers in found for number in numbers] == list(range(500))


def test_lazy_calls_in_a_forked_child():
    done = python(
        """
        import sys
        sys.path.insert(0, ".")
        from tests.forked import forked
        from tests.green.fakes import Api
        from flowthings_like.green import LazyAPI
        lazy = LazyAPI(Api())
        assert lazy.flow.give(1) == 1
        def child():
            assert lazy.flow.give(2) == 2
            assert LazyAPI(Api()).flow.give(3) == 3
        print(forked(child)())
        """,
        BACKEND.name,
    )
    assert done.out == "fine"


def test_a_hub_is_not_kept_running():
    done = python(
        """
        import sys
        sys.path.insert(0, ".")
        from tests.green.fakes import Api
        from flowthings_like.green import LazyAPI
        assert LazyAPI(Api()).flow.give(1) == 1
        print("end")
        """,
        BACKEND.name,
    )
    assert done.out == "end"


def test_what_is_printed_about_a_failure_is_nothing(pool, capfd):
    handled = sys.exc_info()
    lazy = LazyAPI(Api(), pool=pool)
    with warnings.catch_warnings(), pytest.raises(ValueError, match="boom"):
        force(lazy.flow.fail(ValueError("boom")))
    BACKEND.sleep(0)
    assert capfd.readouterr().err == ""
    assert sys.exc_info() == handled
