"""What rooms, closures and errors can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .... import things_errors as errors
from .collection import Emit
from .run import result_depth
from .serialise import serialise
from .signature import method
from .values import Closure, Failure, Room, Value, is_name

if TYPE_CHECKING:
    from .run import Run


@method(Room)
def id_(run: Run, room: Room) -> int | None:
    return room.id


@method(Room)
def name(run: Run, room: Room) -> str | None:
    return room.name


@method(Room)
def set_name(run: Run, room: Room, name: str | None) -> None:
    """Lets clients join the room by this name; nil takes the name away."""
    if name is not None and not is_name(name):
        raise errors.ValueError(f"expected a room's name (letters, digits and _), not {name[:60]!r}")
    run.collection.rename_room(room, name)


@method(Room)
def emit(run: Run, room: Room, *args: Value) -> None:
    """emit(event, …) or emit(depth, event, …): sends the event to all who joined, things to that depth."""
    depth = 1
    if args and type(args[0]) is int:
        depth, args = result_depth(args[0]), args[1:]
    if not args or type(args[0]) is not str:
        raise errors.TypeError(
            "function `emit` expects the event's name, of type `str`, before its arguments"
        )
    event, *values = args
    if not event:
        raise errors.ValueError("expected an event's name that is not empty")
    if room.id is not None:
        run.spend(1 + len(values))
        run.collection.emits.append(Emit(room.id, event, [serialise(value, depth) for value in values]))


@method(Closure)
def call(run: Run, closure: Closure, *args: Value) -> Value:
    return run.call(closure, *args)


@method(Closure)
def def_(run: Run, closure: Closure) -> str:
    """The closure's source."""
    return closure.text


@method(Failure)
def code(run: Run, error: Failure) -> int:
    return error.code


@method(Failure)
def msg(run: Run, error: Failure) -> str:
    return error.message
