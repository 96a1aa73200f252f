"""Connections that a firewall has forgotten: nothing answers, and nothing says that they are closed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flowthings_like.green.backends.choice import detect
from flowthings_like.services.database import connections
from flowthings_like.testing import FaultProxy

from .support import SERVER_DRIVERS, open_pool, until


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_check_gives_up_and_the_connection_is_replaced(
    driver: str, server_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CHECK_TIMEOUT", 0.3)
    with (
        FaultProxy(f"{server_database.host}:{server_database.port}") as proxy,
        open_pool(driver, server_database, proxy.address, cp_idle=0.01) as pool,
    ):
        pool.run_query("select 1")
        proxy.forget()
        detect().sleep(0.05)
        began = time.monotonic()
        assert tuple(pool.run_query("select 7")[0]) == (7,)
        assert time.monotonic() - began < 20  # it does not wait for ever
        until(lambda: pool.stats().open == 1)
        stats = pool.stats()
        assert (stats.opened, stats.expired + stats.discarded, stats.holders) == (2, 1, ())


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_check_that_is_answered_in_time_leaves_the_connection_alone(
    driver: str, server_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CHECK_TIMEOUT", 0.3)
    with open_pool(driver, server_database, cp_idle=0.0) as pool:
        for _ in range(5):
            pool.run_query("select 1")
            detect().sleep(0.01)
        detect().sleep(0.5)  # longer than a check may take
        # The limit was that of the check only.
        assert tuple(pool.run_query("select 7")[0]) == (7,)
        assert pool.stats().opened == 1


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_callers_that_find_all_connections_forgotten_all_get_answers(
    driver: str, server_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CHECK_TIMEOUT", 0.3)
    with (
        FaultProxy(f"{server_database.host}:{server_database.port}") as proxy,
        open_pool(driver, server_database, proxy.address, cp_min=3, cp_max=3, cp_idle=0.01) as pool,
    ):
        blocks = [pool.transaction() for _ in range(3)]
        for block in blocks:
            block.__enter__().execute("select 1")
        for block in blocks:
            block.__exit__(None, None, None)
        proxy.forget()
        detect().sleep(0.05)
        lazy = pool.lazy()
        answers = [lazy.run_query(f"select {n}") for n in range(12)]
        assert [rows[0][0] for rows in answers] == list(range(12))
        assert pool.stats().open <= 3


@pytest.mark.needs("green", "a call on threads cannot be interrupted")
@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_caller_that_gives_up_leaves_no_connection_in_use(driver: str, server_database: Any) -> None:
    """The statement cannot be cancelled at the server: its answer would not arrive, either."""
    with (
        FaultProxy(f"{server_database.host}:{server_database.port}") as proxy,
        open_pool(driver, server_database, proxy.address, cp_min=1, cp_max=1) as pool,
    ):
        pool.run_query("select 1")
        proxy.forget()
        call = pool.async_().run_query("select 2")
        detect().sleep(0.1)
        assert [holder.what for holder in pool.stats().holders] == ["run_query"]
        detect().kill(call)
        assert tuple(pool.run_query("select 7")[0]) == (7,)
        assert pool.stats().open == 1
