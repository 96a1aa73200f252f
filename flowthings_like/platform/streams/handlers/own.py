"""Calls that BTrDB does not have: retention, devices, units, and which version was there at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....green.backends.choice import native
from ....wire.btrdb import store as messages
from .. import retention, rows
from ..problems import Code, StreamProblem
from .call import uuid_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call

__all__ = [
    "create_row",
    "delete_row",
    "get_retention",
    "get_version_at_time",
    "set_retention",
    "update_row",
]


def get_retention(call: Call) -> Any:
    """The policy of a collection, or the one that is in force for a stream."""
    params = call.parse(messages.GetRetentionParams)
    _check_target(params)
    if params.uuid:
        policy = retention.of_stream(call.store, call.account, uuid_of(params.uuid))
    else:
        policy = retention.of_collection(call.store, call.account, params.collection)
    answer = messages.GetRetentionResponse(isInherited=policy.is_inherited)
    if policy.remove_older_than is not None:
        answer.retention.CopyFrom(messages.Retention(removeOlderThan=policy.remove_older_than))
    return answer


def set_retention(call: Call) -> Any:
    """Set or remove a policy."""
    params = call.parse(messages.SetRetentionParams)
    _check_target(params)
    kept = params.retention.removeOlderThan if params.HasField("retention") else None
    if kept is not None and kept < 0:
        raise StreamProblem(Code.INVALID_PARAMETER, f"points are kept for 0 ns or more, not {kept}")
    if params.uuid:
        call.store.change(
            call.account,
            uuid_of(params.uuid),
            lambda transaction, stream: retention.set_for_stream(transaction, stream.id, kept),
        )
    else:
        call.store.writer.submit(
            lambda transaction: retention.set_for_collection(
                transaction, call.account, params.collection, kept, params.overridePerStream
            )
        )
    return messages.SetRetentionResponse()


def get_version_at_time(call: Call) -> Any:
    """The version that a stream had at a time of the clock."""
    params = call.parse(messages.GetVersionAtTimeParams)
    stream = call.store.find(call.account, uuid_of(params.uuid))
    version = native(call.store.catalog.version_at, stream.id, params.time)
    return messages.GetVersionAtTimeResponse(versionMajor=version)


def create_row(table: rows.Table) -> Callable[[Call], Any]:
    """What adds a row to a table."""

    def work(call: Call) -> Any:
        params = call.parse(messages.WriteRowParams)
        fields = table.checked(params.fields)
        id = call.store.writer.submit(
            lambda transaction: rows.create(transaction, table, call.account, fields)
        )
        return messages.WriteRowResponse(id=id)

    return work


def update_row(table: rows.Table) -> Callable[[Call], Any]:
    """What changes a row of a table."""

    def work(call: Call) -> Any:
        params = call.parse(messages.WriteRowParams)
        fields = table.checked(params.fields)
        call.store.writer.submit(
            lambda transaction: rows.update(transaction, table, call.account, params.id, fields)
        )
        return messages.WriteRowResponse(id=params.id)

    return work


def delete_row(table: rows.Table) -> Callable[[Call], Any]:
    """What deletes a row of a table."""

    def work(call: Call) -> Any:
        params = call.parse(messages.WriteRowParams)
        call.store.writer.submit(lambda transaction: rows.delete(transaction, table, call.account, params.id))
        return messages.WriteRowResponse(id=params.id)

    return work


def _check_target(params: Any) -> None:
    if bool(params.uuid) == bool(params.collection):
        raise StreamProblem(Code.WRONG_ARGUMENTS, "give either a collection or the uuid of a stream")
