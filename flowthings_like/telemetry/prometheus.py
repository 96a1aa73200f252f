"""What the calls and the connection pools of this process do, for prometheus-client.

from prometheus_client import REGISTRY
from flowthings_like import telemetry
from flowthings_like.telemetry.prometheus import CallMetrics, PoolCollector

telemetry.subscribe(CallMetrics())
REGISTRY.register(PoolCollector(api, api.db))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import CollectorRegistry

    from .event import CallEvent

__all__ = ["CallMetrics", "PoolCollector"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of the histogram's buckets, in seconds."""


class CallMetrics:
    """An observer that counts calls, by family, operation and outcome, and measures how long they take.

    Args:
        registry: where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        labels = ("family", "operation")
        self._calls = Counter(
            "flowthings_client_calls", "Calls that have ended.", (*labels, "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "flowthings_client_call_seconds",
            "How long calls took, retries included.",
            labels,
            buckets=SECONDS,
            registry=registry,
        )
        self._attempts = Counter(
            "flowthings_client_retries", "Further attempts of calls.", labels, registry=registry
        )

    def call_began(self, event: CallEvent) -> None:
        """A call is counted when it ends."""

    def call_ended(self, event: CallEvent) -> None:
        """Count the call."""
        labels = event.family.value, event.operation
        self._calls.labels(*labels, event.outcome.value).inc()
        self._seconds.labels(*labels).observe(event.seconds or 0.0)
        if event.attempts > 1:
            self._attempts.labels(*labels).inc(event.attempts - 1)


_GAUGES = {
    "size": "Connections there may be.",
    "open": "Connections there are.",
    "idle": "Connections that wait for work.",
    "waiting": "Callers that wait for a connection.",
}
_COUNTERS = {
    "opened": "Connections opened.",
    "expired": "Connections closed for their age, or by the other end.",
    "discarded": "Connections closed because an exchange was not completed.",
}


class PoolCollector(Collector):
    """Collects the numbers of connection pools.

    Under gevent and eventlet the numbers are those of the OS thread that asks for them.

    Args:
        sources: APIs, whose HTTP pools are meant, and database pools such as `api.db`.
    """

    def __init__(self, *sources: Any) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        """Nothing is collected when the collector is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics now. Pools of the same name are added up."""
        found: dict[str, dict[str, int]] = {}
        for name, numbers in self._statistics():
            sums = found.setdefault(name, dict.fromkeys((*_GAUGES, *_COUNTERS), 0))
            for member in sums:
                sums[member] += getattr(numbers, member)
        for kind, texts in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
            for member, text in texts.items():
                metric = kind(f"flowthings_pool_{member}", text, labels=["pool"])
                for name, sums in found.items():
                    metric.add_metric([name], sums[member])
                yield metric

    def _statistics(self) -> Iterator[tuple[str, Any]]:
        for source in self._sources:
            if hasattr(source, "stats"):
                yield str(source.name), source.stats()
            else:
                for pool in source.pools:
                    yield str(pool.name), pool.statistics()
