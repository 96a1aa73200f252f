"""The platform as a server: gunicorn with gevent workers, each with its own application over the same store.

The master process listens and supervises the workers. What can fail is tried there first, by `Preflight`, and
the store that it opens for that is closed before it forks. A worker opens its own store when it starts and
closes it when it stops. A token is issued when the first worker is ready, and not before: a start that fails
leaves no token behind that nobody has seen.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from sqlalchemy import select

from ..errors import ConfigurationError
from .bus.redis_bus import RedisBus
from .certificates import check_certificate
from .leader.leader_elector import LeaderElector
from .leader.leader_lock import LeaderAddress, LeaderLock
from .listening import listen
from .live.front import LiveFront
from .monitoring.front import MonitoringFront
from .monitoring.metrics import MetricsFiles, ServerMetrics
from .one_process import OneProcess
from .records.service import LOCK as RECORDS_LOCK
from .records.service import Service as RecordsService
from .records.service import check_packages as check_records
from .requirements import check_requirements
from .resources.access.accounts import Accounts
from .rest.application import Application
from .store.schema import resources
from .streams.service import LOCK as STREAMS_LOCK
from .streams.service import Service as StreamsService
from .streams.service import check_packages as check_streams
from .tasks.addresses import AddressRules
from .tasks.service import TaskService
from .tasks.service import check_packages as check_tasks
from .things.service import LOCK as THINGS_LOCK
from .things.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from .leader.leader_service import LeaderService
    from .resources.drops.resource_store import ResourceStore
    from .server_settings import ServerSettings

LONGEST_LINE = 0  # gunicorn's word for "no limit": filters of 64 KiB travel in the query
CLOSING = 10  # seconds that a worker has to close its store, after its requests have been answered

_ANYTHING = select(resources.c.id).limit(1)
"""Shows whether the data can be read."""

LOCK = "serve.lock"
"""The file in the folder that the master process of the first server there holds a lock on."""


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

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.first: LeaderAddress | None = None
        self._lock: LeaderLock | None = None
        check_requirements()
        if settings.certfile is not None:
            check_certificate(settings.certfile, settings.keyfile)
        self._socks = [listen(settings.host, settings.port)]
        self.metrics_files: MetricsFiles | None = None
        try:
            wanted = settings.monitoring
            if wanted.metrics_port is not None:
                self._socks.append(listen(wanted.metrics_host, wanted.metrics_port))
                self.metrics_files = MetricsFiles()
            self._look_at_folder()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Host and port as they came to be."""
        host, port = self._socks[0].getsockname()[:2]
        return host, port

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where metrics are shown; None for nowhere."""
        if self.metrics_files is None:
            return None
        host, port = self._socks[1].getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """The same as a URL."""
        scheme = "https" if self.settings.certfile else "http"
        host, port = self.address
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def hand_over(self) -> list[int]:
        """The descriptors of the listening sockets, which belong to the caller from now on."""
        return [sock.detach() for sock in self._socks]

    def close(self) -> None:
        """Let go of everything."""
        for sock in self._socks:
            sock.close()
        if self.metrics_files is not None:
            self.metrics_files.close()
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
        if settings.bus is not None:
            with closing(RedisBus(settings.bus)) as bus:
                bus.check()
        with settings.open_store() as store:
            Accounts(store).ensure(settings.account)
            folder = store.folder
        if settings.tasks is not None and (folder is not None or settings.bus is not None):
            check_tasks()
            AddressRules(settings.tasks.allowed)
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


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn comes without types
    """gunicorn's master process. A SIGHUP with a certificate that cannot be used leaves all as it was."""

    def handle_hup(self) -> None:
        """Renew the workers."""
        try:
            self.app.check()
        except ConfigurationError as error:
            self.log.error("the workers stay as they are: %s", error)
            return
        super().handle_hup()


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
        self._metrics_files = preflight.metrics_files
        address = preflight.metrics_address
        self.metrics_port = None if address is None else address[1]
        self._listeners = preflight.hand_over()
        self._ready = ready
        self._things_ready = things_ready
        self._streams_ready = streams_ready
        self._records_ready = records_ready
        self._once = OneProcess()
        self._open: tuple[MonitoringFront, ResourceStore, Accounts] | None = None
        self._metrics: ServerMetrics | None = None
        self._electors: list[LeaderElector] = []
        self._services: dict[str, LeaderService] = {}  # rooms, streams and records, as far as they are served
        self._tasks: TaskService | None = None
        self._awaited: set[LeaderService] = set()  # those of which this worker knows no leader yet
        super().__init__()

    @property
    def settings(self) -> ServerSettings:
        """What is served."""
        return self._settings

    def run(self) -> None:
        """Serve, and leave by SystemExit."""
        _Arbiter(self).run()

    def check(self) -> None:
        """Raise ConfigurationError if new workers could not start."""
        if self._settings.certfile is not None:
            check_certificate(self._settings.certfile, self._settings.keyfile)

    def load_config(self) -> None:
        """Gunicorn's settings."""
        wanted = self._settings
        settings: dict[str, Any] = {
            "bind": [f"fd://{listener}" for listener in self._listeners],
            "workers": wanted.workers,
            "worker_class": "flowthings_like.platform.rest.worker.Worker",
            "keepalive": int(wanted.connections.keep_alive),
            "graceful_timeout": int(wanted.stop_seconds + CLOSING + 1),
            "limit_request_line": LONGEST_LINE,
            "loglevel": "warning",
            "proc_name": "flowthings-like",
            "certfile": wanted.certfile,
            "keyfile": wanted.keyfile,
            "worker_exit": self._worker_exit,
            "child_exit": self._child_exit,
            "control_socket_disable": True,
        }
        if wanted.monitoring.json_log:
            settings["logger_class"] = "flowthings_like.platform.monitoring.gunicorn_log.JSONLogger"
        for name, value in settings.items():
            if name in self.cfg.settings:  # the control socket is younger than the oldest gunicorn we take
                self.cfg.set(name, value)

    def load(self) -> MonitoringFront:
        """A worker's application."""
        wanted = self._settings
        store = wanted.open_store(None if wanted.bus is None else RedisBus(wanted.bus))
        accounts = Accounts(store, max_capacity=wanted.max_capacity)
        application = Application(store, accounts, wanted.limits)
        if self._metrics_files is not None:
            self._metrics = ServerMetrics(self._metrics_files, store.folder)
        front = MonitoringFront(
            LiveFront(application, store, accounts),
            application,
            lambda: store.read(lambda connection: connection.execute(_ANYTHING).all()),
            self._metrics,
            self.metrics_port,
            store.bus.state,
        )
        self._open = front, store, accounts
        return front

    def observe(self, phases: dict[str, int], delay: float) -> None:
        """Note the state of a worker, once a second; see `ServerMetrics.observe_worker`."""
        if self._metrics is None or self._open is None:
            return
        self._metrics.observe_worker(phases, delay)
        store = self._open[1]
        leads = {name: service.is_leader for name, service in self._services.items()}
        if self._tasks is not None:
            leads["tasks"] = self._tasks.is_leader
        self._metrics.observe_platform(store.statistics(), store.bus.state(), leads)

    def accepting(self) -> None:
        """A worker accepts connections: start rooms, streams and records, and say that all is ready."""
        wanted = self._settings
        assert self._open is not None
        _, store, accounts = self._open
        if wanted.tasks is not None and (store.folder is not None or wanted.bus is not None):
            self._tasks = TaskService(store, wanted.tasks)
            self._tasks.start()
        served: list[tuple[LeaderService, Callable[[tuple[str, int]], None]]] = []
        if wanted.things_ports:
            rooms = Service(store, accounts, host=wanted.host, ports=wanted.things_ports)
            served.append((rooms, self._things_ready))
            self._services["rooms"] = rooms
        if wanted.streams_port is not None:
            streams = StreamsService(store, accounts, host=wanted.host, port=wanted.streams_port)
            served.append((streams, self._streams_ready))
            self._services["streams"] = streams
        if wanted.records_port is not None:
            records = RecordsService(store, host=wanted.records_host, port=wanted.records_port)
            served.append((records, self._records_ready))
            self._services["records"] = records
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
                issue = accounts.new_master if wanted.new_token else accounts.first_master
                self._ready(Started(self._url, issue(wanted.account)))

    def _worker_exit(self, _arbiter: Any, _worker: Any) -> None:
        if self._tasks is not None:
            self._tasks.close()
        for elector in self._electors:
            elector.close()
        if self._open is not None:
            application, store, _ = self._open
            application.close()
            store.close()

    def _child_exit(self, _arbiter: Any, worker: Any) -> None:
        if self._metrics_files is not None:
            self._metrics_files.forget(worker.pid)
