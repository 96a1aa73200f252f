"""The log as lines of JSON, one object each, for machines to read."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any

import orjson

from .request_context import CURRENT

__all__ = ["JSONFormatter"]


class JSONFormatter(logging.Formatter):
    """Writes a record as one line of JSON.

    Members: `time` (ISO 8601, UTC), `level`, `logger`, `message`, `process`; while a request is answered
    `request_id`, and `trace_id` if the client sent one; of a request that was answered `method`, `path`,
    `status` and `ms`; of an exception `exception`, its traceback. A query, a header or a body is never in it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        request = CURRENT.get()
        if request is not None:
            line["request_id"] = request.id
            if request.trace_id:
                line["trace_id"] = request.trace_id
        line.update(getattr(record, "answered", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()
