"""Chooses the backend of this process: gevent, eventlet or OS threads.

The choice is read from what is monkey-patched, in `sys.modules`: neither gevent nor eventlet is imported to
find out.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import ConfigurationError

from .contract import Backend, Pool
from .patched import PATCH, is_patched

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["choose", "detect", "native", "open_pool", "require_patched"]

_loaded: dict[str, Backend] = {}


def _load(name: str) -> Backend:
    backend = _loaded.get(name)
    if backend is None:
        module = import_module(f"._{name}", __package__)
        backend = _loaded.setdefault(name, getattr(module, f"{name.capitalize()}Backend")())
    return backend


def detect() -> Backend:
    """The backend of this process: that of the library that has patched `socket`, else threads.

    Raises:
        ConfigurationError: both gevent and eventlet have patched it.
    """
    gevent, eventlet = is_patched("gevent"), is_patched("eventlet")
    if gevent and eventlet:
        raise ConfigurationError(
            "both gevent and eventlet have monkey-patched this process, and neither works then; "
            "remove one of the two calls that patch it"
        )
    return _load("gevent" if gevent else "eventlet" if eventlet else "threads")


def native(function: Callable[..., Any], /, *args: Any) -> Any:
    """Run `function(*args)`, which may block, while other green threads go on. See `Backend.native`."""
    return detect().native(function, *args)


def choose(async_lib: object = None) -> Backend:
    """The backend for a setting of `async_lib`.

    Args:
        async_lib: None for what is patched (see `detect`); "gevent", "eventlet" or "threads"; the module
            gevent or eventlet; a Backend; or an object in place of one of the modules, as in the original
            client's tests: its `__name__` is "eventlet" and it has GreenPool, or its `__name__` is "gevent"
            and it has Pool or pool.Pool.

    Raises:
        ConfigurationError: it is none of these, or the library named has not patched `socket`.
    """
    if async_lib is None:
        return detect()
    if isinstance(async_lib, Backend):
        return async_lib
    name = async_lib if isinstance(async_lib, str) else getattr(async_lib, "__name__", None)
    if name not in ("gevent", "eventlet", "threads"):
        raise ConfigurationError(f"async_lib {async_lib!r} is not known; {_CHOICES}")
    if isinstance(async_lib, str) or async_lib is sys.modules.get(name):
        if name != "threads":
            require_patched(name)
        return _load(name)
    from .foreign_pools import ForeignBackend  # few programs need it, and it imports `socket`

    return ForeignBackend(async_lib)


_CHOICES = (
    'it may be None (whichever has patched this process, else threads), "gevent", "eventlet", "threads", '
    "or the module gevent or eventlet"
)


def require_patched(name: str) -> None:
    """Raise ConfigurationError, saying what to write, unless that library alone has patched `socket`."""
    if is_patched(name):
        detect()
        return
    other = "eventlet" if name == "gevent" else "gevent"
    instead = f'async_lib="{other}", which has patched it' if is_patched(other) else 'async_lib="threads"'
    raise ConfigurationError(
        f"{name} is chosen but has not monkey-patched the socket module, so calls would run one at a time. "
        f"Make {PATCH[name]} the first lines of the program, before any other import, or choose {instead}"
    )


def open_pool(async_lib: object = None, pool: object = None) -> Pool:
    """The pool for parallel calls: the given one, or a new one of the backend that `async_lib` names.

    Args:
        async_lib: see `choose`; ignored if `pool` is a pool.
        pool: a Pool; a number, the size of a new one; a gevent.pool.Pool or Group; an eventlet.GreenPool; or
            any object with `spawn(function, *args)` or `submit(function, *args)` that returns objects with
            `get`, `wait` or `result`.

    Raises:
        ConfigurationError: see `choose`, or the pool has neither method.
    """
    if isinstance(pool, Pool):
        return pool
    if pool is None or isinstance(pool, int):
        if pool is not None and (isinstance(pool, bool) or pool < 1):
            raise ConfigurationError(f"a pool's size is the number of calls at once, 1 or more, not {pool!r}")
        return choose(async_lib).pool(pool)
    for name, module, adopt in (
        ("gevent", "gevent.pool", "Group"),
        ("eventlet", "eventlet.greenpool", "GreenPool"),
    ):
        kind = getattr(sys.modules.get(module), adopt, None)
        if kind is not None and isinstance(pool, kind):
            require_patched(name)
            return _load(name).adopt(pool)  # type: ignore[attr-defined,no-any-return]
    from .foreign_pools import ForeignPool  # few programs need it, and it imports `socket`

    return ForeignPool(pool)
