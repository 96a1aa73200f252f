"""Flows: named collections that drops are created in.

A path cannot be changed, because tracks, tokens and shares name flows by it. Deleting a flow deletes its
drops; tracks that name it stay and do nothing until a flow of that path exists again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from ..problems import BadRequest, NotFound
from ..store.schema import resources
from .access import account_paths
from .base.members import filter_text, flag, integer, mapping, text
from .base.resource import Document, Resource
from .drops import element_indexes, flow_sizes
from .drops.flow_cache import DEFAULT_CAPACITY
from .statistics.counters import DROP_ADDED, TRACKED

if TYPE_CHECKING:
    from .access.rights import Caller
    from .drops.resource_store import ResourceStore


def _check(caller: Caller, flow: Document) -> Document:
    most = caller.max_capacity
    flow.setdefault("capacity", DEFAULT_CAPACITY if most is None else min(DEFAULT_CAPACITY, most))
    return flow


def _before_write(
    connection: sql.Connection, caller: Caller, document: Document, before: Document | None
) -> None:
    path, most = document["path"], caller.max_capacity
    # A flow keeps a larger capacity from before the operator lowered the limit.
    if most is not None and document["capacity"] > max(most, before["capacity"] if before else 0):
        raise BadRequest(
            f"capacity must be at most {most}, which is what the platform's operator allows, "
            f"not {document['capacity']}"
        )
    if before is None:
        holder = id_at(connection, path)
        if holder is not None:
            raise BadRequest(f"a flow with this path exists: {holder}")
    elif before["path"] != path:
        raise BadRequest(f"the path of a flow cannot be changed, it is {before['path']}: create another flow")
    elif before["capacity"] > document["capacity"]:
        flow_sizes.shrink(connection, before["id"], document["capacity"])
    if before is not None and before.get("index") != document.get("index"):
        element_indexes.define(connection, before["id"], document.get("index", ()))


def _after_create(connection: sql.Connection, _caller: Caller, document: Document) -> Document:
    if document.get("index"):
        element_indexes.define(connection, document["id"], document["index"])
    return {}


def _after_delete(connection: sql.Connection, document: Document) -> None:
    flow_sizes.clear(connection, document["id"])
    element_indexes.forget(connection, document["id"])


def _after_update(store: ResourceStore) -> None:
    store.indexing.wake()


FLOW = Resource(
    "flow",
    "f",
    members={
        "capacity": integer(0),
        "description": text(),
        "displayName": text(),
        "name": text(),
        "filter": filter_text,
        "public": flag,
        "metadata": mapping,
        "index": element_indexes.check,
    },
    required=("path",),
    path_members=("path",),
    check=_check,
    before_write=_before_write,
    after_create=_after_create,
    after_delete=_after_delete,
    after_update=_after_update,
    pointers=("flowId",),
    statistics=(DROP_ADDED, TRACKED),
    is_cached=True,
)


def id_at(connection: sql.Connection, path: str) -> str | None:
    """Id of the flow at `path`, None if there is none. A path names one flow on the whole platform."""
    statement = sql.select(resources.c.id).where(resources.c.kind == "flow", resources.c.path == path)
    found: Any = connection.execute(statement).scalar_one_or_none()
    return None if found is None else str(found)


def require(connection: sql.Connection, caller: Caller, path: str, member: str) -> None:
    """Raise unless `path` is in the account and a flow is there.

    Raises:
        BadRequest: the path is none, or outside the account.
        NotFound: no flow there.
    """
    account_paths.check(path, caller.account, member)
    if id_at(connection, path) is None:
        raise NotFound(f"{member}: there is no flow {path}")
