"""How a call becomes parallel, on gevent, eventlet or OS threads. Imports none of the green libraries."""

from .backends.choice import choose, detect, native, open_pool
from .backends.contract import Backend, Pool
from .calls.async_ import AsyncAPI
from .calls.lazy import LazyAPI
from .calls.markers import api_call, api_factory, plain
from .calls.thunk import GreenThunk, force, is_none, is_ready, json_default, unwrap
from .future import UnretrievedFailure

__all__ = [
    "AsyncAPI",
    "Backend",
    "GreenThunk",
    "LazyAPI",
    "Pool",
    "UnretrievedFailure",
    "api_call",
    "api_factory",
    "choose",
    "detect",
    "force",
    "is_none",
    "is_ready",
    "json_default",
    "native",
    "open_pool",
    "plain",
    "unwrap",
]
