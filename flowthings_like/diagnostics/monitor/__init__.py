"""block_monitor(): reports green threads that block a hub: which one, for how long, and where."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from flowthings_like.errors import ConfigurationError, InvalidInput

from ...green.backends.choice import detect
from ...green.findings import Finding, GreenWarning, note, warn_once
from .blocking_site import blocked_on
from .findings import blocking_call, hub_held

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Block", "BlockMonitor", "Watch", "block_monitor"]

SHORTEST = 0.01  # seconds; below that it would report the interpreter's own pauses
CHECKS = 4  # how often the hub is checked in the time allowed: times are precise to a quarter of it
PRINT_AFTER = 10  # times the time allowed, after which a block is printed while it lasts

_MACHINERY = ("flowthings_like", "gevent", "eventlet")


@dataclass(frozen=True)
class Block:
    """One block: a green thread ran for too long without yielding to the hub.

    Attributes:
        thread: the green thread's name and the function it runs.
        seconds: how long it lasted, precise to a quarter of the monitor's `longest`.
        where: the innermost line, as "file:line in function".
        stack: the whole stack, outermost first, when the time allowed had passed.
        finding: G08 if the line waits for a database or a file, else G12.
    """

    thread: str
    seconds: float
    where: str
    stack: traceback.StackSummary
    finding: Finding

    @property
    def code(self) -> str:
        """The finding's code."""
        return self.finding.code

    def __str__(self) -> str:
        return f"{self.finding}\n{''.join(self.stack.format())}"


class _Sample:
    """What a hub's OS thread was doing when the time allowed had passed.

    Attributes:
        thread: the green thread's name and the function it runs.
        stack: its stack, outermost first.
        waits_for: "SQLite", "DuckDB" or "a file"; None if the line waits for none of them.
    """

    __slots__ = ("stack", "thread", "waits_for")

    def __init__(self, thread: str, stack: traceback.StackSummary, waits_for: str | None) -> None:
        self.thread = thread
        self.stack = stack
        self.waits_for = waits_for


class Watch:
    """Recognises blocks of one hub, from checks that are made several times in the time allowed.

    Args:
        longest: the time allowed, in seconds.
        hub: the hub's own greenlet.
        hub_modules: a prefix of the modules of its code. A hub that runs these is idle.
        thread: the ident of the hub's OS thread.
        deliver: called with each Block when it is over, in the OS thread that checks, or that stops this.
        lock: an unpatched lock, for these two threads.
    """

    def __init__(
        self,
        longest: float,
        hub: Any,
        hub_modules: str,
        thread: int,
        deliver: Callable[[Block], object],
        lock: AbstractContextManager[object],
    ) -> None:
        self.period = longest / CHECKS
        self._longest = longest
        self._hub = hub
        self._hub_modules = hub_modules
        self._thread = thread
        self._deliver = deliver
        self._lock = lock
        self._stopped = False
        self._switches = -1
        self._since = time.perf_counter()
        self._blocked: _Sample | None = None
        self._printed = False

    def check(self, switches: int, active: Any) -> None:
        """Check the hub: `switches` so far, and the green thread that runs now."""
        with self._lock:
            if not self._stopped:
                self._check(switches, active)

    def stop(self) -> None:
        """Stop. A block that lasts, or has just ended, has been delivered when this returns."""
        with self._lock:
            self._stopped = True
            self._end(time.perf_counter())

    def _check(self, switches: int, active: Any) -> None:
        now = time.perf_counter()
        if switches != self._switches:
            self._end(now)
            self._switches, self._since = switches, now
        elif now - self._since >= self._longest:
            if self._blocked is None:
                self._blocked = self._sample(active)
            prints = not self._printed and now - self._since > PRINT_AFTER * self._longest
            if self._blocked is not None and prints:
                self._printed = True
                print(f"{self._block(self._blocked, now)}(it goes on)", file=sys.stderr, flush=True)

    def _end(self, now: float) -> None:
        """Deliver the block that is over, if there was one."""
        if self._blocked is not None:
            block = self._block(self._blocked, now)
            self._blocked, self._printed = None, False
            self._deliver(block)

    def _block(self, sample: _Sample, now: float) -> Block:
        thread, seconds, last = sample.thread, now - self._since, sample.stack[-1]
        where = f"{last.filename}:{last.lineno} in {last.name}"
        if sample.waits_for is not None:
            finding = blocking_call(thread, seconds, sample.waits_for, where)
        else:
            finding = hub_held(thread, seconds, where)
        return Block(thread, seconds, where, sample.stack, finding)

    def _sample(self, active: Any) -> _Sample | None:
        frame = sys._current_frames().get(self._thread)
        if frame is None or (active is self._hub and self._is_idle(frame)):
            return None
        frames = list(traceback.walk_stack(frame))[::-1]
        stack = traceback.StackSummary.extract(iter(frames), lookup_lines=False)
        runs = next((f.f_code.co_name for f, _ in frames if not _is_machinery(f)), stack[0].name)
        return _Sample(f"{self._name(active)}, running {runs},", stack, blocked_on(frame))

    def _is_idle(self, frame: FrameType) -> bool:
        return str(frame.f_globals.get("__name__", "")).startswith(self._hub_modules)

    def _name(self, active: Any) -> str:
        # Not its repr: gevent's shows the arguments, which may include a token.
        if active is self._hub:
            return "a callback of the hub"
        if active is None or active.parent is None:
            return "the main green thread"
        return str(getattr(active, "name", None) or f"{type(active).__name__} at {id(active):#x}")


def _is_machinery(frame: FrameType) -> bool:
    """Whether this is code of a green library or of this one, which runs the caller's function."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _MACHINERY


class HubWatcher(Protocol):
    """Watches one hub. It is made and stopped in the hub's OS thread."""

    def stop(self) -> None:
        """Stop watching."""


class BlockMonitor:
    """Watches the hub of the OS thread that starts it. A context manager, or `start()` and `stop()`.

    Under gevent, gevent's monitor thread watches it; under eventlet, a thread of this module. Both count
    switches of green threads. That makes each switch a little slower, and costs nothing else. On threads
    there is no hub, so nothing is watched.

    Attributes:
        watching: whether a hub is being watched.
    """

    def __init__(self, longest: float, report: Callable[[Block], object]) -> None:
        self._longest = longest
        self._report = report
        self._watcher: HubWatcher | None = None

    @property
    def watching(self) -> bool:
        """Whether a hub is being watched."""
        return self._watcher is not None

    def start(self) -> BlockMonitor:
        """Start watching.

        Raises:
            ConfigurationError: it has been started already.
        """
        if self._watcher is not None:
            raise ConfigurationError(
                "this block monitor has been started already; stop it first, or make another"
            )
        backend = detect().name
        if backend != "threads":
            module = import_module(f"._{backend}", __package__)
            self._watcher = module.watch_hub(self._longest, self._report_block)
        return self

    def stop(self) -> None:
        """Stop watching, and report a block that lasts. To be called in the OS thread that called `start`."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()

    def __enter__(self) -> BlockMonitor:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _report_block(self, block: Block) -> None:
        """Report a block. Called in the hub's OS thread, in a green thread that may wait."""
        note(block.finding)
        try:
            self._report(block)
        except Exception:  # no caller could catch it, and later blocks must still be reported
            traceback.print_exc()
        with suppress(GreenWarning):
            warn_once(block.finding, (block.stack[-1].filename, block.stack[-1].lineno or 0))


def block_monitor(
    longest: float = 0.1, report: Callable[[Block], object] | logging.Logger | None = None
) -> BlockMonitor:
    """A monitor that reports each time a green thread runs for longer than `longest` without yielding.

    Args:
        longest: seconds that are allowed, 0.01 or more.
        report: a function that takes a Block, called in a green thread of its own once the block is over; or
            a logger, which gets a warning. By default the logger "flowthings_like.blocks". A block that lasts
            ten times as long is also printed to stderr while it lasts, because nothing else can run then.

    Raises:
        InvalidInput: `longest` is not valid, or `report` cannot be called.
    """
    if type(longest) not in (int, float) or not SHORTEST <= longest < float("inf"):
        raise InvalidInput(f"longest is a time in seconds, {SHORTEST} or more, not {longest!r}")
    if report is None:
        report = logging.getLogger("flowthings_like.blocks")
    if isinstance(report, logging.Logger):
        logger = report
        return BlockMonitor(longest, lambda block: logger.warning("%s", block))
    if not callable(report):
        raise InvalidInput(
            f"report is a function that takes a Block, or a logger, not {type(report).__name__}"
        )
    return BlockMonitor(longest, report)
