"""The ids of the request that a green thread answers, for the log."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CURRENT", "RequestContext"]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The ids of one request.

    Attributes:
        id: what the client or a proxy has sent as X-Request-Id if that is short and plain, else a new one.
        trace_id: of the header `traceparent`, as W3C's Trace Context has it; "" if there is none.
    """

    id: str
    trace_id: str

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> RequestContext:
        """The ids of a WSGI request."""
        given = environ.get("HTTP_X_REQUEST_ID", "")
        parent = _TRACEPARENT.fullmatch(environ.get("HTTP_TRACEPARENT", ""))
        return cls(
            given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8), parent[1] if parent else ""
        )


CURRENT: ContextVar[RequestContext | None] = ContextVar("flowthings_platform_request", default=None)
"""The request that is being answered."""
