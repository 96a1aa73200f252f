"""Warns of what the doctor finds before the first network call, `lazy()` or `async_()`, and native call.

The checks run once in a process, so later calls do not pay for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from ...green.findings import warn_once

__all__ = ["check_first_use"]

FirstUse = Literal["network", "parallel", "native"]

# Names of checks. Their modules are imported when they are needed.
_CHECKS: dict[FirstUse, tuple[tuple[str, str], ...]] = {
    "network": (
        ("patching", "both_patched"),
        ("patching", "imported_unpatched"),
        ("patching", "partly_patched"),
        ("patching", "context_taken_early"),
        ("patching", "patched_off_main_thread"),
        ("interpreter", "free_threaded"),
        ("interpreter", "preloaded_late"),
    ),
    "parallel": (
        ("patching", "partly_patched"),
        ("drivers", "psycopg_on_gevent"),
        ("drivers", "psycopg_on_eventlet"),
        ("drivers", "psycopg2_without_callback"),
        ("patching", "patched_off_main_thread"),
        ("interpreter", "free_threaded"),
    ),
    "native": (("patching", "both_patched"), ("interpreter", "free_threaded")),
}

_checked: set[FirstUse] = set()


def check_first_use(use: FirstUse) -> None:
    """Warn of what would break this use, if it is the first one in this process."""
    if use in _checked:
        return
    _checked.add(use)
    for module, name in _CHECKS[use]:
        finding = getattr(import_module(f".{module}", __package__), name)()
        if finding is not None:
            warn_once(finding)
