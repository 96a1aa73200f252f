"""The envelope: the one shape of every response.

    {"head": {"status": 200, "ok": true, "errors": [], "messages": [], "references": {}}, "body": …}

`head.status` is the HTTP status; a failure has at least one error and the body `{}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

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
    """

    body: Any
    status: int = 200
    messages: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    references: dict[str, dict[str, Any]] = field(default_factory=dict)
    headers: list[tuple[str, str]] = field(default_factory=list)
    head: dict[str, Any] = field(default_factory=dict)


def created(body: Any) -> Response:
    """201: the object that now exists."""
    return Response(body, 201, messages=["The request was processed and the resource now exists."])


def failed(problem: Problem) -> Response:
    """The response to a problem."""
    response = Response({}, problem.status, errors=problem.errors)
    if problem.retry_after is not None:
        response.headers.append(("Retry-After", str(problem.retry_after)))
    return response


def encode(response: Response, pretty: bool = False) -> bytes:
    """The response as JSON text in UTF-8; `pretty` indents it."""
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
