"""Runs scripts for many accounts, so that a script which takes long costs its own account and no other.

Scripts run in a few processes. A script that was quick the last time runs in those that are for quick ones.
All others share the rest. An account has one script running in each of the two, and accounts take turns.
Whoever has many inputs gets a slice of time for them, and then waits for its turn again.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...green.backends import choice as backend
from ..leader.after_fork import abandon_in_children
from ..permits import PermitLimits, Permits
from ..problems import BadRequest, Unavailable
from .batch import Batch, encoded
from .process import ScriptProcess

if TYPE_CHECKING:
    from typing import Any

    from .script import Answer, Run, Script

__all__ = ["ScriptLimits", "ScriptRunner", "ScriptsTooLong"]

LARGEST_RESULTS = 64 << 20
"""Bytes of JSON that a script may return for all its inputs together."""
_QUICK = 0.02  # seconds of processor time for an input, up to which a script counts as quick
_QUICK_ANSWERS = 0.1  # seconds that all answers of a quick script may take at a time
_REMEMBERED = 10_000  # quick scripts


@dataclass(frozen=True)
class ScriptLimits:
    """Limits on scripts, in each process of the platform.

    Attributes:
        quick: how many scripts run at once that were quick the last time.
        others: how many others.
        slice: seconds after which a script with more inputs lets others go first.
        total: seconds that a script may run for all the inputs of one request.
    """

    quick: PermitLimits = field(default_factory=lambda: PermitLimits(per_caller=1, total=2, waiting=1000))
    others: PermitLimits = field(default_factory=lambda: PermitLimits(per_caller=1, total=1, waiting=1000))
    slice: float = 0.1
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
        used = 0.0
        while batch.waiting:
            if used > self._limits.total or batch.size > LARGEST_RESULTS:
                raise ScriptsTooLong(
                    f"js takes more than {self._limits.total:g} s for these drops, or returns more than "
                    f"{LARGEST_RESULTS >> 20} MB for them: write fewer at a time"
                )
            request = batch.request(self._limits.slice)
            lane = processes.lane(script)
            with lane.permits.hold(script.owner):
                started = time.monotonic()
                replies = processes.exchange(lane, request)
                answered = time.monotonic()
                seconds = batch.take(replies)
                batch.answer(answer)
            ended = time.monotonic()
            used += ended - started
            processes.remember(script, None if ended - answered > _QUICK_ANSWERS else seconds)
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
    """Processes for one half of the scripts, and the permits to use them."""

    __slots__ = ("idle", "nice", "permits")

    def __init__(self, limits: PermitLimits, nice: int) -> None:
        self.permits = Permits("scripts", limits)
        self.nice = nice
        self.idle: deque[ScriptProcess] = deque()


class _Processes:
    """The processes for scripts that one process of the platform has, and whose turn it is."""

    def __init__(self, limits: ScriptLimits) -> None:
        size = limits.quick.total + limits.others.total
        self._native = backend.detect().native_pool(size, "scripts")
        self._quick = _Lane(limits.quick, nice=0)
        self._others = _Lane(limits.others, nice=10)
        self._proven: OrderedDict[Script, None] = OrderedDict()  # scripts that were quick the last time
        self._all: set[ScriptProcess] = set()
        self._is_closed = False
        abandon_in_children(self)

    def lane(self, script: Script) -> _Lane:
        """Where a script runs."""
        return self._quick if script in self._proven else self._others

    def remember(self, script: Script, seconds: float | None) -> None:
        """Note the processor time that a script took for an input; None if it was stopped."""
        if seconds is None or seconds > _QUICK:
            self._proven.pop(script, None)
            return
        self._proven[script] = None
        while len(self._proven) > _REMEMBERED:
            self._proven.popitem(last=False)

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
            if process.is_alive and not self._is_closed:
                lane.idle.append(process)
            else:
                self._all.discard(process)
                process.kill()

    def close(self) -> None:
        """End the processes, after what runs in them."""
        self._is_closed = True
        self._native.close()
        for lane in (self._quick, self._others):
            while lane.idle:
                lane.idle.pop().kill()
        self._all.clear()

    def abandon(self) -> None:
        """In a forked child: close the inherited pipes."""
        for process in self._all:
            process.kill()
