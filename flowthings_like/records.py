"""TStorage alone: channels of binary records, without an API and its credentials.

from flowthings_like.records import Channel, Key, Record, StructPayloadType, now_ns

with Channel("localhost", 2025, StructPayloadType("<d")) as channel:
    channel.put([Record(Key(cid=0, mid=1, moid=1, cap=now_ns()), 39.02)])
    print(channel.get(Key.min(), Key.max()).data)
"""

from __future__ import annotations

from .errors import (
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsError,
    InvalidInput,
    InvalidResponse,
    ResponseTooLarge,
)
from .services.records.channel import AsyncChannel, Channel
from .services.records.errors import Disconnected, NoMemory, RecordsError, UnparseableEntity
from .services.records.follower import Follower
from .services.records.numpy_payload_type import NumpyMissing, NumpyPayloadType
from .services.records.payload_types import (
    BytesPayloadType,
    PayloadType,
    StructPayloadType,
    TuplePayloadType,
    UnitPayloadType,
)
from .services.records.record_batch import RecordBatch
from .services.records.records_set import GetCallback, RecordsSet
from .services.records.responses import Response, ResponseAcq, ResponseGet, ResponseStatus
from .services.records.timestamp import (
    Tstoragedatetime,
    from_unix,
    from_unix_ns,
    now,
    now_ns,
    to_unix,
    to_unix_ns,
)
from .wire.tstorage.record import InvalidRecord, Key, Record

__all__ = [
    "AsyncChannel",
    "BytesPayloadType",
    "Channel",
    "ConfigurationError",
    "ConnectionFailed",
    "DeadlineExceeded",
    "Disconnected",
    "FlowThingsError",
    "Follower",
    "GetCallback",
    "InvalidInput",
    "InvalidRecord",
    "InvalidResponse",
    "Key",
    "NoMemory",
    "NumpyMissing",
    "NumpyPayloadType",
    "PayloadType",
    "Record",
    "RecordBatch",
    "RecordsError",
    "RecordsSet",
    "Response",
    "ResponseAcq",
    "ResponseGet",
    "ResponseStatus",
    "ResponseTooLarge",
    "StructPayloadType",
    "Tstoragedatetime",
    "TuplePayloadType",
    "UnitPayloadType",
    "UnparseableEntity",
    "from_unix",
    "from_unix_ns",
    "now",
    "now_ns",
    "to_unix",
    "to_unix_ns",
]
