"""Checks of the interpreter and of the server that runs it: G13 to G15."""

from __future__ import annotations

import gc
import sys
import sysconfig
from typing import Any

from ...green.backends.patched import LIBRARIES, PATCH, is_patched
from ...green.findings import Finding

__all__ = ["asyncio_stalls", "free_threaded", "preloaded_late"]


def free_threaded() -> Finding | None:
    """G13: a green library on a build of Python without the global interpreter lock."""
    library = next((name for name in LIBRARIES if name in sys.modules), None)
    if library is None or not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    return Finding(
        "G13",
        "error",
        f"{library} is imported in a free-threaded build of Python",
        "greenlets are not supported there: switching can crash the process",
        'run an ordinary build of Python, or leave the green library out and use async_lib="threads"',
    )


def preloaded_late() -> Finding | None:
    """G14: a server imports the application, and patches afterwards, in its workers."""
    config = _gunicorn_config()
    if config is not None and config.preload_app:
        will_patch = "gevent" in str(config.worker_class_str)
        library = "gevent" if will_patch else _patched_after_import()
        if library is not None and not (will_patch and _is_patched_before_import("gevent")):
            return _late("gunicorn preloads the application, and its workers patch", library, _GUNICORN)
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    if "gevent-monkey-patch" in options and not _is_patched_before_import("gevent"):
        return _late(
            "uWSGI imports the application, and its option gevent-monkey-patch patches", "gevent", _UWSGI
        )
    return None


_GUNICORN = "as the first line of gunicorn's configuration file, or leave --preload out"
_UWSGI = "as the first line of the application, or the option gevent-early-monkey-patch"

# Of each library a module that is imported by the patching itself, and seldom before.
_IMPORTED_BY_PATCHING = {"gevent": "gevent.time", "eventlet": "eventlet.green.thread"}


def _late(seen: str, library: str, remedy: str) -> Finding:
    return Finding(
        "G14",
        "error",
        f"{seen} only after that",
        "what the application imported keeps unpatched sockets and locks, in every worker",
        f"{PATCH[library]} {remedy}",
    )


def _is_patched_before_import(library: str) -> bool:
    """Whether a library had patched when this package was imported."""
    order = list(sys.modules)
    marker = _IMPORTED_BY_PATCHING[library]
    return (
        is_patched(library) and marker in sys.modules and order.index(marker) < order.index("flowthings_like")
    )


def _patched_after_import() -> str | None:
    """The library that has patched since this package was imported; None if none has."""
    for library in LIBRARIES:
        if is_patched(library) and not _is_patched_before_import(library):
            return library
    return None


def _gunicorn_config() -> Any:
    """The configuration of the gunicorn that runs in this process, if one does."""
    kind = getattr(sys.modules.get("gunicorn.config"), "Config", None)
    if kind is None or "gunicorn.arbiter" not in sys.modules:
        return None
    return next((found for found in gc.get_objects() if type(found) is kind), None)


def asyncio_stalls() -> Finding | None:
    """G15: asyncio in a process that gevent has patched, with a Python version whose executors stall."""
    version = sys.version_info[:3]
    stalls = (3, 13, 12) <= version < (3, 14) or version >= (3, 14, 3)
    if not stalls or "asyncio" not in sys.modules or not is_patched("gevent", "thread"):
        return None
    return Finding(
        "G15",
        "warning",
        f"asyncio is imported in a process that gevent has patched, on Python {'.'.join(map(str, version))}",
        "results of asyncio.to_thread and run_in_executor may never arrive (gevent issue 2213)",
        "use `flowthings_like.green.native` for blocking work, or run asyncio in a process of its own",
    )
