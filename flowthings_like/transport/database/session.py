"""One database connection of any driver, which knows whether it can still be used.

    state     meaning                                          left by
    IDLE      no transaction                                   an exchange: BUSY
    BUSY      an exchange is under way                         it is complete: ACTIVE, or IDLE if it ended the
                                                               transaction; anything else: BROKEN
    ACTIVE    a transaction may be open                        an exchange: BUSY
    BROKEN    interrupted or lost; nothing is sent any more    `close`: CLOSED
    CLOSED                                                     -

An exchange is one call of a function with the DB-API connection. It is complete if the function returned, or
raised an error that the driver knows and that left the connection in order. After anything else (a kill, a
time-out, an exception of a signal handler, a lost connection) nobody knows what the server will still send,
and the next caller would read it as the answer to his own statement. Such a session is closed.
An exchange that was interrupted where no handler saw it stays BUSY, which counts as BROKEN.

An exchange in a call scope ends with the scope, see exchange_limits.py. A session of one that was stopped is
BROKEN.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from enum import Enum
from functools import partial
from time import monotonic
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionLost, FlowThingsError
from ...green.backends.choice import detect
from ..call_scope import current_scope
from .exchange_limits import UNDO_SECONDS, LimitedExchange
from .native_exchange import NativeExchange, cancel_while
from .sockets import HeldSocket, has_input, time_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ...green.backends.contract import NativeCall, NativePool
    from .drivers.base import Driver
    from .exchange_limits import ExchangeWatch

__all__ = ["Session", "State"]


class State(Enum):
    """What a session's connection can be used for. See the table above."""

    IDLE = "idle"
    BUSY = "busy"
    ACTIVE = "active"
    BROKEN = "broken"
    CLOSED = "closed"


READY = (State.IDLE, State.ACTIVE)


class Session:
    """One connection. It is made without I/O; `connect` opens it.

    Args:
        driver: the DB-API driver.
        native: runs the calls of a driver that blocks; None to run them in place.
        run_aside: runs a function that may block, without waiting for it.
        watch: stops exchanges at the limits of their scopes.

    Attributes:
        state: see the table above.
        opened_at: the `monotonic()` when it was made.
        exchanges: how many exchanges were begun since `lend`.
        loan: a number of its own for each caller that has it. What a caller keeps is of no use afterwards.
        cursors: those of the driver that the caller has open.
        note: what a user of the connection has left for the next one.
    """

    def __init__(
        self,
        driver: Driver,
        native: NativePool | None,
        run_aside: Callable[[Callable[[], object]], object],
        watch: ExchangeWatch,
    ) -> None:
        self.driver = driver
        self.state = State.IDLE
        self.opened_at = monotonic()
        self.exchanges = 0
        self.loan = 0
        self.cursors: list[Any] = []
        self.note: object = None
        self._native = native
        self._run_aside = run_aside
        self._watch = watch
        self._limited: LimitedExchange | None = None  # the exchange that runs, if it is in a scope
        self._connection: Any = None
        self._running: NativeExchange | None = None

    def connect(self, open: Callable[[], Any]) -> None:
        """Open the connection: `open()` returns it."""
        self.state = State.BUSY
        try:
            self._run(self._open, open)
        except BaseException as error:
            # Ends what the driver had half opened. Its frames would keep that as long as somebody keeps the
            # exception, as SQLAlchemy's sessions do, and PostgreSQL waits a minute for the rest.
            clear_frames(error.__traceback__)
            raise
        self.state = State.IDLE

    def __del__(self) -> None:
        # Its caller was interrupted where no handler saw it, or has abandoned it. An exchange would hold it.
        if self.state is not State.CLOSED and self._connection is not None:
            self.driver.drop(self._connection)

    def _open(self, open: Callable[[], Any]) -> None:
        self._connection = open()

    def lend(self) -> None:
        """Note that a new caller has it."""
        self.loan += 1
        self.exchanges = 0

    def end_loan(self) -> None:
        """Note that its caller has given it back."""
        self.loan += 1

    def is_usable(self) -> bool:
        """Whether it can still be used, as far as that can be told without waiting."""
        return self.state is State.IDLE and not self.driver.is_closed(self._connection)

    def is_lost(self) -> bool:
        """Whether nothing can be sent any more, as far as that can be told without waiting."""
        return self.state not in READY or self.driver.is_closed(self._connection)

    def attribute(self, name: str) -> Any:
        """An attribute of the driver's connection. It is read in place, as no driver waits for that.

        Raises:
            AttributeError: the connection has no such attribute.
        """
        return getattr(self._connection, name)

    def has_input(self) -> bool:
        """Whether the server has sent something, or closed the connection, while nothing was asked."""
        return has_input(self.driver.descriptor(self._connection))

    def time_limit(self, seconds: float) -> AbstractContextManager[None]:
        """End the connection's socket if the block takes longer, so that an exchange in it fails."""
        return time_limit(self.driver.descriptor(self._connection), seconds, detect())

    def exchange(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function(connection, *args)`, in an OS thread if the driver blocks.

        Raises:
            ConnectionLost: the connection was interrupted or lost before; nothing was sent.
            DeadlineExceeded, CallCancelled: the scope of this code has ended, before or meanwhile.
            Exception: what the function raised.
        """
        scope = current_scope()
        if scope is None:
            return self._exchange(function, args)
        scope.check()
        return self._exchange_within(LimitedExchange(self, scope), function, args)

    def _exchange_within(
        self, limited: LimitedExchange, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Any:
        self._limited = limited
        try:
            self._watch.add(limited)
            value = self._exchange(function, args)
        except Exception as error:
            if limited.end():
                raise limited.failure() from error
            raise
        finally:
            self._limited = None
            self._watch.discard(limited)
            if limited.end() and self.state in READY:
                self.state = State.BROKEN
        return value

    @property
    def is_stopped(self) -> bool:
        """Whether the exchange that runs is being stopped because its scope has ended."""
        limited = self._limited
        return limited is not None and limited.is_stopped

    def _exchange(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if self.state not in READY:
            raise self._lost("was interrupted or lost")
        if self.exchanges == 0 and self.has_input():
            self.state = State.BROKEN
            raise self._lost("was closed by the server")
        self.exchanges += 1
        if self.state is State.IDLE and self.driver.begins:
            function, args = self._begin_and, (function, args)
        self.state = State.BUSY
        handled = sys.exc_info()[1]
        try:
            value = self._run(function, self._connection, *args)
        except self.driver.error as error:
            # A time-out may raise anything, also an error of the driver's, in the middle of a statement.
            if self._has_ended() and not self.driver.is_foreign(self._connection, error):
                lost = self.driver.is_lost(self._connection, error, handled)
                self.state = State.BROKEN if lost else State.ACTIVE
            raise
        except ConnectionError:
            self.state = State.BROKEN
            raise
        self.state = State.ACTIVE
        return value

    def _begin_and(self, connection: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self.driver.begin(connection)
        return function(connection, *args)

    def finish(self, function: Callable[..., Any], *args: Any) -> Any:
        """An exchange that ends with the transaction's end: `function` commits, or rolls back."""
        value = self.exchange(self._close_cursors_and, function, args)
        self._note_end()
        return value

    def undo(self) -> None:
        """Roll the transaction back, as an exchange. It is made after the end of its scope, too."""
        function, args = self._close_cursors_and, (self.driver.rollback, ())
        if current_scope() is None:
            self._exchange(function, args)
        else:
            self._exchange_within(LimitedExchange(self, None, monotonic() + UNDO_SECONDS), function, args)
        self._note_end()

    def _note_end(self) -> None:
        if self.state is State.ACTIVE:  # it was not stopped
            self.state = State.IDLE

    def _close_cursors_and(self, connection: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        cursors, self.cursors = self.cursors, []
        for cursor in cursors:
            self.driver.close_cursor(cursor)
        return function(connection, *args)

    def _has_ended(self) -> bool:
        """Whether the last exchange has ended, if it was one in an OS thread."""
        running = self._running
        return running is None or (running.call is not None and running.call.done())

    def roll_back(self) -> bool:
        """Roll the transaction back. Returns whether the connection is in order then."""
        if self.state is State.ACTIVE:
            try:
                self.undo()
            except Exception:
                # The caller has an error of his own to raise, which says more.
                self.state = State.BROKEN
        return self.state is State.IDLE

    def close(self) -> NativeCall | None:
        """End the connection without waiting. Returns the call that does it, if that is in an OS thread."""
        was, self.state = self.state, State.CLOSED
        if was is State.CLOSED:
            return None
        # What was interrupted goes on at the server, or in another OS thread. Nobody waits for it any more.
        if was is State.BUSY:
            self._stop_running()
        if self._native is None:
            self._end(was)
            return None
        running = self._running
        if running is not None and running.leave_end():
            return running.call
        try:
            return self._native.submit(self._end, was)
        except FlowThingsError:  # the pool was closed meanwhile, and has no threads any more
            self._end(State.BROKEN)
            return None

    def interrupt(self) -> bool:
        """Interrupt the statement that is under way, if there is one. Its caller gets the driver's error.

        Returns whether the driver can do that.
        """
        cancel = self._canceller() if self.state is State.BUSY else None
        if cancel is not None:
            exchange = self.exchanges
            is_running = lambda: self.state is State.BUSY and self.exchanges == exchange  # noqa: E731
            self._run_aside(partial(cancel_while, is_running, cancel))
        return cancel is not None

    def end_socket(self) -> None:
        """End the socket that an exchange waits in. Its caller gets the driver's error."""
        socket = self._socket() if self.state is State.BUSY else None
        if socket is not None:
            socket.shut_down()

    def _stop_running(self) -> None:
        """Stop the exchange that is under way, at the server and in the OS thread that runs it."""
        cancel = self._canceller()
        socket = None if self._native is None else self._socket()
        exchange = self._running

        def interrupt() -> None:
            try:
                if cancel is not None and self.driver.is_embedded and exchange is not None:
                    cancel_while(exchange.is_running, cancel)
                elif cancel is not None:
                    cancel()
            finally:
                if socket is not None:  # the server may be out of reach, and never answer
                    socket.shut_down()

        if cancel is not None or socket is not None:
            self._run_aside(interrupt)

    def _socket(self) -> HeldSocket | None:
        """The socket that another OS thread waits in. None if there is none, or it was closed just now."""
        with suppress(Exception):
            descriptor = self.driver.descriptor(self._connection)
            if descriptor >= 0:
                held = HeldSocket(descriptor)
                if self.driver.descriptor(self._connection) == descriptor:
                    return held
        return None

    def _end(self, was: State) -> None:
        connection = self._connection
        if connection is not None:
            if self.driver.is_embedded:
                # A cursor that is kept would keep its lock, and no server has to be asked to close it.
                for cursor in self.cursors:
                    with suppress(self.driver.error):
                        self.driver.close_cursor(cursor)
            (self.driver.close if was is State.IDLE else self.driver.abort)(connection)

    def _end_broken(self) -> None:
        self._end(State.BROKEN)

    def _canceller(self) -> Callable[[], object] | None:
        with suppress(Exception):  # the driver may find just now that the connection is closed
            return None if self._connection is None else self.driver.canceller(self._connection)
        return None

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._native is None:
            return function(*args)
        exchange = self._running = NativeExchange()
        try:
            call = exchange.call = self._native.submit(exchange.run, self._end_broken, function, args)
        except Exception:  # it was not submitted
            self._running = None
            raise
        value = call.wait()
        self._running = None
        return value

    def _lost(self, what: str) -> ConnectionLost:
        error = ConnectionLost(f"this {self.driver.name} connection {what}; the pool does not use it again")
        error.sent = False
        return error
