"""The doctor's findings as warnings, given when they are about to bite: at the first network call, the first
`lazy()` or `async_()`, the first call that is moved to a native thread.

Each of these moments is looked at once in a process, so that no call pays for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from ...green.findings import warn_once

__all__ = ["check_first_use"]

FirstUse = Literal["network", "parallel", "native"]

# Where the checks are, which are imported only when their use comes.
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
    """Warn of what is wrong for this use, if it is the first of its kind in this process."""
    if use in _checked:
        return
    _checked.add(use)
    for module, name in _CHECKS[use]:
        finding = getattr(import_module(f".{module}", __package__), name)()
        if finding is not None:
            warn_once(finding)
