"""Runs scripts for many accounts, so that a script which takes long costs its own account and no other.

Scripts run in a few processes, which are kept apart by what is known of the scripts: those that were quick
the last time, new ones, and those that were slow or stopped. In each of these lanes an account has one script
running, and accounts take turns. A script with many inputs gets a slice of time, and then waits for its turn
again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...green.backends import choice as backend
from ...green.backends.fairness import fair_yield
from ..leader.after_fork import abandon_in_children
from ..permits import PermitLimits, Permits
from ..problems import BadRequest, TooManyRequests, Unavailable
from .batch import Batch, encoded
from .process import ScriptProcess
from .standings import Standing, Standings

if TYPE_CHECKING:
    from typing import Any

    from .script import Answer, Run, Script

__all__ = ["ScriptLimits", "ScriptRunner", "ScriptsTooLong"]

LARGEST_RESULTS = 64 << 20
"""Bytes of JSON that a script may return for all its inputs together."""

QUICK_PERMITS = PermitLimits(per_caller=1, total=2, waiting=5000, timeout=10.0)
NEW_PERMITS = PermitLimits(per_caller=1, total=2, waiting=5000, timeout=10.0)
SLOW_PERMITS = PermitLimits(per_caller=1, total=1, waiting=1000, timeout=10.0)
LARGE_PERMITS = PermitLimits(per_caller=1, total=2, waiting=1000, timeout=10.0)

LARGE = 16 * 1024
"""Bytes of results from which a script's results are large."""


@dataclass(frozen=True)
class ScriptLimits:
    """Limits on scripts, in each process of the platform.

    Attributes:
        quick: how many scripts run at once that were quick the last time.
        new: how many that were never run before.
        slow: how many others.
        large: how many writes of large results are made at once.
        slice: seconds after which a script with more inputs lets others go first.
        patience: seconds after which a script with more inputs, or more questions, waits no more for turns.
        total: seconds that a script may run for all the inputs of one request.
    """

    quick: PermitLimits = QUICK_PERMITS
    new: PermitLimits = NEW_PERMITS
    slow: PermitLimits = SLOW_PERMITS
    large: PermitLimits = LARGE_PERMITS
    slice: float = 0.1
    patience: float = 15.0
    total: float = 10.0


class ScriptsTooLong(BadRequest):
    """The scripts took longer for one request than they may."""


class ScriptRunner:
    """Runs scripts, in processes that it starts when they are first needed. Usable across a fork.

    Args:
        limits: how much they may do.
    """

    def __init__(self, limits: ScriptLimits | None = None) -> None:
        self._limits = limits or ScriptLimits()
        self._by_process: dict[int, _Processes] = {}
        self._is_closed = False

    def run(self, script: Script, inputs: Sequence[Any], answer: Answer) -> list[Run]:
        """Run a script on each of some inputs, in order. It may be run on one of them several times.

        Args:
            script: what to run.
            inputs: JSON values.
            answer: looks up what the script asks for. It is called in this thread.

        Returns:
            a Run for each input. A script that fails or is stopped is no exception here.

        Raises:
            ScriptsTooLong: it took too long, or returned too much, for all inputs together.
            TooManyRequests: the account has too many scripts that wait.
            Unavailable: no process is free, or none can be started; or the engine is not installed.
            Whatever `answer` raises beside Problems.
        """
        processes = self._here()
        batch = Batch(script, inputs)
        used, began = 0.0, time.monotonic()
        while batch.waiting:
            if time.monotonic() - began > self._limits.patience:
                raise TooManyRequests("the scripts of this account wait for each other: write less at a time")
            if used > self._limits.total or batch.size > LARGEST_RESULTS:
                raise ScriptsTooLong(
                    f"js takes more than {self._limits.total:g} s for these drops, or returns more than "
                    f"{LARGEST_RESULTS >> 20} MB for them: write fewer at a time"
                )
            request = batch.request(self._limits.slice)
            lane = processes.lane(script)
            with lane.permits.hold(script.owner):
                started = time.monotonic()
                try:
                    replies = processes.exchange(lane, request)
                except BaseException:  # nobody will learn how it ran
                    processes.standings.note(script, self._limits.slice)
                    raise
                answered = time.monotonic()
                if sum(map(len, replies)) >= LARGE:
                    fair_yield()  # reading them takes milliseconds
                seconds = batch.take(replies)
                batch.answer(answer, self._limits.slice)
            ended = time.monotonic()
            used += ended - started
            if seconds is not None:
                seconds += (ended - answered) / max(len(replies), 1)
            processes.standings.note(script, seconds)
        return batch.runs

    def check(self, script: Script) -> None:
        """Raise BadRequest if a script does not compile. Raises besides what `run` does."""
        processes = self._here()
        lane = processes.lane(script)
        with lane.permits.hold(script.owner):
            replies = processes.exchange(lane, encoded(script, self._limits.slice, []))
        if not replies or replies[0].startswith(b"!"):
            reason = replies[0][1:].decode() if replies else "it takes too long to compile"
            raise BadRequest(f"js: {reason}")

    def large_results(self, owner: str) -> AbstractContextManager[None]:
        """A block in which large results of an account's scripts are written, in its turn.

        Raises:
            TooManyRequests, Unavailable: as Permits.hold.
        """
        return self._here().large.hold(owner)

    def close(self) -> None:
        """End the processes, after what runs in them."""
        self._is_closed = True
        found = self._by_process.get(os.getpid())
        if found is not None:
            found.close()

    def _here(self) -> _Processes:
        if self._is_closed:
            raise Unavailable("the store is closed")
        pid = os.getpid()
        found = self._by_process.get(pid)
        if found is None:  # setdefault is atomic: two threads get the same one
            found = self._by_process.setdefault(pid, _Processes(self._limits))
        return found


class _Lane:
    """Processes for the scripts of one standing, and the permits to use them."""

    __slots__ = ("idle", "most", "nice", "permits")

    def __init__(self, limits: PermitLimits, nice: int) -> None:
        self.permits = Permits("scripts", limits)
        self.most = limits.total
        self.nice = nice
        self.idle: deque[ScriptProcess] = deque()


class _Processes:
    """The processes for scripts that one process of the platform has, and whose turn it is."""

    def __init__(self, limits: ScriptLimits) -> None:
        self.standings = Standings()
        self.large = Permits("writes of scripts", limits.large)
        self._lanes = {
            Standing.QUICK: _Lane(limits.quick, nice=0),
            Standing.NEW: _Lane(limits.new, nice=2),
            Standing.SLOW: _Lane(limits.slow, nice=5),
        }
        size = sum(each.total for each in (limits.quick, limits.new, limits.slow))
        self._native = backend.detect().native_pool(size, "scripts")
        self._all: set[ScriptProcess] = set()
        self._is_closed = False
        abandon_in_children(self)

    def lane(self, script: Script) -> _Lane:
        """Where a script runs."""
        return self._lanes[self.standings.of(script)]

    def exchange(self, lane: _Lane, request: bytes) -> list[bytes]:
        """Send a request to a process and return its replies. If the caller is interrupted, it goes on."""
        replies: list[bytes] = self._native.run(self._exchange, lane, request)
        return replies

    def _exchange(self, lane: _Lane, request: bytes) -> list[bytes]:
        try:
            process = lane.idle.popleft()
        except IndexError:
            process = ScriptProcess(lane.nice)
            self._all.add(process)
        try:
            return process.exchange(request)
        finally:
            # There are too many if callers were interrupted: their exchanges went on beside others.
            if process.is_alive and not self._is_closed and len(lane.idle) < lane.most:
                lane.idle.append(process)
            else:
                self._all.discard(process)
                process.kill()

    def close(self) -> None:
        """End the processes, after what runs in them."""
        self._is_closed = True
        self._native.close()
        for lane in self._lanes.values():
            while lane.idle:
                lane.idle.pop().kill()
        self._all.clear()

    def abandon(self) -> None:
        """In a forked child: close the inherited pipes."""
        for process in self._all:
            process.kill()
