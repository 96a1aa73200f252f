"""Operations: handlers with what the OpenAPI document says of them, kept at the handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..json_schema import ANYTHING, Schema
from .search_limits import Search

if TYPE_CHECKING:
    from .envelope import Response
    from .request import Request
    from .search_limits import Handler

__all__ = ["EMPTY", "Operation", "operation", "operation_of"]

EMPTY: Schema = {"type": "object", "maxProperties": 0}
"""The body of a response that has nothing to say."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler, and what the OpenAPI document says of it.

    Attributes:
        handler: answers a request.
        summary: what it does, in one line.
        reply: the schema of the body in the response's envelope.
        body: the schema of the request's body; None if there is none.
        query: the parameters that it reads, by their names in `query.parameters`.
        required: those that must be given.
        status: of a response without errors.
    """

    handler: Callable[[Request], Response]
    summary: str
    reply: Schema
    body: Schema | None = None
    query: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    status: int = 200

    def __call__(self, request: Request) -> Response:
        """The handler's response."""
        return self.handler(request)


def operation(
    summary: str,
    reply: Schema = ANYTHING,
    *,
    body: Schema | None = None,
    query: tuple[str, ...] = (),
    required: tuple[str, ...] = (),
    status: int = 200,
) -> Callable[[Handler], Operation]:
    """Decorates a handler with what the OpenAPI document says of it. Arguments: see `Operation`."""
    return lambda handler: Operation(handler, summary, reply, body, query, required, status)


def operation_of(handler: Handler) -> Operation:
    """What is said of a handler. Raises TypeError if nothing is."""
    found = handler.handler if isinstance(handler, Search) else handler
    if not isinstance(found, Operation):
        raise TypeError(f"the handler {found!r} has no description: decorate it with operations.operation")
    return found
