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
    """G14: gunicorn preloads the application, and its gevent workers patch afterwards."""
    config = _gunicorn_config()
    if config is None or not config.preload_app or "gevent" not in str(config.worker_class_str):
        return None
    order = {name: place for place, name in enumerate(sys.modules)}
    # gevent.time is only imported by the patching itself.
    patched_at = order.get("gevent.time") if is_patched("gevent") else None
    if patched_at is not None and patched_at < order["flowthings_like"]:
        return None
    return Finding(
        "G14",
        "error",
        "gunicorn preloads the application, and its gevent workers patch only after that",
        "what the application imported keeps unpatched sockets and locks, in every worker",
        f"{PATCH['gevent']} as the first line of gunicorn's configuration file, or leave --preload out",
    )


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
