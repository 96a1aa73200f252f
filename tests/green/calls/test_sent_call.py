"""Calls that are on their way without a thread: many may wait for one, which one of them looks after."""

import contextlib
import itertools
import sys
import threading
import time

import pytest

from flowthings_like.errors import CallCancelled, DeadlineExceeded, WrongThread
from flowthings_like.green import GreenThunk, detect, force, native
from flowthings_like.green.calls import sent_call as begun_module
from flowthings_like.green.calls.sent_call import SentFuture
from flowthings_like.green.future import Origin
from tests.forked import forked

from ..fakes import interrupted, until

BACKEND = detect()
GREEN = BACKEND.name != "threads"
ORIGIN = Origin("things.query", sys._getframe().f_code, 0)


class SentCall:
    """An answer that comes when it is told to. One thread at a time may wait for it."""

    def __init__(self):
        self.answered = BACKEND.event()
        self.inside = self.looked = 0

    def arrived(self):
        return self.answered.is_set()

    def wait(self, timeout):
        self.inside += 1
        try:
            assert self.inside == 1
            return self.answered.wait(timeout)
        finally:
            self.inside -= 1

    def result(self):
        assert self.inside == 0
        self.looked += 1
        return ["the answer"]

    def give_up(self):
        self.answered.set()

    def hold(self, holder):
        pass


@pytest.fixture
def call():
    return SentCall()


@pytest.fixture
def begun(call):
    return SentFuture(call, ORIGIN, BACKEND.pool())


def test_all_that_wait_get_the_one_result(call, begun):
    thunks = [GreenThunk(begun) for _ in range(10)]
    waiting = [BACKEND.spawn(force, thunk) for thunk in thunks]
    until(lambda: call.inside == 1)
    call.answered.set()
    assert {id(BACKEND.get(thread)) for thread in waiting} == {id(begun.result())}
    assert call.looked == 1


def test_who_has_waited_long_enough_leaves_and_another_one_waits_on(call, begun):
    impatient = [BACKEND.spawn(begun.wait, 0.002 * n) for n in range(1, 6)]
    patient = BACKEND.spawn(begun.result)
    for thread in impatient:
        with pytest.raises(DeadlineExceeded, match="was not done after"):
            BACKEND.get(thread)
    until(lambda: call.inside == 1)
    call.answered.set()
    assert BACKEND.get(patient) == ["the answer"]


def test_who_is_interrupted_leaves_and_another_one_waits_on(call, begun):
    for _ in range(3):
        with interrupted():
            begun.wait()
            raise AssertionError("was not interrupted")
        patient = BACKEND.spawn(begun.result)
        until(lambda: call.inside == 1)
    with interrupted():
        begun.wait()
        raise AssertionError("was not interrupted")
    call.answered.set()
    assert BACKEND.get(patient) == ["the answer"]


def test_a_call_that_was_given_up_says_so_to_all(call, begun):
    waiting = [BACKEND.spawn(begun.result) for _ in range(3)]
    until(lambda: call.inside == 1)
    assert begun.cancel()
    for thread in waiting:
        with pytest.raises(CallCancelled, match="given up"):
            BACKEND.get(thread)


def test_a_forked_child_waits_for_nobody_who_stayed_in_the_parent(call, begun):
    waiting = BACKEND.spawn(begun.result)
    until(lambda: call.inside == 1)

    def child():
        if not GREEN:  # the one who waited has stayed in the parent; green threads come along
            call.inside = 0
        call.answered.set()
        begun.wait(20)
        assert begun.result() == ["the answer"]

    said = forked(child)
    assert said() == "fine"
    call.answered.set()
    assert BACKEND.get(waiting) == ["the answer"]


@pytest.mark.needs("green", "OS threads may wait for each other")
def test_another_os_thread_is_told_that_it_cannot_wait(call, begun):
    for _ in range(2):
        with pytest.raises(WrongThread, match="G10"):
            native(begun.wait)
        with pytest.raises(WrongThread, match="G10"):
            native(begun.wait, 1.0)
        waiting = BACKEND.spawn(begun.result)
        until(lambda: call.inside == 1)
    call.answered.set()
    assert native(begun.done)
    assert BACKEND.get(waiting) == begun.result()
    assert native(begun.result) == begun.result()


@pytest.mark.needs("threads", "green threads are switched at known places")
@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="3.12 crashes where some threads are traced")
def test_no_wake_up_is_lost_wherever_a_waiter_is_held_up():
    """While it is held up, the one who waited for the answer leaves without it, and another one waits on."""
    over = False
    for place in itertools.count(1):
        call = Leaving()
        begun = SentFuture(call, ORIGIN, BACKEND.pool())
        held, go_on = threading.Event(), threading.Event()

        def hold(held=held, go_on=go_on):
            held.set()
            assert go_on.wait(20)

        leaving, other, waiting = (
            threading.Thread(target=target, args=args, daemon=True)
            for target, args in (
                (impatient, (begun,)),
                (begun.wait, ()),
                (held_up, (place, hold, begun.wait)),
            )
        )
        leaving.start()
        until(lambda call=call: call.inside == 1)
        other.start()
        time.sleep(0.005)
        waiting.start()
        if not held.wait(2):  # it waits for the others, and has not come so far
            over = True
            go_on.set()
        call.leave.set()
        leaving.join(20)
        until(lambda call=call: call.inside == 1)
        go_on.set()
        time.sleep(0.005)
        call.answered.set()
        for thread in (leaving, other, waiting):
            thread.join(20)
            assert not thread.is_alive()
        if over:
            break
    assert place > 1


class Leaving(SentCall):
    """Whoever waits for the answer with a time-out can be told that the time is over."""

    def __init__(self):
        super().__init__()
        self.leave = BACKEND.event()

    def wait(self, timeout):
        if timeout is None:
            return super().wait(None)
        self.inside += 1
        try:
            assert self.leave.wait(20)
            return False
        finally:
            self.inside -= 1


def impatient(begun):
    with contextlib.suppress(DeadlineExceeded):
        begun.wait(60)


def held_up(place, hold, work):
    """Run `work`, and call `hold` before the place-th line of sent_call.py that is run."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if frame.f_code.co_filename != begun_module.__file__:
            return None
        if event == "line":
            count += 1
            if count == place:
                hold()
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
