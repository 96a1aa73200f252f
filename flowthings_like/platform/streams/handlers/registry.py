"""The handlers of all calls, by the paths of their methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....wire.btrdb import store as messages
from ....wire.btrdb import v5api
from ..problems import Code, StreamProblem
from ..rows import DEVICES, UNITS
from . import arrow, metadata, own, points
from .call import Call, streaming, unary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...grpc.context import Context, Handler
    from ..store import StreamStore

__all__ = ["handlers"]

_SERVICE = "v5api.BTrDB"
_OWN_SERVICE = "flowthings_like.StreamStore"

_UNARY: dict[str, tuple[Any, Callable[[Call], Any]]] = {
    "Info": (v5api.InfoResponse, metadata.info),
    "Create": (v5api.CreateResponse, metadata.create),
    "StreamInfo": (v5api.StreamInfoResponse, metadata.stream_info),
    "SetStreamAnnotations": (v5api.SetStreamAnnotationsResponse, metadata.set_annotations),
    "SetStreamTags": (v5api.SetStreamTagsResponse, metadata.set_tags),
    "GetMetadataUsage": (v5api.MetadataUsageResponse, metadata.metadata_usage),
    "Obliterate": (v5api.ObliterateResponse, metadata.obliterate),
    "FaultInject": (v5api.FaultInjectResponse, metadata.fault_inject),
    "Insert": (v5api.InsertResponse, points.insert),
    "Delete": (v5api.DeleteResponse, points.delete),
    "Nearest": (v5api.NearestResponse, points.nearest),
    "Flush": (v5api.FlushResponse, points.flush),
    "ArrowInsert": (v5api.InsertResponse, arrow.insert),
}


def _not_implemented(call: Call) -> Iterator[bytes]:
    raise StreamProblem(Code.NOT_IMPLEMENTED, "this server does not have this call")


_STREAMING: dict[str, tuple[Any, Callable[[Call], Iterator[bytes]]]] = {
    "ListCollections": (v5api.ListCollectionsResponse, metadata.list_collections),
    "LookupStreams": (v5api.LookupStreamsResponse, metadata.lookup_streams),
    "SQLQuery": (v5api.SQLQueryResponse, metadata.sql_query),
    "RawValues": (v5api.RawValuesResponse, points.raw_values),
    "AlignedWindows": (v5api.AlignedWindowsResponse, points.aligned_windows),
    "Windows": (v5api.WindowsResponse, points.windows),
    "Changes": (v5api.ChangesResponse, points.changes),
    "ArrowRawValues": (v5api.ArrowRawValuesResponse, arrow.raw_values),
    "ArrowMultiValues": (v5api.ArrowMultiValuesResponse, arrow.multi_values),
    "ArrowAlignedWindows": (v5api.ArrowAlignedWindowsResponse, arrow.aligned_windows),
    "ArrowWindows": (v5api.ArrowWindowsResponse, arrow.windows),
    "GenerateCSV": (v5api.GenerateCSVResponse, _not_implemented),
    "Subscribe": (v5api.SubscribeResponse, _not_implemented),
}

_OWN: dict[str, tuple[Any, Callable[[Call], Any]]] = {
    "GetRetention": (messages.GetRetentionResponse, own.get_retention),
    "SetRetention": (messages.SetRetentionResponse, own.set_retention),
    "GetVersionAtTime": (messages.GetVersionAtTimeResponse, own.get_version_at_time),
    "CreateDevice": (messages.WriteRowResponse, own.create_row(DEVICES)),
    "UpdateDevice": (messages.WriteRowResponse, own.update_row(DEVICES)),
    "DeleteDevice": (messages.WriteRowResponse, own.delete_row(DEVICES)),
    "CreateUnit": (messages.WriteRowResponse, own.create_row(UNITS)),
    "UpdateUnit": (messages.WriteRowResponse, own.update_row(UNITS)),
    "DeleteUnit": (messages.WriteRowResponse, own.delete_row(UNITS)),
}


def handlers(store: StreamStore, authenticate: Callable[[Context], str]) -> dict[str, Handler]:
    """All handlers.

    Args:
        store: where the streams are.
        authenticate: returns the account of a call, or raises GrpcError.
    """
    found = {}
    for name, (answer, work) in _UNARY.items():
        found[f"/{_SERVICE}/{name}"] = unary(store, authenticate, answer, work)
    for name, (answer, stream) in _STREAMING.items():
        found[f"/{_SERVICE}/{name}"] = streaming(store, authenticate, answer, stream)
    for name, (answer, work) in _OWN.items():
        found[f"/{_OWN_SERVICE}/{name}"] = unary(store, authenticate, answer, work)
    return found
