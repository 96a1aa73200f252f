"""The platform as a server: gunicorn with gevent workers, each with its own application over the same store.

The master process only listens and looks after the workers: it opens the store once, to make the account, and
closes it before it forks. A worker opens its own when it starts and closes it when it stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gunicorn.app.base import BaseApplication

from .accounts import Accounts
from .application import Application
from .store.store import Store
from .things.service import Attendant, Service

KEEP_ALIVE = 75  # seconds a connection may be idle
LONGEST_LINE = 0  # gunicorn's word for "no limit": filters of 64 KiB travel in the query


@dataclass(frozen=True)
class Settings:
    """What to serve, and where.

    Attributes:
        place: the data's folder or an SQLAlchemy URL.
        host, port: where to listen; port 0 takes one that is free.
        workers: processes.
        certfile, keyfile: PEM files; with them the server speaks HTTPS only.
        things_ports: where to serve rooms and queries, none for not at all; 0 takes one that is free. They
            are served in the clear, whatever certificate there is.
        max_capacity: the largest capacity that a flow may be given, None for any.
    """

    place: str
    host: str = "127.0.0.1"
    port: int = 0
    workers: int = 1
    certfile: str | None = None
    keyfile: str | None = None
    things_ports: tuple[int, ...] = ()
    max_capacity: int | None = None

    @property
    def bind(self) -> str:
        """host:port as gunicorn reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def issue(place: str, account: str, *, anew: bool = False) -> str | None:
    """Make the account if it is missing.

    Args:
        place: the data's folder or an SQLAlchemy URL.
        account: the account's name.
        anew: whether to replace the master token there is.

    Returns:
        The string of a new master token, None if there was one already and it stays. It cannot be had again.

    Raises:
        BadRequest: the name cannot be an account's.
        ConfigurationError: the place cannot be used.
    """
    with Store(place) as store:
        accounts = Accounts(store)
        accounts.ensure(account)
        if anew or not accounts.has_master(account):
            return accounts.new_master(account)
        return None


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn comes without types
    """The server: `run()` serves until SIGTERM or SIGINT, and leaves by SystemExit(0). SIGHUP renews workers.

    Args:
        settings: what and where.
        ready: called with the server's URL as soon as it listens.
        things_ready: called with (host, port) of the things node whenever a worker begins to serve it: one at
            a time does, and another when that one has gone.
    """

    def __init__(
        self,
        settings: Settings,
        ready: Callable[[str], None],
        things_ready: Callable[[tuple[str, int]], None] = lambda address: None,
    ) -> None:
        self._settings = settings
        self._ready = ready
        self._things_ready = things_ready
        self._open: tuple[Application, Store] | None = None
        self._things: Attendant | None = None
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings."""
        wanted = self._settings
        settings: dict[str, Any] = {
            "bind": wanted.bind,
            "workers": wanted.workers,
            "worker_class": "gevent",
            "keepalive": KEEP_ALIVE,
            "limit_request_line": LONGEST_LINE,
            "loglevel": "warning",
            "proc_name": "flowthings-like",
            "certfile": wanted.certfile,
            "keyfile": wanted.keyfile,
            "when_ready": self._when_ready,
            "worker_exit": self._worker_exit,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:  # the control socket is younger than the oldest gunicorn we take
                self.cfg.set(name, value)

    def load(self) -> Application:
        """A worker's application."""
        wanted = self._settings
        store = Store(wanted.place)
        accounts = Accounts(store, max_capacity=wanted.max_capacity)
        application = Application(store, accounts)
        self._open = application, store
        if wanted.things_ports:
            service = Service(store, accounts, host=wanted.host, ports=wanted.things_ports)
            self._things = Attendant(service, self._things_ready)
        return application

    def _when_ready(self, arbiter: Any) -> None:
        host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
        scheme = "https" if self._settings.certfile else "http"
        self._ready(f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}")

    def _worker_exit(self, _arbiter: Any, _worker: Any) -> None:
        if self._things is not None:
            self._things.close()
        if self._open is not None:
            application, store = self._open
            application.close()
            store.close()
