"""The pool, with connections that only remember whether they were closed."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from flowthings_like import DeadlineExceeded
from flowthings_like.green.backends import choice as backend
from flowthings_like.transport import connection_pool as pool_module
from flowthings_like.transport import waiters
from flowthings_like.transport.connection_pool import Lease, Pool
from flowthings_like.transport.pool_statistics import Statistics

from .opcodes import Interrupted, interrupted_at

MODULES = (pool_module, waiters)


class Line:
    """A connection that remembers whether it was closed."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False
        self.dead = False

    def close(self) -> None:
        self.closed = True


class Lines:
    """Opens them, and keeps a list."""

    def __init__(self) -> None:
        self.made: list[Line] = []

    def open(self, *args: Any) -> Line:
        self.made.append(Line(len(self.made)))
        return self.made[-1]

    @property
    def unclosed(self) -> int:
        return sum(not line.closed for line in self.made)


def make(size: int = 2, **options: Any) -> tuple[Pool[Line], Lines]:
    lines = Lines()
    return Pool("test lines", lines.open, Line.close, size=size, **options), lines


def use(pool: Pool[Line]) -> int:
    with pool.lease(monotonic() + 30) as lease:
        lease.complete()
        return lease.connection.number


def numbers(statistics: Statistics) -> tuple[int, int, int]:
    return statistics.open, statistics.idle, statistics.waiting


def test_connections_are_opened_late_and_used_again() -> None:
    pool, lines = make()
    assert lines.made == []
    assert [use(pool) for _ in range(3)] == [0, 0, 0]
    assert pool.statistics() == Statistics(2, 1, 1, 0, 1, 0, 0)


def test_only_a_complete_exchange_brings_a_connection_back() -> None:
    pool, lines = make()
    with pool.lease():
        pass
    assert lines.made[0].closed
    with pytest.raises(KeyError), pool.lease() as lease:
        raise KeyError(lease.complete())
    assert lines.made[1].closed
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind), pool.lease():
            raise kind
    assert all(line.closed for line in lines.made)
    assert pool.statistics() == Statistics(2, 0, 0, 0, 5, 0, 5)


def test_what_fails_to_open_leaves_its_slot_free() -> None:
    def refuse() -> Line:
        raise ConnectionRefusedError

    pool = Pool("test lines", refuse, Line.close, size=1)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError), pool.lease(monotonic()):
            pass
    assert pool.statistics() == Statistics(1, 0, 0, 0, 0, 0, 0)


def test_opening_gets_the_arguments_of_the_lease() -> None:
    pool = Pool("test", lambda *args: args, lambda args: None, size=1)
    with pool.lease(None, 1, "b") as lease:
        assert lease.connection == (1, "b")


def test_the_connection_released_last_is_used_first() -> None:
    pool, _ = make()
    with pool.lease() as first, pool.lease() as second:
        first.complete()
        second.complete()
    assert use(pool) == 0
    assert pool.statistics().idle == 2


def test_a_new_connection_on_demand() -> None:
    pool, lines = make(size=1)
    assert use(pool) == 0
    with pool.lease(fresh=True) as lease:
        assert not lease.reused
        assert lease.connection.number == 1
        lease.complete()
    assert lines.made[0].closed
    assert numbers(pool.statistics()) == (1, 1, 0)


def test_a_dead_connection_is_replaced() -> None:
    pool, lines = make(usable=lambda line: not line.dead)
    use(pool)
    lines.made[0].dead = True
    assert use(pool) == 1
    assert lines.made[0].closed
    assert pool.statistics() == Statistics(2, 1, 1, 0, 2, 1, 0)


def test_idle_connections_age(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pool_module, "monotonic", lambda: now)
    pool, lines = make(size=3, idle_for=60)
    with pool.lease() as first, pool.lease() as second:
        first.complete()
        second.complete()
    now = 50.0
    assert use(pool) == 0  # which is young again; the other one is still of time 0
    now = 61.0
    assert use(pool) == 0
    assert [line.closed for line in lines.made] == [False, True]
    now = 200.0
    assert use(pool) == 2
    assert pool.statistics() == Statistics(3, 1, 1, 0, 3, 2, 0)


def test_some_stay_open_however_long_they_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pool_module, "monotonic", lambda: now)
    pool, lines = make(size=3, idle_for=10.0, keep=1)
    with pool.lease() as first, pool.lease() as second, pool.lease() as third:
        for lease in (first, second, third):
            lease.complete()
    now = 11.0
    with pool.lease() as lease:
        assert lease.reused
        assert lease.idled == 11.0
        lease.complete()
    # The one that was used is young now, and one more would be kept. The others are too many, and too old.
    assert numbers(pool.statistics()) == (1, 1, 0)
    assert lines.unclosed == 1


class SlowEnd:
    """The end of a connection in another thread, which a test completes."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], object]] = []

    def when_done(self, callback: Callable[[], object]) -> None:
        self.callbacks.append(callback)

    def complete(self) -> None:
        for callback in self.callbacks:
            callback()


def test_a_connection_counts_until_its_end_is_complete() -> None:
    lines, ends = Lines(), []

    def close(line: Line) -> SlowEnd:
        line.close()
        ends.append(SlowEnd())
        return ends[-1]

    pool: Pool[Line] = Pool("test lines", lines.open, close, size=1)
    with pool.lease():
        pass
    assert numbers(pool.statistics()) == (1, 0, 0)
    with pytest.raises(DeadlineExceeded, match="none of 1"), pool.lease(monotonic()):
        pass
    ends[0].complete()
    assert numbers(pool.statistics()) == (0, 0, 0)
    assert use(pool) == 1


def test_closing() -> None:
    pool, lines = make()
    use(pool)
    with pool.lease() as lease:
        other = pool.lease()
        with other:
            other.complete()
        pool.close()
        lease.complete()
    assert [line.closed for line in lines.made] == [True, True]
    assert numbers(pool.statistics()) == (0, 0, 0)
    assert use(pool) == 2
    assert numbers(pool.statistics()) == (1, 1, 0)


def spawn_waiter(pool: Pool[Line], work: Callable[[Lease[Line]], None]) -> Any:
    """A green or OS thread that leases and works; returns once it waits."""
    library = backend.detect()

    def run() -> None:
        with pool.lease(monotonic() + 20) as lease:
            work(lease)
            lease.complete()

    before = pool.statistics().waiting
    thread = library.spawn(run)
    while pool.statistics().waiting == before:
        library.sleep(0.001)
    return thread


def test_waiting_is_fair() -> None:
    pool, lines = make(size=1)
    served: list[int] = []
    library = backend.detect()
    with pool.lease() as lease:
        threads = [spawn_waiter(pool, lambda _, n=n: served.append(n)) for n in range(8)]  # type: ignore[misc]
        assert pool.statistics().waiting == 8
        lease.complete()
    # Whoever comes now does not overtake.
    with pool.lease(monotonic() + 20) as late:
        served.append(99)
        late.complete()
    for thread in threads:
        library.get(thread, 20)
    assert served == [*range(8), 99]
    assert len(lines.made) == 1
    assert numbers(pool.statistics()) == (1, 1, 0)


def test_waiting_callers_get_the_slot_of_a_discarded_connection() -> None:
    pool, lines = make(size=1)
    with pool.lease():
        thread = spawn_waiter(pool, lambda lease: None)
    backend.detect().get(thread, 20)
    assert [line.closed for line in lines.made] == [True, False]
    assert numbers(pool.statistics()) == (1, 1, 0)


def test_a_deadline_names_the_pool() -> None:
    pool, _ = make(size=1)
    with pool.lease() as lease:
        with pytest.raises(DeadlineExceeded, match="test lines: none of 1 was free in time") as caught:
            pool.lease(monotonic() + 0.01).__enter__()
        assert not caught.value.sent
        assert pool.statistics().waiting == 0
        lease.complete()
    assert numbers(pool.statistics()) == (1, 1, 0)


@pytest.mark.needs("green", "an OS thread cannot be interrupted from outside")
def test_a_slot_handed_to_a_killed_waiter_goes_to_the_next() -> None:
    """The first waiter is killed, and is handed the slot before the kill reaches it (on gevent)."""
    library = backend.detect()
    pool, lines = make(size=1)
    served: list[str] = []
    with pool.lease() as lease:
        first = spawn_waiter(pool, lambda _: served.append("first"))
        second = spawn_waiter(pool, lambda _: served.append("second"))
        lease.complete()
        library.kill(first)
    library.get(second, 20)
    assert served == ["second"]
    assert len(lines.made) == 1
    assert numbers(pool.statistics()) == (1, 1, 0)


def test_many_at_once_stay_within_bounds() -> None:
    pool, lines = make(size=3)
    library = backend.detect()
    busy: set[int] = set()
    most, started = 0, monotonic()

    def work(turns: int) -> None:
        nonlocal most
        for turn in range(turns):
            try:
                with pool.lease(monotonic() + 30) as lease:
                    assert lease.connection.number not in busy
                    busy.add(lease.connection.number)
                    most = max(most, len(busy))
                    library.sleep(0)
                    while most < 3 and monotonic() < started + 30:  # the first three meet
                        library.sleep(0.001)
                    busy.discard(lease.connection.number)
                    if turn % 7 == 3:
                        raise KeyError
                    lease.complete()
            except KeyError:
                pass

    for thread in [library.spawn(work, 60) for _ in range(12)]:
        library.get(thread, 60)
    assert most == 3
    assert lines.unclosed <= 3
    found = pool.statistics()
    assert found.open == found.idle == lines.unclosed
    assert (found.opened, found.waiting) == (len(lines.made), 0)
    assert found.discarded == len(lines.made) - lines.unclosed


def check(pool: Pool[Line], lines: Lines) -> None:
    """Everything adds up, and the pool works."""
    found = pool.statistics()
    over = monotonic() + 20
    while backend.detect().name != "threads" and found.open != found.idle and monotonic() < over:
        # Until it is due, a timer of the green library may keep the frames of a caller that waited.
        backend.detect().sleep(0.002)
        gc.collect()
        found = pool.statistics()
    assert found.waiting == 0
    assert found.open == found.idle <= pool.size
    assert found.opened - found.expired - found.discarded == found.open
    held = [pool.lease(monotonic() + 30) for _ in range(pool.size)]
    connections = {lease.__enter__().connection.number for lease in held}
    assert len(connections) == pool.size
    for lease in held:
        assert not lease.connection.closed
        lease.complete()
        lease.__exit__(None, None, None)
    assert numbers(pool.statistics()) == (pool.size, pool.size, 0)


def exchange(pool: Pool[Line]) -> None:
    use(pool)


def failure(pool: Pool[Line]) -> None:
    with pool.lease():
        pass


def crowd(pool: Pool[Line]) -> None:
    """One gets what another gives back."""
    with pool.lease(monotonic() + 30) as first, pool.lease(monotonic() + 30) as second:
        first.complete()
        second.complete()


def in_vain(pool: Pool[Line]) -> None:
    with pool.lease() as first, pool.lease() as second:
        try:
            with pool.lease(monotonic() + 0.0005):
                pass
        except DeadlineExceeded:
            pass
        first.complete()
        second.complete()


def aged(pool: Pool[Line]) -> None:
    use(pool)
    pool.idle_for = -1.0
    try:
        use(pool)
    finally:
        pool.idle_for = 60.0


@pytest.mark.parametrize("work", [exchange, failure, crowd, in_vain, aged, Pool.close])
@pytest.mark.parametrize("used_before", [False, True])
def test_an_interrupt_at_every_place(work: Callable[[Pool[Line]], None], used_before: bool) -> None:
    """Wherever a signal handler raises, no slot is lost or doubled, and all numbers are right."""
    for at in itertools.count(1):
        pool, lines = make(size=2)
        if used_before:
            crowd(pool)
        if not interrupted_at(at, MODULES, work, pool):
            break
        check(pool, lines)
    assert at > 20 or work is Pool.close


@pytest.mark.parametrize("complete", [False, True])
def test_an_interrupted_release_still_wakes_the_waiters(
    complete: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two wait while the interrupted one gives its connection back, or drops it."""
    monkeypatch.setattr(waiters, "RECHECK", 0.01)
    for at in itertools.count(1):
        pool, lines = make(size=1)
        library = backend.detect()
        lease = pool.lease()
        lease.__enter__()
        threads = [spawn_waiter(pool, lambda lease: None) for _ in range(2)]
        if complete:
            lease.complete()
        reached = interrupted_at(at, MODULES, lease.__exit__, None, None, None)
        del lease
        for thread in threads:
            library.get(thread, 20)
        check(pool, lines)
        if not reached:
            break
    assert at > 5


def test_a_waiter_interrupted_at_every_place_passes_on_what_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "RECHECK", 0.01)
    for at in itertools.count(1):
        pool, lines = make(size=1)
        state = pool._state()
        holder = pool.lease()
        holder.__enter__()

        def sleep(waiter: Any, deadline: Any, holder: Lease[Line] = holder) -> bool:
            """Be handed the slot at the beginning of the sleep, by a caller that is not interrupted."""
            tracing = sys.gettrace()
            sys.settrace(None)
            if not holder._complete:
                holder.complete()
                holder.__exit__(None, None, None)
            sys.settrace(tracing)
            return True

        with monkeypatch.context() as patch:
            patch.setattr(waiters.Waiter, "sleep", sleep)
            reached = interrupted_at(at, MODULES, use, pool)
        if not holder._complete:
            holder.__exit__(None, None, None)
        assert not [waiter for waiter in state.waiting if waiter.slot is None]
        check(pool, lines)
        if not reached:
            break
    assert at > 20


FORKING = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from tests.transport.test_connection_pool import make, use
pool, lines = make()
use(pool)
held = pool.lease()
held.__enter__()
held.complete()
child = os.fork()
if child == 0:
    assert pool.statistics().open == 0
    assert use(pool) == 1 and pool.statistics().opened == 1
    held.__exit__(None, None, None)
    assert pool.statistics().open == 1
    pool.close()
    with_error = pool.lease()
    assert [line.closed for line in lines.made] == [False, True], lines.made
    os._exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
held.__exit__(None, None, None)
assert use(pool) == 0
print(status, pool.statistics().opened)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_leaves_its_parents_connections_alone() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FORKING], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr, done.stdout) == ("", "0 1\n")


def test_the_interrupts_of_these_tests_are_real() -> None:
    pool, lines = make()
    assert interrupted_at(1, MODULES, use, pool)
    assert lines.made == []
    with pytest.raises(ZeroDivisionError):
        interrupted_at(10_000, MODULES, lambda: 1 // 0)
    assert issubclass(Interrupted, BaseException)
    assert not issubclass(Interrupted, Exception)
