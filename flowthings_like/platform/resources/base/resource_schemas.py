"""JSON Schemas of a resource's documents, made from its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...json_schema import ANYTHING, Schema, id_of, or_null, schema_of
from ..access import account_paths
from .resource import SET_BY_PLATFORM

if TYPE_CHECKING:
    from .resource import Resource

__all__ = ["changes", "document", "excerpt", "new"]

_TIME: Schema = {"type": "integer", "minimum": 0, "description": "milliseconds since the epoch"}
_PLATFORMS: dict[str, Schema] = {
    "creationDate": _TIME,
    "creatorId": id_of("i"),
    "lastEditDate": _TIME,
    "lastEditorId": id_of("i"),
}


def new(resource: Resource) -> Schema:
    """What a writer sends to create a document."""
    return {
        "title": f"{resource.name}.new",
        "type": "object",
        "properties": {
            **_sent(resource),
            "id": {"type": "null"},
        },
        "required": list(resource.required),
        "description": (
            "Further members are stored as they are, but for names that are one typing error away from a "
            "known one. Members that the platform sets are ignored."
        ),
    }


def changes(resource: Resource) -> Schema:
    """What a writer sends to change a document."""
    return {
        "title": f"{resource.name}.changes",
        "type": "object",
        "properties": _sent(resource),
        "description": "Only the members that are sent are changed. A member that is null is removed.",
    }


def document(resource: Resource) -> Schema:
    """A whole document, as the platform returns it."""
    members = {"id": id_of(resource.letter), **_PLATFORMS}
    return {
        "title": resource.name,
        "type": "object",
        "properties": {
            **_written(resource, stored=True),
            **{name: members.get(name, ANYTHING) | {"readOnly": True} for name in _fixed(resource)},
        },
        "required": ["id", "creationDate", "creatorId", *resource.required],
    }


def excerpt(resource: Resource) -> Schema:
    """A document of which a reader may have asked for some members only."""
    return {**document(resource), "title": f"{resource.name}.excerpt", "required": ["id"]}


def _written(resource: Resource, *, stored: bool = False) -> dict[str, Schema]:
    """The schemas of the members that a writer sets."""
    found = dict.fromkeys(resource.path_members, account_paths.SCHEMA)
    for name, check in resource.members.items():
        found[name] = schema_of(check, stored=stored)
    return found


def _fixed(resource: Resource) -> list[str]:
    return sorted(SET_BY_PLATFORM | resource.readonly)


def _sent(resource: Resource) -> dict[str, Schema]:
    """The schemas of all members that a writer may send."""
    found = {
        name: schema if name in resource.required else or_null(schema)
        for name, schema in _written(resource).items()
    }
    return {**found, **dict.fromkeys(_fixed(resource), ANYTHING)}
