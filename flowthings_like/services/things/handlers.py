"""The room that handlers belong to, and the green thread that calls them."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import ConnectionFailed, DeadlineExceeded
from ...green.backends.choice import detect
from ...transport.background_threads import OneThread
from .event_handler import EventHandler, check_plain, event, find_handlers
from .events import MAX_WAITING, EventQueue, Lifecycle, RoomEvents

if TYPE_CHECKING:
    from ...filters import Filter

__all__ = ["BaseRoom", "EventDispatcher"]

_log = logging.getLogger("flowthings_like")
_HOOKS = ("on_init", "on_join", "on_leave", "on_delete", "on_emit")


class BaseRoom:
    """The part of Room that a client needs: hooks and handlers, and the calls of a room that is joined."""

    event = staticmethod(event)

    _handlers: ClassVar[dict[str, list[EventHandler]]] = {}  # the methods, by event
    _functions: dict[str, list[EventHandler]]  # what `on` has added, by event
    _collection: str | None = None  # changed when the collection is renamed
    _loops: tuple[weakref.ref[RoomEvents], ...] = ()  # what `events` has returned

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _HOOKS:
            check_plain(getattr(cls, name))
        cls._handlers = find_handlers(cls)

    def on_init(self) -> None:
        """Called by `join`, in its thread, before anything else is called. What it raises, `join` raises."""

    def on_join(self) -> None:
        """Called when the room is joined, and again when events were lost: after it was rejoined over a new
        connection, or after 100,000 events waited for the handlers and further ones were dropped. Read here
        what the lost events may have changed."""

    def on_leave(self) -> None:
        """Called after `leave`; not when the connection is lost or closed."""

    def on_delete(self) -> None:
        """Called when the room is removed from ThingsDB, or is gone when it is to be rejoined."""

    def on_emit(self, event: str, *args: Any) -> None:
        """Called for an event that has no handler."""
        _log.debug("%r: no handler for %r", self, event)

    @property
    def id(self) -> int | None:
        """The room's id; None until it is known."""
        raise NotImplementedError

    @property
    def scope(self) -> str | None:
        """The collection's scope as "@collection:NAME"; None until it is known."""
        raise NotImplementedError

    def emit(self, event: str, *args: Any, peers_only: bool = False, timeout: float | None = None) -> None:
        """Emit an event to all who have joined the room."""
        raise NotImplementedError

    def events(self, timeout: float | None = None, *, where: Filter | str | None = None) -> RoomEvents:
        """An iterator over the events that are emitted from now on."""
        raise NotImplementedError

    def leave(self, timeout: float | None = 60.0) -> None:
        """Leave the room."""
        raise NotImplementedError


class EventDispatcher:
    """Calls a room's handlers one after the other, in a green thread of its own, from `join` to `leave`.

    Args:
        room: the room with the handlers.
        join_waits: whether `join` waits for the first `on_join`, and raises what that raises.
        previous: the dispatcher of an earlier `join` of the same room, whose last handler is called first.
    """

    def __init__(self, room: BaseRoom, *, join_waits: bool, previous: EventDispatcher | None) -> None:
        self.room = room
        self._events = EventQueue()
        self._thread = OneThread(self._run)
        self._thread_id: int | None = None
        self._previous = previous
        self._join_waits = join_waits
        self._join_error: Exception | None = None
        self._joined = detect().event()  # the first `on_join` has returned, or there is an error
        self._ended = detect().event()
        self._pid = os.getpid()

    # Called by the membership; never waits

    def deliver(self, event: str, args: Any) -> None:
        """Add an event to the queues. One thread at a time may do this."""
        if not self._events.offer((event, args)):
            _log.warning(
                "%r: %d events wait for its handlers; further ones are dropped", self.room, MAX_WAITING
            )
        if self.room._loops:
            for loop in self._loops():
                loop.offer((event, args))

    def notify(self, change: Lifecycle) -> None:
        """Add a change of the membership to the queues. After any change but JOINED the thread ends."""
        self._events.put(change)
        if change is not Lifecycle.JOINED:
            for loop in self._loops():
                loop.put(change)

    def _loops(self) -> list[RoomEvents]:
        return [loop for ref in self.room._loops if (loop := ref()) is not None]

    # Called by the room

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: the system gives no thread. It may be tried again.
        """
        self._thread.start()

    @property
    def is_started(self) -> bool:
        """Whether `start` was called."""
        return self._thread.started

    def close(self) -> None:
        """End after the events that wait now. Closing again does nothing."""
        self._events.put(Lifecycle.CLOSED)

    def wait_joined(self, deadline: float) -> None:
        """Wait until the first `on_join` has returned.

        Raises:
            DeadlineExceeded: it has not at this `time.monotonic()`; inf for no limit.
            Exception: `on_join` raised it, or it says why `on_join` will not be called.
        """
        try:
            if not self._joined.wait(_left(deadline)):
                raise DeadlineExceeded(f"{self.room!r} is joined, but its on_join has not returned in time")
        finally:
            self._join_waits = False
        if self._join_error is not None:
            raise self._join_error

    def wait_ended(self, deadline: float) -> None:
        """Wait until the last handler of a closed dispatcher has returned.

        Raises:
            DeadlineExceeded: it has not at this `time.monotonic()`; inf for no limit.
        """
        if not self._ended.wait(_left(deadline)):
            raise DeadlineExceeded(f"{self.room!r}: its handlers are still busy with what came before")

    def is_current(self) -> bool:
        """Whether the calling thread is the one that calls the handlers."""
        return self._thread_id == threading.get_ident() and not self._ended.is_set()

    @property
    def is_inherited(self) -> bool:
        """Whether this is a forked child, and the thread its parent's."""
        return self._pid != os.getpid()

    # The thread

    def _run(self) -> None:
        try:
            if self._previous is not None:
                self._previous._ended.wait()
                self._previous = None
            self._thread_id = threading.get_ident()
            self._dispatch_all()
        finally:
            self._ended.set()

    def _dispatch_all(self) -> None:
        room = self.room
        while True:
            event, args = self._events.get()
            if isinstance(event, str):
                self._handle(event, args)
            elif event is Lifecycle.JOINED or event is Lifecycle.EVENTS_LOST:
                try:
                    self._call(room.on_join, (), "on_join")
                finally:  # also when it was killed
                    self._end_join(None)
            else:
                self._end_join(ConnectionFailed(f"{room!r}: {event.value} came before on_join"))
                if event is Lifecycle.LEFT:
                    self._call(room.on_leave, (), "on_leave")
                elif event is Lifecycle.DELETED:
                    self._call(room.on_delete, (), "on_delete")
                return

    def _handle(self, event: str, args: Any) -> None:
        """Call the handlers of an event."""
        room = self.room
        handlers, functions = room._handlers.get(event), room._functions.get(event)
        if handlers is None and functions is None:
            self._call(room.on_emit, (event, *args), event)
            return
        for handler in (*(handlers or ()), *(functions or ())):
            if handler.test is None or handler.test(args):
                self._call(handler.target(room), args, event)

    def _call(self, handler: Callable[..., Any], args: Any, name: str) -> None:
        """Call a handler. What it raises is logged, unless `join` raises it."""
        try:
            handler(*args)
        except Exception as error:
            if name != "on_join" or not self._end_join(error):
                _log.exception("%r: the handler of %s failed", self.room, name)
        except BaseException as error:
            # A time-out that the handler did not catch must not end this thread; a kill is meant to.
            if type(error).__name__ == "GreenletExit":
                raise
            _log.exception("%r: the handler of %s was interrupted", self.room, name)

    def _end_join(self, error: Exception | None) -> bool:
        """The first `on_join` has returned, or this error came in its place. Only the first call counts.

        Returns:
            Whether `join` raises the error.
        """
        if self._joined.is_set():
            return False
        self._join_error = error
        self._joined.set()
        return self._join_waits


def _left(deadline: float) -> float | None:
    return None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
