"""The numbers of a store that an operator watches."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ..outage import Outage

__all__ = ["StoreStatistics"]

_log = logging.getLogger("flowthings_like.platform.store")


@dataclass(slots=True)
class StoreStatistics:
    """What a store has done in this process, and whether it can.

    Native threads count here without a lock. A count that is lost is missing on a display and nowhere else.
    The log gets one line when the database is lost and one when it is back, however many transactions fail
    meanwhile.

    Attributes:
        is_reachable: whether the last transaction has reached the database. One that is refused for what it
            asks changes nothing here.
        read_retries: transactions that were made again because the database was away or another one was in
            the way, those that read.
        write_retries: the same of those that write.
        failures: transactions that were given up because the database was away, full or locked.
        waiting: jobs that wait for the writer.
    """

    is_reachable: bool = True
    read_retries: int = 0
    write_retries: int = 0
    failures: int = 0
    waiting: int = 0
    _outage: Outage = field(default_factory=lambda: Outage(_log, "store"), repr=False, compare=False)

    def reached(self) -> None:
        """Note that a transaction has reached the database."""
        self.is_reachable = True
        self._outage.end()

    def lost(self, reason: object) -> None:
        """Note that a transaction could not do its work. `reason` is the driver's error."""
        self.is_reachable = False
        self._outage.begin(reason)

    def gave_up(self, reason: object) -> None:
        """Note that a transaction could not do its work, and is not made again."""
        self.lost(reason)
        self.failures += 1
