"""What prometheus-client shows of calls and of connection pools."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from flowthings_like import API, Token, telemetry
from flowthings_like.database import ConnectionPool
from flowthings_like.telemetry.prometheus import CallMetrics, PoolCollector

from ..services.support import serving


def test_calls_are_counted_and_measured() -> None:
    registry = CollectorRegistry()
    subscription = telemetry.subscribe(CallMetrics(registry))
    try:
        with serving() as server, API(Token("acme", "t"), host=server.address, secure=False) as api:
            for _ in range(3):
                api.flow.read("f1")
    finally:
        subscription.close()
    labels = {"family": "http", "operation": "GET /flow"}
    assert registry.get_sample_value("flowthings_client_calls_total", {**labels, "outcome": "ok"}) == 3
    assert registry.get_sample_value("flowthings_client_call_seconds_count", labels) == 3
    assert registry.get_sample_value("flowthings_client_retries_total", labels) is None


def test_pools_are_shown_and_those_of_one_name_are_added_up(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    with serving() as server, ConnectionPool("sqlite3", str(tmp_path / "x.db"), cp_name="users") as database:
        apis = [API(Token("acme", "t"), host=server.address, secure=False) for _ in range(2)]
        registry.register(PoolCollector(*apis, database))
        assert registry.get_sample_value("flowthings_pool_open", {"pool": "users"}) == 0
        database.run_query("select 1")
        for api in apis:
            api.flow.read("f1")
        assert registry.get_sample_value("flowthings_pool_open", {"pool": "users"}) == 1
        assert registry.get_sample_value("flowthings_pool_opened_total", {"pool": "users"}) == 1
        pool = {"pool": str(apis[0].pools[0].name)}
        assert registry.get_sample_value("flowthings_pool_idle", pool) == 2
        for api in apis:
            api.close()
