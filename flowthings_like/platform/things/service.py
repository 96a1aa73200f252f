"""The rooms and queries of a folder: this process serves them, or knows which process does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from ..leader.leader_service import LOCAL, LeaderService
from ..store.folder import database_url
from ..store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..resources.access.accounts import Accounts
    from .node import Node

__all__ = ["LOCAL", "LOCK", "Address", "Service"]

LOCK = "things.lock"
"""The file whose lock decides which process serves the rooms."""


class Address(NamedTuple):
    """Where a client connects, and what it logs in with."""

    host: str
    port: int
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Address({self.user}@{self.host}:{self.port})"


class Service(LeaderService):
    """Serves the rooms of the folder, or finds the process that does.

    Args:
        store: the platform's data. If a server has it, rooms and their data are in the folder's own database.
        accounts: the platform's accounts, which can log in.
        host: the address to listen at if this process serves.
        ports: the ports to listen on; 0 takes a free one. Each accepts TCP and WebSockets.
    """

    def __init__(
        self, store: Store, accounts: Accounts, *, host: str = LOCAL, ports: Sequence[int] = (0,)
    ) -> None:
        super().__init__(
            store.folder, LOCK, "rooms", "connect to a ThingsDB with API(…, things='things://…')"
        )
        self._store = store
        self._in_folder: Store | None = None
        self._accounts = accounts
        self._host = host
        self._ports = ports

    def address(self, account: str, wait: float = 5.0) -> Address:
        """Return where the account connects: to this process, or to the one that serves the folder.

        Args:
            account: the account's name.
            wait: seconds that another process may take to publish its address.

        Raises:
            ConfigurationError: as `serve`; or another process serves the folder and publishes no address.
        """
        leader = self.leader(wait)
        return Address(leader.host, leader.port, account, leader.secret)

    def endpoints(self, account: str) -> list[str]:
        """Return where the account connects, as URLs that contain the password. Ask before each attempt."""
        address = self.address(account)
        host = f"[{address.host}]" if ":" in address.host else address.host
        login = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
        return [f"things://{login}@{host}:{address.port}"]

    def _start(self, secret: str) -> Node:
        # Imported here: it imports the language and its parser, which most platforms never use.
        from .node import Node

        store = self._store
        if store.shared_folder is None and store.folder is not None:
            store = self._in_folder = self._in_folder or Store(database_url(store.folder))
        return Node(store, self._accounts, secret, self._host, self._ports)

    def close(self) -> None:
        """Answer what was requested, close all connections and release the lock. More calls do nothing."""
        super().close()
        if self._in_folder is not None:
            self._in_folder.close()
