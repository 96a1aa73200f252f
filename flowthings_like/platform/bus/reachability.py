"""Whether the server behind a bus can be reached, and what the log and an operator are told of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from ..outage import Outage

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
    """Notes the successes and failures of all connections to one server, and logs its outages.

    Attributes:
        last_reached: see `BusState`.
        losses: likewise.
    """

    def __init__(self) -> None:
        self.last_reached = 0.0
        self.losses = 0
        self._outage = Outage(_log, "bus", ", callers and followers look into the store")

    @property
    def is_connected(self) -> bool:
        """See `BusState`."""
        return self.last_reached > 0 and not self._outage.is_on

    def reached(self) -> None:
        """Note that the server has answered."""
        self.last_reached = time.time()
        self._outage.end()

    def lost(self, reason: Exception) -> None:
        """Note that the server could not be reached, or has not answered."""
        if self._outage.begin(reason):
            self.losses += 1
