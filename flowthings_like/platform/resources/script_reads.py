"""What scripts may ask for: drops, aggregates, flows and tracks, with the rights of the script's writer.

What is not there is null to a script. A reading that is refused or that takes too long raises an exception
in the script.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...filters.values import DROP_MEMBERS
from ..ids import is_id
from ..problems import BadRequest, NotFound
from ..store.cancellation import CURRENT, CancelScope
from .aggregates.aggregate import aggregate
from .base import verbs as resource_verbs
from .drops import rows
from .drops import verbs as drop_verbs
from .drops.find import find_in, readable
from .flows import FLOW, id_at
from .query.query import Query
from .tracks import TRACK

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .access.rights import Caller
    from .base.resource import Resource
    from .drops.resource_store import ResourceStore

__all__ = ["MOST_FOUND", "SECONDS", "read"]

SECONDS = 0.5
"""How long one reading may take."""

MOST_FOUND = 100
"""Most drops, flows or tracks that a script gets at once."""


def read(store: ResourceStore, caller: Caller, name: str, arguments: list[Any]) -> Any:
    """What a script asks for, as a JSON value; None if it is not there.

    Args:
        caller: who the script acts for.
        name: such as "Drop.find": the names in `prelude.js`.
        arguments: as the script has given them.

    Raises:
        BadRequest: an argument is wrong, or it took too long.
        Forbidden: the caller has no right to it.
    """
    token = CURRENT.set(CancelScope(SECONDS))
    try:
        return _READS[name](store, caller, arguments)
    except NotFound:
        return None
    finally:
        CURRENT.reset(token)


def _find_drops(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
    flow, query = _name(arguments, 0, "a flow"), _query(arguments, 1, DROP_MEMBERS)
    return store.read(
        lambda connection: find_in(connection, readable(connection, caller, flow), query, False).drops
    )


def _find_drop(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
    flow, query = _name(arguments, 0, "a flow"), replace(_query(arguments, 1, DROP_MEMBERS), limit=1)

    def work(connection: Connection) -> Any:
        found = find_in(connection, readable(connection, caller, flow), query, False).drops
        return found[0] if found else None

    return store.read(work)


def _find_by_fhash(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
    flow, fhash = _name(arguments, 0, "a flow"), _name(arguments, 1, "an fhash")

    def work(connection: Connection) -> Any:
        found = readable(connection, caller, flow)
        row = rows.find_by_fhash(connection, found.id, [fhash]).get(fhash)
        return None if row is None else rows.to_document(row, found.path)

    return store.read(work)


def _get_drop(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
    return drop_verbs.read(store, caller, _name(arguments, 0, "a flow"), _name(arguments, 1, "a drop"))


def _aggregate(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
    return aggregate(store, caller, _name(arguments, 0, "a flow"), _argument(arguments, 1))


def _get_flow(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
    name = _name(arguments, 0, "a flow")
    found: str | None = name
    if not is_id(name, "f"):
        found = store.read(lambda connection: id_at(connection, name))
    return None if found is None else resource_verbs.read(store, caller, FLOW, found)


def _get_track(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
    return resource_verbs.read(store, caller, TRACK, _name(arguments, 0, "a track"))


def _finder(resource: Resource) -> Callable[[ResourceStore, Caller, list[Any]], Any]:
    def find(store: ResourceStore, caller: Caller, arguments: list[Any]) -> Any:
        return resource_verbs.find(store, caller, resource, _query(arguments, 0, resource.known))

    return find


_READS: dict[str, Callable[[ResourceStore, Caller, list[Any]], Any]] = {
    "Drop.find": _find_drops,
    "Drop.findOne": _find_drop,
    "Drop.findFHash": _find_by_fhash,
    "Drop.get": _get_drop,
    "Drop.aggregate": _aggregate,
    "Flow.find": _finder(FLOW),
    "Flow.get": _get_flow,
    "Track.find": _finder(TRACK),
    "Track.get": _get_track,
}


def _query(arguments: list[Any], index: int, known: frozenset[str]) -> Query:
    """The query that a script states as a filter's text, as a map of parameters, or not at all."""
    given = _argument(arguments, index)
    params = {"filter": given} if isinstance(given, str) else {} if given is None else given
    if not isinstance(params, dict):
        raise BadRequest('a search is a filter, or a map such as {"filter": "temp > 90", "limit": 10}')
    query = Query.from_values(params, known)
    return replace(query, limit=min(query.limit, MOST_FOUND))


def _name(arguments: list[Any], index: int, what: str) -> str:
    given = _argument(arguments, index)
    if not isinstance(given, str):
        raise BadRequest(f"argument {index + 1} must be {what}, a string")
    return given


def _argument(arguments: list[Any], index: int) -> Any:
    return arguments[index] if index < len(arguments) else None
