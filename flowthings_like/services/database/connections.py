"""The connections of one ConnectionPool: opened, checked before use, lent, and given back or closed."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from ...errors import ConfigurationError, DeadlineExceeded
from ...green.backends.choice import detect
from ...transport.call_scope import limit_call
from ...transport.connection_pool import Lease, Pool
from ...transport.database.exchange_limits import ExchangeWatch
from ...transport.database.session import Session
from ...transport.pool_statistics import Statistics
from ...transport.watch import Watches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from ...green.backends.contract import NativePool
    from ...transport.database.drivers.base import Driver
    from .options import PoolOptions

__all__ = ["Checkout", "Connections", "Holder", "PoolStatistics"]

CHECK_TIMEOUT = 5.0
"""Seconds that the check of a connection may take. If a firewall has forgotten it, no answer ever comes."""

_LIBRARIES = (__name__.partition(".")[0], "sqlalchemy")
"""Packages that are not the caller: this one, and SQLAlchemy over it."""


@dataclass(frozen=True)
class Holder:
    """What has a connection.

    Attributes:
        what: the call, such as "run_interaction(transfer)".
        where: the file and line of the caller, as far as that is known.
        seconds: for how long it has had the connection.
    """

    what: str
    where: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.what}{self.where and ' at '}{self.where} for {self.seconds:.1f} s"


@dataclass(frozen=True)
class PoolStatistics(Statistics):
    """Numbers of a pool in this process; under gevent and eventlet, of this OS thread.

    Attributes:
        size: how many connections there may be.
        open: how many there are, those being opened or closed included.
        idle: how many of them wait for work.
        waiting: how many callers wait for one.
        opened: how many were ever opened.
        expired: how many were closed for their age, or because the server had closed them.
        discarded: how many were closed because they were interrupted, lost or left in disorder.
        holders: what has the others, the oldest first.
    """

    holders: tuple[Holder, ...]


class Connections:
    """The connections of one ConnectionPool.

    Args:
        driver: the DB-API driver.
        args, kwargs: for its `connect`. They may hold a password, so nothing shows them.
        options: of the pool.

    Attributes:
        name: what messages call the pool.
        closed: whether `close` was called.
        checkouts: by id, those that have a connection or wait for one. An abandoned one is gone from here.
    """

    def __init__(
        self, driver: Driver, args: tuple[Any, ...], kwargs: dict[str, Any], options: PoolOptions
    ) -> None:
        self.driver = driver
        self.options = options
        self.name = options.name or f"connections of {driver.name}"
        self.closed = False
        self.checkouts: WeakValueDictionary[int, Checkout] = WeakValueDictionary()
        memory = driver.shared_memory(args, kwargs)
        self._args, self._kwargs = (args, kwargs) if memory is None else (memory.args, memory.kwargs)
        self._is_memory = memory is not None
        self._anchor: Any = None
        self._natives: WeakKeyDictionary[Any, NativePool] = WeakKeyDictionary()
        self._watches = Watches(ExchangeWatch)
        self._pool: Pool[Session] = Pool(
            self.name, self._new_session, Session.close,
            size=options.max, keep=options.min, idle_for=options.idle, usable=self._is_usable,
        )  # fmt: skip

    @property
    def host(self) -> str:
        """The server's name, as far as an argument of `connect` says it; else ""."""
        return str(self._kwargs.get("host") or "")

    @property
    def place(self) -> str:
        """Which database, without a secret, as far as the arguments of `connect` say it."""
        names = ("user", "host", "port", "dbname", "database", "db")
        found = [f"{name}={self._kwargs[name]}" for name in names if self._kwargs.get(name) is not None]
        if self._args and self.driver.name in ("sqlite3", "duckdb"):
            found.append(str(self._args[0]))  # of other drivers it may have a password in it
        return " ".join([self.driver.name, *found])

    def statistics(self) -> PoolStatistics:
        """The numbers now."""
        holders = [each.holder() for each in self._checkouts_here() if each.has_connection]
        oldest_first = tuple(sorted(holders, key=lambda holder: -holder.seconds))
        return PoolStatistics(**vars(self._pool.statistics()), holders=oldest_first)

    def _checkouts_here(self) -> list[Checkout]:
        """Those of this process. A forked child has copies of its parent's, and must leave them alone."""
        found = [each() for each in self.checkouts.valuerefs()]  # other threads may add some meanwhile
        pid = os.getpid()
        return [each for each in found if each is not None and each.pid == pid]

    def lease(self, fresh: bool) -> Lease[Session]:
        """Room for one connection, or one that is idle, once it is entered."""
        self._check_open()
        wait = self.options.timeout
        until = limit_call(None if wait is None else monotonic() + wait)
        return self._pool.lease(until, fresh=fresh)

    def _check_open(self) -> None:
        if self.closed:
            raise ConfigurationError(f"{self.name}: the pool is closed; start() opens it again")

    def prepare(self, lease: Lease[Session]) -> None:
        """Open the connection of a lease, or check one that has been idle for long."""
        session = lease.connection
        session.lend()
        if not lease.reused:
            session.connect(self._connect)
        elif self.options.reconnect and lease.idled > self.options.idle:
            with session.time_limit(CHECK_TIMEOUT):
                session.finish(self._check)
            session.lend()

    def close(self) -> None:
        """Interrupt what runs, close what is idle now, and what is in use when it comes back."""
        self.closed = True
        self._pool.close()
        for checkout in self._checkouts_here():
            session = checkout.session
            if session is not None:
                session.interrupt()
        anchor, self._anchor = self._anchor, None
        if anchor is not None:
            self.driver.close(anchor)
        for native in list(self._natives.values()):
            native.close()
        self._natives.clear()

    def native(self) -> NativePool:
        """The pool of OS threads for the calling OS thread's hub.

        There are twice as many threads as connections: each may run one call, and one that ends it. So a call
        never waits for a thread, which could wait for a lock that the caller holds.
        """
        backend = detect()
        owner = backend.socket_owner()
        found = self._natives.get(owner)
        if found is None:
            self._check_open()
            found = self._natives.setdefault(owner, backend.native_pool(2 * self.options.max, self.name))
        return found

    def _new_session(self) -> Session:
        wanted = self.options.native
        backend = detect()
        blocks = self.driver.blocks_green_threads() if wanted is None else wanted
        native = self.native() if blocks and backend.is_cooperative else None
        return Session(self.driver, native, self._run_aside, self._watches.here(backend))

    def _connect(self) -> Any:
        if self._is_memory and self._anchor is None:
            self._anchor = self.driver.connect(self._args, self._kwargs)
        connection = self.driver.connect(self._args, self._kwargs)
        if self.options.openfun is not None:
            self.options.openfun(connection)
        return connection

    def _check(self, connection: Any) -> None:
        cursor = self.driver.cursor(connection)
        cursor.execute(self.options.good_sql)
        cursor.fetchall()
        self.driver.close_cursor(cursor)
        self.driver.rollback(connection)

    def _is_usable(self, session: Session) -> bool:
        lifetime = self.options.lifetime
        if not session.is_usable() or (lifetime is not None and monotonic() - session.opened_at > lifetime):
            return False
        return not (self.options.reconnect and session.has_input())

    def _run_aside(self, function: Callable[[], object]) -> None:
        def run() -> None:
            with suppress(Exception):
                function()

        backend = detect()
        if backend.is_cooperative and not self.closed:
            self.native().submit(run)
        elif backend.is_cooperative:
            backend.spawn(backend.native, run)  # the pool's own threads are about to end
        else:
            backend.spawn(run)


class Checkout:
    """A session for the length of a `with` block.

    At the end a transaction that is still open is rolled back. A connection that is in order goes back, and
    any other is closed.

    Args:
        connections: where the session is taken from.
        what: the call, for messages.
        fresh: take no connection that was used before.

    Attributes:
        pid: the process that made it.
    """

    def __init__(self, connections: Connections, what: str, fresh: bool = False) -> None:
        self.pid = os.getpid()
        self._connections = connections
        self._what = what
        self._caller = _caller()
        self._since = monotonic()
        self._fresh = fresh
        self._lease: Lease[Session] | None = None

    @property
    def has_connection(self) -> bool:
        """Whether it has a connection now."""
        return self._lease is not None

    @property
    def session(self) -> Session | None:
        """What it has, unless it waits for it."""
        return None if self._lease is None else self._lease.connection

    @property
    def host(self) -> str:
        """The server's name, as far as it is known."""
        return self._connections.host

    @property
    def reused(self) -> bool:
        """Whether the connection had been used before."""
        return self._lease is not None and self._lease.reused

    def holder(self) -> Holder:
        """What messages say about it."""
        path, line = self._caller
        where = f"{Path(path).name}:{line}" if path else ""
        return Holder(self._what, where, monotonic() - self._since)

    def __enter__(self) -> Session:
        self._connections.checkouts[id(self)] = self
        lease = self._take(self._fresh)
        try:
            return self._prepared(lease)
        except self._connections.driver.errors:
            if not lease.reused:
                raise
        # It was idle for long, and the check has found it dead. A new one needs no check.
        return self._prepared(self._take(fresh=True))

    def _take(self, fresh: bool) -> Lease[Session]:
        lease = self._connections.lease(fresh)
        try:
            lease.__enter__()
        except DeadlineExceeded as error:
            raise self._too_late(error) from None
        self._since = monotonic()
        self._lease = lease
        return lease

    def _prepared(self, lease: Lease[Session]) -> Session:
        try:
            self._connections.prepare(lease)
        except BaseException as error:
            self._lease = None
            lease.__exit__(type(error), error, None)
            raise
        return lease.connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lease = self._lease
        if lease is None:
            return
        try:
            # A caller that is being killed waits for nothing more, so the connection is closed.
            if kind is None or issubclass(kind, Exception):
                in_order = lease.connection.roll_back()
                lease.connection.end_loan()
                if in_order:
                    lease.complete()
                    kind = error = traceback = None
        except BaseException as interrupt:
            kind, error = type(interrupt), interrupt
            raise
        finally:
            self._lease = None
            lease.__exit__(kind, error, traceback)

    def discard(self) -> None:
        """Close the connection, whatever it is in the middle of. Waits for nothing."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.__exit__(None, None, None)

    def _too_late(self, error: DeadlineExceeded) -> DeadlineExceeded:
        holders = self._connections.statistics().holders
        shown = "; ".join(map(str, holders[:5]))
        more = f"; and {len(holders) - 5} more" if len(holders) > 5 else ""
        late = DeadlineExceeded(
            f"{error}. In use by: {shown or 'nothing'}{more}. "
            "Raise cp_max, hold connections for a shorter time, or raise cp_timeout"
        )
        late.sent = False
        return late


def _caller() -> tuple[str, int]:
    """The file and line outside of _LIBRARIES that led here; ("", 0) in a thread that they started."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__") == "threading":
        return "", 0
    return frame.f_code.co_filename, frame.f_lineno
