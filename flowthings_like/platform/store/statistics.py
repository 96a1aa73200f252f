"""The numbers of a store that an operator watches."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StoreStatistics"]


@dataclass(slots=True)
class StoreStatistics:
    """What a store has done in this process, and whether it can.

    Native threads count here without a lock. A count that is lost is missing on a display and nowhere else.

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
