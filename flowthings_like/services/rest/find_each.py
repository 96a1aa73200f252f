"""Makes many finds in one request. Each find gets its own drops or its own error.

The embedded platform knows the parameter `each`, and answers a list of finds with a list. Another platform
ignores `each` and answers the same request as a multi-find: a map by flow, which has room for one find in
each flow. The first answer shows which kind the platform is, and its drops are used in both cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import FlowThingsException, InvalidResponse, from_status
from ...green.batching.bulk_marker import ALONE
from ...green.batching.dispatcher import NOT_ABOUT_ONE_CALL
from .resource import BaseService

if TYPE_CHECKING:
    from ...transport.http.client import Connection


def find_each(connection: Connection, queries: list[dict[str, Any]], params: dict[str, Any]) -> list[Any]:
    """For each of these finds: its drops, the exception with which it failed, or ALONE if it was not made.

    Args:
        queries: maps of flowId and params.
        params: keywords of the request.

    Raises:
        FlowThingsException: the platform refuses the whole request, or cannot answer now.
        InvalidResponse: the answer does not have one entry for each find.
    """
    known = connection.answers_each
    if known is not False:
        try:
            answer = _request(connection, queries, {**params, "each": 1})
        except FlowThingsException as error:
            if known or not _may_concern_one(error):
                raise
            return [ALONE] * len(queries)
        if isinstance(answer, list):
            connection.answers_each = True
            return _read(connection, queries, answer)
        connection.answers_each = False
        return _by_flow(queries, answer)
    firsts = _first_of_each_flow(queries)
    if len(firsts) < 2:
        return [ALONE] * len(queries)
    try:
        answer = _request(connection, [queries[index] for index in firsts], params)
    except FlowThingsException as error:
        if not _may_concern_one(error):
            raise
        return [ALONE] * len(queries)
    found = _by_flow([queries[index] for index in firsts], answer)
    results: list[Any] = [ALONE] * len(queries)
    for index, value in zip(firsts, found, strict=True):
        results[index] = value
    return results


def _request(connection: Connection, queries: list[dict[str, Any]], params: dict[str, Any]) -> Any:
    service = BaseService(connection)
    service.path = "/drop"
    return service._call("MGET", "", queries, dict(params))


def _may_concern_one(error: FlowThingsException) -> bool:
    return 400 <= error.status < 500 and error.status not in NOT_ABOUT_ONE_CALL


def _first_of_each_flow(queries: list[dict[str, Any]]) -> list[int]:
    """The positions of the first find in each flow."""
    first: dict[str, int] = {}
    for index, query in enumerate(queries):
        first.setdefault(query["flowId"], index)
    return list(first.values())


def _by_flow(queries: list[dict[str, Any]], answer: Any) -> list[Any]:
    """The result of each find in a map by flow; ALONE for finds that share a flow."""
    if not isinstance(answer, Mapping):
        return [ALONE] * len(queries)
    times = Counter(query["flowId"] for query in queries)
    return [answer.get(query["flowId"], ALONE) if times[query["flowId"]] == 1 else ALONE for query in queries]


def _read(connection: Connection, queries: list[dict[str, Any]], answer: list[Any]) -> list[Any]:
    if len(answer) != len(queries):
        raise InvalidResponse(f"MGET /drop: {len(answer)} answers to {len(queries)} finds")
    return [entry if type(entry) is list else _result_of(connection, entry) for entry in answer]


def _result_of(connection: Connection, entry: Any) -> Any:
    """The result of an entry that is not a list of drops: an error, or null for a find that was not made."""
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
