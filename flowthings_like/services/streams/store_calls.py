"""The calls that only the embedded platform's store has: retention, devices, units, versions by time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ...transport.outgoing_values import find_fault, plain, resolve
from ...wire.btrdb import store
from ...wire.btrdb.errors import BTRDBTypeError, BTRDBValueError
from ...wire.numpy_values import scalar
from .times import timedelta_to_ns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from .dialect import Dialect

__all__ = ["Retention", "get_retention", "set_retention", "version_at_time", "write_row"]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long points are kept.

    Attributes:
        remove_older_than: points that are older are removed; None keeps them for ever.
        is_inherited: whether a stream has no policy of its own, and so that of its collection.
    """

    remove_older_than: timedelta | None
    is_inherited: bool = False


def get_retention(dialect: Dialect, *, collection: str = "", uuid: UUID | None = None) -> Retention:
    """The policy of a collection, or the one that is in force for a stream."""
    params = store.GetRetentionParams(collection=collection, uuid=uuid.bytes if uuid else b"")
    answer = dialect.call_store("GetRetention", params, store.GetRetentionResponse)
    kept = answer.retention.removeOlderThan
    return Retention(timedelta(microseconds=kept / 1000) if kept else None, answer.isInherited)


def set_retention(
    dialect: Dialect,
    remove_older_than: Any,
    *,
    collection: str = "",
    uuid: UUID | None = None,
    override_per_stream: bool = False,
    inherit: bool = False,
) -> None:
    """Set the policy of a collection or of a stream.

    Args:
        remove_older_than: a span of time; None keeps points for ever.
        inherit: remove the policy instead, so that the collection's applies.
    """
    nanoseconds = _to_span(remove_older_than)
    params = store.SetRetentionParams(
        collection=collection,
        uuid=uuid.bytes if uuid else b"",
        retention=None if inherit else store.Retention(removeOlderThan=nanoseconds),
        overridePerStream=override_per_stream,
    )
    dialect.call_store("SetRetention", params, store.SetRetentionResponse)


def version_at_time(dialect: Dialect, uuid: UUID, time: int) -> int:
    """The version that a stream had at a time of the clock."""
    params = store.GetVersionAtTimeParams(uuid=uuid.bytes, time=time)
    answer = dialect.call_store("GetVersionAtTime", params, store.GetVersionAtTimeResponse)
    version: int = answer.versionMajor
    return version


def write_row(dialect: Dialect, method: str, id: Any = 0, fields: Mapping[str, Any] | None = None) -> int:
    """Create, change or delete a device or a unit. Returns its id."""
    id, found = scalar(resolve(id)), plain(fields or {})
    if isinstance(id, bool) or not isinstance(id, int):
        raise BTRDBTypeError(f"an id is a whole number, not {type(id).__name__}")
    fault = find_fault(found, "fields")
    if fault:
        raise BTRDBValueError(fault)
    params = store.WriteRowParams(id=id, fields=json.dumps(found, default=str).encode() if found else b"")
    written: int = dialect.call_store(method, params, store.WriteRowResponse).id
    return written


def _to_span(span: Any) -> int:
    span = resolve(span)
    if span is None:
        return 0
    if isinstance(span, timedelta):
        nanoseconds = timedelta_to_ns(span)
    else:
        span = scalar(span)
        if isinstance(span, bool) or not isinstance(span, int):
            raise BTRDBTypeError(
                f"remove_older_than is {type(span).__name__}; give a datetime.timedelta, or None to keep all"
            )
        nanoseconds = span
    if not 0 < nanoseconds < 2**63:
        raise BTRDBValueError("remove_older_than must be longer than 0; None keeps all points")
    return nanoseconds
