"""Commits that are interrupted while they are submitted, and later commits."""

from __future__ import annotations

import itertools
import threading
import time
from types import ModuleType
from typing import Any

import pytest

from flowthings_like.green.backends import _primitives, _threads
from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.things.database import commits
from flowthings_like.platform.things.database.commits import Commit, CommitQueue
from flowthings_like.platform.things.interfaces import Delivery
from tests.transport.opcodes import interrupted_at

BACKEND = backend.detect()
pytestmark = pytest.mark.needs("threads", "a signal handler raises between two steps of one thread")


class Disk:
    """A store, and a recipient that gets the packages after it has written."""

    def __init__(self) -> None:
        self.busy = self.most = 0
        self.sent: list[bytes] = []
        self.all_sent = threading.Event()

    def write(self, work: Any) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        time.sleep(0.005)  # long enough for a second thread to get in between
        self.busy -= 1

    def send(self, package: bytes) -> None:
        self.sent.append(package)
        if package == b"last":
            self.all_sent.set()

    def entry(self, package: bytes) -> Commit:
        return Commit([Any], [Delivery(self, package)], None)  # type: ignore[arg-type, list-item]


@pytest.mark.parametrize("module", [commits, _threads, _primitives], ids=lambda each: each.__name__)
def test_after_an_interrupt_one_thread_writes_and_answers_stay_in_order(module: ModuleType) -> None:
    for at in itertools.count(1):
        disk, lock = Disk(), BACKEND.lock()
        told = CommitQueue(disk, lock, lambda: None)  # type: ignore[arg-type]

        def submit(package: bytes, told: CommitQueue = told, disk: Disk = disk, lock: Any = lock) -> None:
            with lock:
                told.submit(disk.entry(package))

        reached = interrupted_at(at, module, submit, b"first")
        for package in (b"second", b"third"):
            submit(package)
            time.sleep(0)
        submit(b"last")
        assert disk.all_sent.wait(20), f"not all is answered after an interrupt at place {at}"
        assert disk.sent[-3:] == [b"second", b"third", b"last"]
        assert disk.sent[:-3] in ([], [b"first"])
        assert disk.most == 1
        if not reached:
            break
