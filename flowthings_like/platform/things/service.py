"""A folder's rooms as one process sees them: it serves them itself, or knows where they are served.

Nothing runs until somebody asks where to connect. The first process that does takes the folder's claim and
starts the node; the others are told where it listens. When it is gone, whoever asks next takes over:
everything that was acknowledged is on disk.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...errors import ConfigurationError
from ...green.backends import contract as backend
from .leader_lock import LeaderAddress, LeaderLock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..resources.access.accounts import Accounts
    from ..store.store import Store
    from .node import Node

__all__ = ["LOCAL", "Address", "LeaderElector", "Service"]

LOCAL = "127.0.0.1"

Address = tuple[str, int, str, str]
"""(host, port, user, password)."""

_LOOK_AGAIN = 0.02  # seconds
_ATTEND = 0.5  # seconds between two looks at whether the folder's rooms are served

_log = logging.getLogger("flowthings_like.platform.things")


class Service:
    """Usable from any number of green or plain threads, and across a fork: the child's is a new one.

    Args:
        store: the platform's data.
        accounts: who may come in.
        host: the address to listen at, should this process serve.
        ports: where; 0 takes one that is free. Each takes TCP and WebSockets alike.
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
        self._node: tuple[int, Node, LeaderAddress] | None = None
        self._closed = False

    def serve(self) -> tuple[str, int] | None:
        """Serve the folder, unless another process does: where this one listens, None if it is not the one.

        Raises:
            ConfigurationError: the platform has no folder or is closed, or the address cannot be listened at.
        """
        notice = self._serve()
        return None if notice is None else (notice.host, notice.port)

    def address(self, account: str, wait: float = 5.0) -> Address:
        """Where to connect as the account: to this process, or to the one that serves the folder.

        Args:
            account: whose database.
            wait: seconds that another process may take to say where it listens.

        Raises:
            ConfigurationError: see `serve`; or another process has the folder and does not say where.
        """
        deadline = time.monotonic() + wait
        while True:
            notice = self._serve()
            if notice is None and self._lock is not None:
                notice = self._lock.published()
            if notice is not None:
                return notice.host, notice.port, account, notice.secret
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"another process serves the rooms of {str(self._store.folder)!r} but does not say where"
                )
            backend.detect().sleep(_LOOK_AGAIN)

    def is_served_elsewhere(self) -> bool:
        """Whether another process serves the folder and accepts connections."""
        return self._lock is not None and not self._lock.held and self._lock.published() is not None

    def endpoints(self, account: str) -> list[str]:
        """Where to connect as the account, as URLs, which hold the password. Ask before each attempt."""
        host, port, user, password = self.address(account)
        where = f"[{host}]" if ":" in host else host
        return [f"things://{quote(user, safe='')}:{quote(password, safe='')}@{where}:{port}"]

    def close(self) -> None:
        """Answer what was asked, hang up, and let another process serve. More calls do nothing."""
        with self._starting:
            self._closed = True
            found, self._node = self._node, None
            if found is not None and found[0] == os.getpid():
                try:
                    if self._lock is not None:
                        self._lock.withdraw()  # whoever looks for a node from now on waits for the next one
                    found[1].close()
                finally:
                    if self._lock is not None:
                        self._lock.release()

    def _serve(self) -> LeaderAddress | None:
        """Where this process listens; None if another one has the folder."""
        with self._starting:
            if self._closed:
                raise ConfigurationError("the platform is closed")
            if self._lock is None:
                raise ConfigurationError(
                    "the rooms of an embedded platform are in its folder, and this one has a database server "
                    "instead: connect to a ThingsDB with API(…, things='things://…')"
                )
            if self._node is not None and self._node[0] == os.getpid():
                return self._node[2]
            if not self._lock.acquire():
                return None
            from .node import Node  # and with it the language and its parser, which most platforms never use

            secret = secrets.token_urlsafe(32)
            try:
                node = Node(self._store, self._accounts, secret, self._host, self._ports)
                try:
                    host, port = node.addresses[0]
                    notice = LeaderAddress(_reachable(host), port, secret)
                    self._lock.publish(notice)
                except BaseException:
                    node.close()
                    raise
            except BaseException:
                self._lock.release()
                raise
            self._node = os.getpid(), node, notice
            return notice


class LeaderElector:
    """Sees to it that a folder's rooms are served, by this process or another: one that goes is replaced.

    Args:
        service: this process's. It is closed along with this.
        ready: called with (host, port) whenever this process begins to serve.
        elsewhere: called once if another process serves, as soon as it accepts connections.
    """

    def __init__(
        self,
        service: Service,
        ready: Callable[[tuple[str, int]], None],
        elsewhere: Callable[[], None] | None = None,
    ) -> None:
        self._service = service
        self._ready = ready
        self._elsewhere = elsewhere
        here = backend.detect()
        self._closed = here.event()
        here.spawn(self._attend)

    def close(self) -> None:
        """Serve no longer."""
        self._closed.set()
        self._service.close()

    def _attend(self) -> None:
        complained = ""
        while not self._closed.is_set():
            try:
                address = self._service.serve()
            except ConfigurationError as error:
                if str(error) != complained and not self._closed.is_set():
                    _log.error("%s", error)
                    complained = str(error)
            else:
                if address is not None:
                    self._ready(address)
                    return
                if self._elsewhere is not None and self._service.is_served_elsewhere():
                    elsewhere, self._elsewhere = self._elsewhere, None
                    elsewhere()
            self._closed.wait(_ATTEND)


def _reachable(host: str) -> str:
    """An address of this machine that reaches a socket which listens at `host`."""
    return {"0.0.0.0": LOCAL, "::": "::1", "": LOCAL}.get(host, host)
