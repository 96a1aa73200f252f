"""Live messages: JSON texts by which a client subscribes to flows and gets their drops as they arrive.

A request has a `msgId`, which the head of its reply repeats. A drop is pushed as
`{"type": "message", "resource": …, "value": …}`, where `resource` is what the client has subscribed to.

A subscription may have three members that the original platform does not have: a `filter`; `since`, where to
begin; and `hints`, for typed elements. If it has `since`, each push has a `cursor`. A client that subscribes
with `since: {"cursor": …}` gets everything that came after that push.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

__all__ = [
    "GOING_AWAY",
    "HEARTBEAT",
    "INVALID_TEXT",
    "NORMAL",
    "POLICY",
    "PROTOCOL_ERROR",
    "TOO_BIG",
    "Cursor",
    "Since",
    "Start",
    "push",
    "reply",
]

HEARTBEAT = b'{"type":"heartbeat"}'
"""What a client sends now and then, so that the platform knows that it is alive. It gets no reply."""

NORMAL, GOING_AWAY, PROTOCOL_ERROR, INVALID_TEXT, POLICY, TOO_BIG = 1000, 1001, 1002, 1007, 1008, 1009
"""Codes of CLOSE frames: done; the server stops or the client was silent; what came is no frame, or no UTF-8;
a right was lost or the client reads too slowly; a message was too long."""

_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)
_FORMS = '"now", "start", {"cursor": …}, {"drop": id} or {"time": milliseconds since the epoch}'


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the arrivals of one flow.

    Attributes:
        number: of the last arrival before it. Arrivals of a flow are numbered from 1.
        time: when that was pushed, in ms since the epoch.
    """

    number: int
    time: int

    def __str__(self) -> str:
        return f"{self.number}.{self.time}"

    @classmethod
    def parse(cls, text: object) -> Cursor:
        """The cursor of a push. Raises ValueError."""
        found = _CURSOR.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f"{text!r} is no cursor: send the cursor of a push back as it came")
        return cls(int(found[1]), int(found[2]))


class Start(Enum):
    """How a subscription says where it begins."""

    NOW = "now"
    START = "start"
    CURSOR = "cursor"
    DROP = "drop"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Since:
    """Where a subscription begins.

    Attributes:
        start: how that is said.
        value: a Cursor; the id of a drop, after which it begins; the earliest creation date in ms; or None.
    """

    start: Start
    value: Any = None

    def as_json(self) -> Any:
        """The member `since` of a request."""
        if self.start in (Start.NOW, Start.START):
            return self.start.value
        return {self.start.value: str(self.value) if self.start is Start.CURSOR else self.value}

    @classmethod
    def parse(cls, given: object) -> Since:
        """The member `since` of a request. Raises ValueError that says what it may be."""
        if given == "now":
            return cls(Start.NOW)
        if given == "start":
            return cls(Start.START)
        if isinstance(given, dict) and len(given) == 1:
            ((name, value),) = given.items()
            if name == "cursor":
                return cls(Start.CURSOR, Cursor.parse(value))
            if name == "drop" and isinstance(value, str):
                return cls(Start.DROP, value)
            if name == "time" and type(value) is int and value >= 0:
                return cls(Start.TIME, value)
        raise ValueError(f"since must be {_FORMS}, not {given!r}")


def push(resource: bytes, value: bytes, cursor: Cursor | None = None) -> bytes:
    """A pushed drop as a text.

    Args:
        resource: what the client has subscribed to, as JSON.
        value: the drop, as JSON.
        cursor: of this push, for a client that has subscribed with `since`.
    """
    if cursor is None:
        return b'{"type":"message","resource":%b,"value":%b}' % (resource, value)
    return b'{"type":"message","resource":%b,"value":%b,"cursor":"%d.%d"}' % (
        *(resource, value),
        *(cursor.number, cursor.time),
    )


def reply(
    message_id: Any,
    body: Any,
    *,
    status: int = 200,
    errors: list[str] | None = None,
    messages: list[str] | None = None,
    head: dict[str, Any] | None = None,
) -> bytes:
    """The reply to a request as a text.

    Args:
        message_id: the request's `msgId` as it came; None if it had none.
        body: any JSON value.
        errors: why it was refused, if it was.
        head: further members of the head.
    """
    errors = errors or []
    members = {
        "status": status,
        "ok": not errors,
        "errors": errors,
        "messages": messages or [],
        "references": {},
        **(head or {}),
        "msgId": message_id,
    }
    return orjson.dumps({"head": members, "body": body})
