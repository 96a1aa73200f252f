"""Checks of database drivers whose C code blocks all green threads: G05 to G07."""

from __future__ import annotations

import sys

from ...green.backends.patched import is_patched
from ...green.findings import Finding

__all__ = ["psycopg2_without_callback", "psycopg_on_eventlet", "psycopg_on_gevent"]


def psycopg_on_gevent() -> Finding | None:
    """G05: psycopg was imported before gevent patched. It chooses how to wait when it is imported."""
    if not (is_patched("gevent", "select") and _psycopg_waits_in_c()):
        return None
    return Finding(
        "G05",
        "warning",
        "psycopg waits in C, though gevent has monkey-patched this process",
        "each query stops every green thread until the database has answered",
        "patch before psycopg is imported, or set PSYCOPG_WAIT_FUNC=wait_selector in the environment",
    )


def psycopg_on_eventlet() -> Finding | None:
    """G06: psycopg waits in C under eventlet, which it does not check for."""
    if not (is_patched("eventlet", "select") and _psycopg_waits_in_c()):
        return None
    return Finding(
        "G06",
        "warning",
        "psycopg waits in C, and eventlet has monkey-patched this process",
        "each query stops every green thread until the database has answered",
        "set PSYCOPG_WAIT_FUNC=wait_selector (or PSYCOPG_IMPL=python) before psycopg is imported",
    )


def psycopg2_without_callback() -> Finding | None:
    """G07: psycopg2 in a patched process without a wait callback."""
    extensions = sys.modules.get("psycopg2.extensions")
    asked = getattr(extensions, "get_wait_callback", None)
    if asked is None or not (is_patched("gevent") or is_patched("eventlet")) or asked() is not None:
        return None
    return Finding(
        "G07",
        "warning",
        "psycopg2 is imported in a monkey-patched process and has no wait callback",
        "each query stops every green thread until the database has answered",
        "install psycogreen and call `psycogreen.gevent.patch_psycopg()` (or eventlet's) at the start",
    )


def _psycopg_waits_in_c() -> bool:
    waiting = sys.modules.get("psycopg.waiting")
    in_c = getattr(waiting, "wait_c", None)
    return in_c is not None and getattr(waiting, "wait", None) is in_c
