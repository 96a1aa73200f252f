"""What a server is told: where the data is, what to serve, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .monitoring.settings import MonitoringSettings
from .resources.drops.resource_store import ResourceStore
from .rest.application import Limits
from .rest.connections import ConnectionLimits

if TYPE_CHECKING:
    from .bus.bus import Bus
    from .tasks.service import TaskSettings

__all__ = ["ServerSettings"]


@dataclass(frozen=True)
class ServerSettings:
    """What to serve, and where.

    Attributes:
        place: the data's folder; None for nowhere.
        store: the URL of the database that resources and drops are in; None if the folder has them.
        bus: the URL of the Redis over which the workers of all servers tell each other of changes; None if
            they share a folder, or look into the database again and again.
        account: the account to make if it is missing.
        new_token: whether to replace the master token that the account has.
        host, port: where to listen; port 0 takes one that is free.
        workers: processes.
        certfile, keyfile: PEM files; with them the server speaks HTTPS only.
        things_ports: where to serve rooms and queries, none for not at all; 0 takes one that is free. They
            are served in the clear, whatever certificate there is.
        streams_port: where to serve streams, in the clear too; None for not at all, 0 takes one that is free.
        records_port: where to serve records; None for not at all, 0 takes a free one. There is no login:
            every client of the port reads and writes all of them.
        records_host: the address to listen at for them, whatever `host` is.
        tasks: how to run the platform's tasks; None to run none. Without a folder or a bus none are run.
        max_capacity: the largest capacity that a flow may be given, None for any.
        connections: what clients may take up.
        limits: what their requests may.
        stop_seconds: how long requests under way may take when the server is stopped.
        monitoring: what to show of the server.
    """

    place: str | None
    store: str | None = field(default=None, repr=False)  # it may hold a password
    bus: str | None = field(default=None, repr=False)  # it may hold a password
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
    stop_seconds: float = 30.0
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)

    def open_store(self, bus: Bus | None = None) -> ResourceStore:
        """Open the platform's data.

        Args:
            bus: of this process; None for the folder.

        Raises:
            ConfigurationError: there is neither folder nor database, or it cannot be used.
        """
        if self.store is not None:
            return ResourceStore(self.store, self.place, bus)
        if self.place is None:
            raise ConfigurationError("a server needs a folder or the URL of a database for its data")
        return ResourceStore(self.place, bus=bus)
