"""Makes this process the leader of a folder as soon as no other process is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...green.backends import choice as backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from .leader_service import LeaderService

__all__ = ["LeaderElector"]

_log = logging.getLogger("flowthings_like.platform.leader")

_RETRY_INTERVAL = 0.5
"""Seconds between two attempts to become the leader."""


class LeaderElector:
    """Tries to become the leader of a folder, again and again until it is or is closed.

    So a leader that ends is replaced by another process that has an elector.

    Args:
        service: this process's. It is closed along with the elector.
        on_leader: called with (host, port) when this process begins to serve.
        on_follower: called once if another process serves, as soon as that one accepts connections.
    """

    def __init__(
        self,
        service: LeaderService,
        on_leader: Callable[[tuple[str, int]], None],
        on_follower: Callable[[], None] | None = None,
    ) -> None:
        self._service = service
        self._on_leader = on_leader
        self._on_follower = on_follower
        here = backend.detect()
        self._closed = here.event()
        here.spawn(self._run)

    def close(self) -> None:
        """Stop trying, and stop serving."""
        self._closed.set()
        self._service.close()

    def _run(self) -> None:
        logged = ""
        while not self._closed.is_set():
            try:
                address = self._service.serve()
            except ConfigurationError as error:
                if str(error) != logged and not self._closed.is_set():
                    _log.error("%s", error)
                    logged = str(error)
            else:
                if address is not None:
                    self._on_leader(address)
                    return
                if self._on_follower is not None and self._service.is_served_elsewhere():
                    on_follower, self._on_follower = self._on_follower, None
                    on_follower()
            self._closed.wait(_RETRY_INTERVAL)
