"""For tests of programs that use this library: a platform of one's own, and a network that fails on purpose.

`FaultProxy` stands between a client and any server; `Server` is the platform behind a socket. The fixtures
for pytest are in `pytest_flowthings_like`, outside the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .proxy import Fault, FaultProxy, sometimes
    from .server import Server

__all__ = ["Fault", "FaultProxy", "Server", "sometimes"]

_HOMES = {"Fault": ".proxy", "FaultProxy": ".proxy", "Server": ".server", "sometimes": ".proxy"}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
