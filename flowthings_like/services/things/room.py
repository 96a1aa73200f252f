"""Room: the class to derive from, to emit events into a room of ThingsDB and to handle them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ...errors import FlowThingsError, InvalidInput
from ...green.calls.markers import plain, sends_at_once
from ...transport.outgoing_values import resolve
from ...wire.things import errors as things_errors
from ...wire.things.scopes import cnscope
from ..in_parallel import InParallel
from .arguments import deadline_of
from .event_filters import event_filter, event_test
from .event_handler import EventHandler, event
from .events import EventsLost, RoomEvents
from .finding import collection_of, find_room, query
from .handlers import BaseRoom, EventDispatcher
from .joining import in_its_scope
from .membership import Membership, Subscriber, collection_scope

if TYPE_CHECKING:
    from ...filters import Filter
    from ...green.calls.sent_call import SentCall
    from .client import Client
    from .parallel import AsyncRoom, LazyRoom

__all__ = ["EventsLost", "NotJoined", "Room", "event"]

F = TypeVar("F", bound=Callable[..., Any])
Self = TypeVar("Self", bound="Room")


class NotJoined(FlowThingsError, RuntimeError):
    """The room must be joined first, or it is joined with another client."""


class Room(BaseRoom, InParallel):
    """A room of a collection. Derive a class from it, with a handler for each event.

    The methods `on_…` and the handlers run in a green thread of that room, one after the other, in the order
    of the events. An exception in a handler is logged with the room and the event, and the next event is
    handled. Handlers may make any call, and join and leave rooms.

    `room.lazy()` and `room.async_()` make the room's own calls in parallel: `room.lazy().emit("msg", 1)`
    returns as soon as the event is sent, and events that are sent so keep their order.

    Args:
        room: an id, the room's name, or code that returns the id of a room.
        scope: the collection's scope, "//stuff" or "@collection:stuff"; None for the default scope of the
            client that it is joined with.

    Raises:
        ValueError: the room is not one of these, or the scope is not a collection's.
    """

    def __init__(self, room: int | str, scope: str | None = None) -> None:
        room, scope = resolve(room), resolve(scope)
        if isinstance(room, bool) or not isinstance(room, int | str) or room == "":
            raise InvalidInput(f"a room is an id, a name, or code that returns an id, not {room!r}")
        if isinstance(room, int) and room < 0:
            raise InvalidInput(f"a room's id is 0 or more, not {room}")
        self._room = room
        self._id = room if isinstance(room, int) else None
        self._collection = None if scope is None else cnscope(scope)
        self._is_made = False  # whether a room of that name is made if there is none
        self._client: Client | None = None
        self._subscriber: Subscriber | None = None  # of the last `join`
        self._functions = {}

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncRoom: ...
        def lazy(self, pool: Any = None) -> LazyRoom: ...

    @property
    def id(self) -> int | None:
        """The room's id; None until it is known."""
        return self._id

    @property
    def scope(self) -> str | None:
        """The collection's scope as "@collection:NAME"; None until it is known."""
        return None if self._collection is None else collection_scope(self._collection)

    @property
    def client(self) -> Client:
        """The client that the room was joined with.

        Raises:
            NotJoined: neither `join` nor `no_join` was called yet.
        """
        if self._client is None:
            raise NotJoined(f"{self!r}: call join(client) or no_join(client) first")
        return self._client

    def join(self, client: Client | None = None, wait: float | None = 60.0) -> None:
        """Join the room. From now on its events are handled.

        Joining again changes nothing. Several objects may join the same room; the node is asked once.

        Args:
            client: a connected Client, such as `api.things`; None for the one that the room was joined with
                before.
            wait: seconds for all of it, until the first `on_join` has returned. 0 or None: return once the
                room is joined, without a limit, and let `on_join` run by itself.

        Raises:
            LookupError: there is no such room.
            NotJoined: there is no client.
            WrongThread: under gevent and eventlet, in another OS thread than the client's connection.
            TypeError: the code returned something else than an int.
            ValueError: the room was given no scope, and the client's default scope is not a collection's.
            DeadlineExceeded: it took longer. If `on_join` was already called, the room stays joined.
            Exception: what the first `on_join` raised; the room stays joined.
        """
        wait, client = resolve(wait), self._client_of(client)
        deadline = deadline_of("wait", wait or None)
        client._rooms.check_process()
        ask = client._session_of_rooms().ask
        if self._membership is not None:
            if client is not self._client:
                raise NotJoined(f"{self!r}: it is joined with another client; leave() it there first")
            return
        id, collection = self._find(client, deadline)
        before = self._subscriber
        previous = None if before is None or before.dispatcher.is_inherited else before.dispatcher
        is_handler = previous is not None and previous.is_current()
        if previous is not None:
            previous.close()  # in case a `leave` was interrupted before it did
        dispatcher = EventDispatcher(self, join_waits=bool(wait), previous=previous)
        subscriber = Subscriber(dispatcher)
        try:
            self._client, self._collection, self._id = client, collection, id
            self._subscriber = subscriber
            client._rooms.join(subscriber, collection, id, ask, deadline)
            if previous is not None and not is_handler:
                previous.wait_ended(deadline)
            self.on_init()
            dispatcher.start()
        except BaseException:
            client._rooms.abandon(subscriber)
            dispatcher.close()
            if not dispatcher.is_started:
                self._subscriber = before
            raise
        if wait and not is_handler:
            dispatcher.wait_joined(deadline)

    def no_join(self, client: Client | None = None, timeout: float | None = None) -> None:
        """Find the room without joining it, to emit only.

        Raises:
            TypeError: there is no room with that id, or the code returned something else than an int.
            ValueError: as for `join`.
        """
        deadline, client = deadline_of("timeout", timeout), self._client_of(client)
        id, collection = self._find(client, deadline)
        try:
            query(client, "room(id).id();", collection, deadline, {"id": id})
        except (things_errors.LookupError, things_errors.TypeError):
            raise things_errors.TypeError(f"{id} is no room's id in {collection!r}") from None
        self._client, self._collection, self._id = client, collection, id

    def leave(self, timeout: float | None = 60.0) -> None:
        """Leave the room; then `on_leave` is called. Even if it raises, no event is handled any more.

        Raises:
            NotJoined: the room is not joined.
            WrongThread: under gevent and eventlet, in another OS thread than the client's connection.
            LookupError: the node does not know the room any more.
            DeadlineExceeded: no answer within `timeout` seconds.
        """
        deadline = deadline_of("timeout", timeout)
        if self._client is not None:
            self._client._rooms.check_process()
        if self._subscriber is None or self._membership is None:
            raise NotJoined(f"{self!r}: it is not joined")
        self.client._session_of_rooms()
        if not self.client._rooms.leave(self._subscriber, deadline):
            raise things_errors.LookupError(f"{self!r}: the node does not know it any more")

    @sends_at_once("_send_emit")
    def emit(self, event: str, *args: Any, peers_only: bool = False, timeout: float | None = None) -> None:
        """Emit an event to all who have joined the room.

        Args:
            event: its name.
            args: what the handlers get.
            peers_only: to all connections but this one; requires a node from 1.8.0 on.
            timeout: seconds; None for the client's own.

        Raises:
            NotJoined: neither `join` nor `no_join` was called yet.
            LookupError: the room is gone.
            ConnectionFailed: the connection broke; if its `sent` is true, the event may have been emitted.
        """
        (client, id), membership = self._target(), self._membership

        def send(scope: str | None) -> None:
            client._emit(id, event, *args, scope=scope, peers_only=peers_only, timeout=timeout)

        if membership is None:
            send(self.scope)
        else:
            in_its_scope(membership, send)

    def _send_emit(
        self, event: str, *args: Any, peers_only: bool = False, timeout: float | None = None
    ) -> SentCall | None:
        """Send the event of a lazy `emit`. Returns None if it has to wait, or may need a second attempt."""
        (client, id), membership = self._target(), self._membership
        if membership is not None and membership.former is not None:
            return None
        return client._send_emit(id, event, *args, scope=self.scope, peers_only=peers_only, timeout=timeout)

    def _target(self) -> tuple[Client, int]:
        client, id = self.client, self._id
        assert id is not None
        return client, id

    @plain
    def events(self, timeout: float | None = None, *, where: Filter | str | None = None) -> RoomEvents:
        """An iterator over the events that are emitted from now on:

            for event, args in room.events(timeout=60): ...

        Handlers are called as well. It may be called before the room is joined.

        Args:
            timeout: seconds until the loop ends with DeadlineExceeded; None for no limit. It ends by itself
                when the room is left or deleted, or its client is closed.
            where: a filter, or its text: only events whose first argument is a map that matches it.

        While 100,000 events wait to be taken, further ones are dropped. In their place the iterator raises
        EventsLost, and can be continued.

        Raises:
            InvalidInput, ConfigurationError: the filter cannot be used.
        """
        events = RoomEvents(self, deadline_of("timeout", timeout), event_test(event_filter(where)))
        self._loops = (*(ref for ref in self._loops if ref() is not None), weakref.ref(events))
        return events

    @overload
    @plain
    def on(self, event: str, handler: F, *, where: Filter | str | None = None) -> F: ...
    @overload
    @plain
    def on(
        self, event: str, handler: None = None, *, where: Filter | str | None = None
    ) -> Callable[[F], F]: ...
    @plain
    def on(self, event: str, handler: Any = None, *, where: Filter | str | None = None) -> Any:
        """Add a function as a handler of an event, for this object only:

            room.on("gale", lambda gale: ...)

            @room.on("gale", where=mem.wind > 30)
            def on_storm(gale): ...

        It is called like the handlers that the class has, and after those. Add it before the room is joined,
        or it misses the events until then.

        Args:
            event: its name.
            handler: gets the arguments of the emit. Without one, `on` is a decorator.
            where: as for `event`.

        Returns:
            The handler.

        Raises:
            InvalidInput: the filter cannot be used, or the handler is no function, or a coroutine function.
            ConfigurationError: the filter has a pattern, and re2 is not installed.
        """
        if handler is None:
            return lambda function: self.on(event, function, where=where)
        added = EventHandler.of(event, where, handler)
        self._functions.setdefault(event, []).append(added)  # each of them one step
        return handler

    def __enter__(self: Self) -> Self:
        """Join the room, unless it is joined."""
        before = self._subscriber
        try:
            self.join()
        except BaseException:
            if self._subscriber is not before:
                self._abandon()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        """Leave the room, unless that is done. If the block raised, its exception is the one that counts."""
        with suppress(NotJoined, *(() if kind is None else (FlowThingsError,))):
            self.leave()

    def _abandon(self) -> None:
        """Leave the room at once, without waiting for the node, if it was joined."""
        client, subscriber = self._client, self._subscriber
        if client is not None and subscriber is not None:
            client._rooms.abandon(subscriber)
            subscriber.dispatcher.close()

    def __repr__(self) -> str:
        if self._id is None:
            return f"<{type(self).__name__} {self._room!r:.60}>"
        return f"<{type(self).__name__} {self._id} in {self.scope or 'no scope yet'}>"

    def _async_lib(self) -> Any:
        return None if self._client is None else self._client._async_lib()

    @property
    def _membership(self) -> Membership | None:
        return None if self._subscriber is None else self._subscriber.membership

    def _client_of(self, client: Any) -> Client:
        """The client that an argument stands for: a Client, a view of one made by `async_()` or `lazy()`, or
        None for the room's own."""
        client = resolve(client)
        if client is None:
            return self.client
        found: Client | None = getattr(client, "_itself", None)
        if found is None:
            raise InvalidInput(f"a room is joined with a Client, such as api.things, not {client!r:.60}")
        return found

    def _find(self, client: Client, deadline: float) -> tuple[int, str]:
        """The room's id, and its collection."""
        collection = self._collection
        if collection is None:
            collection = collection_of(client.get_default_scope())
        if isinstance(self._room, int):
            return self._room, collection
        id = find_room(client, self._room, collection, deadline, is_made=self._is_made)
        return id, collection
