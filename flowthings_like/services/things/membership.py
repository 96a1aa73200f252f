"""Memberships: the rooms of the node that a client has joined, their states and their subscribers."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from ...green.backends.choice import detect
from ...wire.things.scopes import Scope, cnscope
from .events import Lifecycle, QueuedEvent

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from .handlers import EventDispatcher

__all__ = [
    "ByScope",
    "Membership",
    "Memberships",
    "RoomEvent",
    "State",
    "Subscriber",
    "Ticket",
    "collection_scope",
]

_log = logging.getLogger("flowthings_like")


class State(Enum):
    """The state of a client's membership in a room. The values describe the states."""

    OUT = "the node sends none of its events"
    JOINING = "JOIN is asked for the first time: events are held until the answer"
    JOINED = "events are handed out"
    LOST = "it was joined over a connection that is lost: the next connection asks for JOIN"
    ABANDONED = "it has no subscriber, but the node may still send its events: LEAVE must be asked"


TRANSITIONS = {
    State.OUT: {State.JOINING},
    State.JOINING: {State.JOINED, State.OUT, State.ABANDONED},
    State.JOINED: {State.LOST, State.OUT, State.ABANDONED},
    State.LOST: {State.JOINED, State.OUT, State.ABANDONED},
    State.ABANDONED: {State.OUT},
}


class Subscriber:
    """A Room object in a membership, from `join` to `leave`. Each `join` makes a new subscriber.

    Attributes:
        dispatcher: receives the events, and what happens to the membership.
        membership: None before `join` and after `leave`.
        joined_over: the connection for which the dispatcher was last notified of JOINED.
    """

    __slots__ = ("dispatcher", "joined_over", "membership")

    def __init__(self, dispatcher: EventDispatcher) -> None:
        self.dispatcher = dispatcher
        self.membership: Membership | None = None
        self.joined_over: PacketConnection | None = None


class Ticket:
    """A thread's place in the queue of a membership. One thread at a time may join or leave a room.

    A lock would not do: a signal could raise just after it was acquired, and nobody would release it. A
    ticket is released by the thread that made it, whether or not its turn came, and twice.
    """

    __slots__ = ("called", "membership")

    def __init__(self) -> None:
        self.called = detect().one_shot_event()
        self.membership: Membership | None = None


class Membership:
    """A client's membership in a room. All Room objects of that room share it.

    Only Rooms changes it, under its lock.

    Attributes:
        collection, id: which room it is.
        former: what the collection was called before, if it was renamed.
        state: see State.
        subscribers: replaced as a whole, never changed, so that it can be read without the lock.
        tickets: of the threads that want to join or leave. The first one has the turn.
    """

    __slots__ = ("_held", "collection", "former", "id", "state", "subscribers", "tickets")

    def __init__(self, collection: str, id: int) -> None:
        self.collection = collection
        self.id = id
        self.former: str | None = None
        self.state = State.OUT
        self.subscribers: tuple[Subscriber, ...] = ()
        self.tickets: list[Ticket] = []
        self._held: deque[QueuedEvent] = deque()

    @property
    def scope(self) -> str:
        """The collection's scope, as events name it."""
        return collection_scope(self.collection)

    @property
    def key(self) -> tuple[str, int]:
        """The scope and the id, as events name the room."""
        return self.scope, self.id

    @property
    def is_unused(self) -> bool:
        """Whether it can be forgotten: neither a thread here nor the node uses it."""
        return self.state is State.OUT and not self.subscribers and not self.tickets

    def change(self, state: State) -> None:
        """Go to a state, along TRANSITIONS. Doing it again changes nothing."""
        if state is not self.state:
            assert state in TRANSITIONS[self.state], f"{self.state} -> {state}"
            self.state = state

    def add(self, subscriber: Subscriber) -> None:
        """Add a subscriber. `accept` notifies it when the room is joined."""
        subscriber.membership = self
        self.subscribers = (*self.subscribers, subscriber)
        if self.state is State.OUT:
            self.drop_held()
            self.change(State.JOINING)

    def accept(self, connection: PacketConnection) -> None:
        """The room is joined over a connection: notify the subscribers, then hand out the held events."""
        for subscriber in self.subscribers:
            if subscriber.joined_over is not connection:
                subscriber.joined_over = connection
                subscriber.dispatcher.notify(Lifecycle.JOINED)
        while self._held:
            self.hand_out(*self._held.popleft())
        if self.subscribers:
            self.change(State.JOINED)  # last: from here on events are handed out without the lock

    def hold(self, event: QueuedEvent) -> None:
        """Keep an event until the answer to JOIN has come; drop it if no answer is awaited."""
        if self.state is State.JOINING:
            self._held.append(event)

    def drop_held(self) -> None:
        """Drop the events that are held, because they came over a connection that does not count any more."""
        self._held.clear()

    def hand_out(self, event: str | Lifecycle, args: Any) -> None:
        """Deliver an event to all subscribers."""
        if isinstance(event, str):
            for subscriber in self.subscribers:
                subscriber.dispatcher.deliver(event, args)
        else:
            self.end(event)

    def remove(self, subscriber: Subscriber, *, may_be_in: bool) -> None:
        """Remove a subscriber. Doing it again changes nothing.

        Args:
            may_be_in: whether the node may still have this client in the room.
        """
        self.subscribers = tuple(other for other in self.subscribers if other is not subscriber)
        if not self.subscribers:
            self.change(State.ABANDONED if may_be_in and self.state is not State.OUT else State.OUT)
        subscriber.membership = None  # last: until then all of this can be done again

    def end(self, change: Lifecycle) -> None:
        """Remove all subscribers and notify them of the change. Doing it again changes nothing."""
        for subscriber in self.subscribers:
            subscriber.dispatcher.notify(change)
            subscriber.membership = None
        self.subscribers = ()
        self.change(State.OUT)

    def rename(self, collection: str) -> None:
        """The collection has a new name."""
        self.former, self.collection = self.collection, collection
        for subscriber in self.subscribers:
            subscriber.dispatcher.room._collection = collection


ByScope: TypeAlias = "dict[str, list[Membership]]"


@dataclass(frozen=True)
class RoomEvent:
    """An event as the node names it: the room's scope, which old nodes do not say, and its id."""

    scope: str | None
    id: int
    event: QueuedEvent


class Memberships(dict["tuple[str, int]", Membership]):
    """The memberships of a client by scope and id. Rooms changes it, under its lock."""

    def __init__(self) -> None:
        super().__init__()
        self._scopes: set[str] = set()  # every scope in which a room was ever joined

    def get_or_add(self, wanted: Membership) -> Membership:
        """The membership of that room."""
        self._scopes.add(wanted.scope)
        return self.setdefault(wanted.key, wanted)

    def drop_if_unused(self, membership: Membership) -> None:
        """Forget a membership that nothing depends on."""
        if membership.is_unused and self.get(membership.key) is membership:
            del self[membership.key]

    def subscribers(self) -> list[Subscriber]:
        """Those of all memberships."""
        return [each for membership in self.values() for each in membership.subscribers]

    def forget(self) -> None:
        """In a forked child: all of this is the parent's."""
        for subscriber in self.subscribers():
            subscriber.membership = None
        self.clear()

    def find(self, scope: str | None, id: int) -> Membership | None:
        """The membership for the scope and the id of an event.

        A node before 1.8.6 names no scope. Then, and after a collection was renamed, the id is enough if only
        one room has it.
        """
        membership = self.get((scope, id))  # type: ignore[arg-type]
        if membership is not None:
            return membership
        alike = [membership for membership in self.values() if membership.id == id]
        if len(alike) != 1:
            return None
        found = alike[0]
        if scope is not None:
            if scope in self._scopes:  # a room that was left
                return None
            self._rename(found.collection, cnscope(scope))
        return found

    def _rename(self, former: str, collection: str) -> None:
        """A collection has a new name."""
        _log.info("the collection %r is now called %r", former, collection)
        for membership in [each for each in self.values() if each.collection == former]:
            del self[membership.key]
            membership.rename(collection)
            self[membership.key] = membership
        self._scopes.discard(collection_scope(former))
        self._scopes.add(collection_scope(collection))

    # Changes of many at once

    def end(self, memberships: list[Membership], change: Lifecycle) -> None:
        """Remove all subscribers of these and notify them of the change."""
        for membership in memberships:
            membership.end(change)
            self.drop_if_unused(membership)

    def accept(self, memberships: list[Membership], over: PacketConnection) -> None:
        """These are joined over a connection."""
        for membership in memberships:
            membership.accept(over)
            self.drop_if_unused(membership)  # if DELETED was among its held events

    def lose(self) -> None:
        """The connection is lost."""
        for membership in list(self.values()):
            if membership.state is State.JOINED:
                membership.change(State.LOST)
            elif membership.state is State.ABANDONED:  # the node removes a client whose connection is closed
                membership.change(State.OUT)
                self.drop_if_unused(membership)

    def drop_held(self) -> None:
        """Drop the events that are held, because they came over a connection that does not count any more."""
        for membership in self.values():
            membership.drop_held()

    def to_rejoin(self) -> ByScope:
        """The rooms that a new connection must ask for."""
        by_scope: ByScope = {}
        for membership in self.values():
            if membership.state in (State.JOINED, State.LOST):
                by_scope.setdefault(membership.scope, []).append(membership)
        return by_scope


def collection_scope(collection: str) -> str:
    """The scope of a collection, as events name it."""
    return str(Scope("collection", collection))
