"""The metrics of what a worker depends on, the store and the bus, and of what it leads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry, Counter

    from ..bus.reachability import BusState
    from ..store.statistics import StoreStatistics

__all__ = ["BusMetrics", "LeaderMetrics", "StoreMetrics"]


class _Following:
    """A counter that follows a number which only grows."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._seen = 0

    def follow(self, number: int) -> None:
        self._counter.inc(number - self._seen)
        self._seen = number


class StoreMetrics:
    """The metrics of the database.

    Args:
        registry: of this worker.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter

        self._reachable = _gauge(
            registry, "store_reachable", "Workers whose last transaction has reached the database."
        )
        self._queue = _gauge(registry, "store_write_queue", "Jobs that wait for the writers of all workers.")
        retries = Counter(
            "flowthings_store_retries",
            "Transactions that were made again, because the database was away or another one in the way.",
            ("kind",),
            registry=registry,
        )
        self._reads, self._writes = _Following(retries.labels("read")), _Following(retries.labels("write"))
        self._failures = _following(
            registry,
            "store_failures",
            "Transactions that were given up, because the database was away, full or locked.",
        )

    def observe(self, statistics: StoreStatistics) -> None:
        """Note the numbers of the worker's store."""
        self._reachable.set(statistics.is_reachable)
        self._queue.set(statistics.waiting)
        self._reads.follow(statistics.read_retries)
        self._writes.follow(statistics.write_retries)
        self._failures.follow(statistics.failures)


class BusMetrics:
    """The metrics of a bus that can be lost.

    Args:
        registry: of this worker.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connected = _gauge(registry, "bus_connected", "Workers that reach the bus.")
        self._reached = _gauge(
            registry,
            "bus_last_reached_timestamp_seconds",
            "When the bus last answered the worker that has waited longest, or when that has started.",
            "livemin",
        )
        self._reached.set(time.time())
        self._losses = _following(registry, "bus_losses", "How often a worker has lost the bus.")
        self._sent = _following(registry, "bus_messages_sent", "Messages to other workers.")
        self._received = _following(
            registry, "bus_messages_received", "Messages of other workers, counted by each of them."
        )

    def observe(self, state: BusState) -> None:
        """Note the state of the worker's bus."""
        self._connected.set(state.is_connected)
        if state.last_reached:
            self._reached.set(state.last_reached)
        self._losses.follow(state.losses)
        self._sent.follow(state.sent)
        self._received.follow(state.received)


class LeaderMetrics:
    """The metrics of what one worker of all does.

    Args:
        registry: of this worker.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._leaders = _gauge(
            registry, "leaders", "Workers of this server that do what one of all workers does.", "livesum",
            ("service",),
        )  # fmt: skip

    def observe(self, leads: Mapping[str, bool]) -> None:
        """Note for each service whether this worker is its leader."""
        for service, is_leader in leads.items():
            self._leaders.labels(service).set(is_leader)


def _following(registry: CollectorRegistry, name: str, text: str) -> _Following:
    from prometheus_client import Counter

    return _Following(Counter(f"flowthings_{name}", text, registry=registry))


def _gauge(
    registry: CollectorRegistry, name: str, text: str, mode: Any = "livesum", labels: tuple[str, ...] = ()
) -> Any:
    from prometheus_client import Gauge

    return Gauge(f"flowthings_{name}", text, labels, registry=registry, multiprocess_mode=mode)
