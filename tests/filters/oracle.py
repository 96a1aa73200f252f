"""A second implementation of filters, simple and slow, with which predicate and SQL are compared."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from fractions import Fraction
from typing import Any

from flowthings_like.filters import nodes

OWN = {"id", "flowId", "path", "creationDate", "creatorId", "lastEditDate", "lastEditorId"}
OWN |= {"fhash", "version", "location", "parentDropId", "elems"}
NOTHING = object()


def holds(node: nodes.Filter, document: dict[str, Any], now: int) -> bool:
    """Whether the document matches the filter."""
    match node:
        case nodes.And(filters):
            return all(holds(one, document, now) for one in filters)
        case nodes.Or(filters):
            return any(holds(one, document, now) for one in filters)
        case nodes.Not(one):
            return not holds(one, document, now)
        case nodes.Exists(member):
            return look_up(member, document) is not NOTHING
        case nodes.Compare(left, "!=", value):
            return not holds(nodes.Compare(left, "==", value), document, now)
        case nodes.Compare(left, op, value):
            return compare(look_up(left, document), op, operand(value, document))
        case nodes.In(left, items):
            value = look_up(left, document)
            return any(compare(value, "==", operand(item, document)) for item in items)
        case nodes.Contains(left, items):
            value = look_up(left, document)
            if not isinstance(value, list):
                return False
            return all(any(compare(one, "==", operand(item, document)) for one in value) for item in items)
        case nodes.Modulo(left, divisor, op, remainder):
            return modulo(look_up(left, document), divisor, remainder) == (op == "==")
        case nodes.Regex(left, pattern, flags):
            return found(pattern, flags, look_up(left, document))
        case nodes.Matches(pattern, flags):
            return any(found(pattern, flags, value) for value in document.get("elems", document).values())
        case nodes.Has(name):
            stated = document.get("", {}) if "elems" in document else {}
            return any(
                type_name(value) == {"long": "integer"}.get(name, name)
                or stated.get("/" + element.replace("~", "~0").replace("/", "~1")) == name
                for element, value in document.get("elems", document).items()
            )
        case nodes.Age(field, "!=", ms):
            return not holds(nodes.Age(field, "==", ms), document, now)
        case nodes.Age(field, op, ms):
            value = look_up(field or nodes.Member(("creationDate",)), document)
            return number(value) and compare(now - ms, op, value)
        case nodes.Within(left, distance, unit, point):
            place = look_up(left, document)
            return is_place(place) and apart(place, point) <= distance * {"KM": 1, "MILES": 1.609344}[unit]
        case nodes.Inside(left, polygon):
            place = look_up(left, document)
            return is_place(place) and encloses(polygon, place["lat"], place["lon"])
    raise AssertionError(node)


def look_up(member: nodes.Member, document: dict[str, Any]) -> Any:
    parts = list(member.parts)
    if parts[0] not in OWN and "elems" in document:
        parts.insert(0, "elems")
    value: Any = document
    for depth, part in enumerate(parts):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,8}", part) and int(part) < len(value):
            value = value[int(part)]
        elif set(parts[depth:]) == {"value"} and depth >= (2 if parts[0] == "elems" else 1):
            return value
        else:
            return NOTHING
    return value


def operand(value: nodes.Operand, document: dict[str, Any]) -> Any:
    match value:
        case nodes.Member():
            return look_up(value, document)
        case nodes.Json(text):
            return json.loads(text)
        case nodes.Typed("Date", str(day)):
            return round(datetime.fromisoformat(day.replace("Z", "+00:00")).timestamp() * 1000)
        case nodes.Typed(_, inner):
            return inner
    return value


def compare(one: Any, op: str, other: Any) -> bool:
    if op == "==":
        return same(one, other)
    if not (number(one) and number(other)) and not (isinstance(one, str) and isinstance(other, str)):
        return False
    return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[op]


def same(one: Any, other: Any) -> bool:
    if one is NOTHING or other is NOTHING:
        return False
    if number(one) and number(other):
        return bool(one == other)
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def modulo(value: Any, divisor: float, remainder: float) -> bool:
    if not number(value):
        return False
    if isinstance(value, int) and isinstance(divisor, int):
        quotient = abs(value) // abs(divisor) * (1 if (value < 0) == (divisor < 0) else -1)
        return value - quotient * divisor == remainder
    exact, by = Fraction(value), Fraction(divisor)
    return exact - math.trunc(exact / by) * by == remainder


def found(pattern: str, flags: str, value: Any) -> bool:
    wanted = sum(getattr(re, flag.upper()) for flag in flags if flag != "g")
    # Python's $ also matches before a last line break; re2's only with the flag m.
    pattern = pattern if "m" in flags else re.sub(r"\$$", r"\\Z", pattern)
    return isinstance(value, str) and re.search(pattern, value, wanted) is not None


def type_name(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "float", dict: "map", list: "list"}
    return names.get(type(value), "null")


def is_place(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and number(value.get("lat"))
        and number(value.get("lon"))
        and -90 <= value["lat"] <= 90
        and -180 <= value["lon"] <= 180
    )


def apart(place: dict[str, float], point: tuple[float, float]) -> float:
    """Great-circle distance in km, from the angle between two vectors (no haversine)."""
    one, other = (
        [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]
        for lat, lon in ([math.radians(x) for x in (place["lat"], place["lon"])], map(math.radians, point))
    )
    cross = math.hypot(
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    )
    return 6371.0088 * math.atan2(cross, sum(map(float.__mul__, one, other)))


def encloses(polygon: tuple[tuple[float, float], ...], lat: float, lon: float) -> bool:
    """The even-odd rule, as in textbooks."""
    odd = False
    for (lat1, lon1), (lat2, lon2) in zip(polygon, (polygon[-1], *polygon[:-1]), strict=True):
        if (lat1 > lat) != (lat2 > lat) and lon < (lon2 - lon1) * (lat - lat1) / (lat2 - lat1) + lon1:
            odd = not odd
    return odd
