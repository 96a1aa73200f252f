"""Room: what is emitted into a room of ThingsDB, handled by methods or looped over."""

from __future__ import annotations

import logging
import math
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import ConnectionFailed, FlowThingsError, InvalidInput
from ...transport.values import resolve
from ...wire.things import errors as things_errors
from ...wire.things.scopes import cnscope, is_name
from .arguments import deadline_in
from .events import EventsLost, RoomEvents
from .first_join import FirstJoin
from .handlers import event, find_handlers
from .mailbox import Mailbox
from .membership import Membership, Moment, collection_scope, in_its_scope
from .session import Session

if TYPE_CHECKING:
    from .client import Client

__all__ = ["EventsLost", "NotJoined", "Room", "event"]

_log = logging.getLogger("flowthings_like")


class NotJoined(FlowThingsError, RuntimeError):
    """The room must be joined first, or it is joined with another client."""


class Room:
    """A room of a collection, seen from here. Derive a class from it, with a handler for each event.

    The methods `on_…` and the handlers run in a green thread of the room's own, one after the other, in the
    order of the events. What they raise is logged, with the room and the event, and the next one goes on.
    They may make any call, and join and leave rooms.

    Args:
        room: an id, the room's name, or code that returns the id of a room.
        scope: the collection's scope, "//stuff" or "@collection:stuff"; None for the default scope of the
            client that it is joined with.

    Raises:
        ValueError: the room is none of these, or the scope is not that of a collection.
    """

    _handlers: ClassVar[dict[str, str]] = {}  # the name of a method for each event

    event = staticmethod(event)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._handlers = find_handlers(cls)

    def __init__(self, room: int | str, scope: str | None = None) -> None:
        room, scope = resolve(room), resolve(scope)
        if isinstance(room, bool) or not isinstance(room, int | str) or room == "":
            raise InvalidInput(f"a room is an id, a name, or code that returns an id, not {room!r}")
        if isinstance(room, int) and room < 0:
            raise InvalidInput(f"a room's id is 0 or more, not {room}")
        self._room = room
        self._id = room if isinstance(room, int) else None
        self._collection = None if scope is None else cnscope(scope)
        self._client: Client | None = None
        self._membership: Membership | None = None  # this and the next are looked after by Rooms
        self._over: object = None
        self._mailbox: Mailbox | None = None
        self._followers: tuple[weakref.ref[RoomEvents], ...] = ()

    # What one may override

    def on_init(self) -> None:
        """Called by `join`, in its thread, before anything else is called. What it raises, `join` raises."""

    def on_join(self) -> None:
        """Called when the room is joined, and again when it has been joined anew after a connection was lost,
        or when 100,000 events waited for the handlers and further ones were dropped. What was emitted in
        between is lost: the place to read what one must know."""

    def on_leave(self) -> None:
        """Called after `leave`; not when the connection is lost or closed."""

    def on_delete(self) -> None:
        """Called when the room is removed from ThingsDB, or found to be when it is to be joined anew."""

    def on_emit(self, event: str, *args: Any) -> None:
        """Called for an event that has no handler."""
        _log.debug("%r: no handler for %r", self, event)

    # What one calls

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

    def join(self, client: Client, wait: float | None = 60.0) -> None:
        """Join the room: from now on its events are handled.

        A room that is joined already stays so. Several objects may join one room; the node is asked once.

        Args:
            client: a connected Client, such as `api.things`.
            wait: seconds for all of it, until the first `on_join` has returned. 0 or None: return once the
                room is joined, without a limit, and let `on_join` run by itself.

        Raises:
            LookupError: there is no such room.
            WrongThread: under gevent and eventlet, in another OS thread than the client's connection.
            TypeError: the code returned something else than an int.
            ValueError: the client's default scope is none of a collection, and the room was given no scope.
            DeadlineExceeded: that took longer. If `on_join` was already called, the room stays joined.
            Exception: what the first `on_join` raised; the room stays joined.
        """
        wait, client = resolve(wait), _itself(client)
        deadline = _deadline("wait", wait or None)
        client._rooms.check_process()
        ask = client._at_home().ask
        if self._membership is not None:
            self._same_client(client)
            return
        id, collection = self._find(client, deadline)
        previous, first = self._mailbox, FirstJoin(waited_for=bool(wait))
        mailbox = Mailbox(partial(self._handle, first), (Moment.JOINED, ()), self, previous)
        own_thread = previous is not None and previous.is_current()
        if previous is not None:
            previous.close()  # which a `leave` that was interrupted has left open
        try:
            self._client, self._collection, self._id = client, collection, id
            self._mailbox = mailbox
            client._rooms.enter(self, collection, id, ask, deadline)
            if previous is not None and not own_thread:
                previous.wait_ended(deadline)
            self.on_init()
            mailbox.open()
        except BaseException:
            client._rooms.abandon(self)
            mailbox.close()
            if not mailbox.is_open:
                self._mailbox = previous
            raise
        if wait and not own_thread:
            first.wait(self, deadline)

    def no_join(self, client: Client, timeout: float | None = None) -> None:
        """Only find the room, to emit into it without listening.

        Raises:
            TypeError: there is no room with that id, or the code returned something else than an int.
            ValueError: as for `join`.
        """
        deadline, client = _deadline("timeout", timeout), _itself(client)
        id, collection = self._find(client, deadline)
        try:
            self._query(client, "room(id).id();", collection, deadline, {"id": id})
        except (things_errors.LookupError, things_errors.TypeError):
            raise things_errors.TypeError(f"{id} is no room's id in {collection!r}") from None
        self._client, self._collection, self._id = client, collection, id

    def leave(self, timeout: float | None = 60.0) -> None:
        """Leave the room; `on_leave` is called then. However it ends, no event is handled any more.

        Raises:
            NotJoined: the room is not joined.
            WrongThread: under gevent and eventlet, in another OS thread than the client's connection.
            LookupError: the node does not know the room any more.
            DeadlineExceeded: no answer within `timeout` seconds.
        """
        deadline = _deadline("timeout", timeout)
        if self._client is not None:
            self._client._rooms.check_process()
        if self._membership is None:
            raise NotJoined(f"{self!r}: it is not joined")
        self.client._at_home()
        if not self.client._rooms.leave(self, Session.ask_over, deadline):
            raise things_errors.LookupError(f"{self!r}: the node does not know it any more")

    def emit(self, event: str, *args: Any, peers_only: bool = False, timeout: float | None = None) -> None:
        """Emit an event to all who have joined the room.

        Args:
            event: its name.
            args: what the handlers get.
            peers_only: to all but this connection; takes a node from 1.8.0 on.
            timeout: seconds; None for the client's own.

        Raises:
            NotJoined: neither `join` nor `no_join` was called yet.
            LookupError: the room is gone.
            ConnectionFailed: the connection broke; if its `sent` is true, the event may have been emitted.
        """
        client, id, membership = self.client, self._id, self._membership
        assert id is not None

        def send(scope: str | None) -> None:
            client._emit(id, event, *args, scope=scope, peers_only=peers_only, timeout=timeout)

        if membership is None:
            send(self.scope)
        else:
            in_its_scope(membership, send)

    def events(self, timeout: float | None = None) -> RoomEvents:
        """What is emitted from now on, to loop over:

            for event, args in room.events(timeout=60): ...

        Handlers are called as well. It may be asked for before the room is joined.

        Args:
            timeout: seconds until the loop ends with DeadlineExceeded; None for no limit. It ends by itself
                when the room is left or deleted, or its client is closed.

        While 100,000 events wait to be taken further ones are dropped. In their place it raises EventsLost,
        and can be gone on with.
        """
        events = RoomEvents(self, _deadline("timeout", timeout))
        self._followers = (*(ref for ref in self._followers if ref() is not None), weakref.ref(events))
        return events

    def __repr__(self) -> str:
        if self._id is None:
            return f"<{type(self).__name__} {self._room!r:.60}>"
        return f"<{type(self).__name__} {self._id} in {self.scope or 'no scope yet'}>"

    # How it is found

    def _find(self, client: Client, deadline: float) -> tuple[int, str]:
        """The room's id, and its collection."""
        collection = self._collection
        if collection is None:
            scope = client.get_default_scope()
            try:
                collection = cnscope(scope)
            except things_errors.ValueError:
                raise InvalidInput(
                    f"the client's default scope {scope!r} is that of no collection, and a room is in one; "
                    'write Room(…, scope="//NAME") or client.set_default_scope("//NAME")'
                ) from None
        room = self._room
        if isinstance(room, int):
            return room, collection
        if is_name(room):
            id = self._query(client, "room(name).id();", collection, deadline, {"name": room})
        else:
            id = self._query(client, room, collection, deadline, None)
        if isinstance(id, bool) or not isinstance(id, int):
            raise things_errors.TypeError(
                f"the code {room[:60]!r} returned {type(id).__name__}; it must return a room's id, an int"
            )
        return id, collection

    def _query(
        self, client: Client, code: str, collection: str, deadline: float, variables: dict[str, Any] | None
    ) -> Any:
        scope = collection_scope(collection)
        left = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
        return client.query(code, scope, left, variables=variables, idempotent=variables is not None)

    def _same_client(self, client: Client) -> None:
        if client is not self._client:
            raise NotJoined(f"{self!r}: it is joined with another client; leave() it there first")

    # How it hears; called by the client's Rooms, in whatever thread

    def _receive(self, what: str | Moment, args: Any) -> None:
        """Take in an event of this room, or what happens to it."""
        mailbox = self._mailbox
        assert mailbox is not None
        if not isinstance(what, str):
            mailbox.put((what, args))
            if what is not Moment.JOINED:
                mailbox.close()
                for events in self._listening():
                    events.end()
            return
        mailbox.offer((what, args))
        if self._followers:
            for events in self._listening():
                events.put(what, args)

    def _listening(self) -> list[RoomEvents]:
        return [events for ref in self._followers if (events := ref()) is not None]

    def _forget(self) -> None:
        """In a forked child: who joined is the parent."""
        self._membership = self._mailbox = None

    def _handle(self, first: FirstJoin, what: str | Moment, args: Any) -> None:
        """Deal with a letter, in the room's own thread."""
        if isinstance(what, str):
            name = self._handlers.get(what)
            if name is not None:
                self._attempt(getattr(self, name), args, what)
            else:
                self._attempt(self.on_emit, (what, *args), what)
        elif what is Moment.JOINED:
            try:
                self._attempt(self.on_join, (), what.value, first.take)
            finally:
                first.end(None)
        else:
            first.end(ConnectionFailed(f"{self!r}: {what.value} came before on_join"))
            if what is Moment.LEFT:
                self._attempt(self.on_leave, (), what.value)
            elif what is Moment.DELETED:
                self._attempt(self.on_delete, (), what.value)

    def _attempt(
        self,
        method: Callable[..., Any],
        args: Any,
        what: str,
        take: Callable[[Exception], bool] = lambda error: False,
    ) -> None:
        """Call a method. What it raises is logged, unless `take` knows somebody to raise it."""
        try:
            method(*args)
        except Exception as error:
            if not take(error):
                _log.exception("%r: the handler of %s failed", self, what)
        except BaseException as error:
            # A time-out that nobody caught must not end the room, but a kill is meant for this very thread.
            if type(error).__name__ == "GreenletExit":
                raise
            _log.exception("%r: the handler of %s was interrupted", self, what)


def _itself(client: Any) -> Client:
    """The client that a room is to be joined with, which may be given as `async_()` or `lazy()` shows it."""
    found: Client | None = getattr(resolve(client), "_itself", None)
    if found is None:
        raise InvalidInput(f"a room is joined with a Client, such as api.things, not {client!r:.60}")
    return found


def _deadline(name: str, seconds: float | None) -> float:
    """The `time.monotonic()` in so many seconds; inf for None."""
    deadline = deadline_in(seconds, name)
    return math.inf if deadline is None else deadline
