"""The platform as a server: gunicorn with gevent workers, each with its own application over the same store.

The master process listens and supervises the workers. What can fail is tried there first, by `Preflight`, and
the store that it opens for that is closed before it forks. A worker opens its own store when it starts and
closes it when it stops. A token is issued when the first worker is ready, and not before: a start that fails
leaves no token behind that nobody has seen.
"""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from ..errors import ConfigurationError
from .leader.leader_elector import LeaderElector
from .leader.leader_lock import LeaderAddress, LeaderLock
from .live.front import LiveFront
from .records.service import LOCK as RECORDS_LOCK
from .records.service import Service as RecordsService
from .records.service import check_packages as check_records
from .requirements import check_requirements
from .resources.access.accounts import Accounts
from .resources.drops.resource_store import ResourceStore
from .rest.application import Application, Limits
from .rest.connections import ConnectionLimits
from .streams.service import LOCK as STREAMS_LOCK
from .streams.service import Service as StreamsService
from .streams.service import check_packages as check_streams
from .tasks.addresses import AddressRules
from .tasks.service import TaskService, TaskSettings
from .tasks.service import check_packages as check_tasks
from .things.service import LOCK as THINGS_LOCK
from .things.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from .leader.leader_service import LeaderService

LONGEST_LINE = 0  # gunicorn's word for "no limit": filters of 64 KiB travel in the query
BACKLOG = 2048
GRACE = 30  # seconds that requests under way have to be answered when the server is stopped

LOCK = "serve.lock"
"""The file in the folder that the master process of the first server there holds a lock on."""


@dataclass(frozen=True)
class Settings:
    """What to serve, and where.

    Attributes:
        place: the data's folder or an SQLAlchemy URL.
        account: the account to make if it is missing.
        new_token: whether to replace the master token that the account has.
        host, port: where to listen; port 0 takes one that is free.
        workers: processes.
        certfile, keyfile: PEM files; with them the server speaks HTTPS only.
        things_ports: where to serve rooms and queries, none for not at all; 0 takes one that is free. They
            are served in the clear, whatever certificate there is.
        streams_port: where to serve streams, in the clear too; None for not at all, 0 takes one that is free.
        records_port: where to serve records; None for not at all, 0 takes a free one. There is no login:
            whoever reaches the port reads and writes all of them.
        records_host: the address to listen at for them, whatever `host` is.
        tasks: how to run the folder's tasks; None to run none. Without a folder none are run.
        max_capacity: the largest capacity that a flow may be given, None for any.
        connections: what clients may take up.
        limits: what their requests may.
    """

    place: str
    account: str = "acme"
    new_token: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    workers: int = 1
    certfile: str | None = None
    keyfile: str | None = None
    things_ports: tuple[int, ...] = ()
    streams_port: int | None = None
    records_port: int | None = None
    records_host: str = "127.0.0.1"
    tasks: TaskSettings | None = None
    max_capacity: int | None = None
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Started:
    """What there is to say of a server that has started.

    Attributes:
        url: where it listens.
        token: a new master token of the account, None if there was one already and it stays. Only its hash
            is kept.
    """

    url: str
    token: str | None


class Preflight:
    """Checks and reserves what a server needs before it starts: the folder, ports, certificate, packages.

    To be used as a context manager around `Server.run`.

    Attributes:
        first: where the server is that has this folder open already, None if there is none.

    Raises:
        ConfigurationError: the folder, a port, the certificate or a package cannot be used.
        BadRequest: the account's name cannot be one.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.first: LeaderAddress | None = None
        self._lock: LeaderLock | None = None
        check_requirements()
        if settings.certfile is not None:
            _check_certificate(settings.certfile, settings.keyfile)
        self._sock = listen(settings.host, settings.port)
        try:
            self._look_at_folder()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Host and port as they came to be."""
        host, port = self._sock.getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """The same as a URL."""
        scheme = "https" if self.settings.certfile else "http"
        host, port = self.address
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def hand_over(self) -> int:
        """The descriptor of the listening socket, which belongs to the caller from now on."""
        return self._sock.detach()

    def close(self) -> None:
        """Let go of everything."""
        self._sock.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Preflight:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _look_at_folder(self) -> None:
        settings = self.settings
        with ResourceStore(settings.place) as store:
            Accounts(store).ensure(settings.account)
            folder = store.folder
        if folder is None:
            if settings.things_ports:
                raise ConfigurationError(
                    "rooms and queries are served from a folder: leave out --things-port, or serve a folder"
                )
            if settings.streams_port is not None:
                raise ConfigurationError(
                    "streams are served from a folder: leave out --streams-port, or serve a folder"
                )
            if settings.records_port is not None:
                raise ConfigurationError(
                    "records are served from a folder: leave out --records-port, or serve a folder"
                )
            return
        if settings.tasks is not None:
            check_tasks()
            AddressRules(settings.tasks.allowed)
        lock = LeaderLock(folder, LOCK)
        if lock.acquire():
            self._lock = lock
            host, port = self.address
            lock.publish(LeaderAddress(host, port, ""))
        else:
            self.first = lock.published()
        self._try_ports(LeaderLock(folder, THINGS_LOCK), settings.host, settings.things_ports)
        if settings.streams_port is not None:
            check_streams()
            self._try_ports(LeaderLock(folder, STREAMS_LOCK), settings.host, (settings.streams_port,))
        if settings.records_port is not None:
            check_records()
            self._try_ports(LeaderLock(folder, RECORDS_LOCK), settings.records_host, (settings.records_port,))

    @staticmethod
    def _try_ports(lock: LeaderLock, host: str, ports: Sequence[int]) -> None:
        """Listen for a moment, if nobody serves there yet, so that we shall. Raises ConfigurationError."""
        if lock.acquire():
            try:
                for port in ports:
                    listen(host, port).close()
            finally:
                lock.release()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ConfigurationError."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise ConfigurationError(f"cannot listen at {where}: {error.strerror or error}") from error
    return sock


def _check_certificate(certfile: str, keyfile: str | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for file in filter(None, (certfile, keyfile)):
        try:
            with Path(file).open("rb"):
                pass
        except OSError as error:
            raise ConfigurationError(f"{file!r} cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(certfile, keyfile, password=lambda: "")  # an encrypted key must not ask
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigurationError(
            f"{certfile!r} and its key cannot be used: {reason}; both are PEM, and the key has no password"
        ) from error


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn comes without types
    """The server: `run()` serves until SIGTERM or SIGINT, and leaves by SystemExit(0). SIGHUP renews workers.

    Args:
        preflight: what was checked and reserved.
        ready: called in a worker, once, when every port accepts connections.
        things_ready: called with (host, port) of the things node whenever a worker begins to serve it: one at
            a time does, and another when that one has gone.
        streams_ready: the same for the stream store.
        records_ready: the same for the record store.
    """

    def __init__(
        self,
        preflight: Preflight,
        ready: Callable[[Started], None],
        things_ready: Callable[[tuple[str, int]], None] = lambda address: None,
        streams_ready: Callable[[tuple[str, int]], None] = lambda address: None,
        records_ready: Callable[[tuple[str, int]], None] = lambda address: None,
    ) -> None:
        self._settings = preflight.settings
        self._joined = preflight.first is not None
        self._url = preflight.url
        self._listener = preflight.hand_over()
        self._ready = ready
        self._things_ready = things_ready
        self._streams_ready = streams_ready
        self._records_ready = records_ready
        self._once = _OneProcess()
        self._open: tuple[LiveFront, ResourceStore, Accounts] | None = None
        self._electors: list[LeaderElector] = []
        self._tasks: TaskService | None = None
        self._awaited: set[LeaderService] = set()  # those of which this worker knows no leader yet
        super().__init__()

    @property
    def connection_limits(self) -> ConnectionLimits:
        """What clients may take up."""
        return self._settings.connections

    def load_config(self) -> None:
        """Gunicorn's settings."""
        wanted = self._settings
        settings: dict[str, Any] = {
            "bind": f"fd://{self._listener}",
            "workers": wanted.workers,
            "worker_class": "flowthings_like.platform.rest.worker.Worker",
            "keepalive": int(wanted.connections.keep_alive),
            "graceful_timeout": GRACE,
            "limit_request_line": LONGEST_LINE,
            "loglevel": "warning",
            "proc_name": "flowthings-like",
            "certfile": wanted.certfile,
            "keyfile": wanted.keyfile,
            "worker_exit": self._worker_exit,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:  # the control socket is younger than the oldest gunicorn we take
                self.cfg.set(name, value)

    def load(self) -> LiveFront:
        """A worker's application."""
        wanted = self._settings
        store = ResourceStore(wanted.place)
        accounts = Accounts(store, max_capacity=wanted.max_capacity)
        application = LiveFront(Application(store, accounts, wanted.limits), store, accounts)
        self._open = application, store, accounts
        return application

    def accepting(self) -> None:
        """A worker accepts connections: start rooms, streams and records, and say that all is ready."""
        wanted = self._settings
        assert self._open is not None
        _, store, accounts = self._open
        if wanted.tasks is not None and store.folder is not None:
            self._tasks = TaskService(store, wanted.tasks)
            self._tasks.start()
        served: list[tuple[LeaderService, Callable[[tuple[str, int]], None]]] = []
        if wanted.things_ports:
            rooms = Service(store, accounts, host=wanted.host, ports=wanted.things_ports)
            served.append((rooms, self._things_ready))
        if wanted.streams_port is not None:
            streams = StreamsService(store, accounts, host=wanted.host, port=wanted.streams_port)
            served.append((streams, self._streams_ready))
        if wanted.records_port is not None:
            records = RecordsService(store, host=wanted.records_host, port=wanted.records_port)
            served.append((records, self._records_ready))
        if not served:
            self._say_ready()
            return
        self._awaited.update(service for service, _ in served)
        for service, announce in served:
            found = partial(self._found_leader, service)
            # The leader says that the server is ready. With two nodes, their leaders may be two workers.
            on_follower = found if self._joined or len(served) > 1 else None
            self._electors.append(LeaderElector(service, partial(self._lead, announce, found), on_follower))

    @staticmethod
    def _lead(
        announce: Callable[[tuple[str, int]], None], found: Callable[[], None], address: tuple[str, int]
    ) -> None:
        announce(address)
        found()

    def _found_leader(self, service: LeaderService) -> None:
        self._awaited.discard(service)
        if not self._awaited:
            self._say_ready()

    def _say_ready(self) -> None:
        assert self._open is not None
        accounts = self._open[2]
        with self._once as first:
            if first:
                wanted = self._settings
                anew = wanted.new_token or not accounts.has_master(wanted.account)
                self._ready(Started(self._url, accounts.new_master(wanted.account) if anew else None))

    def _worker_exit(self, _arbiter: Any, _worker: Any) -> None:
        if self._tasks is not None:
            self._tasks.close()
        for elector in self._electors:
            elector.close()
        if self._open is not None:
            application, store, _ = self._open
            application.close()
            store.close()


class _OneProcess:
    """Lets one of all forked processes run a block. If the block fails, another process may run it."""

    def __init__(self) -> None:
        self._taking, giving = os.pipe()
        self._giving = giving
        os.set_blocking(self._taking, False)
        os.write(giving, b"1")
        self._taken = False

    def __enter__(self) -> bool:
        try:
            self._taken = bool(os.read(self._taking, 1))
        except BlockingIOError:
            self._taken = False
        return self._taken

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._taken and error is not None:
            os.write(self._giving, b"1")
