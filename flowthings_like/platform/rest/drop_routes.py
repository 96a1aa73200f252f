"""Routes of drops: `/drop`, `/drop/<flow>` (a flow's id or path) and `/drop/<flow>/<drop>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...filters.values import DROP_MEMBERS
from ..json_schema import ANYTHING, Schema, map_of
from ..problems import BadRequest
from ..resources.aggregates.aggregate import aggregate
from ..resources.aggregates.plan import MEMBERS, REQUEST
from ..resources.drops import find, verbs
from ..resources.drops.drop_schemas import CHANGES, DROP, DROP_ID, FINDS, NEW_AT_PATH, NEW_OR_LIST
from ..resources.query import misspellings, parameters
from ..resources.query.query import Query
from . import references
from .envelope import Response, created
from .operations import EMPTY, operation
from .search_limits import Search

if TYPE_CHECKING:
    from .request import Request
    from .search_limits import Methods

SEGMENTS: dict[str, Schema] = {
    "flow": {"type": "string", "minLength": 1, "description": "the flow's id, or its path in one segment"},
    "drop": DROP_ID,
    "member": {"type": "string", "minLength": 1, "description": "elems, location, fhash or elems.name"},
}
"""What follows `drop` in a path, with the schema of each."""

_TYPED = ("hints", "refs")
_FIND = ("hints", "explain", *parameters.FIND)
_FOUND: Schema = {
    "anyOf": [{"type": "array", "items": DROP}, {"type": "object", "description": "with explain"}]
}
_CREATED: Schema = {"anyOf": [DROP, {"type": "array", "items": DROP}]}
_FOUND_IN_FLOWS: Schema = {
    "anyOf": [
        map_of({"type": "array", "items": DROP}),
        {"type": "array", "description": "with each: drops, a refusal or null for each find"},
    ]
}
_IDS: Schema = {"type": "array", "items": {"type": "string"}, "maxItems": verbs.MOST_AT_ONCE}


@operation("Create a drop in the flow at a path", DROP, body=NEW_AT_PATH, query=_TYPED, status=201)
def _create_by_path(request: Request) -> Response:
    model = request.body()
    if not isinstance(model, dict) or not isinstance(model.get("path"), str):
        raise BadRequest("path is required: the flow of the drop, such as /account/weather")
    return _created(request, model["path"], model)


@operation("Find drops of the flow at a path", _FOUND, query=("path", *_FIND), required=("path",))
def _find_by_path(request: Request) -> Response:
    path = request.params.get("path", [""])[-1]
    if not path:
        raise BadRequest("path is required: the path of the flow whose drops to find")
    return _find_in(request, path)


@operation("Find drops in several flows", _FOUND_IN_FLOWS, body=FINDS, query=("each", *_TYPED))
def _multi_find(request: Request) -> Response:
    work = find.find_each if request.each else find.multi_find
    found = work(request.store, request.caller, request.body(), hints=request.typed)
    return references.add(request, Response(found))


@operation("Create a drop, or several", _CREATED, body=NEW_OR_LIST, query=_TYPED, status=201)
def _create(request: Request) -> Response:
    (flow,) = request.target.rest
    return _created(request, flow, request.body())


def _created(request: Request, flow: str, model: Any) -> Response:
    made = verbs.create_counted(request.store, request.caller, flow, model, hints=request.typed)
    response = created(made.drops if isinstance(model, list) else made.drops[0])
    if made.evicted:
        response.head = {"evicted": made.evicted, "evictedCreated": made.evicted_created}
    return references.add(request, response)


@operation("Find drops", _FOUND, query=_FIND)
def _find(request: Request) -> Response:
    return _find_in(request, request.target.rest[0])


def _find_in(request: Request, flow: str) -> Response:
    query = Query.from_params(request.params, DROP_MEMBERS)
    if request.explain:
        return Response(verbs.explain(request.store, request.caller, flow, query))
    found = verbs.find(request.store, request.caller, flow, query, hints=request.typed)
    return references.add(request, Response(found))


@operation("Read drops by id", map_of(DROP), body=_IDS, query=_TYPED)
def _read_many(request: Request) -> Response:
    (flow,) = request.target.rest
    found = verbs.read_many(request.store, request.caller, flow, request.body(), hints=request.typed)
    return references.add(request, Response(found))


@operation("Change several drops, all or none", map_of(DROP), body=map_of(CHANGES), query=_TYPED)
def _update_many(request: Request) -> Response:
    (flow,) = request.target.rest
    changed = verbs.update_many(request.store, request.caller, flow, request.body(), hints=request.typed)
    return references.add(request, Response(changed))


@operation("Delete all drops of a flow, which itself stays", EMPTY)
def _delete_all(request: Request) -> Response:
    (flow,) = request.target.rest
    verbs.delete_all(request.store, request.caller, flow)
    return Response({})


@operation("Read a drop", DROP, query=("only", *_TYPED))
def _read(request: Request) -> Response:
    flow, drop = request.target.rest
    found = verbs.read(request.store, request.caller, flow, drop, hints=request.typed)
    return references.add(request, Response(Query.from_params(request.params, DROP_MEMBERS).pick(found)))


@operation("Change members of a drop", DROP, body=CHANGES, query=_TYPED)
def _update(request: Request) -> Response:
    flow, drop = request.target.rest
    changes = request.body()
    if isinstance(changes, dict) and changes.get("id") not in (None, drop):
        raise BadRequest(f"id {changes['id']!r} in the body is not the id {drop!r} that is being changed")
    changed = verbs.update(request.store, request.caller, flow, drop, changes, hints=request.typed)
    return references.add(request, Response(changed))


@operation("Delete a drop", EMPTY)
def _delete(request: Request) -> Response:
    flow, drop = request.target.rest
    verbs.delete(request.store, request.caller, flow, drop)
    return Response({})


@operation("Set one member of a drop, or one element by elems.name", DROP, body=ANYTHING, query=_TYPED)
def _set_member(request: Request) -> Response:
    flow, drop, member = request.target.rest
    value = request.body()
    changed = verbs.set_member(request.store, request.caller, flow, drop, member, value, hints=request.typed)
    return references.add(request, Response(changed))


@operation(
    "Compute statistics over the drops of a flow",
    {"type": "array", "items": {"type": "object"}},
    body=REQUEST,
)
def _aggregate(request: Request) -> Response:
    flow, _ = request.target.rest
    for name in request.params.keys() - misspellings.PARAMETERS:
        meant = name if name in MEMBERS else misspellings.nearest(name, frozenset(MEMBERS))
        if meant is not None:
            raise BadRequest(f"there is no parameter {name!r}: {meant} belongs in the body of an aggregate")
    return Response(aggregate(request.store, request.caller, flow, request.body()))


ROUTES: dict[int, Methods] = {
    0: {"POST": _create_by_path, "GET": Search(_find_by_path), "MGET": Search(_multi_find)},
    1: {
        "POST": _create,
        "GET": Search(_find),
        "MGET": _read_many,
        "MPUT": _update_many,
        "DELETE": _delete_all,
    },
    2: {"GET": _read, "PUT": _update, "DELETE": _delete},
    3: {"PUT": _set_member},
}
"""{how many segments follow `drop`: {method: handler}}"""

AGGREGATE: Methods = {"POST": Search(_aggregate)}
"""At `/drop/<flow>/aggregate`."""
