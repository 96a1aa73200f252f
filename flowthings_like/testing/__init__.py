"""Tools for testing programs that use this library: a platform on a local port, and a proxy with faults.

`Server` is the platform behind a socket. `FaultProxy` stands between a client and any server. The fixtures
for pytest are in `pytest_flowthings_like`, outside the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .proxy import Fault, FaultProxy, sometimes
    from .server import Server

__all__ = ["Fault", "FaultProxy", "Server", "sometimes"]

_MODULES = {"Fault": ".proxy", "FaultProxy": ".proxy", "Server": ".server", "sometimes": ".proxy"}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module, __name__), name)
