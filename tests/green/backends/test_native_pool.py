"""Pools of OS threads for calls that block, on the backend that this interpreter is patched for."""

from __future__ import annotations

import gc
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import get_native_id
from typing import Any

import pytest

from flowthings_like.errors import FlowThingsError, WrongThread
from flowthings_like.green import detect, native
from flowthings_like.green.backends.contract import NativeCall, NativePool
from tests.transport.test_hubs import native_thread

from ..fakes import PATCH, interrupted, python, tenant, until

NEEDS_THREADS = pytest.mark.needs("green", "on threads a pool makes its calls directly")


@pytest.fixture
def pool() -> Iterator[NativePool]:
    made = detect().native_pool(4, "test")
    yield made
    made.close()


class Gate:
    """Lets native calls wait, without a lock that a green library has patched."""

    def __init__(self) -> None:
        self.is_open = False
        self.threads: list[int] = []

    @property
    def waiting(self) -> int:
        return len(self.threads)

    def wait(self, value: object = None) -> object:
        self.threads.append(get_native_id())
        _sleep_until(lambda: self.is_open)
        return value


def _sleep_until(condition: Callable[[], object]) -> None:
    over = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < over
        native_sleep(0.001)


def _unpatched_sleep() -> Callable[[float], object]:
    name = detect().name
    if name == "gevent":
        from gevent import monkey

        return monkey.get_original("time", "sleep")  # type: ignore[no-any-return]
    if name == "eventlet":
        from eventlet import patcher

        return patcher.original("time").sleep  # type: ignore[no-any-return]
    return time.sleep


native_sleep = _unpatched_sleep()  # here, because eventlet imports it anew, and a test forks meanwhile


def living(threads: set[int]) -> set[int]:
    """Those of these OS threads that have not ended."""
    return threads & {int(each.name) for each in Path("/proc/self/task").iterdir()}


def files() -> int:
    """How many open files this process has."""
    return len([*Path("/proc/self/fd").iterdir()])


def fail(error: BaseException) -> None:
    raise error


def test_a_call_returns_its_value_or_raises_its_exception_each_time(pool: NativePool) -> None:
    assert pool.run(divmod, 7, 4) == (1, 3)
    call = pool.submit(len, "abc")
    assert [call.wait(), call.wait(), call.done()] == [3, 3, True]
    failed = pool.submit(fail, ValueError("boom"))
    lengths = set()
    for _ in range(3):
        with pytest.raises(ValueError, match="boom") as caught:
            failed.wait()
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert frames[-1].name == "fail"
        lengths.add(len(frames))
    assert len(lengths) == 1


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_exceptions_of_any_kind_are_raised_and_the_threads_survive(
    pool: NativePool, kind: type[BaseException]
) -> None:
    for _ in range(10):
        with pytest.raises(kind):
            pool.run(fail, kind("now"))
    assert pool.run(len, "abc") == 3


def test_the_function_has_a_copy_of_the_callers_context(pool: NativePool) -> None:
    def swap() -> str:
        seen = tenant.get()
        tenant.set("native")
        return seen

    token = tenant.set("acme")
    try:
        assert pool.run(swap) == pool.run(swap) == tenant.get() == "acme"
    finally:
        tenant.reset(token)


def test_a_call_within_a_call_needs_no_other_thread() -> None:
    pool = detect().native_pool(1, "one")
    assert pool.run(lambda: pool.run(lambda: pool.submit(len, "abc").wait())) == 3
    pool.run(pool.close)  # it does not wait for itself
    pool.close()


@NEEDS_THREADS
def test_calls_run_in_at_most_so_many_threads_and_submit_never_waits(pool: NativePool) -> None:
    gate = Gate()
    calls = [pool.submit(gate.wait, n) for n in range(200)]
    until(lambda: gate.waiting == 4)
    detect().sleep(0.02)
    assert len({*gate.threads}) == gate.waiting == 4
    assert not any(call.done() for call in calls)
    gate.is_open = True
    assert [call.wait() for call in calls] == [*range(200)]
    assert len({*gate.threads}) == 4


@NEEDS_THREADS
def test_threads_are_started_when_they_are_needed() -> None:
    pool = detect().native_pool(4, "lazy")
    assert len({pool.run(get_native_id) for _ in range(50)}) == 1
    pool.close()


def test_many_green_threads_get_their_own_results(pool: NativePool) -> None:
    backend = detect()

    def ask(caller: int) -> list[int]:
        return [pool.run(int, f"{caller}{n:03}") for n in range(50)]

    threads = [backend.spawn(ask, caller) for caller in range(20)]
    assert [backend.get(thread) for thread in threads] == [
        [int(f"{caller}{n:03}") for n in range(50)] for caller in range(20)
    ]


@NEEDS_THREADS
def test_an_interrupted_wait_can_be_repeated(pool: NativePool) -> None:
    gate = Gate()
    call = pool.submit(gate.wait, "done")
    for _ in range(3):
        with interrupted():
            call.wait()
            raise AssertionError("was not interrupted")
    assert not call.done()
    gate.is_open = True
    assert call.wait() == "done"


@NEEDS_THREADS
def test_a_killed_waiter_leaves_the_call_to_others(pool: NativePool) -> None:
    backend, gate, woken = detect(), Gate(), []
    call = pool.submit(gate.wait, "done")

    def wait(number: int) -> object:
        try:
            return call.wait()
        finally:
            woken.append(number)

    waiters = [backend.spawn(wait, number) for number in range(3)]
    until(lambda: gate.waiting)
    backend.sleep(0.002)
    backend.kill(waiters[1])
    until(lambda: woken == [1])
    gate.is_open = True
    assert [backend.get(waiters[n]) for n in (0, 2)] == ["done", "done"]
    assert call.wait() == "done"


@NEEDS_THREADS
def test_a_waiter_killed_when_its_call_is_done_is_not_woken_elsewhere(pool: NativePool) -> None:
    """Whatever the order of the kill and the delivery, the thread's next wait lasts as long as it should."""
    backend = detect()
    for n in range(100):
        gate, slept = Gate(), []

        def work(gate: Gate = gate, slept: list[float] = slept) -> None:
            try:
                pool.run(gate.wait)
            finally:
                began = time.monotonic()
                backend.sleep(0.01)
                slept.append(time.monotonic() - began)

        thread = backend.spawn(work)
        until(lambda gate=gate: gate.waiting)
        gate.is_open = True
        native_sleep(0.0001 * (n % 4))
        backend.kill(thread)
        until(lambda slept=slept: slept)
        assert slept[0] >= 0.0099
    assert pool.run(len, "abc") == 3


@NEEDS_THREADS
def test_callbacks_run_in_the_hub_of_the_os_thread_that_submitted(pool: NativePool) -> None:
    backend, gate, seen = detect(), Gate(), []
    here = get_native_id()
    call = pool.submit(gate.wait)
    for n in range(3):
        call.when_done(lambda n=n: seen.append((n, get_native_id(), backend.in_hub(), call.done())))
    until(lambda: gate.waiting)
    gate.is_open = True
    until(lambda: len(seen) == 3)
    assert sorted(seen) == [(n, here, True, True) for n in range(3)]


def test_a_callback_of_a_call_that_is_done_is_called_at_once(pool: NativePool) -> None:
    call, seen = pool.submit(len, "abc"), []
    call.wait()
    call.when_done(lambda: seen.append(1))
    assert seen == [1]


@NEEDS_THREADS
def test_a_callback_that_raises_holds_up_no_other_call(pool: NativePool, capfd: Any) -> None:
    gate = Gate()
    call = pool.submit(gate.wait, 1)
    call.when_done(lambda: fail(ValueError("of the callback")))
    until(lambda: gate.waiting)
    gate.is_open = True
    assert call.wait() == 1
    assert [pool.run(len, "abc") for _ in range(10)] == [3] * 10
    detect().sleep(0.001)
    assert "of the callback" in capfd.readouterr().err


@NEEDS_THREADS
def test_the_hub_goes_on_while_a_call_sleeps_in_c(pool: NativePool) -> None:
    backend, ticks = detect(), []

    def beat() -> None:
        while True:
            ticks.append(time.monotonic())
            backend.sleep(0.01)

    thread = backend.spawn(beat)
    pool.run(native_sleep, 0.3)
    backend.kill(thread)
    assert len(ticks) > 5


@NEEDS_THREADS
def test_close_finishes_what_was_submitted_and_leaves_no_thread() -> None:
    pool, gate = detect().native_pool(4, "short"), Gate()
    calls = [pool.submit(gate.wait, n) for n in range(10)]
    with interrupted():
        pool.close()
        raise AssertionError("was not interrupted")
    with pytest.raises(FlowThingsError, match="'short' is closed"):
        pool.submit(len, "abc")
    gate.is_open = True
    pool.close()
    assert [call.done() for call in calls] == [True] * 10
    assert [call.wait() for call in calls] == [*range(10)]
    assert len({*gate.threads}) == 4
    until(lambda: not living({*gate.threads}))
    pool.close()


def test_a_closed_pool_refuses_calls() -> None:
    pool = detect().native_pool(1, "database")
    pool.close()
    pool.close()
    with pytest.raises(FlowThingsError, match="'database' is closed"):
        pool.submit(len, "abc")


@NEEDS_THREADS
def test_a_pool_that_is_garbage_leaves_no_thread() -> None:
    pool, gate = detect().native_pool(4, "lost"), Gate()
    calls = [pool.submit(gate.wait, n) for n in range(10)]
    del pool
    gc.collect()
    gate.is_open = True
    assert [call.wait() for call in calls] == [*range(10)]
    until(lambda: not living({*gate.threads}))


@NEEDS_THREADS
def test_an_idle_thread_keeps_nothing_of_its_last_call_alive(pool: NativePool) -> None:
    class Thing:
        pass

    argument = Thing()
    result = weakref.ref(pool.run(lambda _: Thing(), argument))
    asked = weakref.ref(argument)
    del argument
    until(lambda: (gc.collect(), result() is None and asked() is None)[1])


@NEEDS_THREADS
def test_hubs_in_several_os_threads_share_a_pool_and_get_their_own_results(pool: NativePool) -> None:
    found: list[object] = []

    def several(caller: str) -> list[int]:
        return [pool.run(int, f"{caller}{m}") for m in range(20)]

    def ask(caller: int) -> None:
        backend = detect()
        try:
            threads = [backend.spawn(several, f"{caller}{n}") for n in range(5)]
            mine = [backend.get(thread) for thread in threads]
            assert mine == [[int(f"{caller}{n}{m}") for m in range(20)] for n in range(5)]
            found.append(caller)
        except BaseException as error:
            found.append(error)

    for caller in range(1, 5):
        native_thread(lambda caller=caller: ask(caller))
    ask(9)
    until(lambda: len(found) == 5)
    assert sorted(map(str, found)) == ["1", "2", "3", "4", "9"]


@NEEDS_THREADS
def test_waiting_in_another_os_thread_is_refused_until_the_call_is_done(pool: NativePool) -> None:
    gate, refused = Gate(), []
    call = pool.submit(gate.wait, "done")

    def elsewhere(ask: Callable[[NativeCall], object]) -> None:
        try:
            refused.append(ask(call))
        except BaseException as error:
            refused.append(error)

    native_thread(lambda: elsewhere(lambda call: call.wait()))
    native_thread(lambda: elsewhere(lambda call: call.when_done(gate.wait)))
    until(lambda: len(refused) == 2)
    assert [type(each) for each in refused] == [WrongThread, WrongThread]
    gate.is_open = True
    assert call.wait() == "done"
    native_thread(lambda: elsewhere(lambda call: call.wait()))
    until(lambda: len(refused) == 3)
    assert refused[2] == "done"


@NEEDS_THREADS
def test_native_works_in_every_os_thread_and_leaves_no_thread_with_it() -> None:
    found: list[tuple[int, int]] = []
    for n in range(1, 4):
        native_thread(lambda: found.append((get_native_id(), native(get_native_id))))
        until(lambda n=n: len(found) == n)
    assert all(here != there for here, there in found)
    until(lambda: not living({thread for pair in found for thread in pair}))


@NEEDS_THREADS
def test_a_call_outlives_the_os_thread_that_submitted_it(pool: NativePool) -> None:
    gate = Gate()
    native_thread(lambda: pool.submit(gate.wait))
    until(lambda: gate.waiting)
    gc.collect()
    gate.is_open = True
    assert [pool.run(len, "abc") for _ in range(20)] == [3] * 20


@NEEDS_THREADS
def test_a_hub_that_a_call_has_made_ends_with_its_thread() -> None:
    def sleep_green() -> int:
        time.sleep(0.001)
        return get_native_id()

    def use_pool() -> int:
        pool = detect().native_pool(1, "with a hub")
        thread = pool.run(sleep_green)
        pool.close()
        until(lambda: not living({thread}))
        gc.collect()
        return files()

    before = use_pool()
    assert [use_pool() for _ in range(5)][-1] <= before


def test_a_pool_that_is_not_used_opens_nothing() -> None:
    gc.collect()
    before = files()
    pools = [detect().native_pool(4, "idle") for _ in range(20)]
    for pool in pools:
        pool.close()
    assert files() <= before


@pytest.mark.parametrize("name", list(PATCH))
def test_a_program_that_forgets_to_close_ends(name: str) -> None:
    done = python(
        """
        from flowthings_like.green.backends.choice import detect
        pool = detect().native_pool(4, "forgotten")
        assert [pool.run(len, "ab") for _ in range(5)] == [2] * 5
        if detect().name != "threads":
            from tests.green.backends.test_native_pool import native_sleep
            pool.submit(native_sleep, 3600)
        print("end")
        """,
        name,
    )
    assert (done.out, done.err) == ("end", "")


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_a_hub_with_nothing_else_to_do_waits_for_a_call(name: str) -> None:
    """gevent raises LoopExit where nothing could wake the main green thread."""
    done = python(
        """
        from flowthings_like.green.backends.choice import detect
        from tests.green.backends.test_native_pool import native_sleep
        pool = detect().native_pool(4, "alone")
        assert [pool.run(native_sleep, 0.05) for _ in range(3)] == [None] * 3
        print(pool.run(len, "abc"))
        pool.close()
        """,
        name,
    )
    assert (done.out, done.err) == ("3", "")


@pytest.mark.once
def test_gevent_still_notices_that_nothing_can_wake_a_thread() -> None:
    done = python(
        """
        import gevent, gevent.event
        from flowthings_like.green.backends.choice import detect
        pool = detect().native_pool(4, "quiet")
        assert pool.run(len, "abc") == 3
        try:
            gevent.event.Event().wait()
        except gevent.exceptions.LoopExit:
            print("noticed")
        """,
        "gevent",
    )
    assert done.out == "noticed"


@pytest.mark.parametrize("name", list(PATCH))
def test_a_forked_child_has_threads_of_its_own_and_leaves_the_parents_alone(name: str) -> None:
    done = python(
        """
        import time
        from flowthings_like.errors import FlowThingsError
        from flowthings_like.green.backends.choice import detect
        from tests.forked import forked
        from tests.green.backends.test_native_pool import Gate
        backend = detect()
        pool = backend.native_pool(2, "before")
        assert [pool.run(len, "ab") for _ in range(20)] == [2] * 20
        gate = Gate()
        if backend.name == "threads":
            gate.is_open = True
        call = pool.submit(gate.wait, "parent's")
        def child():
            if backend.name != "threads":
                try:
                    call.wait()
                except FlowThingsError as error:
                    assert "fork" in str(error)
                else:
                    raise AssertionError("no error")
            threads = [backend.spawn(lambda: [pool.run(len, "abc") for _ in range(200)]) for _ in range(5)]
            assert [backend.get(thread) for thread in threads] == [[3] * 200] * 5
            pool.close()
        ended = forked(child)
        def busy():
            return [pool.run(len, "abcd") for _ in range(200)]
        threads = [backend.spawn(busy) for _ in range(5)]
        assert [backend.get(thread) for thread in threads] == [[4] * 200] * 5
        gate.is_open = True
        assert call.wait() == "parent's"
        print(ended())
        assert busy() == [4] * 200
        pool.close()
        """,
        name,
    )
    assert (done.out, done.err) == ("fine", "")


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_a_forked_child_that_makes_no_call_takes_none_of_the_parents_results(name: str) -> None:
    """Under eventlet both wait at the same epoll, and the child inherits the parent's pipe."""
    done = python(
        """
        from flowthings_like.green.backends.choice import detect
        from tests.forked import forked
        backend = detect()
        pool = backend.native_pool(2, "parent's")
        assert pool.run(len, "ab") == 2
        def child():
            for _ in range(300):
                backend.sleep(0.001)
        ended = forked(child)
        for n in range(1000):
            assert pool.run(int, str(n)) == n
        print(ended())
        pool.close()
        """,
        name,
    )
    assert (done.out, done.err) == ("fine", "")
