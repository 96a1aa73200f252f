"""A client for live data in blocking style, with parallel calls on gevent, eventlet and plain threads.

from flowthings_like import API, Token, mem

api = API(Token("acme", "secret"), host="flows.example.com")
api.flow.find(mem.path == "/acme/weather/jfk")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import about
from .api import API
from .changes import M, Modify, P, Params
from .credentials import Token
from .defaults import Defaults, defaults
from .errors import (
    CallCancelled,
    CannotFilter,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FilterSyntaxError,
    FlowThingsBadRequest,
    FlowThingsError,
    FlowThingsException,
    FlowThingsForbidden,
    FlowThingsNotFound,
    FlowThingsServerError,
    FlowThingsTooLarge,
    FlowThingsTooManyRequests,
    FlowThingsUnauthorized,
    FlowThingsUnavailable,
    InvalidInput,
    InvalidResponse,
    ResponseTooLarge,
    WrongThread,
)
from .filters import AGE, EXISTS, HAS, MATCHES, NOT, Filter, Typed, mem, parse
from .green.calls.thunk import GreenThunk, force, is_none, is_ready, unwrap
from .green.future import UnretrievedFailure
from .transport.http.encoder import JSONEncoder
from .transport.retry import Retry

if TYPE_CHECKING:
    from .diagnostics.monitor import Block, block_monitor
    from .diagnostics.report import doctor
    from .green.findings import Finding, GreenWarning
    from .things import Client, EventsLost, NotJoined, Room, event, set_package_fail_file
    from .transport.http.capacity_warning import CapacityWarning

__version__ = about.VERSION

__all__ = [
    "AGE",
    "API",
    "EXISTS",
    "HAS",
    "MATCHES",
    "NOT",
    "Block",
    "CallCancelled",
    "CannotFilter",
    "CapacityWarning",
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "DeadlineExceeded",
    "Defaults",
    "EventsLost",
    "Filter",
    "FilterSyntaxError",
    "Finding",
    "FlowThingsBadRequest",
    "FlowThingsError",
    "FlowThingsException",
    "FlowThingsForbidden",
    "FlowThingsNotFound",
    "FlowThingsServerError",
    "FlowThingsTooLarge",
    "FlowThingsTooManyRequests",
    "FlowThingsUnauthorized",
    "FlowThingsUnavailable",
    "GreenThunk",
    "GreenWarning",
    "InvalidInput",
    "InvalidResponse",
    "JSONEncoder",
    "M",
    "Modify",
    "NotJoined",
    "P",
    "Params",
    "ResponseTooLarge",
    "Retry",
    "Room",
    "Token",
    "Typed",
    "UnretrievedFailure",
    "WrongThread",
    "block_monitor",
    "defaults",
    "doctor",
    "event",
    "force",
    "is_none",
    "is_ready",
    "mem",
    "parse",
    "set_package_fail_file",
    "unwrap",
]

# These names are imported when they are first used, because few programs use them.
_LATE = {
    "Block": "diagnostics.monitor",
    "CapacityWarning": "transport.http.capacity_warning",
    "Client": "things",
    "EventsLost": "things",
    "Finding": "green.findings",
    "GreenWarning": "green.findings",
    "NotJoined": "things",
    "Room": "things",
    "block_monitor": "diagnostics.monitor",
    "doctor": "diagnostics.report",
    "event": "things",
    "set_package_fail_file": "things",
}


def __getattr__(name: str) -> Any:
    module = _LATE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{module}", __name__), name)
