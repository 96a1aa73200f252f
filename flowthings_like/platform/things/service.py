"""The rooms and queries of a folder, as one process sees them: it serves them, or knows which process does.

Nothing runs until somebody asks for the address. The first process that is asked takes the leader lock and
starts the node; the others read its address from the lock's file. When the leader ends, the next process that
is asked takes over: everything that was acknowledged is on disk.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from ...errors import ConfigurationError
from ...green.backends import choice as backend
from .leader_lock import LeaderAddress, LeaderLock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..resources.access.accounts import Accounts
    from ..store.store import Store
    from .node import Node

__all__ = ["LOCAL", "Address", "Service"]

LOCAL = "127.0.0.1"

_POLL_INTERVAL = 0.02
"""Seconds between two looks at whether the leader has published its address."""


class Address(NamedTuple):
    """Where a client connects, and what it logs in with."""

    host: str
    port: int
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Address({self.user}@{self.host}:{self.port})"


class _Running(NamedTuple):
    """A node that runs, the process that it runs in, and its address."""

    process: int
    node: Node
    address: LeaderAddress


class Service:
    """Serves the folder, or finds the process that does.

    Any number of green or plain threads may use it. A forked child may use it too: it finds the parent's node
    through the lock, or starts one of its own.

    Args:
        store: the platform's data.
        accounts: the platform's accounts, which can log in.
        host: the address to listen at if this process serves.
        ports: the ports to listen on; 0 takes a free one. Each accepts TCP and WebSockets.
    """

    def __init__(
        self, store: Store, accounts: Accounts, *, host: str = LOCAL, ports: Sequence[int] = (0,)
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._host = host
        self._ports = ports
        self._lock = None if store.folder is None else LeaderLock(store.folder)
        self._starting = backend.detect().lock()
        self._running: _Running | None = None
        self._closed = False

    def serve(self) -> tuple[str, int] | None:
        """Serve the folder, unless another process does.

        Returns:
            (host, port) of this process; None if another process serves.

        Raises:
            ConfigurationError: the platform has no folder or is closed, or the address cannot be listened at.
        """
        address = self._serve()
        return None if address is None else (address.host, address.port)

    def address(self, account: str, wait: float = 5.0) -> Address:
        """Return where the account connects: to this process, or to the one that serves the folder.

        Args:
            account: the account's name.
            wait: seconds that another process may take to publish its address.

        Raises:
            ConfigurationError: as `serve`; or another process serves the folder and publishes no address.
        """
        deadline = time.monotonic() + wait
        while True:
            leader = self._serve()
            if leader is None and self._lock is not None:
                leader = self._lock.published()
            if leader is not None:
                return Address(leader.host, leader.port, account, leader.secret)
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"another process serves the rooms of {str(self._store.folder)!r} but does not say where"
                )
            backend.detect().sleep(_POLL_INTERVAL)

    def is_served_elsewhere(self) -> bool:
        """Whether another process serves the folder and accepts connections."""
        return self._lock is not None and not self._lock.held and self._lock.published() is not None

    def endpoints(self, account: str) -> list[str]:
        """Return where the account connects, as URLs that contain the password. Ask before each attempt."""
        address = self.address(account)
        host = f"[{address.host}]" if ":" in address.host else address.host
        login = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
        return [f"things://{login}@{host}:{address.port}"]

    def close(self) -> None:
        """Answer what was requested, close all connections and release the lock. More calls do nothing."""
        with self._starting:
            self._closed = True
            running, self._running = self._running, None
            if running is not None and running.process == os.getpid():
                try:
                    if self._lock is not None:
                        self._lock.withdraw()  # callers wait for the next leader
                    running.node.close()
                finally:
                    if self._lock is not None:
                        self._lock.release()

    def _serve(self) -> LeaderAddress | None:
        """Serve, unless another process does. Returns this process's address, None if it does not serve."""
        with self._starting:
            if self._closed:
                raise ConfigurationError("the platform is closed")
            if self._lock is None:
                raise ConfigurationError(
                    "the rooms of an embedded platform are in its folder, and this one has a database server "
                    "instead: connect to a ThingsDB with API(…, things='things://…')"
                )
            if self._running is not None and self._running.process == os.getpid():
                return self._running.address
            if not self._lock.acquire():
                return None
            # Imported here: it imports the language and its parser, which most platforms never use.
            from .node import Node

            secret = secrets.token_urlsafe(32)
            try:
                node = Node(self._store, self._accounts, secret, self._host, self._ports)
                try:
                    host, port = node.addresses[0]
                    address = LeaderAddress(_reachable(host), port, secret)
                    self._lock.publish(address)
                except BaseException:
                    node.close()
                    raise
            except BaseException:
                self._lock.release()
                raise
            self._running = _Running(os.getpid(), node, address)
            return address


def _reachable(host: str) -> str:
    """Return an address of this machine that reaches a socket which listens at `host`."""
    return {"0.0.0.0": LOCAL, "::": "::1", "": LOCAL}.get(host, host)
