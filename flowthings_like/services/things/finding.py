"""Finds the id of a room, by its name or by code, and makes a named room that is missing."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...wire.things import errors as things_errors
from ...wire.things.scopes import cnscope, is_name
from .membership import collection_scope

if TYPE_CHECKING:
    from .client import Client

__all__ = ["collection_of", "find_room", "query"]

_FIND = "room(name).id();"

# It may run twice. A client that has no right to change the collection never comes here if the room exists.
_MAKE = """
    found = try(room(name));
    if (!is_room(found)) {
        .has(name) || .set(name, room());
        found = .get(name);
        assert(is_room(found), `.{name} is no room; give a room another name, or code that returns its id`);
        found.name() || found.set_name(name);
    };
    found.id();
"""


def collection_of(scope: str) -> str:
    """The name of the collection that is a client's default scope.

    Raises:
        InvalidInput: the scope is that of no collection.
    """
    try:
        return cnscope(scope)
    except things_errors.ValueError:
        raise InvalidInput(
            f"the client's default scope {scope!r} is that of no collection, and a room is in one; "
            'write Room(…, scope="//NAME"), api.room(…, "//NAME") or client.set_default_scope("//NAME")'
        ) from None


def find_room(client: Client, room: str, collection: str, deadline: float, *, is_made: bool) -> int:
    """The id of a room.

    Args:
        room: its name, or code that returns its id.
        collection: where it is.
        deadline: a `time.monotonic()`; inf for no limit.
        is_made: make a room that is named and missing. It is the collection's property of that name, unless
            that is a room already.

    Raises:
        LookupError: no room has this name.
        AssertionError: the room is missing, and the property of its name is something else.
        TypeError: the code returned something else than an int.
    """
    if is_name(room):
        try:
            id = query(client, _FIND, collection, deadline, {"name": room})
        except things_errors.LookupError:
            if not is_made:
                raise
            id = query(client, _MAKE, collection, deadline, {"name": room})
    else:
        id = query(client, room, collection, deadline, None)
    if isinstance(id, bool) or not isinstance(id, int):
        raise things_errors.TypeError(
            f"the code {room[:60]!r} returned {type(id).__name__}; it must return a room's id, an int"
        )
    return id


def query(
    client: Client, code: str, collection: str, deadline: float, variables: dict[str, Any] | None
) -> Any:
    """Run code in a collection. Code with variables may run twice."""
    scope = collection_scope(collection)
    left = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
    return client.query(code, scope, left, variables=variables, idempotent=variables is not None)
