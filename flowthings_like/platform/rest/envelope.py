"""The envelope: the one shape of every response but the OpenAPI document.

    {"head": {"status": 200, "ok": true, "errors": [], "messages": [], "references": {}}, "body": …}

`head.status` is the HTTP status; a failure has at least one error and the body `{}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from ..json_schema import Schema, map_of

if TYPE_CHECKING:
    from ..problems import Problem

REASONS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
"""HTTP status lines, by status."""


@dataclass(slots=True)
class Response:
    """A response before it is encoded.

    Attributes:
        body: any JSON value.
        status: the HTTP status.
        messages, errors: texts for the reader.
        references: {resource: {id: object}} of what the body's objects point to, if it was asked for.
        head: further members of the head, such as how many drops a create evicted.
        headers: HTTP headers beyond the usual ones.
        text: JSON that is sent in place of the envelope, if there is any.
    """

    body: Any
    status: int = 200
    messages: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    references: dict[str, dict[str, Any]] = field(default_factory=dict)
    headers: list[tuple[str, str]] = field(default_factory=list)
    head: dict[str, Any] = field(default_factory=dict)
    text: bytes | None = None


def created(body: Any) -> Response:
    """201: the object that now exists."""
    return Response(body, 201, messages=["The request was processed and the resource now exists."])


def failed(problem: Problem) -> Response:
    """The response to a problem."""
    response = Response({}, problem.status, errors=problem.errors)
    if problem.retry_after is not None:
        response.headers.append(("Retry-After", str(problem.retry_after)))
    return response


def schema(body: Schema, status: int) -> Schema:
    """The schema of an envelope without errors.

    Args:
        body: the schema of its body.
    """
    return {
        "type": "object",
        "properties": {
            "head": {"allOf": [HEAD, {"properties": {"status": {"const": status}, "ok": {"const": True}}}]},
            "body": body,
        },
        "required": ["head", "body"],
        "additionalProperties": False,
    }


_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
HEAD: Schema = {
    "title": "head",
    "type": "object",
    "properties": {
        "status": {"type": "integer", "description": "the HTTP status"},
        "ok": {"type": "boolean"},
        "errors": _TEXTS,
        "messages": _TEXTS,
        "references": map_of(map_of({"type": "object"})),
        "evicted": {"type": "integer", "description": "drops that a create removed from a full flow"},
        "evictedCreated": {"type": "integer", "description": "those of them that it created"},
    },
    "required": ["status", "ok", "errors", "messages", "references"],
}
"""The schema of a head."""

FAILURE: Schema = {
    "type": "object",
    "properties": {
        "head": {
            "allOf": [HEAD, {"properties": {"ok": {"const": False}, "errors": {**_TEXTS, "minItems": 1}}}]
        },
        "body": {"type": "object", "maxProperties": 0},
    },
    "required": ["head", "body"],
    "additionalProperties": False,
}
"""The schema of the envelope of a failure."""


def encode(response: Response, pretty: bool = False) -> bytes:
    """The response as JSON text in UTF-8; `pretty` indents it."""
    if response.text is not None:
        return response.text
    envelope = {
        "head": {
            "status": response.status,
            "ok": not response.errors,
            "errors": response.errors,
            "messages": response.messages,
            "references": response.references,
            **response.head,
        },
        "body": response.body,
    }
    return orjson.dumps(envelope, option=orjson.OPT_INDENT_2 if pretty else 0)
