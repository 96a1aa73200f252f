"""Whether the server behind a bus can be reached, and what the log and an operator are told of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

__all__ = ["BusState", "Reachability"]

_log = logging.getLogger("flowthings_like.platform.bus")


@dataclass(frozen=True, slots=True)
class BusState:
    """The bus as one process sees it.

    Attributes:
        is_connected: whether its server has answered, and has not failed since.
        last_reached: when it last answered, in seconds since the epoch; 0 for never.
        losses: how often it was lost.
        sent: messages that this process has sent to the others.
        received: messages of others that have come.
    """

    is_connected: bool
    last_reached: float
    losses: int
    sent: int
    received: int


class Reachability:
    """Notes the successes and failures of all connections to one server.

    The log gets one line when the server is lost and one when it is back, however many calls fail meanwhile.
    It takes no lock: of two threads that fail in the same moment both may write the line.

    Attributes:
        last_reached: see `BusState`.
        losses: likewise.
    """

    def __init__(self) -> None:
        self.last_reached = 0.0
        self.losses = 0
        self._lost_at: float | None = None  # time.monotonic(); None while it is reached

    @property
    def is_connected(self) -> bool:
        """See `BusState`."""
        return self.last_reached > 0 and self._lost_at is None

    def reached(self) -> None:
        """Note that the server has answered."""
        self.last_reached = time.time()
        lost_at, self._lost_at = self._lost_at, None
        if lost_at is not None:
            # A warning, because without `--log` the one of the loss is shown, and this has to be, too.
            _log.warning("the bus is back after %.1f seconds", time.monotonic() - lost_at)

    def lost(self, reason: Exception) -> None:
        """Note that the server could not be reached, or has not answered."""
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            self.losses += 1
            _log.warning("the bus is away, callers and followers look into the store: %s", reason)
