"""Converts things and rooms to rows and back. A row is MessagePack and refers to others by their id."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgpack

from ..values.types import Closure, Failure, List, Regex, Room, Thing, ThingSet, Timeval, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ROOM", "THING", "Row", "dump", "load_room", "load_thing"]

THING, ROOM = "thing", "room"

# Extension types. The first four are ThingsDB's own numbers.
_REGEX, _CLOSURE, _ROOM, _THING = 1, 2, 3, 5
_SET, _FAILURE, _MOMENT, _TIMEVAL = 16, 17, 18, 19


class Row(NamedTuple):
    """The row of one thing or room. `kind` is THING or ROOM."""

    id: int
    kind: str
    body: bytes


def dump(value: Thing | Room) -> Row:
    """Return the row of a stored thing or room."""
    assert value.id is not None
    if isinstance(value, Room):
        return Row(value.id, ROOM, _pack(value.name))
    return Row(value.id, THING, _pack(value.props))


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, default=_extension, strict_types=True)
    return packed


def _extension(value: Value) -> Any:
    kind = type(value)
    if kind is List or kind is tuple:
        return list(value)
    if kind is Thing:
        return msgpack.ExtType(_THING, value.id.to_bytes(8, "big"))
    if kind is Room:
        return msgpack.ExtType(_ROOM, value.id.to_bytes(8, "big"))
    if kind is ThingSet:
        return msgpack.ExtType(_SET, _pack([thing.id for thing in value]))
    if kind is Closure:
        return msgpack.ExtType(_CLOSURE, value.source.encode())
    if kind is Regex:
        return msgpack.ExtType(_REGEX, value.text.encode())
    if kind is Failure:
        return msgpack.ExtType(_FAILURE, _pack([value.code, value.message]))
    if kind is datetime:
        return msgpack.ExtType(_MOMENT, _dated(value).encode())
    if kind is Timeval:
        return msgpack.ExtType(_TIMEVAL, _dated(value).encode())
    raise TypeError(f"no row can hold {value!r}")


def _dated(moment: datetime) -> str:
    """Write 2020-01-02T00:00:00+01:00[Europe/Amsterdam]; without the brackets if the zone is an offset."""
    zone = moment.tzinfo
    return moment.isoformat() + (f"[{zone.key}]" if isinstance(zone, ZoneInfo) else "")


def _moment(kind: type[datetime], text: str) -> datetime:
    stamp, _, zone = text.removesuffix("]").partition("[")
    moment = kind.fromisoformat(stamp)
    return moment.astimezone(ZoneInfo(zone)) if zone else moment


def load_room(body: bytes) -> str | None:
    """Return the name of a room from its row."""
    name: str | None = _unpack(body)
    return name


def load_thing(
    body: bytes, known: Mapping[int, Thing | Room], read_closure: Callable[[str], Closure]
) -> dict[str, Value]:
    """Return the properties of a thing from its row, lists as tuples.

    Args:
        known: things and rooms by id. A reference to any other id becomes nil.
        read_closure: makes a closure of its source.
    """

    def value_of(code: int, data: bytes) -> Value:
        if code in (_THING, _ROOM):
            return known.get(int.from_bytes(data, "big"))
        if code == _SET:
            return ThingSet(thing for id in _unpack(data) if isinstance(thing := known.get(id), Thing))
        if code == _CLOSURE:
            return read_closure(data.decode())
        if code == _REGEX:
            return Regex(data.decode())
        if code == _FAILURE:
            return Failure(*_unpack(data))
        return _moment(Timeval if code == _TIMEVAL else datetime, data.decode())

    props: dict[str, Value] = _unpack(body, value_of)
    return {name: _tuples(value) for name, value in props.items()}


def _unpack(body: bytes, ext_hook: Any = msgpack.ExtType) -> Any:
    return msgpack.unpackb(body, ext_hook=ext_hook, strict_map_key=False)


def _tuples(value: Value) -> Value:
    return tuple(map(_tuples, value)) if type(value) is list else value
