"""The handlers of requests: query, run, join, leave and emit.

Each takes the request's context, its id and its unpacked body, and returns the answer, a whole package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, package
from ...wire.things.privileges import Privilege
from ...wire.things.scopes import Scope, is_name, parse_scope
from ...wire.things.values import pack
from .language import call_procedure, parse, run
from .resolved_scope import resolve_scope
from .scopes.registry import open_scope

if TYPE_CHECKING:
    from .database.state import CollectionEntry
    from .request_context import RequestContext

__all__ = ["REQUESTS", "Handler"]

Handler = Callable[["RequestContext", int, list[Any]], bytes]


def _query(context: RequestContext, id: int, body: list[Any]) -> bytes:
    """[scope, code] or [scope, code, {variable: value}]"""
    scope, code, variables = _scope(body), _get(body, 1), _get(body, 2)
    if not isinstance(code, str):
        raise things_errors.TypeError(f"code is a str, not {_type(code)}")
    resolved = context.enter(resolve_scope(scope, context.state, context.node.id), Privilege.QUERY)
    given: Mapping[str, Any] = variables if isinstance(variables, dict) else {}
    return _data(id, run(parse(code), open_scope(context, resolved), given, context.logs))


def _run(context: RequestContext, id: int, body: list[Any]) -> bytes:
    """[scope, procedure], [scope, procedure, [argument, …]] or [scope, procedure, {name: argument}]"""
    scope, name, given = _scope(body), _get(body, 1), _get(body, 2)
    if scope.kind == "node":
        raise things_errors.BadDataError("the node scope has no procedures")
    if not isinstance(name, str):
        raise things_errors.BadDataError(f"a procedure's name is a str, not {_type(name)}")
    if not isinstance(given, list | dict | None):
        raise things_errors.BadDataError(f"arguments are a list or a map, not {_type(given)}")
    resolved = context.enter(resolve_scope(scope, context.state, context.node.id), Privilege.RUN)
    return _data(id, call_procedure(name, given, open_scope(context, resolved), context.logs))


def _join(context: RequestContext, id: int, body: list[Any]) -> bytes:
    """[scope, room, …]"""
    entry, rooms = _rooms(context, body)
    for room in rooms:
        if room is not None:
            context.join((entry.number, room), entry.scope)
    return _data(id, rooms)


def _leave(context: RequestContext, id: int, body: list[Any]) -> bytes:
    """[scope, room, …]"""
    entry, rooms = _rooms(context, body)
    for room in rooms:
        if room is not None:
            context.leave((entry.number, room), entry.scope)
    return _data(id, rooms)


def _emit(context: RequestContext, id: int, body: list[Any], *, to_self: bool = True) -> bytes:
    """[scope, room, event, argument, …]"""
    entry = _collection(context, _scope(body))
    wanted, event = _get(body, 1), _get(body, 2)
    if not isinstance(event, str):
        raise things_errors.BadDataError(f"an event's name is a str, not {_type(event)}")
    if isinstance(wanted, str) and not is_name(wanted):
        raise things_errors.ValueError(
            "a room's name is 1 to 255 letters, digits and underscores, no digit first"
        )
    room = _find(entry, wanted)
    if room is None:
        raise things_errors.LookupError(f"room `{wanted}` not found in collection `{entry.collection.name}`")
    exclude = None if to_self else context.client
    context.emit((entry.number, room), entry.scope, event, body[3:], exclude)
    return package(Kind.OK, id)


def _emit_to_peers(context: RequestContext, id: int, body: list[Any]) -> bytes:
    return _emit(context, id, body, to_self=False)


REQUESTS: Mapping[int, Handler] = {
    Kind.QUERY: _query,
    Kind.RUN: _run,
    Kind.JOIN: _join,
    Kind.LEAVE: _leave,
    Kind.EMIT: _emit,
    Kind.EMIT_PEER: _emit_to_peers,
}


def _data(id: int, value: Any) -> bytes:
    return package(Kind.DATA, id, pack(value))


def _scope(body: object) -> Scope:
    if not isinstance(body, list) or not body or not isinstance(body[0], str):
        raise things_errors.BadDataError("a request is a list that begins with the scope, a str")
    return parse_scope(body[0])


def _get(body: list[Any], index: int) -> Any:
    return body[index] if index < len(body) else None


def _collection(context: RequestContext, scope: Scope) -> CollectionEntry:
    """Return the collection that a request about rooms names, if the user may join rooms there."""
    if scope.kind != "collection":
        raise things_errors.BadDataError(f"rooms are in collections, not in `{scope}`")
    entry = context.state.collection(scope.name)
    context.user.require(entry.number, Privilege.JOIN, entry.scope)
    return context.use(entry)


def _rooms(context: RequestContext, body: list[Any]) -> tuple[CollectionEntry, list[int | None]]:
    """Return the collection and the rooms that a request names, None for a room that does not exist."""
    entry = _collection(context, _scope(body))
    return entry, [_find(entry, wanted) for wanted in body[1:]]


def _find(entry: CollectionEntry, wanted: object) -> int | None:
    """Return the id of the room with this id or name; None if there is none."""
    if isinstance(wanted, str):
        return next((room.id for room in entry.collection.rooms if room.name == wanted), None)
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        return wanted if wanted in entry.collection.rooms else None
    raise things_errors.BadDataError(f"a room is given by its id or name, not {_type(wanted)}")


def _type(value: object) -> str:
    return "nil" if value is None else type(value).__name__
