"""The functions of the @node scope, which tell about this node."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING, Any

from ....wire.things.status import READY
from ..counters import Counters
from .functions import context_of, node_function, require_change

if TYPE_CHECKING:
    from ..language import Run

__all__ = ["VERSION"]

VERSION = "1.9.0"
"""The version of ThingsDB whose protocol the node speaks. Clients decide by it what they may use."""


@node_function
def node_info(run: Run) -> dict[str, Any]:
    node = context_of(run).node
    return {
        "node_id": node.id,
        "version": VERSION,
        "status": READY,
        "uptime": time.monotonic() - node.started,
        "connected_clients": node.connections,
        "node_name": platform.node(),
        "client_port": node.addresses[0][1],
        "pid": os.getpid(),
        "next_free_id": 0,
        "embedded": True,
    }


@node_function
def nodes_info(run: Run) -> list[Any]:
    node = context_of(run).node
    return [{"node_id": node.id, "version": VERSION, "status": READY, "node_name": platform.node()}]


@node_function
def counters(run: Run) -> dict[str, Any]:
    return vars(context_of(run).node.counters)


@node_function
def reset_counters(run: Run) -> None:
    require_change(run).node.counters = Counters()


@node_function
def has_node(run: Run, id: int) -> bool:
    return id == context_of(run).node.id
