"""Keeps the requests of a live client until they are answered: those that are queued, and those that were
sent."""

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
    """A request that was not answered yet.

    Attributes:
        callback: called with the client and the reply or an exception.
        message: the request.
        until: the `time.monotonic()` at which it fails with DeadlineExceeded.
    """

    callback: Callable[..., Any] | None
    message: dict[str, Any]
    until: float


class Requests:
    """Matches replies with requests by their `msgId`, and remembers subscriptions.

    Attributes:
        waiting: the unanswered requests by their ids.
        subscribed: the ids and paths of subscribed flows, in their order.
        lock: held while reading or changing these.
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
        """Add a request. It gets an id unless it has one.

        Args:
            message: the request.
            callback: called with the reply.
            timeout: seconds until the request fails.
            check: raises if the message cannot be encoded.
            is_connected: returns whether it can be sent now. If not, it is queued.

        Returns:
            Whether the caller has to send the message now.

        Raises:
            InvalidInput: its id has a wrong type, or belongs to an unanswered request.
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
        """Note a subscription that is about to be sent: it is repeated on the next connection."""
        if message.get("type") == "subscribe":
            with self.lock:
                self.subscribed[flow_of(message)] = None

    def note_refused(self, message: Mapping[str, Any]) -> None:
        """Note that a subscription was refused: it is not repeated."""
        if message.get("type") == "subscribe":
            with self.lock:
                self.subscribed.pop(flow_of(message), None)

    def begin(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Begin a connection. Returns the queued messages, and the flows that were subscribed to on the last
        one."""
        with self.lock:
            before, self.subscribed = self.subscribed, {}
            queued, self._queue = self._queue, []
        return queued, list(before)

    def claim(self, id: Any) -> Request | None:
        """Remove and return the request with this id, which some servers send as a str."""
        with self.lock:
            if isinstance(id, int | str) and id in self.waiting:
                return self.waiting.pop(id)
            if isinstance(id, str) and id.isascii() and id.isdigit():
                return self.waiting.pop(int(id), None)
            return self.waiting.pop(str(id), None) if isinstance(id, int) else None

    def take_expired(self) -> list[Request]:
        """Remove and return the requests whose time is up."""
        with self.lock:
            return self._take_expired(monotonic())

    def take_sent(self) -> list[Request]:
        """Remove and return the requests that were sent."""
        with self.lock:
            return self._take_sent()

    def take_all(self) -> list[Request]:
        """Remove and return all requests."""
        with self.lock:
            self._queue.clear()
            return self._take_sent()

    # Called under the lock. The loops stand in functions of their own because a signal at the end of a loop's
    # round can skip the release of a lock that the same function has taken.

    def _take_expired(self, now: float) -> list[Request]:
        late = [id for id, request in self.waiting.items() if request.until <= now]
        return [self.waiting.pop(id) for id in late]

    def _take_sent(self) -> list[Request]:
        queued = {message["msgId"] for message in self._queue}
        return [self.waiting.pop(id) for id in list(self.waiting) if id not in queued]


def flow_of(message: Mapping[str, Any]) -> str:
    """The id or the path of the flow that a message is about."""
    return str(message.get("flowId") or message.get("path") or "")
