"""JSON Schemas of what the platform takes and returns, kept where it is checked.

A check of a value carries the schema of the values that it accepts. The OpenAPI document is made of these
schemas, so it cannot say anything else than the checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["ANYTHING", "Check", "Schema", "SchemaCheck", "accepts", "id_of", "map_of", "or_null", "schema_of"]

Schema = dict[str, Any]
"""A JSON Schema (draft 2020-12), which is what OpenAPI 3.1 takes."""

Check = Callable[[str, Any], Any]
"""(the member's name, the value sent) -> the value to store, or BadRequest that says what would be right."""

ANYTHING: Schema = {}
"""The schema of any JSON value."""


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """A check with the schema of what it accepts.

    Attributes:
        function: does the check.
        schema: of the values that it accepts. It may accept fewer, where no schema can say which.
        stored: of the values that it returns, if that is not the same.
    """

    function: Check
    schema: Schema
    stored: Schema | None = None

    def __call__(self, name: str, value: Any) -> Any:
        """Do the check."""
        return self.function(name, value)


def accepts(schema: Schema, stored: Schema | None = None) -> Callable[[Check], SchemaCheck]:
    """Decorates a check with the schema of what it accepts, and of what it returns if that differs."""
    return lambda check: SchemaCheck(check, schema, stored)


def schema_of(check: Check, *, stored: bool = False) -> Schema:
    """The schema of what a check accepts, or returns if `stored`. Raises TypeError if it carries none."""
    if not isinstance(check, SchemaCheck):
        raise TypeError(f"the check {check!r} has no schema: decorate it with json_schema.accepts")
    return check.stored if stored and check.stored is not None else check.schema


def or_null(schema: Schema) -> Schema:
    """The schema of a member that may be null, too."""
    if not schema:
        return schema
    kind = schema.get("type")
    if kind is None or "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = kind if isinstance(kind, list) else [kind]
    return schema if "null" in kinds else {**schema, "type": [*kinds, "null"]}


def id_of(letters: str) -> Schema:
    """The schema of an id whose type letter is one of `letters`."""
    return {"type": "string", "pattern": f"^[{letters}][0-9a-f]{{24}}$"}


def map_of(value: Schema, name: Schema | None = None) -> Schema:
    """The schema of a map whose values have a schema, and if wanted their names."""
    found: Schema = {"type": "object", "additionalProperties": value}
    return found if name is None else {**found, "propertyNames": name}
