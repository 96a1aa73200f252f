"""Many finds in one request, each with its own drops or its own error.

Our platform answers a list of finds with a list, where the request says `each`. Another one does not know the
word and answers the same request as a multi-find: a map by flow, in which two finds in one flow cannot both
be. So the first answer tells, and is of use either way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import FlowThingsException, InvalidResponse, from_status
from ...green.calls.marks import ALONE
from .resource import BaseService

if TYPE_CHECKING:
    from ...transport.http.client import Connection

_ABOUT_THE_CALLER = (401, 408, 425, 429)


def find_each(connection: Connection, queries: list[dict[str, Any]], params: dict[str, Any]) -> list[Any]:
    """For each of these finds its drops, the exception it failed with, or ALONE where it was not made.

    Args:
        queries: maps of flowId and params.
        params: keywords of the request.

    Raises:
        FlowThingsException: the platform refuses all of them, or cannot answer now.
        InvalidResponse: the answer has not one entry for each.
    """
    known = connection.answers_each
    if known is not False:
        try:
            answer = _request(connection, queries, {**params, "each": 1})
        except FlowThingsException as error:
            if known or not _may_be_about_one(error):
                raise
            return [ALONE] * len(queries)
        if isinstance(answer, list):
            connection.answers_each = True
            return _read(connection, queries, answer)
        connection.answers_each = False
        return _by_flow(queries, answer)
    once = _one_a_flow(queries)
    if len(once) < 2:
        return [ALONE] * len(queries)
    try:
        answer = _request(connection, [queries[index] for index in once], params)
    except FlowThingsException as error:
        if not _may_be_about_one(error):
            raise
        return [ALONE] * len(queries)
    found = _by_flow([queries[index] for index in once], answer)
    results: list[Any] = [ALONE] * len(queries)
    for index, value in zip(once, found, strict=True):
        results[index] = value
    return results


def _request(connection: Connection, queries: list[dict[str, Any]], params: dict[str, Any]) -> Any:
    service = BaseService(connection)
    service.path = "/drop"
    return service._call("MGET", "", queries, dict(params))


def _may_be_about_one(error: FlowThingsException) -> bool:
    return 400 <= error.status < 500 and error.status not in _ABOUT_THE_CALLER


def _one_a_flow(queries: list[dict[str, Any]]) -> list[int]:
    """The places of the first find in each flow."""
    first: dict[str, int] = {}
    for index, query in enumerate(queries):
        first.setdefault(query["flowId"], index)
    return list(first.values())


def _by_flow(queries: list[dict[str, Any]], answer: Any) -> list[Any]:
    """What a map by flow says about each find: nothing about those that share a flow."""
    if not isinstance(answer, Mapping):
        return [ALONE] * len(queries)
    times = Counter(query["flowId"] for query in queries)
    return [answer.get(query["flowId"], ALONE) if times[query["flowId"]] == 1 else ALONE for query in queries]


def _read(connection: Connection, queries: list[dict[str, Any]], answer: list[Any]) -> list[Any]:
    if len(answer) != len(queries):
        raise InvalidResponse(f"MGET /drop: {len(answer)} answers to {len(queries)} finds")
    return [entry if type(entry) is list else _other(connection, entry) for entry in answer]


def _other(connection: Connection, entry: Any) -> Any:
    """What stands in an answer in place of drops: an error, or null for a find that was not made."""
    if entry is None:
        return ALONE
    if not isinstance(entry, Mapping) or type(entry.get("status")) is not int:
        return InvalidResponse(f"MGET /drop: {entry!r:.80} is neither drops nor an error")
    said = entry.get("errors")
    return from_status(entry["status"])(
        [str(error) for error in said] if isinstance(said, list) else [],
        status=entry["status"],
        method="MGET",
        path="/drop",
        creds=str(connection.creds.account),
    )
