"""The queue of urllib3's idle connections on plain threads, also after interrupts."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from functools import partial
from types import ModuleType

import pytest

from flowthings_like.green.backends import _primitives
from flowthings_like.transport.http import hub_sockets

from ..opcodes import interrupted_at

pytestmark = pytest.mark.needs("threads", "about what OS threads share: a hub has a queue of its own")


def in_another_thread(items: object) -> list[object]:
    """All that is to be had from a queue, taken by a thread that first puts something in."""
    taken: list[object] = []

    def work() -> None:
        items.put("last", block=False)  # type: ignore[attr-defined]
        while items.qsize():  # type: ignore[attr-defined]
            taken.append(items.get(timeout=20))  # type: ignore[attr-defined]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "the other thread waits for ever"
    return taken


@pytest.mark.parametrize(
    "module", [threading, queue, hub_sockets, _primitives], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("what", ["get", "put"])
def test_an_interrupt_at_every_step_leaves_the_queue_usable(module: ModuleType, what: str) -> None:
    for at in itertools.count(1):
        items = hub_sockets.idle_queue(9)
        items.put("first")
        step = items.get if what == "get" else partial(items.put, "second")
        reached = interrupted_at(at, module, step)
        taken = in_another_thread(items)
        assert taken[0] == "last"
        assert len(taken) == len(set(taken))
        if not reached:
            break


def test_put_wakes_a_waiting_caller() -> None:
    items = hub_sockets.idle_queue(1)
    taken: list[object] = []
    threads = [threading.Thread(target=lambda: taken.append(items.get()), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(items._waiting) < 2:
        time.sleep(0.0005)
    for item in "ab":
        items.put(item)
        while item not in taken:
            time.sleep(0.0005)
    for thread in threads:
        thread.join(20)
    assert taken == ["a", "b"]
    assert not items._waiting


def test_bounds() -> None:
    items = hub_sockets.idle_queue(2)
    for item in "ab":
        items.put(item)
    with pytest.raises(queue.Full):
        items.put("c", block=False)
    assert [items.get(block=False), items.get(timeout=0)] == ["b", "a"]
    with pytest.raises(queue.Empty):
        items.get(block=False)
    with pytest.raises(queue.Empty):
        items.get(timeout=0.001)
