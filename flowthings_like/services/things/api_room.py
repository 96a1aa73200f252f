"""Rooms of an API: `api.room`, and the rooms that it makes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ...errors import InvalidInput
from ...green.calls.markers import api_factory, plain, sends_at_once
from ...transport.outgoing_values import resolve
from ..in_parallel import InParallel
from .arguments import deadline_of
from .finding import collection_of
from .room import Room

if TYPE_CHECKING:
    from ...filters import Filter
    from ...green.calls.sent_call import SentCall
    from .client import Client
    from .events import RoomEvents
    from .parallel import AsyncAPIRoom, AsyncRoomService, LazyAPIRoom, LazyRoomService

__all__ = ["APIRoom", "RoomService"]

_LEAST = 0.001  # seconds: a `join` that is given 0 waits without limit

RoomT = TypeVar("RoomT", bound=Room)


class RoomService(InParallel):
    """The rooms of an API. `api.room("gales")` is one of them; see `APIRoom`.

    Args:
        locate: returns the client of the API.
    """

    def __init__(self, locate: Callable[[], Client]) -> None:
        self._locate = locate

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncRoomService: ...
        def lazy(self, pool: Any = None) -> LazyRoomService: ...

    @overload
    @api_factory
    def __call__(self, room: int | str, scope: str | None = None) -> APIRoom: ...
    @overload
    @api_factory
    def __call__(self, room: type[RoomT], *args: Any, **kwargs: Any) -> RoomT: ...
    @api_factory
    def __call__(self, room: Any, *args: Any, **kwargs: Any) -> Any:
        """A room on the node of the API.

        Args:
            room: its name, its id, or code that returns its id. A room with a name is made if it is missing:
                it becomes the collection's property of that name. Or a class derived from Room: an object of
                it is made and joined, which waits for the node.
            scope: the collection's scope, "//stuff" or "@collection:stuff"; None for the default scope of
                `api.things`.
            args, kwargs: with a class, its arguments. Without any, the room has the name of the class, unless
                the class has a constructor of its own.

        Raises:
            InvalidInput: the default scope is that of no collection, or `room` is none of these.
            ValueError: `scope` is not that of a collection.
            Exception: with a class, what `join` raises. The room is not joined then.
        """
        room = resolve(room)
        if not isinstance(room, type):
            return APIRoom(self._locate(), room, *args, **kwargs)
        if not issubclass(room, Room):
            raise InvalidInput(f"a class of rooms is derived from Room, which {room.__name__} is not")
        if room.__init__ is Room.__init__ and not args and "room" not in kwargs:
            kwargs = {"room": room.__name__, **kwargs}
        made = room(*args, **kwargs)
        made._client, made._is_made = self._locate(), True
        return made.__enter__()

    def _async_lib(self) -> Any:
        return self._locate()._async_lib()

    def __repr__(self) -> str:
        return "<RoomService>"


class APIRoom(Room):
    """A room on the node of an API. It finds the room, or makes it, when it is first used:

        with api.room("gales") as room:  # joins, and leaves at the end
            room.emit("gale", {"at": "jfk", "wind": 41.4})

    `emit` works without joining. `events` joins. Handlers are added with `on`, before `join`.
    """

    def __init__(self, client: Client, room: int | str, scope: str | None = None) -> None:
        super().__init__(room, scope)
        self._client = client
        self._is_made = True
        if self._collection is None:
            self._collection = collection_of(client.get_default_scope())

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncAPIRoom: ...
        def lazy(self, pool: Any = None) -> LazyAPIRoom: ...

    @sends_at_once("_send_emit")
    def emit(self, event: str, *args: Any, peers_only: bool = False, timeout: float | None = None) -> None:
        """Emit an event to all who have joined the room. It need not be joined here.

        Args:
            event: its name.
            args: what the handlers get.
            peers_only: to all connections but this one; requires a node from 1.8.0 on.
            timeout: seconds; None for the client's own.

        Raises:
            LookupError: the room is gone.
            ConnectionFailed: the connection broke; if its `sent` is true, the event may have been emitted.
        """
        if self._id is None:
            deadline = deadline_of("timeout", timeout)
            self._id, self._collection = self._find(self.client, deadline)
            if deadline != math.inf:
                timeout = max(0.0, deadline - time.monotonic())
        super().emit(event, *args, peers_only=peers_only, timeout=timeout)

    def _send_emit(self, event: str, *args: Any, **kwargs: Any) -> SentCall | None:
        return None if self._id is None else super()._send_emit(event, *args, **kwargs)

    @plain
    def events(self, timeout: float | None = None, *, where: Filter | str | None = None) -> RoomEvents:
        """An iterator over the events that are emitted from now on:

            for event, args in room.events(timeout=60): ...

        It joins the room, unless that is joined. Handlers are called as well.

        Args:
            timeout: seconds until the loop ends with DeadlineExceeded, joining included; None for no limit.
                It ends by itself when the room is left or deleted, or the API is closed.
            where: a filter, or its text: only events whose first argument is a map that matches it.

        While 100,000 events wait to be taken, further ones are dropped. In their place the iterator raises
        EventsLost, and can be continued.

        Raises:
            InvalidInput, ConfigurationError: the filter cannot be used. And what `join` raises.
        """
        deadline = deadline_of("timeout", timeout)
        events = super().events(timeout, where=where)
        self.join(wait=None if deadline == math.inf else max(_LEAST, deadline - time.monotonic()))
        return events
