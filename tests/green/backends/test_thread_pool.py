"""The pool of OS threads, where none can be started: on CPython 3.12 at the end of a program."""

import threading
import time

import pytest

from flowthings_like.errors import DeadlineExceeded
from flowthings_like.green import detect
from flowthings_like.green.backends import _threads
from flowthings_like.green.backends._threads import ThreadsBackend

pytestmark = pytest.mark.needs("threads", "about worker threads")


@pytest.fixture
def only_main_starts_threads(monkeypatch):
    """No worker can start another one."""
    start = _threads.start_thread

    def refuse(run, name):
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(run, name)

    monkeypatch.setattr(_threads, "start_thread", refuse)


class LentLock:
    """A lock that gives the other threads time to run whenever the main thread has it."""

    def __init__(self):
        self._lock = threading.Lock()

    def __enter__(self):
        self._lock.acquire()
        if threading.current_thread() is threading.main_thread():
            time.sleep(0.002)

    def __exit__(self, *raised):
        self._lock.release()


@pytest.mark.usefixtures("only_main_starts_threads")
def test_each_call_has_a_worker_of_its_own_while_there_is_room():
    for _ in range(20):
        pool = detect().pool(2)
        pool._lock = LentLock()
        pool.spawn(len, ()).get(60)
        both = threading.Barrier(2, timeout=10)  # the worker takes the first call while the second is added
        calls = [pool.spawn(both.wait) for _ in range(2)]
        assert sorted(call.get(60) for call in calls) == [0, 1]


@pytest.mark.usefixtures("only_main_starts_threads")
def test_a_worker_yields_where_no_other_worker_can_be_started():
    backend = ThreadsBackend()
    assert backend.internal_pool().spawn(backend.yield_to_others).get(60) is None


def test_a_call_waits_no_longer_than_told():
    done = threading.Event()
    call = detect().pool(1).spawn(done.wait, 60)
    with pytest.raises(DeadlineExceeded):
        call.get(0.01)
    done.set()
    assert call.get(60)
