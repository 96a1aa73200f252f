"""The OpenAPI document of the REST side: made from the routes, their operations and the resources' checks.

It is served at PATH, without a token, because it says nothing about any account. No path of an account has
fewer than three segments, so none can be the same.

OpenAPI 3.1 knows no methods MGET and MPUT. Their operations stand in the member `x-additionalOperations` of
their paths. OpenAPI 3.2 has the same member without the `x-`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ...about import VERSION
from ...wire.rest import AUTH_ACCOUNT, AUTH_TOKEN, IDEMPOTENCY_KEY
from .. import problems
from ..resources.query import parameters
from . import envelope, idempotency
from .operations import Operation, operation_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..json_schema import Schema
    from .routes import Route

__all__ = ["ADDITIONAL", "METHODS", "PATH", "document"]

PATH = "/openapi.json"
"""Where the document is served."""

METHODS = ["GET", "HEAD", "OPTIONS"]
"""The methods that may be used there."""

ADDITIONAL = "x-additionalOperations"
"""The member of a path that holds the operations of methods that OpenAPI 3.1 does not know."""

_KNOWN = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
_WRITES = frozenset({"PUT", "POST", "DELETE", "MPUT"})
_ABOUT = """\
Flows, drops, tracks and what belongs to them. Every response is an envelope of a head and a body.
The methods MGET and MPUT, which read and change several documents at once, are described in
`x-additionalOperations`."""


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The OpenAPI document.

    Args:
        routes: all that there are.
        version: the version of requests, as in paths.

    Raises:
        TypeError: a handler or a check does not say what it takes, or two schemas have the same title.
    """
    schemas: dict[str, Schema] = {}
    paths = {route.path: _path(route) for route in routes}
    return {
        "openapi": "3.1.0",
        "info": {"title": "flowthings_like", "version": VERSION, "description": _ABOUT},
        "servers": [
            {
                "url": f"/{version}/{{account}}",
                "variables": {"account": {"default": "acme", "description": "the account's name"}},
            }
        ],
        "security": [{"token": []}],
        "paths": _with_named_schemas(paths, schemas),
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": AUTH_TOKEN}},
            "parameters": {
                **{name: _parameter(name, schema) for name, schema in parameters.SCHEMAS.items()},
                **{name: _header(name, schema) for name, schema in _HEADERS.items()},
            },
            "responses": {name: _failure(status) for name, status in _FAILURES.items()},
            "schemas": {**schemas, "failure": _with_named_schemas(envelope.FAILURE, {})},
        },
    }


def _with_named_schemas(part: Any, named: dict[str, Schema]) -> Any:
    """A part of the document with references in place of schemas with a title, which are put into `named`."""
    if isinstance(part, list):
        return [_with_named_schemas(each, named) for each in part]
    if not isinstance(part, dict):
        return part
    found = {name: _with_named_schemas(each, named) for name, each in part.items()}
    title = found.get("title")
    if not isinstance(title, str):
        return found
    if named.setdefault(title, found) != found:
        raise TypeError(f"there are two schemas with the title {title}")
    return {"$ref": f"#/components/schemas/{title}"}


_HEADERS: dict[str, Schema] = {
    AUTH_ACCOUNT: {"type": "string", "description": "the account of the path, if it is given at all"},
    IDEMPOTENCY_KEY: {
        "type": "string",
        "pattern": f"^{idempotency.SHAPE.pattern}$",
        "description": "names a write, so that sending it again does not do it again",
    },
}

_FAILURES = {
    kind.__name__: kind.status
    for kind in vars(problems).values()
    if isinstance(kind, type) and issubclass(kind, problems.Problem) and kind is not problems.Problem
}
"""{name: status} of what any request may be refused with."""


def _path(route: Route) -> dict[str, Any]:
    item: dict[str, Any] = {}
    if route.segments:
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": schema}
            for name, schema in route.segments.items()
        ]
    for method, handler in route.methods.items():
        described = _operation(route, method, operation_of(handler))
        if method in _KNOWN:
            item[method.lower()] = described
        else:
            item.setdefault(ADDITIONAL, {})[method] = described
    return item


def _operation(route: Route, method: str, operation: Operation) -> dict[str, Any]:
    names = "-".join([method.lower(), route.resource, *route.segments, *([route.last] if route.last else [])])
    headers = [IDEMPOTENCY_KEY] if method in _WRITES else []
    found: dict[str, Any] = {
        "operationId": names,
        "summary": operation.summary,
        "tags": [route.resource],
        "parameters": [
            *(_query(name, name in operation.required) for name in (*operation.query, "pretty")),
            *({"$ref": f"#/components/parameters/{name}"} for name in headers),
        ],
        "responses": {
            str(operation.status): {
                "description": HTTPStatus(operation.status).phrase,
                "content": _json(envelope.schema(operation.reply, operation.status)),
            },
            **{str(status): {"$ref": f"#/components/responses/{name}"} for name, status in _FAILURES.items()},
        },
    }
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": _json(operation.body)}
    return found


def _query(name: str, is_required: bool) -> dict[str, Any]:
    if is_required:
        return {**_parameter(name, parameters.SCHEMAS[name]), "required": True}
    return {"$ref": f"#/components/parameters/{name}"}


def _parameter(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _header(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": schema}


def _failure(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": _json({"$ref": "#/components/schemas/failure"}),
    }


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
