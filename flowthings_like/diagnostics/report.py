"""doctor(): reports mistakes in how this process runs green threads, with what to write instead."""

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
    """Check this process: what is patched, what was imported before that, which drivers block.

    It changes nothing, and imports none of the packages that it checks. What was recorded since the program
    started (G08, G10, G11, G12) is included.

    Returns:
        Findings in the order of their codes; an empty list if there are none.
    """
    found = [finding for check in CHECKS if (finding := check()) is not None]
    return sorted([*found, *noted()], key=lambda finding: finding.code)
