"""Memberships: the rooms of the node that this client has joined, their states, and who gets their events."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from ...green.backends.contract import detect
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
    """Where a client stands with a room of the node."""

    OUT = "the node sends none of its events"
    JOINING = "JOIN is asked for the first time: events are held until the answer"
    JOINED = "events are handed out"
    LOST = "it was joined over a connection that broke: the next one asks for JOIN"
    REJOINING = "a new connection asks for JOIN: events are held until the answer"
    ABANDONED = "nobody here is in it, but the node may still send its events: LEAVE must be asked"


TRANSITIONS = {
    State.OUT: {State.JOINING},
    State.JOINING: {State.JOINED, State.OUT, State.ABANDONED},
    State.JOINED: {State.REJOINING, State.LOST, State.OUT, State.ABANDONED},
    State.LOST: {State.REJOINING, State.OUT},
    State.REJOINING: {State.JOINED, State.LOST, State.OUT, State.ABANDONED},
    State.ABANDONED: {State.OUT},
}


class Subscriber:
    """One Room object's part in a membership, from `join` to `leave`. Each `join` makes a new one.

    Attributes:
        dispatcher: gets the events, and what happens to the membership.
        membership: None before and after.
        joined_over: the connection for which the dispatcher was last told JOINED.
    """

    __slots__ = ("dispatcher", "joined_over", "membership")

    def __init__(self, dispatcher: EventDispatcher) -> None:
        self.dispatcher = dispatcher
        self.membership: Membership | None = None
        self.joined_over: PacketConnection | None = None


class Ticket:
    """A place in the queue of those who join or leave one room, which one thread at a time may do.

    This is no lock, because a signal could come just after one was locked, and nobody would unlock it. A
    ticket is given back by the thread that made it, whether or not its turn ever came, and twice.
    """

    __slots__ = ("called", "membership")

    def __init__(self) -> None:
        self.called = detect().latch()
        self.membership: Membership | None = None


class Membership:
    """A client's membership in a room, which all its Room objects of that room share.

    Rooms changes it, under its lock.

    Attributes:
        collection, id: which room it is.
        former: what the collection was called before, if it was renamed.
        state: see State.
        subscribers: replaced as a whole, never changed, so that it can be read without the lock.
        tickets: of the threads that want to join or leave; the first one may.
    """

    __slots__ = ("_held", "collection", "former", "id", "state", "subscribers", "tickets")

    def __init__(self, collection: str, id: int) -> None:
        self.collection = collection
        self.id = id
        self.former: str | None = None
        self.state = State.OUT
        self.subscribers: tuple[Subscriber, ...] = ()
        self.tickets: list[Ticket] = []
        self._held: deque[tuple[PacketConnection, QueuedEvent]] = deque()

    @property
    def scope(self) -> str:
        """The collection's scope, in the form that events have it in."""
        return collection_scope(self.collection)

    @property
    def key(self) -> tuple[str, int]:
        """What events say of the room: their scope and its id."""
        return self.scope, self.id

    @property
    def is_unused(self) -> bool:
        """Whether nobody here and nothing at the node depends on it."""
        return self.state is State.OUT and not self.subscribers and not self.tickets

    def change(self, state: State) -> None:
        """Go to a state. Doing it again changes nothing."""
        if state is not self.state:
            assert state in TRANSITIONS[self.state], f"{self.state} -> {state}"
            self.state = state

    def add(self, subscriber: Subscriber) -> None:
        """Let a subscriber in; `accept` tells it when the room is joined."""
        subscriber.membership = self
        self.subscribers = (*self.subscribers, subscriber)
        if self.state is State.OUT:
            self._held.clear()
            self.change(State.JOINING)

    def accept(self, connection: PacketConnection) -> None:
        """The room is joined over a connection: tell those who do not know, then hand out what was held."""
        for subscriber in self.subscribers:
            if subscriber.joined_over is not connection:
                subscriber.joined_over = connection
                subscriber.dispatcher.notify(Lifecycle.JOINED)
        while self._held:
            over, event = self._held.popleft()
            if over is connection:
                self.hand_out(*event)
        if self.subscribers:
            self.change(State.JOINED)  # last: from here on events are handed out without the lock

    def rejoin(self) -> None:
        """A new connection asks for JOIN."""
        self._held.clear()
        self.change(State.REJOINING)

    def hold(self, over: PacketConnection, event: QueuedEvent) -> None:
        """Keep an event until the answer to JOIN has come; drop it if none is awaited."""
        if self.state is State.JOINING or self.state is State.REJOINING:
            self._held.append((over, event))

    def hand_out(self, event: str | Lifecycle, args: Any) -> None:
        """Give an event to all subscribers."""
        if isinstance(event, str):
            for subscriber in self.subscribers:
                subscriber.dispatcher.deliver(event, args)
        else:
            self.end(event)

    def remove(self, subscriber: Subscriber, *, may_be_in: bool) -> None:
        """Take a subscriber out. Doing it again changes nothing.

        Args:
            may_be_in: whether the node may still have this client in the room.
        """
        self.subscribers = tuple(other for other in self.subscribers if other is not subscriber)
        if not self.subscribers:
            is_out = not may_be_in or self.state in (State.LOST, State.OUT)
            self.change(State.OUT if is_out else State.ABANDONED)
        subscriber.membership = None  # last: until then all of this can be done again

    def end(self, change: Lifecycle) -> None:
        """Take all subscribers out, because of this change. Doing it again changes nothing."""
        for subscriber in self.subscribers:
            subscriber.dispatcher.notify(change)
            subscriber.membership = None
        self.subscribers = ()
        self.change(State.OUT)

    def rename(self, collection: str) -> None:
        """The collection is called otherwise now."""
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
        """The room that is meant by the scope and the id of an event.

        A node before 1.8.6 names no scope; then, and when a collection was renamed, the id may be enough.
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
        """A collection is called otherwise now."""
        _log.info("the collection %r is now called %r", former, collection)
        for membership in [each for each in self.values() if each.collection == former]:
            del self[membership.key]
            membership.rename(collection)
            self[membership.key] = membership
        self._scopes.discard(collection_scope(former))
        self._scopes.add(collection_scope(collection))

    # Changes of many at once

    def end(self, memberships: list[Membership], change: Lifecycle) -> None:
        """All subscribers of these are out, because of this change."""
        for membership in memberships:
            membership.end(change)
            self.drop_if_unused(membership)

    def accept(self, memberships: list[Membership], over: PacketConnection) -> None:
        """These are joined over a connection."""
        for membership in memberships:
            membership.accept(over)
            self.drop_if_unused(membership)  # if the event of its deletion was held

    def lose(self) -> None:
        """The connection broke."""
        for membership in list(self.values()):
            if membership.state in (State.JOINED, State.REJOINING):
                membership.change(State.LOST)
            elif membership.state is State.ABANDONED:  # a node forgets a client that hangs up
                membership.change(State.OUT)
                self.drop_if_unused(membership)

    def rejoin(self) -> ByScope:
        """A new connection asks for JOIN: which rooms it has to ask for."""
        by_scope: ByScope = {}
        for membership in self.values():
            if membership.state in (State.JOINED, State.LOST, State.REJOINING):
                membership.rejoin()
                by_scope.setdefault(membership.scope, []).append(membership)
        return by_scope

    def cancel_rejoin(self, state: State) -> None:
        """That connection came to nothing."""
        for membership in self.values():
            if membership.state is State.REJOINING:
                membership.change(state)


def collection_scope(collection: str) -> str:
    """The scope of a collection, in the form that events have it in."""
    return str(Scope("collection", collection))
