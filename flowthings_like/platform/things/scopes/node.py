"""The functions of the @node scope, which tell about this node."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING, Any

from ....wire.things.privileges import Privilege
from ....wire.things.status import READY
from ..counters import Counters
from .functions import Functions, context_of, declare_in

if TYPE_CHECKING:
    from ..language import Run

__all__ = ["FUNCTIONS", "VERSION"]

FUNCTIONS: Functions = {}
_function = declare_in(FUNCTIONS)

VERSION = "1.9.0"
"""The version of ThingsDB whose protocol the node speaks. Clients decide by it what they may use."""


@_function
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


@_function
def nodes_info(run: Run) -> list[Any]:
    node = context_of(run).node
    return [{"node_id": node.id, "version": VERSION, "status": READY, "node_name": platform.node()}]


@_function
def counters(run: Run) -> dict[str, Any]:
    return vars(context_of(run).node.counters)


@_function
def reset_counters(run: Run) -> None:
    context = context_of(run)
    context.require(Privilege.CHANGE)
    context.node.counters = Counters()


@_function
def has_node(run: Run, id: int) -> bool:
    return id == context_of(run).node.id
