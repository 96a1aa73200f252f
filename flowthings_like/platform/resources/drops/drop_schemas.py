"""JSON Schemas of drops as they are sent and returned, with the limits that the validation checks."""

from __future__ import annotations

from ....filters.values import DROP_MEMBERS
from ...ids import LATEST
from ...json_schema import ANYTHING, Schema, id_of, or_null
from .find import MOST_FINDS
from .validation import DEGREES, LONGEST_FHASH, SET_BY_PLATFORM, SET_BY_WRITER, SPECIFIERS
from .verbs import MOST_AT_ONCE

__all__ = ["CHANGES", "DROP", "DROP_ID", "FINDS", "NEW", "NEW_AT_PATH", "NEW_OR_LIST"]

DROP_ID = id_of("d")

_TIME: Schema = {
    "type": "integer",
    "minimum": 0,
    "maximum": LATEST,
    "description": "milliseconds since the epoch",
}
_LOCATION: Schema = {
    "type": "object",
    "properties": {
        **{
            name: {"type": "number", "minimum": -most, "maximum": most, "description": "degrees"}
            for name, most in DEGREES.items()
        },
        "specifiers": {
            "type": "object",
            "properties": {name: {"type": ["string", "null"]} for name in SPECIFIERS},
            "additionalProperties": False,
        },
    },
    "required": list(DEGREES),
    "additionalProperties": False,
}
_ELEMENTS: Schema = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"minLength": 1},
    "description": "values by name, plain or as {type, value}",
    "examples": [{"temp": 39.5}],
}
_WRITTEN: dict[str, Schema] = {
    "elems": _ELEMENTS,
    "fhash": {
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": LONGEST_FHASH,
        "description": "a name that is unique within the flow; a second drop of that name replaces the first",
    },
    "location": or_null(_LOCATION),
    "creationDate": or_null(_TIME),
}
_RETURNED: dict[str, Schema] = {
    "id": DROP_ID,
    "flowId": id_of("f"),
    "path": {"type": "string"},
    "creationDate": _TIME,
    "lastEditDate": _TIME,
    "creatorId": id_of("i"),
    "lastEditorId": id_of("i"),
    "elems": {"type": "object"},
}


def _sent(*required: str) -> Schema:
    ignored = dict.fromkeys(sorted(SET_BY_PLATFORM), ANYTHING)
    written = {name: _WRITTEN[name] for name in SET_BY_WRITER}
    return {
        "type": "object",
        "properties": {**written, **ignored},
        "additionalProperties": False,
        "required": list(required),
        "description": "Members that the platform sets may be sent back. They are ignored.",
    }


NEW: Schema = {**_sent("elems"), "title": "drop.new"}
NEW_OR_LIST: Schema = {"anyOf": [NEW, {"type": "array", "items": NEW, "maxItems": MOST_AT_ONCE}]}
NEW_AT_PATH: Schema = {
    **_sent("elems", "path"),
    "title": "drop.new.at-path",
    "properties": {**NEW["properties"], "path": {"type": "string", "description": "the flow's path"}},
}
CHANGES: Schema = {
    **_sent(),
    "title": "drop.changes",
    "properties": {**NEW["properties"], "creationDate": ANYTHING},
}

DROP: Schema = {
    "title": "drop",
    "type": "object",
    "properties": {name: _RETURNED.get(name, ANYTHING) for name in sorted(DROP_MEMBERS)},
}

FINDS: Schema = {
    "type": "array",
    "maxItems": MOST_FINDS,
    "items": {
        "type": "object",
        "properties": {
            "flowId": {"type": "string", "description": "the flow's id or path"},
            "params": {"type": ["object", "null"], "description": "the parameters of a find, by name"},
        },
        "required": ["flowId"],
    },
}
