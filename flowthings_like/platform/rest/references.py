"""Fills in an answer's references, if the request asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources.base import references

if TYPE_CHECKING:
    from .envelope import Response
    from .request import Request


def add(request: Request, answer: Response) -> Response:
    """`answer`, with what its objects point to if the request wants that."""
    if request.refs:
        answer.references = references.find(request.store, request.caller, answer.body)
    return answer
