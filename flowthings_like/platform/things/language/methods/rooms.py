"""Methods of rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .....wire.things import errors
from .....wire.things.scopes import is_name
from ..runtime.builtin import method
from ..storage.journal import Emit
from ..values.plain import result_depth, serialise, shows_ids
from ..values.types import Room, Value, type_name

if TYPE_CHECKING:
    from ..runtime.builtin import Nil
    from ..runtime.run import Run


@method(Room)
def id_(run: Run, room: Room) -> int | None:
    return room.id


@method(Room)
def name(run: Run, room: Room) -> str | None:
    return room.name


@method(Room)
def set_name(run: Run, room: Room, name: str | Nil) -> None:
    """Set the name by which clients can join the room; nil removes it."""
    if name is not None and not is_name(name):
        raise errors.ValueError("room name must follow the naming rules")
    run.collection.rename_room(room, name)


@method(Room)
def emit(run: Run, room: Room, first: Value, *more: Value) -> None:
    """emit([depth, [flags,]] event, …): send an event to the members of the room, things to that depth."""
    args = [first, *more]
    deep, ids = 1, True
    if type(args[0]) is int:
        deep = result_depth(args.pop(0))
        if args and type(args[0]) is int:
            if len(args) == 1:
                raise errors.NumArgumentsError(
                    "function `emit` requires at least 3 arguments when both `deep` and `flags` are used "
                    "but 2 were given"
                )
            ids = shows_ids(args.pop(0))
        elif not args:
            raise errors.NumArgumentsError(
                "function `emit` requires at least 2 arguments when `deep` is used but 1 was given"
            )
    event, *values = args
    if type(event) is not str:
        raise errors.TypeError(
            "function `emit` expects the `event` argument to be of type `str` "
            f"but got type `{type_name(event)}` instead"
        )
    if room.id is not None:
        plain = [serialise(run.charge_kept(value), deep, ids, run.spend) for value in values]
        run.collection.emits.append(Emit(room.id, run.charge_kept(event), plain))
