"""The interface of a backend, tested on the one that this interpreter is patched for."""

import queue
import threading
import time
import traceback

import pytest

from flowthings_like.errors import CallCancelled, DeadlineExceeded, WrongThread
from flowthings_like.green import detect, native

from ..fakes import PATCH, Base, interrupted, python, tenant, until

GREEN = detect().name != "threads"


@pytest.fixture
def backend():
    return detect()


def boom():
    raise ValueError("boom")


def test_get_returns_what_was_returned_and_raises_what_was_raised(backend):
    assert backend.get(backend.spawn(lambda a, b: a + b, 1, b=2)) == 3
    thread = backend.spawn(boom)
    for _ in range(2):
        with pytest.raises(ValueError, match="boom"):
            backend.get(thread)


def test_keywords_of_any_name_reach_the_function(backend):
    def odd(**names):
        return names

    given = {"self": 1, "function": 2, "run": 3, "args": 4}
    assert backend.get(backend.spawn(odd, **given)) == given
    assert backend.get(backend.pool().spawn(odd, **given)) == given


def test_threads_have_both_libraries_methods(backend):
    thread = backend.spawn(lambda: 7)
    assert thread.wait() == thread.get() == thread.get(timeout=1) == 7


def test_a_traceback_leads_to_the_failure_and_does_not_grow(backend):
    thread = backend.spawn(boom)
    lengths = []
    for _ in range(3):
        with pytest.raises(ValueError, match="boom") as caught:
            backend.get(thread)
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert frames[-1].name == "boom"
        lengths.append(len(frames))
    assert len(set(lengths)) == 1


def test_a_failure_is_not_printed_as_well(backend, capfd):
    pool = backend.pool()
    for thread in (backend.spawn(boom), pool.spawn(boom)):
        with pytest.raises(ValueError, match="boom"):
            backend.get(thread)
    backend.sleep(0)
    assert capfd.readouterr().err == ""


def test_a_spawned_call_sees_the_callers_context_and_keeps_its_changes(backend):
    def swap():
        seen = tenant.get()
        tenant.set("child")
        return seen

    token = tenant.set("acme")
    try:
        for spawn in (backend.spawn, backend.pool().spawn, backend.pool(1).spawn):
            assert backend.get(spawn(swap)) == "acme"
        assert tenant.get() == "acme"
    finally:
        tenant.reset(token)


def test_a_pool_runs_a_bounded_number_at_once_and_queues_the_others_in_order(backend):
    service, gate, pool = Base(), backend.event(), backend.pool(3)
    threads = [pool.spawn(service.wait, gate, i) for i in range(20)]  # this does not block
    until(lambda: service.running == 3, "three running")
    backend.sleep(0.005)
    assert service.running == 3
    gate.set()
    assert [backend.get(thread) for thread in threads] == list(range(20))
    # A green thread that waits for a queued one starts it beyond the limit: here the test waited.
    assert service.peak <= 4
    assert service.running == 0


def test_failures_and_kills_release_the_permits_of_a_pool(backend):
    pool, gate = backend.pool(2), backend.event()

    def fail_and_kill():
        failing = [pool.spawn(boom) for _ in range(5)]
        until(lambda: all(thread.ready() for thread in failing), "the failures")
        if GREEN:
            killed = [pool.spawn(gate.wait, 20) for _ in range(5)]  # two of them started, three queued
            for thread in killed:
                backend.kill(thread)
            until(lambda: all(thread.ready() for thread in killed), "the kills")

    fail_and_kill()
    service = Base()
    more = [pool.spawn(service.wait, gate, i) for i in range(4)]
    until(lambda: service.running == 2, "both permits in use")
    gate.set()
    assert [backend.get(thread) for thread in more] == [0, 1, 2, 3]


def test_calls_that_make_calls_are_no_deadlock_in_a_pool_of_one(backend):
    pool = backend.pool(1)

    def count_down(n):
        if n == 0:
            return 0
        children = [pool.spawn(count_down, n - 1), pool.spawn(count_down, 0)]
        return 1 + sum(backend.get(child) for child in children)

    assert backend.get(pool.spawn(count_down, 12), timeout=20) == 12


def test_a_wait_that_times_out_does_not_stop_the_call(backend):
    gate = backend.event()
    thread = backend.spawn(Base().wait, gate, "done")
    with pytest.raises(DeadlineExceeded, match=r"0\.01"):
        backend.get(thread, timeout=0.01)
    gate.set()
    assert backend.get(thread, timeout=20) == "done"


def test_an_interrupted_wait_can_be_repeated(backend):
    gate = backend.event()
    thread = backend.spawn(Base().wait, gate, "done")
    for _ in range(3):
        with interrupted():
            backend.get(thread)
            raise AssertionError("was not interrupted")
    gate.set()
    assert backend.get(thread) == "done"


@pytest.mark.needs("green", "an OS thread cannot be killed")
@pytest.mark.parametrize("started", [False, True])
def test_a_killed_thread_raises_call_cancelled(backend, started):
    gate = backend.event()
    thread = backend.spawn(gate.wait, 20)
    if started:
        backend.sleep(0)
    backend.kill(thread)
    with pytest.raises(CallCancelled, match="killed"):
        backend.get(thread)


@pytest.mark.needs("green", "OS threads may wait for each other")
def test_waiting_in_another_os_thread_is_refused_until_the_result_is_there(backend):
    gate = backend.event()
    thread = backend.spawn(Base().wait, gate, "done")
    with pytest.raises(WrongThread, match="G10"):
        native(backend.get, thread)
    gate.set()
    backend.get(thread)
    assert native(backend.get, thread) == "done"


def test_native_returns_and_raises_with_a_traceback():
    assert native(lambda a, b: a - b, 5, 3) == 2
    with pytest.raises(ValueError, match="boom") as caught:
        native(boom)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "boom"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_native_raises_exceptions_of_any_kind_and_its_pool_survives(kind):
    def leave():
        raise kind("now")

    for _ in range(30):  # more than there are workers
        with pytest.raises(kind):
            native(leave)
    assert native(len, "abc") == 3


def test_native_carries_context_and_may_be_nested():
    token = tenant.set("acme")
    try:
        assert native(tenant.get) == "acme"
        assert native(lambda: native(lambda: native(tenant.get))) == "acme"
    finally:
        tenant.reset(token)


@pytest.mark.needs("green", "native is a plain call on threads")
def test_native_runs_in_another_os_thread_and_the_hub_goes_on(backend):
    """The native call waits for a green thread to count, so it only ends if green threads run."""
    ticks = []

    def ticker():
        while True:
            ticks.append(1)
            backend.sleep(0.001)  # not 0: a hub that spins leaves little time for another OS thread

    def watch():
        end = time.monotonic() + 20
        while len(ticks) < 5 and time.monotonic() < end:
            pass
        return threading.get_native_id(), len(ticks)

    thread = backend.spawn(ticker)
    try:
        ident, seen = native(watch)
    finally:
        backend.kill(thread)
    assert seen >= 5
    assert ident != threading.get_native_id()


@pytest.mark.needs("green", "native is a plain call on threads")
def test_native_work_goes_on_when_its_waiter_is_interrupted(backend):
    done = queue.SimpleQueue()

    def slow(release):
        while not release:
            pass
        done.put("ran to its end")

    release = []
    with interrupted():
        native(slow, release)
        raise AssertionError("was not interrupted")
    assert done.empty()
    release.append(True)
    until(lambda: not done.empty(), "the end of the work")
    assert native(len, "abc") == 3


def test_deadline(backend):
    with backend.deadline(20), backend.deadline(None):
        backend.sleep(0)
    with pytest.raises(DeadlineExceeded, match=r"0\.01 s"), backend.deadline(0.01):
        backend.sleep(0.05)


@pytest.mark.needs("green", "nothing interrupts an OS thread")
def test_the_outer_deadline_is_not_taken_for_the_inner_one(backend):
    def within():
        try:
            with backend.deadline(20):
                backend.sleep(10)
        except DeadlineExceeded:
            raise AssertionError("the inner deadline took it") from None

    with pytest.raises(DeadlineExceeded, match=r"0\.01 s"), backend.deadline(0.01):
        within()


def test_synchronisation(backend):
    lock, event = backend.lock(), backend.event()
    with lock:
        assert not lock.acquire(False)
    assert not event.is_set()
    assert not event.wait(0.001)
    event.set()
    assert event.wait(1)
    large = backend.queue()
    for i in range(1000):
        large.put(i)
    assert [large.get() for _ in range(1000)] == list(range(1000))
    with pytest.raises(queue.Empty):
        large.get(timeout=0.001)
    thread = backend.spawn(lambda: [large.put(i) for i in range(5)])
    assert [large.get(timeout=20) for _ in range(5)] == [0, 1, 2, 3, 4]
    backend.get(thread)


def test_an_event_wakes_all_waiters_and_can_be_cleared(backend):
    event = backend.event()
    for _ in range(3):
        waiting = [backend.spawn(event.wait, 20) for _ in range(5)]
        backend.sleep(0.002)
        event.set()
        event.set()
        assert [backend.get(thread) for thread in waiting] == [True] * 5
        assert event.wait(0)
        event.clear()
        assert not event.wait(0.001)
        assert not event.is_set()


@pytest.mark.needs("threads", "about worker threads")
def test_worker_threads_are_shared_reused_and_daemons(backend):
    pool = backend.pool(4)
    names = [backend.get(pool.spawn(lambda: threading.current_thread().name)) for _ in range(50)]
    assert len(set(names)) == 1
    assert backend.pool() is backend.pool()
    assert backend.get(pool.spawn(lambda: threading.current_thread().daemon))


@pytest.mark.needs("threads", "about worker threads")
def test_a_queued_call_can_be_cancelled_and_a_running_one_cannot(backend):
    pool, gate, service = backend.pool(1), backend.event(), Base()
    first, second = pool.spawn(service.wait, gate, 1), pool.spawn(service.give, 2)
    until(lambda: service.running == 1)
    assert not first.cancel()
    assert second.cancel()
    with pytest.raises(CallCancelled):
        second.get()
    gate.set()
    assert first.get() == 1
    assert service.count == 0


@pytest.mark.parametrize("name", list(PATCH))
def test_native_and_pools_work_in_a_forked_child(name):
    done = python(
        """
        import sys
        sys.path.insert(0, ".")
        from flowthings_like.errors import FlowThingsError
        from flowthings_like.green import detect, native
        from tests.forked import forked
        backend = detect()
        pool = backend.pool(2)
        assert native(len, "abc") == 3 and backend.get(pool.spawn(len, "ab")) == 2
        gate = backend.event()
        before = pool.spawn(gate.wait)
        def child():
            assert native(len, "abc") == 3
            assert backend.get(backend.pool(2).spawn(len, "ab")) == 2
            if backend.name == "threads":
                assert backend.get(pool.spawn(len, "ab")) == 2
                try:
                    backend.get(before)
                except FlowThingsError as error:
                    assert "fork" in str(error)
                else:
                    raise AssertionError("no error")
        print(forked(child)())
        gate.set()
        assert backend.get(before)
        """,
        name,
    )
    assert done.out == "fine"


def test_a_script_with_worker_threads_ends():
    done = python(
        """
        import time
        from flowthings_like.green import detect
        pool = detect().pool()
        pool.spawn(time.sleep, 3600)
        assert pool.spawn(len, "ab").get() == 2
        print("end")
        """
    )
    assert done.out == "end"
