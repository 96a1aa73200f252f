"""Elements: the values of a drop, checked when written, and shown with their types if that is asked.

Elements are stored plain: `{"temp": 39.5}`. A writer may state a type, at any level, as `{"type": "date",
"value": …}`; the value is stored and the type beside it, unless it is the type that is
inferred from the value. Readers of the platform's version 0 get every value in that typed form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ....wire.integers import LEAST, MOST
from ...problems import BadRequest

DEEPEST = 32
"""Most levels of lists and maps within each other."""

Types = Mapping[str, str]
"""Stated types by the element's path as a JSON Pointer: {"/since": "date", "/tags/0": "email"}."""

_MAPS = frozenset({"map", "sortedMap"})
_LISTS = frozenset({"list", "set", "sortedSet"})
TYPES = (
    frozenset(("string", "boolean", "integer", "float", "long", "date", "location", "text", "media", "null"))
    | frozenset(("length", "duration", "weight", "color", "bytes", "range", "email", "url", "uri", "upc"))
    | frozenset(("vin", "isbn", "phone", "id", "dropRef", "flowRef", "path", "rating", "permissions"))
    | _MAPS
    | _LISTS
)
"""Names of types that may be stated."""

_WRAPPER = {"type", "value"}
_FITS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "date": (int, str),
    "null": (type(None),),
    **dict.fromkeys(_MAPS, (dict,)),
    **dict.fromkeys(_LISTS, (list,)),
}


def accept(elems: Any) -> tuple[dict[str, Any], dict[str, str] | None]:
    """The elements as they are stored, and the stated types that must be stored too (None for none).

    Args:
        elems: what the writer sent, plain or typed values, mixed at will.

    Raises:
        BadRequest: empty, not a map, or holding something that is no JSON value, too large a number or too
            deep a nesting; the message names the element.
    """
    if not isinstance(elems, dict):
        raise BadRequest(f"elems must be a map of names to values, not {_kind(elems)}")
    if not elems:
        raise BadRequest("elems must not be empty: a drop carries at least one element")
    for name, value in elems.items():
        kind = type(value)
        if type(name) is not str or not name:
            break
        if kind is float:
            if not math.isfinite(value):
                break
        elif kind is int:
            if not LEAST <= value <= MOST:
                break
        elif kind is not str and kind is not bool and value is not None:
            break
    else:
        return dict(elems), None  # flat and plain, as nearly all drops are
    types: dict[str, str] = {}
    plain = {_name(name, "elems"): _plain(value, ("elems", name), types, 1) for name, value in elems.items()}
    return plain, types or None


def with_hints(plain: Mapping[str, Any], types: Types | None = None) -> dict[str, Any]:
    """Plain elements in typed form: every value as `{"type": T, "value": V}`, in maps and lists too.

    `accept` undoes it: it gives `plain` and `types` back.
    """
    stated = types or {}
    return {name: _typed(value, "/" + _escape(name), stated) for name, value in plain.items()}


def at(plain: Any, pointer: str) -> Any:
    """The element that a JSON Pointer names, as in `Types`; None if there is none."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(plain, dict):
            plain = plain.get(name)
        elif isinstance(plain, list) and name.isdigit() and int(name) < len(plain):
            plain = plain[int(name)]
        else:
            return None
    return plain


def inferred(value: Any) -> str:
    """The type inferred from a plain value: integer, float, string, boolean, map, list or null."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "map"
    return "null" if value is None else "list"


def _plain(value: Any, path: tuple[str | int, ...], types: dict[str, str] | None, depth: int) -> Any:
    if isinstance(value, dict):
        if value.keys() == _WRAPPER and isinstance(value["type"], str) and value["type"] in TYPES:
            return _unwrapped(value["type"], value["value"], path, types, depth)
        return _plain_map(value, path, types, depth)
    if isinstance(value, (list, tuple)):
        _check_depth(path, depth)
        return [_plain(item, (*path, index), types, depth + 1) for index, item in enumerate(value)]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        if not LEAST <= value <= MOST:
            raise BadRequest(f"{_dotted(path)}: a whole number must lie between -2^63 and 2^63-1")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadRequest(f"{_dotted(path)}: a number must be finite, not {value}")
        return value
    raise BadRequest(f"{_dotted(path)}: {_kind(value)} is no JSON value")


def _plain_map(
    value: dict[Any, Any], path: tuple[str | int, ...], types: dict[str, str] | None, depth: int
) -> dict[str, Any]:
    _check_depth(path, depth)
    return {
        _name(name, _dotted(path)): _plain(item, (*path, name), types, depth + 1)
        for name, item in value.items()
    }


def _unwrapped(
    stated: str, value: Any, path: tuple[str | int, ...], types: dict[str, str] | None, depth: int
) -> Any:
    fits = _FITS.get(stated)
    if fits and (not isinstance(value, fits) or (isinstance(value, bool) and bool not in fits)):
        wanted = " or ".join(_KINDS.get(kind, kind.__name__) for kind in fits)
        raise BadRequest(f"{_dotted(path)}: type {stated} takes {wanted}, not {_kind(value)}")
    # Only maps and lists have elements with types of their own; a location's lat is just a number.
    inner = types if stated in _MAPS or stated in _LISTS else None
    if isinstance(value, dict) and inner is not None:
        plain: Any = _plain_map(value, path, inner, depth)
    else:
        plain = _plain(value, path, inner, depth)
    if types is not None and stated != inferred(plain):
        types["".join("/" + _escape(str(part)) for part in path[1:])] = stated
    return plain


def _typed(value: Any, pointer: str, types: Types) -> dict[str, Any]:
    stated = types.get(pointer) or inferred(value)
    if isinstance(value, dict) and stated in _MAPS:
        value = {name: _typed(item, f"{pointer}/{_escape(name)}", types) for name, item in value.items()}
    elif isinstance(value, list) and stated in _LISTS:
        value = [_typed(item, f"{pointer}/{index}", types) for index, item in enumerate(value)]
    return {"type": stated, "value": value}


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str) or not name:
        raise BadRequest(f"{where}: a name must be a string of at least one character, not {name!r}")
    return name


def _check_depth(path: tuple[str | int, ...], depth: int) -> None:
    if depth >= DEEPEST:
        raise BadRequest(f"{_dotted(path[:6])}…: nested more than {DEEPEST} levels deep")


def _dotted(path: tuple[str | int, ...]) -> str:
    text = str(path[0])
    for part in path[1:]:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


_KINDS: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a map",
    list: "a list",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), f"a value of type {type(value).__name__}")
