"""The requests of a live client: those that wait for a connection, and those whose reply is still to come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from ...errors import InvalidInput

__all__ = ["Request", "Requests"]


@dataclass(slots=True)
class Request:
    """A request whose reply is still to come."""

    callback: Callable[..., Any] | None
    message: dict[str, Any]
    until: float


class Requests:
    """Knows which request a reply is for, by the `msgId` that it repeats.

    Attributes:
        waiting: the requests by their ids.
        subscribed: the flows that were subscribed to, in their order.
        lock: held to look at what is here and act on it.
    """

    def __init__(self) -> None:
        self.waiting: dict[int | str, Request] = {}
        self.subscribed: dict[str, None] = {}
        self.lock = threading.RLock()
        self._queue: list[dict[str, Any]] = []
        self._next_id = 0

    def add(
        self,
        message: dict[str, Any],
        callback: Callable[..., Any] | None,
        timeout: float,
        check: Callable[[dict[str, Any]], object],
        is_connected: Callable[[], bool],
    ) -> bool:
        """Note a request, and give it an id unless it has one.

        Args:
            check: raises if the message cannot be sent.
            is_connected: if not, the request is queued.

        Returns:
            Whether the message is to be sent now.

        Raises:
            InvalidInput: its id is of another type, or that of an open request.
        """
        with self.lock:
            id = self._take_id(message)
            check(message)
            self.waiting[id] = Request(callback, message, monotonic() + timeout)
            if is_connected():
                return True
            self._queue.append(message)
            return False

    def _take_id(self, message: dict[str, Any]) -> int | str:
        id = message.get("msgId")
        if id is None:
            id, self._next_id = self._next_id, self._next_id + 1
            message["msgId"] = id
        if not isinstance(id, int | str) or isinstance(id, bool) or id in self.waiting:
            raise InvalidInput(f"msgId {id!r} must be an int or a str that no open request has")
        return id

    def note_sent(self, message: Mapping[str, Any]) -> None:
        """A message is about to be sent: a subscription is noted, for the next connection to repeat."""
        if message.get("type") == "subscribe":
            with self.lock:
                self.subscribed[flow_of(message)] = None

    def note_refused(self, message: Mapping[str, Any]) -> None:
        """A request was refused: a subscription is not repeated."""
        if message.get("type") == "subscribe":
            with self.lock:
                self.subscribed.pop(flow_of(message), None)

    def begin(self) -> tuple[list[dict[str, Any]], list[str]]:
        """There is a new connection: what was queued for it, and what was subscribed to on the last one."""
        with self.lock:
            before, self.subscribed = self.subscribed, {}
            queued, self._queue = self._queue, []
        return queued, list(before)

    def claim(self, id: Any) -> Request | None:
        """The request with this id, which some servers return as a text. It waits no more."""
        with self.lock:
            if isinstance(id, int | str) and id in self.waiting:
                return self.waiting.pop(id)
            if isinstance(id, str) and id.isascii() and id.isdigit():
                return self.waiting.pop(int(id), None)
            return self.waiting.pop(str(id), None) if isinstance(id, int) else None

    def take_expired(self) -> list[Request]:
        """The requests that have waited for too long. They wait no more."""
        with self.lock:
            return self._take_expired(monotonic())

    def take_sent(self) -> list[Request]:
        """The requests that were sent. They wait no more."""
        with self.lock:
            return self._take_sent()

    def take_all(self) -> list[Request]:
        """All requests, those that were queued too. They wait no more."""
        with self.lock:
            self._queue.clear()
            return self._take_sent()

    # Under the lock. The loops stand in functions of their own: a signal at the end of a loop's round could
    # pass by the release of a lock that was taken in the same function.

    def _take_expired(self, now: float) -> list[Request]:
        late = [id for id, request in self.waiting.items() if request.until <= now]
        return [self.waiting.pop(id) for id in late]

    def _take_sent(self) -> list[Request]:
        queued = {message["msgId"] for message in self._queue}
        return [self.waiting.pop(id) for id in list(self.waiting) if id not in queued]


def flow_of(message: Mapping[str, Any]) -> str:
    """The id or the path of the flow that a message is about."""
    return str(message.get("flowId") or message.get("path") or "")
