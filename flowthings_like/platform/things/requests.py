"""What a client can ask once it has come in: query, run, join, leave, emit.

Each takes the turn, the request's id and its unpacked body, and returns the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, pack, package
from ...wire.things.scopes import Scope, is_name, parse_scope
from .language import call_procedure, parse, run
from .resolved_scope import resolve_scope
from .scopes.registry import open_scope
from .users import Privilege

if TYPE_CHECKING:
    from .database.state import Held
    from .request_context import Turn

__all__ = ["REQUESTS", "Request"]

Request = Callable[["Turn", int, list[Any]], bytes]


def _query(turn: Turn, id: int, body: list[Any]) -> bytes:
    """[scope, code] or [scope, code, {variable: value}]"""
    scope, code, variables = _scope(body), _get(body, 1), _get(body, 2)
    if not isinstance(code, str):
        raise things_errors.TypeError(f"code is a str, not {_type(code)}")
    spot = turn.enter(resolve_scope(scope, turn.state, turn.node.id), Privilege.QUERY)
    given: Mapping[str, Any] = variables if isinstance(variables, dict) else {}
    return _data(id, run(parse(code), open_scope(turn, spot), given, turn.logs))


def _run(turn: Turn, id: int, body: list[Any]) -> bytes:
    """[scope, procedure], [scope, procedure, [argument, …]] or [scope, procedure, {name: argument}]"""
    scope, name, given = _scope(body), _get(body, 1), _get(body, 2)
    if scope.kind == "node":
        raise things_errors.BadDataError("the node scope has no procedures")
    if not isinstance(name, str):
        raise things_errors.BadDataError(f"a procedure's name is a str, not {_type(name)}")
    if not isinstance(given, list | dict | None):
        raise things_errors.BadDataError(f"arguments are a list or a map, not {_type(given)}")
    spot = turn.enter(resolve_scope(scope, turn.state, turn.node.id), Privilege.RUN)
    return _data(id, call_procedure(name, given, open_scope(turn, spot), turn.logs))


def _join(turn: Turn, id: int, body: list[Any]) -> bytes:
    """[scope, room, …]"""
    held, rooms = _rooms(turn, body)
    for room in rooms:
        if room is not None:
            turn.join((held.number, room), held.scope)
    return _data(id, rooms)


def _leave(turn: Turn, id: int, body: list[Any]) -> bytes:
    """[scope, room, …]"""
    held, rooms = _rooms(turn, body)
    for room in rooms:
        if room is not None:
            turn.leave((held.number, room), held.scope)
    return _data(id, rooms)


def _emit(turn: Turn, id: int, body: list[Any], *, to_self: bool = True) -> bytes:
    """[scope, room, event, argument, …]"""
    held = _collection(turn, _scope(body))
    wanted, event = _get(body, 1), _get(body, 2)
    if not isinstance(event, str):
        raise things_errors.BadDataError(f"an event's name is a str, not {_type(event)}")
    if isinstance(wanted, str) and not is_name(wanted):
        raise things_errors.ValueError(
            "a room's name is 1 to 255 letters, digits and underscores, no digit first"
        )
    room = _find(held, wanted)
    if room is None:
        raise things_errors.LookupError(f"room `{wanted}` not found in collection `{held.content.name}`")
    but = None if to_self else turn.session
    turn.emit((held.number, room), held.scope, event, body[3:], but)
    return package(Kind.OK, id)


def _emit_to_peers(turn: Turn, id: int, body: list[Any]) -> bytes:
    return _emit(turn, id, body, to_self=False)


REQUESTS: Mapping[int, Request] = {
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


def _collection(turn: Turn, scope: Scope) -> Held:
    """The collection of a request about rooms."""
    if scope.kind != "collection":
        raise things_errors.BadDataError(f"rooms are in collections, not in `{scope}`")
    held = turn.state.collection(scope.name)
    turn.user.require(held.number, Privilege.JOIN, held.scope)
    return turn.use(held)


def _rooms(turn: Turn, body: list[Any]) -> tuple[Held, list[int | None]]:
    """The collection and the rooms asked for, None for one that is not there."""
    held = _collection(turn, _scope(body))
    return held, [_find(held, wanted) for wanted in body[1:]]


def _find(held: Held, wanted: object) -> int | None:
    """A room's id by its id or name; None if there is none."""
    if isinstance(wanted, str):
        return next((room.id for room in held.content.rooms if room.name == wanted), None)
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        return wanted if wanted in held.content.rooms else None
    raise things_errors.BadDataError(f"a room is given by its id or name, not {_type(wanted)}")


def _type(value: object) -> str:
    return "nil" if value is None else type(value).__name__
