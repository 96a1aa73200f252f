"""One blocking-style client for live data, parallel by itself on gevent, eventlet and plain threads.

from flowthings_like import API, Token, mem

api = API(Token("acme", "secret"))
api.flow.find(mem.path == "/acme/weather/jfk")
"""

from __future__ import annotations

from .api import API
from .changes import M, Modify, P, Params
from .credentials import Token
from .defaults import Defaults, defaults
from .errors import (
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
    FlowThingsUnauthorized,
    FlowThingsUnavailable,
    InvalidInput,
    InvalidResponse,
)
from .filters import AGE, EXISTS, HAS, MATCHES, NOT, Filter, Typed, mem, parse
from .green.thunk import GreenThunk, UnretrievedFailure, force, is_none, is_ready, unwrap
from .transport.retry import Retry

__version__ = "0.1.0"

__all__ = [
    "AGE",
    "API",
    "EXISTS",
    "HAS",
    "MATCHES",
    "NOT",
    "ConfigurationError",
    "ConnectionFailed",
    "DeadlineExceeded",
    "Defaults",
    "Filter",
    "FilterSyntaxError",
    "FlowThingsBadRequest",
    "FlowThingsError",
    "FlowThingsException",
    "FlowThingsForbidden",
    "FlowThingsNotFound",
    "FlowThingsServerError",
    "FlowThingsTooLarge",
    "FlowThingsUnauthorized",
    "FlowThingsUnavailable",
    "GreenThunk",
    "InvalidInput",
    "InvalidResponse",
    "M",
    "Modify",
    "P",
    "Params",
    "Retry",
    "Token",
    "Typed",
    "UnretrievedFailure",
    "defaults",
    "force",
    "is_none",
    "is_ready",
    "mem",
    "parse",
    "unwrap",
]
