"""Which rooms a client has joined: asks the node for JOIN and LEAVE, and hands out the events that come in.

A node's answer to a JOIN is what counts: from then on its emits are handed out, those that overtook it first.
Its JOIN and LEAVE events say nothing that the answers do not, and can come too late to be true, so they are
ignored.

When a connection is lost, or the client moves to another node, the next connection joins all rooms again. Its
events count from the moment it asks to; those of the connection before it wait, and count only if the new one
comes to nothing. So no event is handed out twice, and one that is emitted during a move is not handed out at
all: `on_join`, which is called again, is where to find out.

A JOIN that was given up may have gone through all the same. The room is ABANDONED until a LEAVE is answered,
and whoever joins it before asks for that first. So nobody gets an event from before its own JOIN.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import ConnectionFailed, DeadlineExceeded, FlowThingsError
from ...green.backends.contract import detect
from ...transport.forks import LockOfProcess, forget_in_child
from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind
from .events import Lifecycle, QueuedEvent
from .joining import LEAVE_TIMEOUT, Ask, Rejoin, ask_out, ask_over, room_ids, wait_heard
from .membership import Membership, Memberships, RoomEvent, State, Subscriber, Ticket

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from .handlers import BaseRoom

__all__ = ["Rooms"]

T = TypeVar("T")

_log = logging.getLogger("flowthings_like")
_EMIT = int(Kind.ROOM_EMIT)

RECHECK = 1.0
"""Seconds after which a thread that waits for its turn looks by itself, in case the thread that should have
called it was interrupted just then."""


class Rooms:
    """The rooms of one client. The session tells it of connections and events; rooms join and leave."""

    def __init__(self) -> None:
        self._memberships = Memberships()
        self._source: PacketConnection | None = None  # whose events count
        self._rejoin: Rejoin | None = None  # while a new connection joins all rooms again
        self._lock = LockOfProcess()  # held for moments only, in which no green thread gives way
        self._pid = os.getpid()
        forget_in_child(self)

    def joined(self) -> tuple[BaseRoom, ...]:
        """The objects that have joined a room."""
        self.check_process()
        with self._lock.here:
            subscribers = self._memberships.subscribers()
        return tuple(subscriber.dispatcher.room for subscriber in subscribers)

    def check_process(self) -> None:
        """In a forked child begin with no rooms, whether or not a hook was run."""
        if self._pid != os.getpid():
            self.forget()

    def forget(self) -> None:
        """In a forked child: the memberships are the parent's."""
        with self._lock.here:
            if self._pid != os.getpid():
                self._memberships.forget()
                self._source = self._rejoin = None
                self._pid = os.getpid()

    def end(self) -> None:
        """The client was closed. Doing it again changes nothing."""
        self.check_process()
        with self._lock.here:
            self._source = self._rejoin = None
            self._memberships.end(list(self._memberships.values()), Lifecycle.CLOSED)

    # Joining and leaving

    def enter(self, subscriber: Subscriber, collection: str, id: int, ask: Ask, deadline: float) -> None:
        """Let a subscriber in, which is told JOINED. The node is asked unless the room is joined already.

        Args:
            ask: makes a request over the client's connection, whichever that is.

        Raises:
            LookupError: there is no such room. And what `ask` raises.
        """

        def join(membership: Membership) -> None:
            self._leave_abandoned(membership, ask, deadline)
            try:
                self._add(membership, subscriber)
                self._ask_in(membership, subscriber, ask, deadline)
            except BaseException as error:
                was_refused = isinstance(error, things_errors.ThingsDBError)
                self._remove(subscriber, left=self._source if was_refused else None)
                self._leave_later(membership)
                raise

        self._in_turn(Membership(collection, id), deadline, join)

    def _add(self, membership: Membership, subscriber: Subscriber) -> None:
        with self._lock.here:
            membership.add(subscriber)
            if membership.state is State.JOINED and self._source is not None:
                membership.accept(self._source)

    def _ask_in(self, membership: Membership, subscriber: Subscriber, ask: Ask, deadline: float) -> None:
        # It may be joined and over at once: an event that was held can be that of its deletion.
        while subscriber.membership is membership and subscriber.joined_over is None:
            over, answer = ask(Kind.JOIN, [membership.scope, membership.id], deadline)
            if room_ids(answer, 1)[0] is None:
                raise things_errors.LookupError(f"there is no room {membership.id} in {membership.scope}")
            with self._lock.here:
                if over is self._source:  # else another one takes over, and must be asked too
                    membership.accept(over)

    def leave(self, subscriber: Subscriber, deadline: float) -> bool:
        """Take a subscriber out, which is told LEFT. The node is told when it was the last one in its room.

        Returns:
            False if the node does not know the room any more.
        """
        membership = subscriber.membership
        return membership is None or self._in_turn(
            membership, deadline, lambda membership: self._leave(membership, subscriber, deadline)
        )

    def _leave(self, membership: Membership, subscriber: Subscriber, deadline: float) -> bool:
        is_there = True
        over = self._source if membership.state is State.JOINED else None
        left: PacketConnection | None = None  # whose node has confirmed that this client is out
        try:
            if over is not None:
                if membership.subscribers == (subscriber,):
                    is_there = ask_out(membership, ask_over(over), deadline)
                    left = over
                else:
                    wait_heard(over, deadline)
        except ConnectionFailed:
            left = over  # a node forgets a client that hangs up
        finally:
            try:
                self._remove(subscriber, left, Lifecycle.LEFT)
            finally:  # again, as the first time may have been interrupted
                self._remove(subscriber, left, Lifecycle.LEFT)
                self._leave_later(membership)
        return is_there

    def abandon(self, subscriber: Subscriber) -> None:
        """Take a subscriber out at once, without waiting for the node."""
        membership = subscriber.membership
        if membership is not None:
            self._remove(subscriber)
            self._leave_later(membership)

    def _remove(
        self, subscriber: Subscriber, left: PacketConnection | None = None, change: Lifecycle | None = None
    ) -> None:
        """Take a subscriber out, and tell it this change. Doing it again changes nothing."""
        with self._lock.here:
            membership = subscriber.membership
            if membership is not None:
                if change is not None:
                    subscriber.dispatcher.notify(change)
                may_be_in = self._source is not None and self._source is not left
                membership.remove(subscriber, may_be_in=may_be_in)
                self._memberships.drop_if_unused(membership)

    def _leave_later(self, membership: Membership) -> None:
        """If a room was abandoned, leave it, in another thread."""
        if membership.state is State.ABANDONED:
            with suppress(RuntimeError):  # no thread to be had: whoever joins it next leaves it first
                detect().spawn(self._leave_quietly, membership)

    def _leave_quietly(self, membership: Membership) -> None:
        deadline, over = time.monotonic() + LEAVE_TIMEOUT, self._source
        if over is not None:
            with suppress(FlowThingsError):
                self._in_turn(
                    membership, deadline, lambda found: self._leave_abandoned(found, ask_over(over), deadline)
                )

    def _leave_abandoned(self, membership: Membership, ask: Ask, deadline: float) -> None:
        """If a room was abandoned, ask the node for LEAVE, and pass over all that came before its answer."""
        if membership.state is State.ABANDONED:
            with suppress(things_errors.LookupError):
                ask_out(membership, ask, deadline)
            with self._lock.here:
                if membership.state is State.ABANDONED:
                    membership.change(State.OUT)

    # One thread at a time

    def _in_turn(self, wanted: Membership, deadline: float, work: Callable[[Membership], T]) -> T:
        """`work(membership)`, for the membership of that room, in one thread at a time."""
        ticket = Ticket()
        try:
            result = work(self._wait_turn(ticket, wanted, deadline))
        finally:
            try:
                self._end_turn(ticket)
            finally:  # again, as the first time may have been interrupted
                self._end_turn(ticket)
        return result

    def _wait_turn(self, ticket: Ticket, wanted: Membership, deadline: float) -> Membership:
        with self._lock.here:
            ticket.membership = membership = self._memberships.get_or_add(wanted)
            membership.tickets.append(ticket)
        while membership.tickets[0] is not ticket:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(
                    f"room {membership.id} in {membership.scope}: others were busy with it for too long"
                )
            ticket.called.wait(min(left, RECHECK))
        return membership

    def _end_turn(self, ticket: Ticket) -> None:
        """Call the next thread. Doing it again changes nothing."""
        membership = ticket.membership
        if membership is not None:
            with self._lock.here:
                if ticket in membership.tickets:
                    membership.tickets.remove(ticket)
                if membership.tickets:
                    membership.tickets[0].called.set()
                self._memberships.drop_if_unused(membership)

    # Connections

    def lost(self) -> None:
        """The connection broke."""
        with self._lock.here:
            if self._source is not None and self._source.closed:
                self._source = None
                self._memberships.lose()

    def begin_rejoin(self, connection: PacketConnection) -> Rejoin:
        """A new connection is about to join all rooms again. Next is `finish_rejoin` or `cancel_rejoin`."""
        self.check_process()
        with self._lock.here:
            before, self._source = self._source, connection
            self._rejoin = Rejoin(connection, before, self._memberships.rejoin())
            return self._rejoin

    def finish_rejoin(self, rejoin: Rejoin) -> None:
        """The new connection is the one that is used from now on."""
        with self._lock.here:
            self._rejoin = None
            self._memberships.end(rejoin.forbidden, Lifecycle.LEFT)
            self._memberships.end(rejoin.deleted, Lifecycle.DELETED)
            self._memberships.accept(rejoin.accepted, rejoin.connection)
        for membership in rejoin.accepted:
            self._leave_later(membership)  # if everybody has left it meanwhile

    def cancel_rejoin(self, rejoin: Rejoin) -> None:
        """The new connection came to nothing: the one before it counts again, if it is still there, and so
        do the events that came over it meanwhile."""
        with self._lock.here:
            if self._rejoin is rejoin:
                before = None if rejoin.before is None or rejoin.before.closed else rejoin.before
                self._rejoin = self._source = None
                self._memberships.cancel_rejoin(State.LOST if before is None else State.JOINED)
                if before is not None:
                    self._hand_on_all(before, rejoin.meanwhile)
                self._source = before  # last: from here on events are handed out without the lock

    # Events

    def deliver(self, over: PacketConnection, kind: int, data: Mapping[str, Any]) -> None:
        """Hand out an event of a room. Called by one thread at a time; never waits."""
        scope, id = data.get("scope"), data["id"]
        if kind == _EMIT:
            event: QueuedEvent = (data["event"], data["args"])
            membership = self._memberships.get((scope, id))  # type: ignore[arg-type]
            # In this order: if it is joined over another connection, that one is the source by now.
            if membership is not None and membership.state is State.JOINED and over is self._source:
                membership.hand_out(*event)
                return
        else:
            event = (Lifecycle.DELETED, ())
        with self._lock.here:
            if over is self._source:
                self._hand_on(over, RoomEvent(scope, id, event))
            elif self._rejoin is not None and over is self._rejoin.before:
                self._rejoin.meanwhile.append(RoomEvent(scope, id, event))

    def _hand_on_all(self, over: PacketConnection, events: list[RoomEvent]) -> None:
        for event in events:
            self._hand_on(over, event)

    def _hand_on(self, over: PacketConnection, event: RoomEvent) -> None:
        """Hand out an event of a connection that counts, or keep it until its room is joined."""
        membership = self._memberships.find(event.scope, event.id)
        if membership is None:
            _log.debug("an event of room %s in %s, which is not joined", event.id, event.scope)
        elif membership.state is State.JOINED:
            membership.hand_out(*event.event)
            self._memberships.drop_if_unused(membership)
        else:
            membership.hold(over, event.event)
