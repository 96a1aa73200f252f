"""Declarative sources of API tasks: what to fetch, and how to make drops of it without a script.

    {"http": {"uri": "https://example.com/stations.xml"}, "format": "xml", "items": "stations.station"}

A map becomes one drop with its members as elements; a list of maps becomes a drop each; a text becomes a drop
with the element `text`.
"""

from __future__ import annotations

from typing import Any

from ..json_schema import Check, accepts, schema_of
from ..problems import BadRequest
from .base.members import mapping, one_of, text

__all__ = ["FORMATS", "check_source"]

FORMATS = ("json", "xml", "text")

_EXAMPLE = '{"http": {"uri": "https://example.com/data.json"}, "format": "json"}'
_REQUEST = frozenset(("uri", "method", "headers", "body"))
_MEMBERS: dict[str, Check] = {"http": mapping, "format": one_of(*FORMATS), "items": text(1024)}


_REQUEST_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} if name == "uri" else {} for name in sorted(_REQUEST)},
    "required": ["uri"],
    "additionalProperties": False,
}


@accepts(
    {
        "type": "object",
        "properties": {name: schema_of(check) for name, check in _MEMBERS.items()}
        | {"http": _REQUEST_SCHEMA},
        "required": ["http"],
        "additionalProperties": False,
    }
)
def check_source(name: str, value: Any) -> dict[str, Any]:
    """The source itself. Raises BadRequest if it says nothing that can be fetched."""
    source: dict[str, Any] = mapping(name, value)
    if unknown := sorted(source.keys() - _MEMBERS.keys()):
        raise BadRequest(f"{name} has no member {unknown[0]!r}: there are {', '.join(_MEMBERS)}")
    for member, given in source.items():
        _MEMBERS[member](f"{name}.{member}", given)
    request = source.get("http")
    if request is None or not isinstance(request.get("uri"), str):
        raise BadRequest(f"{name} must say what to fetch, such as {_EXAMPLE}")
    if unknown := sorted(request.keys() - _REQUEST):
        raise BadRequest(f"{name}.http has no member {unknown[0]!r}: there are {', '.join(sorted(_REQUEST))}")
    return source
