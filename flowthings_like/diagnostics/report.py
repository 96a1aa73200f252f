"""doctor(): what is wrong with how this process runs green threads, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..green.findings import noted
from .checks.drivers import psycopg2_without_callback, psycopg_on_eventlet, psycopg_on_gevent
from .checks.interpreter import asyncio_stalls, free_threaded, preloaded_late
from .checks.patching import (
    both_patched,
    imported_unpatched,
    partly_patched,
    patched_late,
    patched_off_main_thread,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..green.findings import Finding

__all__ = ["CHECKS", "doctor"]

CHECKS: tuple[Callable[[], Finding | None], ...] = (
    both_patched,
    imported_unpatched,
    partly_patched,
    patched_late,
    psycopg_on_gevent,
    psycopg_on_eventlet,
    psycopg2_without_callback,
    patched_off_main_thread,
    free_threaded,
    preloaded_late,
    asyncio_stalls,
)


def doctor() -> list[Finding]:
    """Look at this process as it is now: what is patched, what was imported before that, which drivers block.

    Nothing is changed, and nothing is imported to look at it. What was noticed since the start (G08, G10,
    G11, G12) is among the findings.

    Returns:
        Findings in the order of their codes; an empty list if there is nothing to say.
    """
    found = [finding for check in CHECKS if (finding := check()) is not None]
    return sorted([*found, *noted()], key=lambda finding: finding.code)
