"""The records of a folder: this process serves them, or knows which process does."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ConfigurationError
from ..leader.leader_service import LOCAL, LeaderService

if TYPE_CHECKING:
    from ..leader.leader_service import Node
    from ..store.store import Store

__all__ = ["LOCK", "Address", "Service", "check_packages"]

LOCK = "records.lock"
"""The file whose lock decides which process serves the records."""


class Address(NamedTuple):
    """Where a TStorage client connects. There is no login."""

    host: str
    port: int


class Service(LeaderService):
    """Serves the records of the folder, or finds the process that does.

    The protocol has no login: a program that reaches the port reads and writes all records.

    Args:
        store: the platform's data.
        host: the address to listen at if this process serves.
        port: the port to listen on; 0 takes a free one.
    """

    def __init__(self, store: Store, *, host: str = LOCAL, port: int = 0) -> None:
        super().__init__(
            store.folder, LOCK, "records", "connect to a TStorage with API(…, records='tstorage://…')"
        )
        self._store = store
        self._host = host
        self._port = port

    def address(self, wait: float = 5.0) -> Address:
        """Return where to connect: to this process, or to the one that serves the folder.

        Args:
            wait: seconds that another process may take to publish its address.

        Raises:
            ConfigurationError: as `serve`; or another process serves the folder and publishes no address.
        """
        leader = self.leader(wait)
        return Address(leader.host, leader.port)

    def _start(self, secret: str) -> Node:
        # Imported here: it imports numpy and DuckDB, which most platforms never use.
        check_packages()
        from .node import Node

        return Node(self._store.folder, self._host, self._port)


def check_packages() -> None:
    """Raise ConfigurationError if a package that serves records is not installed."""
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise ConfigurationError(
                f"the records of an embedded platform need the package {package}; "
                "run: pip install 'flowthings_like[embedded]'"
            )


_PACKAGES = ("duckdb", "numpy")
"""What records need. They are imported when these are first served."""
