"""Finds over drops: one, several by flow, and many in a list that each have a result of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ....filters.values import DROP_MEMBERS
from ...problems import BadRequest, Problem, TooLarge
from ..access.authorization import authorize
from ..query import misspellings
from ..query.query import Query
from . import query_plan, rows
from .flow_cache import find_flow

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..access.rights import Caller
    from .flow_cache import Flow
    from .resource_store import ResourceStore

T = TypeVar("T")

MOST_FINDS = 1000
"""Most finds in one request."""

_MEMBERS = frozenset({"flowId", "params"})

TIME_LIMIT = 1.0
"""Seconds that the finds of one list may take together. The rest of the list is returned undone."""

MOST_FOUND = 10_000
"""Drops that the finds of one list may find together. The rest of the list is returned undone."""


class Found(NamedTuple):
    """The drops of a find, and whether the flow has drops that wait to be backfilled."""

    drops: list[dict[str, Any]]
    is_pending: bool


class Asked(NamedTuple):
    """One find of several: the flow as it was named, and what to find in it."""

    flow: str
    query: Query


def readable(connection: Connection, caller: Caller, flow: str) -> Flow:
    """The flow, if the caller may read its drops. Raises BadRequest, Forbidden, NotFound."""
    return authorize(connection, caller, flow, "dropRead", find_flow)


def find_in(connection: Connection, flow: Flow, query: Query, hints: bool) -> Found:
    """The drops that a query asks for.

    Args:
        hints: whether elements are shown as {type, value} if the query does not say.
    """
    if query.hints is not None:
        hints = query.hints
    stored = query_plan.find(connection, flow, query)
    found = [query.pick(rows.to_document(row, flow.path, hints)) for row in stored]
    return Found(found, flow.indexes is not None and flow.indexes.pending)


def multi_find(
    store: ResourceStore, caller: Caller, requests: Any, *, hints: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Several finds that see the same moment.

    Args:
        requests: a list of {flowId, params}; params as in a find's URL, values strings or numbers.

    Returns:
        the drops by flowId, as it was written in the request.

    Raises:
        as `find`; the message says which request is meant, counted from 0.
    """
    _check_count(requests)
    wanted = [_numbered(index, _asked, request) for index, request in enumerate(requests)]

    def one(connection: Connection, asked: Asked) -> list[dict[str, Any]]:
        return find_in(connection, readable(connection, caller, asked.flow), asked.query, hints).drops

    def work(connection: Connection) -> dict[str, list[dict[str, Any]]]:
        return {asked.flow: _numbered(index, one, connection, asked) for index, asked in enumerate(wanted)}

    return store.read(work)


def find_each(store: ResourceStore, caller: Caller, requests: Any, *, hints: bool = False) -> list[Any]:
    """Several finds, in one flow or many, that see the same moment; each has its own result.

    Args:
        requests: as for `multi_find`.

    Returns:
        for each find, in order: its drops; or `{"status": …, "errors": […]}` if it was refused; or None if
        it was not done, because those before it took long or found much.

    Raises:
        BadRequest, TooLarge: this is no list of at most MOST_FINDS.
    """
    _check_count(requests)
    wanted = [_or_refusal(_asked, request) for request in requests]
    flows: dict[str, Flow | dict[str, Any]] = {}
    pending = []

    def one(connection: Connection, asked: Asked) -> Any:
        flow = flows.get(asked.flow)
        if flow is None:
            flow = flows[asked.flow] = _or_refusal(readable, connection, caller, asked.flow)
        if isinstance(flow, dict):
            return flow
        found = find_in(connection, flow, asked.query, hints)
        if found.is_pending:
            pending.append(flow)
        return found.drops

    def work(connection: Connection) -> list[Any]:
        deadline = time.monotonic() + TIME_LIMIT
        results: list[Any] = []
        count = 0
        for asked in wanted:
            if isinstance(asked, dict):
                result: Any = asked
            elif count > MOST_FOUND or time.monotonic() > deadline:
                result = None
            else:
                result = _or_refusal(one, connection, asked)
                count += len(result)
            results.append(result)
        return results

    results = store.read(work)
    if pending:
        store.indexing.wake()
    return results


def _asked(request: Any) -> Asked:
    if not isinstance(request, Mapping) or not isinstance(request.get("flowId"), str):
        raise BadRequest('a find is a map such as {"flowId": "f…", "params": {"limit": 1}}')
    misspellings.check(request, _MEMBERS, "member")
    params = request.get("params") or {}
    if not isinstance(params, Mapping):
        raise BadRequest('params must be a map such as {"limit": 1}')
    return Asked(request["flowId"], Query.from_values(params, DROP_MEMBERS))


def _numbered(index: int, work: Callable[..., T], *arguments: Any) -> T:
    try:
        return work(*arguments)
    except Problem as problem:
        raise type(problem)(f"find {index}: {problem.message}") from problem


def _or_refusal(work: Callable[..., T], *arguments: Any) -> T | dict[str, Any]:
    """What `work` returns, or the result that reports the problem it raises."""
    try:
        return work(*arguments)
    except Problem as problem:
        return {"status": problem.status, "errors": problem.errors}


def _check_count(requests: Any) -> None:
    if not isinstance(requests, (list, tuple)):
        raise BadRequest('a multi-find is a list such as [{"flowId": "f…", "params": {"limit": 1}}]')
    if len(requests) > MOST_FINDS:
        raise TooLarge(f"{len(requests)} finds at once: {MOST_FINDS} is the most")
