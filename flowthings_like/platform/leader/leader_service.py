"""What one process of a folder does for all of them: it serves, or knows which process does.

Nothing runs until somebody asks for the address. The first process that is asked takes the leader lock and
starts the node; the others read its address from the lock's file. When the leader ends, the next process that
is asked takes over: everything that was acknowledged is on disk.
"""

from __future__ import annotations

import os
import secrets
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...errors import ConfigurationError
from ...green.backends import choice as backend
from .leader_lock import LeaderAddress, LeaderLock

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOCAL", "LeaderService", "Node"]

LOCAL = "127.0.0.1"

_POLL_INTERVAL = 0.02
"""Seconds between two looks at whether the leader has published its address."""


class Node(Protocol):
    """What the leader runs."""

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of each port that it listens on."""

    def close(self) -> None:
        """Answer what was requested and stop."""


class _Running(NamedTuple):
    """A node that runs, the process that it runs in, and its address."""

    process: int
    node: Node
    address: LeaderAddress


class LeaderService(ABC):
    """Serves the folder, or finds the process that does.

    Any number of green or plain threads may use it. A forked child may use it too: it finds the parent's node
    through the lock, or starts one of its own.

    Args:
        folder: the platform's folder, None if it has a database server instead.
        lock: the name of the lock's file.
        subject: what is served, for messages: "rooms".
        elsewhere: what to do without a folder, for messages.
    """

    def __init__(self, folder: Path | None, lock: str, subject: str, elsewhere: str) -> None:
        self._folder = folder
        self._subject = subject
        self._elsewhere = elsewhere
        self._lock = None if folder is None else LeaderLock(folder, lock)
        self._starting = backend.detect().lock()
        self._running: _Running | None = None
        self._closed = False

    @abstractmethod
    def _start(self, secret: str) -> Node:
        """Start the node. `secret` is a password that opens it."""

    def serve(self) -> tuple[str, int] | None:
        """Serve the folder, unless another process does.

        Returns:
            (host, port) of this process; None if another process serves.

        Raises:
            ConfigurationError: the platform has no folder or is closed, or the address cannot be listened at.
        """
        address = self._serve()
        return None if address is None else (address.host, address.port)

    def leader(self, wait: float = 5.0) -> LeaderAddress:
        """Return where the folder is served: by this process, or by the one that serves it already.

        Args:
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
                return leader
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"another process serves the {self._subject} of {str(self._folder)!r} "
                    "but does not say where"
                )
            backend.detect().sleep(_POLL_INTERVAL)

    @property
    def is_leader(self) -> bool:
        """Whether this process serves the folder."""
        running = self._running
        return running is not None and running.process == os.getpid()

    def is_served_elsewhere(self) -> bool:
        """Whether another process serves the folder and accepts connections."""
        return self._lock is not None and not self._lock.held and self._lock.published() is not None

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
                    f"the {self._subject} of an embedded platform are in its folder, and this one has a "
                    f"database server instead: {self._elsewhere}"
                )
            if self._running is not None and self._running.process == os.getpid():
                return self._running.address
            if not self._lock.acquire():
                return None
            secret = secrets.token_urlsafe(32)
            try:
                node = self._start(secret)
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
