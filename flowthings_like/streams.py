"""BTrDB alone: a client of time series, without an API and its credentials.

from flowthings_like.streams import connect

client = connect("localhost:4410", apikey="…")
stream = client.create(uuid4(), "sensors/jfk", tags={"name": "temp", "unit": "F"})
stream.insert([(time, 39.02)])
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
from .services.streams.arguments import AnnotationDecoder, AnnotationEncoder
from .services.streams.client import Client, connect
from .services.streams.constants import DEFAULT_CONCURRENCY_LIMIT
from .services.streams.endpoints import credentials, credentials_by_profile
from .services.streams.points import RawPoint, RawPoints, StatPoint, StatPoints
from .services.streams.pointwidths import PW, nearest_point_width, pointwidth
from .services.streams.stream import Stream
from .services.streams.streamset import StreamSet
from .services.streams.times import (
    MAXIMUM_TIME,
    MINIMUM_TIME,
    currently_as_ns,
    datetime_to_ns,
    ns_delta,
    ns_to_datetime,
    to_nanoseconds,
)
from .wire.btrdb import errors as streams_errors
from .wire.btrdb.errors import BTrDBError, NotSupported, StreamNotFoundError

AsyncClient = BTrDB = Client
AsyncStream = Stream
AsyncStreamSet = StreamSet

__all__ = [
    "DEFAULT_CONCURRENCY_LIMIT",
    "MAXIMUM_TIME",
    "MINIMUM_TIME",
    "PW",
    "AnnotationDecoder",
    "AnnotationEncoder",
    "AsyncClient",
    "AsyncStream",
    "AsyncStreamSet",
    "BTrDB",
    "BTrDBError",
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "DeadlineExceeded",
    "FlowThingsError",
    "InvalidInput",
    "InvalidResponse",
    "NotSupported",
    "RawPoint",
    "RawPoints",
    "ResponseTooLarge",
    "StatPoint",
    "StatPoints",
    "Stream",
    "StreamNotFoundError",
    "StreamSet",
    "connect",
    "credentials",
    "credentials_by_profile",
    "currently_as_ns",
    "datetime_to_ns",
    "nearest_point_width",
    "ns_delta",
    "ns_to_datetime",
    "pointwidth",
    "streams_errors",
    "to_nanoseconds",
]
