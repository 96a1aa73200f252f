"""The streams of a folder: this process serves them, or knows which process does."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ConfigurationError
from ..leader.leader_service import LOCAL, LeaderService

if TYPE_CHECKING:
    from ..leader.leader_service import Node
    from ..resources.access.accounts import Accounts
    from ..store.store import Store

__all__ = ["LOCK", "Address", "Service"]

LOCK = "streams.lock"
"""The file whose lock decides which process serves the streams."""


class Address(NamedTuple):
    """Where a BTrDB client connects, and the API key that it sends."""

    host: str
    port: int
    key: str

    def __repr__(self) -> str:
        return f"Address({self.host}:{self.port})"


class Service(LeaderService):
    """Serves the streams of the folder, or finds the process that does.

    Args:
        store: the platform's data.
        accounts: the platform's accounts, whose master tokens are keys.
        host: the address to listen at if this process serves.
        port: the port to listen on; 0 takes a free one.
    """

    def __init__(self, store: Store, accounts: Accounts, *, host: str = LOCAL, port: int = 0) -> None:
        super().__init__(store.folder, LOCK, "streams", "connect to a BTrDB with API(…, streams='grpcs://…')")
        self._store = store
        self._accounts = accounts
        self._host = host
        self._port = port

    def address(self, account: str, wait: float = 5.0) -> Address:
        """Return where the account connects: to this process, or to the one that serves the folder.

        Args:
            account: the account's name.
            wait: seconds that another process may take to publish its address.

        Raises:
            ConfigurationError: as `serve`; or another process serves the folder and publishes no address.
        """
        leader = self.leader(wait)
        return Address(leader.host, leader.port, f"{account}:{leader.secret}")

    def _start(self, secret: str) -> Node:
        # Imported here: it imports numpy, protobuf, h2 and DuckDB, which most platforms never use.
        check_packages()
        from .node import Node

        return Node(self._store, self._accounts, secret, self._host, self._port)


def check_packages() -> None:
    """Raise ConfigurationError if a package that serves streams is not installed."""
    for module, package in _PACKAGES.items():
        if find_spec(module) is None:
            raise ConfigurationError(
                f"the streams of an embedded platform need the package {package}; "
                "run: pip install 'flowthings_like[embedded]'"
            )


_PACKAGES = {"duckdb": "duckdb", "google": "protobuf", "h2": "h2", "numpy": "numpy"}
"""{module: package} of what streams need. They are imported when these are first served."""
