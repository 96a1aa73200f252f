"""The plan of an aggregate: its request, validated, as groups, outputs and order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...json_schema import Schema, map_of
from ...problems import BadRequest
from ..query.query import member_parts, parse_filter
from .measures import MEASURES, Measure, described

if TYPE_CHECKING:
    from ....filters.nodes import Filter

UNITS = ("year", "month", "day", "hour", "minute", "second")
"""The date selectors, each written with a `$`: the parts of a UTC date, months counted from 1."""

MOST_RULES = 100
MOST_NAMES = 100  # outputs, groups, sorts

_NAMES = {"type": ["array", "null"], "items": {"type": "string", "minLength": 1}, "maxItems": MOST_NAMES}
_SCHEMAS: dict[str, Schema] = {
    "output": {**_NAMES, "type": "array", "minItems": 1, "description": f"a list of {described()}"},
    "groupBy": {**_NAMES, "description": "members, rules, or units of time such as $month"},
    "filter": {"type": ["string", "null"], "description": "a text of the filter language"},
    "rules": {
        **map_of({"type": "string"}, {"minLength": 1, "pattern": r"^[^$]"}),
        "type": ["object", "null"],
        "maxProperties": MOST_RULES,
        "description": "filters by name, which may be grouped by or counted",
    },
    "sorts": {**_NAMES, "description": "names of groups or outputs, followed by :asc or :desc"},
}
MEMBERS = tuple(_SCHEMAS)
"""The members of a request."""

REQUEST: Schema = {
    "type": "object",
    "properties": _SCHEMAS,
    "required": ["output"],
    "additionalProperties": False,
}
"""What `Plan.from_request` accepts."""

_SELECTOR = re.compile(rf"\$({'|'.join(UNITS)})(?::(.+))?", re.DOTALL)
_OUTPUT = re.compile(r"\$([a-zA-Z0-9_]+)(?::(.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Group:
    """One part of a row's id.

    Attributes:
        name: as it was asked for, and as it is called in the id.
        unit: of a date selector, "" otherwise.
        member: the member grouped by, or the date's; a rule's name stands for the rule.
    """

    name: str
    unit: str
    member: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a row.

    Attributes:
        name: as it was asked for, and as it is called in the row.
        measure: what is computed.
        member: of which member; empty for a count.
    """

    name: str
    measure: Measure
    member: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole request. `sorts` are (name of a group or output, descending); none sorts by the groups."""

    groups: tuple[Group, ...]
    outputs: tuple[Output, ...]
    filter: Filter | None
    rules: dict[str, Filter]
    sorts: tuple[tuple[str, bool], ...]

    @classmethod
    def from_request(cls, request: Any) -> Plan:
        """A plan from a request's body.

        Raises:
            BadRequest: saying which part is wrong and what may stand there.
        """
        if not isinstance(request, Mapping):
            raise BadRequest('an aggregate is a map such as {"output": ["$avg:temp"], "groupBy": ["$month"]}')
        for name in request:
            if name not in MEMBERS:
                raise BadRequest(f"an aggregate has no member {name!r}: there are {', '.join(MEMBERS)}")
        rules = _rules(request.get("rules"))
        asked = _names(request, "output")
        if not asked:
            raise BadRequest(f"output is required: a list of {described()}")
        outputs = tuple(_output(name, rules) for name in asked)
        groups = [_group(name, rules) for name in _names(request, "groupBy")]
        sorts = tuple(_sort(name, groups, outputs) for name in _names(request, "sorts"))
        node = parse_filter(request.get("filter") or "")
        return cls(tuple(groups), outputs, node, rules, sorts)


def _rules(given: Any) -> dict[str, Filter]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or len(given) > MOST_RULES:
        raise BadRequest(f"rules must be a map of at most {MOST_RULES} names to filters")
    rules = {}
    for name, text in given.items():
        if not name or name.startswith("$"):
            raise BadRequest(
                f"rules: {name!r} cannot be a rule's name, which is not empty and begins with no $"
            )
        node = parse_filter(text, f"rules: {name}")
        if node is None:
            raise BadRequest(f"rules: {name} has an empty filter")
        rules[name] = node
    return rules


def _names(request: Mapping[str, Any], part: str) -> list[str]:
    given = request.get(part)
    if given is None:
        return []
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) and name for name in given):
        raise BadRequest(f"{part} must be a list of strings")
    if len(given) > MOST_NAMES:
        raise BadRequest(f"{part} has {len(given)} entries: {MOST_NAMES} is the most")
    return list(dict.fromkeys(given))


def _member(name: str, rules: Mapping[str, Filter]) -> tuple[str, ...]:
    return (name,) if name in rules else member_parts(name)


def _output(name: str, rules: Mapping[str, Filter]) -> Output:
    match = _OUTPUT.fullmatch(name)
    measure = None if match is None else MEASURES.get(match[1])
    if match is None or measure is None or measure.takes_member is not bool(match[2]):
        raise BadRequest(f"output: {name!r} is not one of {described()}")
    return Output(name, measure, _member(match[2], rules) if measure.takes_member else ())


def _group(name: str, rules: Mapping[str, Filter]) -> Group:
    match = _SELECTOR.fullmatch(name)
    if match is not None:
        return Group(name, match[1], member_parts(match[2] or "creationDate"))
    if name.startswith("$"):
        dates = ", ".join(f"${unit}" for unit in UNITS)
        raise BadRequest(f"groupBy: {name!r} is no date selector: there are {dates}, with or without :member")
    return Group(name, "", _member(name, rules))


def _sort(text: str, groups: list[Group], outputs: tuple[Output, ...]) -> tuple[str, bool]:
    """One sort; a date selector that is not grouped by yet becomes a group of its own, at the end."""
    name, _, direction = text.rpartition(":")
    if direction not in ("asc", "desc") or not name:
        name, direction = text, "asc"
    descending = direction == "desc"
    known = [group.name for group in groups] + [output.name for output in outputs]
    if name in known:
        return name, descending
    if _SELECTOR.fullmatch(name) is None:
        raise BadRequest(f"sorts: {name!r} is neither grouped by nor put out; there are {', '.join(known)}")
    wanted = _group(name, {})
    for group in groups:
        if (group.unit, group.member) == (wanted.unit, wanted.member):
            return group.name, descending
    groups.append(wanted)
    return name, descending
