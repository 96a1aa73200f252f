"""The garbage collector is paused during bulk work, and runs afterwards, also after an exception."""

from __future__ import annotations

import gc
import random
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from flowthings_like.wire.gc_paused import with_gc_paused


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


def test_it_does_not_collect_before_the_function_has_returned() -> None:
    phases: list[str] = []

    def note(phase: str, _info: Any) -> None:
        phases.append(phase)

    def work(count: int) -> tuple[int, int]:
        kept = [{"number": [number]} for number in range(count)]
        return len(kept), len(phases)

    gc.callbacks.append(note)
    try:
        assert with_gc_paused(work, 10_000) == (10_000, 0)
    finally:
        gc.callbacks.remove(note)
    assert gc.isenabled()


def test_it_collects_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        with_gc_paused(divmod, 1, 0)
    assert gc.isenabled()


def test_a_program_that_has_switched_the_collector_off_keeps_it_off() -> None:
    gc.disable()
    assert with_gc_paused(divmod, 7, 2) == (3, 1)
    assert not gc.isenabled()


class Interrupt(BaseException):
    pass


def pause_often() -> None:
    """A function of its own: since CPython 3.12 what is raised at the end of a loop passes by the handlers
    around it."""
    for _ in range(200):
        with_gc_paused(len, ())


@pytest.mark.once
def test_a_signal_at_any_moment_leaves_the_collector_on() -> None:
    def interrupt(*_: Any) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    chance, interrupted = random.Random(7), 0
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()  # what is raised while one of them runs is printed and lost
    try:
        for _ in range(2_000):
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 3e-5))
                pause_often()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt:
                interrupted += 1
                assert gc.isenabled()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.callbacks[:] = callbacks
    assert interrupted > 100
