"""Calls about streams, their collections, tags and annotations, and about the server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ....about import VERSION
from ....green.backends.choice import native
from ....wire.btrdb import v5api
from ..catalog import change_annotations, change_tags
from ..problems import Code, StreamProblem
from .call import optional_values, uuid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import Descriptor
    from .call import Call

__all__ = [
    "create",
    "fault_inject",
    "info",
    "list_collections",
    "lookup_streams",
    "metadata_usage",
    "obliterate",
    "set_annotations",
    "set_tags",
    "sql_query",
    "stream_info",
]

_MAJOR = 5
_MINOR = 34
_MINOR_WITHOUT_ARROW = 29
_AT_ONCE = 1_000
"""Names or descriptors in one answer."""


def info(call: Call) -> Any:
    """Which protocol the server speaks. From minor version 30 on, clients use the calls with Arrow."""
    host = call.context.metadata.get(":authority", "")
    return v5api.InfoResponse(
        majorVersion=_MAJOR,
        minorVersion=_MINOR if find_spec("pyarrow") else _MINOR_WITHOUT_ARROW,
        build=f"flowthings_like {VERSION}",
        proxy=v5api.ProxyInfo(proxyEndpoints=[host] if host else []),
    )


def create(call: Call) -> Any:
    """Add a stream."""
    params = call.parse(v5api.CreateParams)
    call.store.create(
        call.account,
        uuid_of(params.uuid),
        params.collection,
        optional_values(params.tags),
        optional_values(params.annotations),
    )
    return v5api.CreateResponse()


def stream_info(call: Call) -> Any:
    """A stream's version and metadata."""
    params = call.parse(v5api.StreamInfoParams)
    uuid = uuid_of(params.uuid)
    answer = v5api.StreamInfoResponse()
    if not params.omitDescriptor:
        answer.descriptor.CopyFrom(_descriptor(call.store.describe(call.account, uuid)))
    if not params.omitVersion or params.omitDescriptor:
        version = call.store.version(call.account, uuid)
        if not params.omitVersion:
            answer.versionMajor = version
    return answer


def set_tags(call: Call) -> Any:
    """Change a stream's collection and tags."""
    params = call.parse(v5api.SetStreamTagsParams)
    tags = optional_values(params.tags)
    call.store.change(
        call.account,
        uuid_of(params.uuid),
        lambda transaction, stream: change_tags(
            transaction,
            stream.id,
            params.expectedPropertyVersion,
            params.collection,
            tags,
            list(params.remove),
        ),
    )
    return v5api.SetStreamTagsResponse()


def set_annotations(call: Call) -> Any:
    """Change a stream's annotations."""
    params = call.parse(v5api.SetStreamAnnotationsParams)
    changes = optional_values(params.changes)
    call.store.change(
        call.account,
        uuid_of(params.uuid),
        lambda transaction, stream: change_annotations(
            transaction, stream.id, params.expectedPropertyVersion, changes, list(params.removals)
        ),
    )
    return v5api.SetStreamAnnotationsResponse()


def obliterate(call: Call) -> Any:
    """Remove a stream with all its versions."""
    params = call.parse(v5api.ObliterateParams)
    call.store.obliterate(call.account, uuid_of(params.uuid))
    return v5api.ObliterateResponse()


def list_collections(call: Call) -> Iterator[bytes]:
    """The collections below a prefix."""
    params = call.parse(v5api.ListCollectionsParams)
    found = native(call.store.catalog.collections, call.account, params.prefix)
    for place in range(0, len(found), _AT_ONCE):
        part = found[place : place + _AT_ONCE]
        yield v5api.ListCollectionsResponse(collections=part).SerializeToString()


def lookup_streams(call: Call) -> Iterator[bytes]:
    """The streams with a collection, tags and annotations."""
    params = call.parse(v5api.LookupStreamsParams)
    found = native(
        call.store.catalog.lookup,
        call.account,
        params.collection,
        params.isCollectionPrefix,
        optional_values(params.tags),
        optional_values(params.annotations),
    )
    for place in range(0, len(found), _AT_ONCE):
        results = [_descriptor(each) for each in found[place : place + _AT_ONCE]]
        yield v5api.LookupStreamsResponse(results=results).SerializeToString()


def metadata_usage(call: Call) -> Any:
    """How many streams have each tag and each annotation."""
    params = call.parse(v5api.MetadataUsageParams)
    tags, annotations = native(call.store.catalog.usage, call.account, params.prefix)
    return v5api.MetadataUsageResponse(
        tags=[v5api.KeyCount(key=key, count=count) for key, count in tags.items()],
        annotations=[v5api.KeyCount(key=key, count=count) for key, count in annotations.items()],
    )


def sql_query(call: Call) -> Iterator[bytes]:
    """The rows of a SELECT over the account's streams, devices and units."""
    params = call.parse(v5api.SQLQueryParams)
    rows = call.store.sql(call.account, params.query, list(params.params))
    for place in range(0, len(rows), _AT_ONCE):
        part = rows[place : place + _AT_ONCE]
        yield v5api.SQLQueryResponse(SQLQueryRow=part).SerializeToString()


def fault_inject(call: Call) -> Any:
    """Faults are not to be injected here."""
    raise StreamProblem(Code.FAULT_INJECTION_OFF, "this server has no fault injection")


def _descriptor(found: Descriptor) -> Any:
    return v5api.StreamDescriptor(
        uuid=found.uuid.bytes,
        collection=found.collection,
        tags=_pairs(found.tags),
        annotations=_pairs(found.annotations),
        propertyVersion=found.property_version,
    )


def _pairs(values: dict[str, str]) -> list[Any]:
    return [v5api.KeyOptValue(key=key, val=v5api.OptValue(value=value)) for key, value in values.items()]
