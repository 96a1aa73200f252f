"""Checks of database drivers whose C code blocks all green threads: G05 to G07."""

from __future__ import annotations

from ...green.backends.patched import is_patched
from ...green.findings import Finding
from ...transport.database.drivers.postgresql import psycopg2_waits_in_c, psycopg_waits_in_c

__all__ = ["psycopg2_without_callback", "psycopg_on_eventlet", "psycopg_on_gevent"]

_POOL = "or use flowthings_like.database.ConnectionPool, which runs the driver's calls in OS threads"


def psycopg_on_gevent() -> Finding | None:
    """G05: psycopg was imported before gevent patched. It chooses how to wait when it is imported."""
    if not (is_patched("gevent", "select") and psycopg_waits_in_c()):
        return None
    return Finding(
        "G05",
        "warning",
        "psycopg waits in C, though gevent has monkey-patched this process",
        "each query stops every green thread until the database has answered",
        "patch before psycopg is imported, or set PSYCOPG_WAIT_FUNC=wait_selector in the environment, "
        + _POOL,
    )


def psycopg_on_eventlet() -> Finding | None:
    """G06: psycopg waits in C under eventlet, which it does not check for."""
    if not (is_patched("eventlet", "select") and psycopg_waits_in_c()):
        return None
    return Finding(
        "G06",
        "warning",
        "psycopg waits in C, and eventlet has monkey-patched this process",
        "each query stops every green thread until the database has answered",
        f"set PSYCOPG_WAIT_FUNC=wait_selector (or PSYCOPG_IMPL=python) before psycopg is imported, {_POOL}",
    )


def psycopg2_without_callback() -> Finding | None:
    """G07: psycopg2 in a patched process without a wait callback."""
    if not ((is_patched("gevent") or is_patched("eventlet")) and psycopg2_waits_in_c()):
        return None
    return Finding(
        "G07",
        "warning",
        "psycopg2 is imported in a monkey-patched process and has no wait callback",
        "each query stops every green thread until the database has answered",
        "install psycogreen and call `psycogreen.gevent.patch_psycopg()` (or eventlet's) at the start, "
        + _POOL,
    )
