"""The turns of reads: short ones follow each other, and a long or lost one holds nobody up."""

from __future__ import annotations

import _queue
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.green.backend import detect, native
from flowthings_like.platform.store import turns
from flowthings_like.platform.store.store import Store
from flowthings_like.platform.store.turns import Turns

FOREVER = 3600.0


def next_one(turns_: Turns, begun: list[object]) -> None:
    begun.append(native(turns_.begin))


def test_the_next_turn_begins_when_the_one_before_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", FOREVER)
    turns_, begun = Turns(), []  # type: ignore[var-annotated]
    first = turns_.begin()
    waiting = detect().spawn(next_one, turns_, begun)
    detect().sleep(0.02)
    assert not begun
    turns_.end(first)
    waiting.get()
    turns_.end(begun[0])
    turns_.end(turns_.begin())


def test_the_end_of_a_long_turn_does_not_let_another_one_in(monkeypatch: pytest.MonkeyPatch) -> None:
    turns_ = Turns()
    long, second = turns_.begin(), turns_.begin()
    monkeypatch.setattr(turns, "PATIENCE", FOREVER)
    turns_.end(long)
    begun: list[object] = []
    waiting = detect().spawn(next_one, turns_, begun)
    detect().sleep(0.02)
    assert not begun
    turns_.end(second)
    waiting.get()
    turns_.end(begun[0])


def test_an_end_that_comes_after_the_next_turn_has_begun_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    turns_ = Turns()
    long, second = turns_.begin(), turns_.begin()
    monkeypatch.setattr(turns, "PATIENCE", FOREVER)
    turns_.end(second)
    turns_.end(long)
    third = turns_.begin()
    begun: list[object] = []
    waiting = detect().spawn(next_one, turns_, begun)
    detect().sleep(0.02)
    assert not begun
    turns_.end(third)
    waiting.get()
    turns_.end(begun[0])


def test_a_turn_that_never_ends_costs_the_next_one_its_patience_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns_ = Turns()
    turns_.begin()
    second = turns_.begin()
    monkeypatch.setattr(turns, "PATIENCE", FOREVER)
    turns_.end(second)
    turns_.end(turns_.begin())
    turns_._ended.get()  # as a signal's exception does, right after it
    monkeypatch.undo()
    turns_.end(turns_.begin())


def test_reads_go_on_beside_long_ones(tmp_path: Path) -> None:
    backend = detect()
    with Store(tmp_path) as store:
        stop: _queue.SimpleQueue[str] = _queue.SimpleQueue()  # in C: no library makes it a green one

        def long(_connection: Any) -> str:
            return stop.get()

        def short(connection: Any) -> int:
            found: int = connection.exec_driver_sql("SELECT 1").scalar_one()
            return found

        slow = [backend.spawn(store.read, long) for _ in range(3)]
        quick = [backend.spawn(store.read, short) for _ in range(50)]
        assert [thread.get() for thread in quick] == [1] * 50
        for _ in slow:
            stop.put("long")
        assert [thread.get() for thread in slow] == ["long"] * 3


@pytest.mark.once
def test_many_threads_at_any_switch_interval() -> None:
    turns_, took = Turns(), []  # type: ignore[var-annotated]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work() -> None:
        for _ in range(200):
            turn = turns_.begin()
            turns_.end(turn)
        took.append(200)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(before)
    assert took == [200] * 8


@pytest.mark.once
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_was_forked_during_a_read() -> None:
    turns_ = Turns()
    turns_.begin()
    child = os.fork()
    if not child:
        turns_.end(turns_.begin())
        os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
