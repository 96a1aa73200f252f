"""Fills in a response's references, if the request asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources.base import references

if TYPE_CHECKING:
    from .envelope import Response
    from .request import Request


def add(request: Request, response: Response) -> Response:
    """`response`, with what its objects point to if the request wants that."""
    if request.refs:
        response.references = references.find(request.store, request.caller, response.body)
    return response
