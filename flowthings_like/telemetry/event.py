"""CallEvent: what is told of one logical call."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["CallEvent", "Family", "Outcome"]


class Family(Enum):
    """Which protocol a call speaks."""

    HTTP = "http"
    THINGS = "things"
    STREAMS = "streams"
    RECORDS = "records"
    DATABASE = "database"


class Outcome(Enum):
    """How a call ended."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """It was killed, interrupted or given up."""


@dataclass(slots=True, eq=False)
class CallEvent:
    """One logical call: its retries are part of it.

    Single calls that travel in one bulk request have an event each, and the request has another one. An
    equal read that shares the answer of another one has an event of its own, too.

    Attributes:
        family: the protocol.
        operation: what was called. There are few different ones: of a request over HTTP the verb and the
            resource, "GET /drop"; of a call that may travel with others the service's method,
            "DropService.read"; elsewhere the call's name, "query", "RawValues", "put", "run_query".
        host: where it went, with the port if it is known; "" if that is not known yet.
        start: when it began, in seconds since the epoch.
        started: the same by `time.monotonic()`.
        seconds: how long it took; None while it runs.
        outcome: how it ended.
        error: the class of the exception that ended it, or the status in a record store's answer; "" if there
            was none.
        status: the HTTP status; None in the other families.
        attempts: how often it was sent.
        calls: how many single calls it carries; 1 if it is no bulk request.
        batch: the bulk request in which this call travelled; None if it went alone.
        is_block: whether the program's own code runs while it lasts, as in a transaction. An observer may
            make it the current one then.
        headers: what an observer wants to be sent along; over HTTP only.
        notes: for the observers' own use.
        untold: there until the end is told.
    """

    family: Family
    operation: str
    host: str
    start: float
    started: float
    is_block: bool = False
    seconds: float | None = None
    outcome: Outcome = Outcome.RUNNING
    error: str = ""
    status: int | None = None
    attempts: int = 1
    calls: int = 1
    batch: CallEvent | None = None
    headers: dict[str, str] = field(default_factory=dict)
    notes: dict[object, Any] = field(default_factory=dict, repr=False)
    untold: bool = field(default=True, repr=False)
