"""block_monitor(): which green thread held the hub, for how long, and where."""

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

SHORTEST = 0.01  # seconds; below that the interpreter's own pauses would be reported
LOOKS = 4  # how often it is looked in the time that is still allowed, so times are right to a quarter of that
HANGS = 10  # times the time allowed, after which a block is told while it lasts

_MACHINERY = ("flowthings_like", "gevent", "eventlet")


@dataclass(frozen=True)
class Block:
    """One time that a green thread held the hub for too long.

    Attributes:
        thread: which green thread: its name and the function it runs.
        seconds: how long, to within a quarter of the monitor's `longest`.
        where: the innermost line, as "file:line in function".
        stack: the whole stack, outermost first, as it was when the time allowed was over.
        finding: the same as the doctor tells it: G08 if the line waits for a database or a file, else G12.
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


class Watch:
    """Tells from looks at a hub's thread, several in the time allowed, when a green thread holds it.

    Args:
        longest: the time allowed, in seconds.
        hub: the hub's own greenlet.
        hub_modules: where its code is: a hub that is seen there has nothing to do.
        thread: the OS thread it runs in, by its native identity.
        deliver: called with each Block when it is over, in the OS thread that looks or that stops it.
        lock: a lock of OS threads, for these two.
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
        self.period = longest / LOOKS
        self._longest = longest
        self._hub = hub
        self._hub_modules = hub_modules
        self._thread = thread
        self._deliver = deliver
        self._lock = lock
        self._stopped = False
        self._switches = -1
        self._since = time.perf_counter()
        self._held: tuple[str, traceback.StackSummary, str | None] | None = None
        self._told = False

    def look(self, switches: int, active: Any) -> None:
        """See how things are now: `switches` so far, and the green thread that runs."""
        with self._lock:
            if not self._stopped:
                self._look(switches, active)

    def stop(self) -> None:
        """Look no more. What is held now, or was until just now, has been delivered when this returns."""
        with self._lock:
            self._stopped = True
            self._end(time.perf_counter())

    def _look(self, switches: int, active: Any) -> None:
        now = time.perf_counter()
        if switches != self._switches:
            self._end(now)
            self._switches, self._since = switches, now
        elif now - self._since >= self._longest:
            if self._held is None:
                self._held = self._sample(active)
            if self._held is not None and not self._told and now - self._since > HANGS * self._longest:
                self._told = True
                print(f"{self._block(now)}(it goes on)", file=sys.stderr, flush=True)

    def _end(self, now: float) -> None:
        """Nothing is held any more, or it is not looked any more."""
        if self._held is not None:
            block = self._block(now)
            self._held, self._told = None, False
            self._deliver(block)

    def _block(self, now: float) -> Block:
        assert self._held is not None
        thread, stack, call = self._held
        seconds, last = now - self._since, stack[-1]
        where = f"{last.filename}:{last.lineno} in {last.name}"
        finding = blocking_call(thread, seconds, call, where) if call else hub_held(thread, seconds, where)
        return Block(thread, seconds, where, stack, finding)

    def _sample(self, active: Any) -> tuple[str, traceback.StackSummary, str | None] | None:
        frame = sys._current_frames().get(self._thread)
        if frame is None or (active is self._hub and self._is_idle(frame)):
            return None
        frames = list(traceback.walk_stack(frame))[::-1]
        stack = traceback.StackSummary.extract(iter(frames), lookup_lines=False)
        runs = next((f.f_code.co_name for f, _ in frames if not _is_machinery(f)), stack[0].name)
        return f"{self._name(active)}, running {runs},", stack, blocked_on(frame)

    def _is_idle(self, frame: FrameType) -> bool:
        return str(frame.f_globals.get("__name__", "")).startswith(self._hub_modules)

    def _name(self, active: Any) -> str:
        # Not its repr: gevent's shows the arguments, and a token may be one.
        if active is self._hub:
            return "a callback of the hub"
        if active is None or active.parent is None:
            return "the main green thread"
        return str(getattr(active, "name", None) or f"{type(active).__name__} at {id(active):#x}")


def _is_machinery(frame: FrameType) -> bool:
    """Whether this is a green library's code, or ours: what runs a function, and not the function."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _MACHINERY


class Guard(Protocol):
    """What looks at one hub. Made in the hub's own OS thread, and stopped there."""

    def stop(self) -> None:
        """Look no more."""


class BlockMonitor:
    """Watches the hub of the OS thread that starts it. A context manager, or `start()` and `stop()`.

    On gevent it is gevent's own monitor thread that looks, on eventlet one of ours. Both count switches of
    green threads, which makes each switch a little slower; that is the whole cost. On threads there is no hub
    that could be held, and nothing is watched.

    Attributes:
        watching: whether a hub is being watched.
    """

    def __init__(self, longest: float, report: Callable[[Block], object]) -> None:
        self._longest = longest
        self._report = report
        self._guard: Guard | None = None

    @property
    def watching(self) -> bool:
        """Whether a hub is being watched."""
        return self._guard is not None

    def start(self) -> BlockMonitor:
        """Watch from now on.

        Raises:
            ConfigurationError: it does so already.
        """
        if self._guard is not None:
            raise ConfigurationError(
                "this block monitor has been started already; stop it first, or make another"
            )
        backend = detect().name
        if backend != "threads":
            module = import_module(f"._{backend}", __package__)
            self._guard = module.guard(self._longest, self._tell)
        return self

    def stop(self) -> None:
        """Watch no more; what is being held just now is reported. Call it in the OS thread that started
        it."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.stop()

    def __enter__(self) -> BlockMonitor:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _tell(self, block: Block) -> None:
        """Called in the hub's OS thread, in a green thread that may wait."""
        note(block.finding)
        try:
            self._report(block)
        except Exception:  # there is nobody to raise it to, and the next block is to be told as well
            traceback.print_exc()
        with suppress(GreenWarning):
            warn_once(block.finding, (block.stack[-1].filename, block.stack[-1].lineno or 0))


def block_monitor(
    longest: float = 0.1, report: Callable[[Block], object] | logging.Logger | None = None
) -> BlockMonitor:
    """A monitor that reports each time a green thread runs for longer than `longest` without giving way.

    Args:
        longest: seconds that are still allowed, 0.01 or more.
        report: a function that takes a Block, called in a green thread of its own once the block is over; or
            a logger, which gets a warning. By default the logger "flowthings_like.blocks". What goes on for
            ten times as long is also printed to stderr while it lasts, since nothing else can run then.

    Raises:
        InvalidInput: `longest` is no such time, or `report` cannot be called.
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
