"""Rooms: the rooms that a client has joined. Asks the node for JOIN and LEAVE, and hands out events.

The answer to a JOIN decides: from then on the room's events are handed out, first those that came before the
answer. JOIN and LEAVE events of the node are ignored: they say nothing that the answers do not say, and may
come when they are no longer true.

After a reconnect, or a move to another node, the new connection rejoins all rooms. Its events count from the
moment it asks to; those of the previous connection count only if the new one fails. So no event is handed out
twice. Events that are emitted during a move may be lost, and `on_join` is called again.

A JOIN that was interrupted may have succeeded at the node. The room stays ABANDONED until a LEAVE is
answered, and the next `join` asks for that LEAVE first. So no `join` gets an event from before its own JOIN.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import ConnectionFailed, DeadlineExceeded, FlowThingsError
from ...green.backends.choice import detect
from ...transport.after_fork import LockOfProcess, forget_in_child
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

RECHECK_INTERVAL = 1.0
"""Seconds after which a thread that waits for its turn checks by itself, in case the thread that should have
called it was interrupted before it did."""


class Rooms:
    """The rooms of one client. The session tells it of connections and events; rooms join and leave."""

    def __init__(self) -> None:
        self._memberships = Memberships()
        self._source: PacketConnection | None = None  # whose events count
        self._rejoin: Rejoin | None = None  # while a new connection rejoins all rooms
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
        """In a forked child, start with no rooms. It does not rely on a fork hook."""
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

    def join(self, subscriber: Subscriber, collection: str, id: int, ask: Ask, deadline: float) -> None:
        """Add a subscriber to a room and notify it of JOINED. Asks the node, unless the room is joined.

        Args:
            ask: makes a request over the client's current connection.

        Raises:
            LookupError: there is no such room. And what `ask` raises.
        """

        def work(membership: Membership) -> None:
            self._leave_abandoned(membership, ask, deadline)
            try:
                self._add(membership, subscriber)
                self._ask_in(membership, subscriber, ask, deadline)
            except BaseException as error:
                was_refused = isinstance(error, things_errors.ThingsDBError)
                self._remove(subscriber, left=self._source if was_refused else None)
                self._leave_later(membership)
                raise

        self._run_exclusively(Membership(collection, id), deadline, work)

    def _add(self, membership: Membership, subscriber: Subscriber) -> None:
        with self._lock.here:
            membership.add(subscriber)
            if membership.state is State.JOINED and self._source is not None:
                membership.accept(self._source)

    def _ask_in(self, membership: Membership, subscriber: Subscriber, ask: Ask, deadline: float) -> None:
        # The room may be joined and deleted at once, because DELETED can be among the events that were held.
        while subscriber.membership is membership and subscriber.joined_over is None:
            over, answer = ask(Kind.JOIN, [membership.scope, membership.id], deadline)
            if room_ids(answer, 1)[0] is None:
                raise things_errors.LookupError(f"there is no room {membership.id} in {membership.scope}")
            with self._lock.here:
                if over is self._source:  # else a new connection replaces it, and must be asked as well
                    membership.accept(over)

    def leave(self, subscriber: Subscriber, deadline: float) -> bool:
        """Remove a subscriber and notify it of LEFT. Asks the node, if it was the last one in its room.

        Returns:
            False if the node does not know the room any more.
        """
        membership = subscriber.membership
        return membership is None or self._run_exclusively(
            membership, deadline, lambda membership: self._leave(membership, subscriber, deadline)
        )

    def _leave(self, membership: Membership, subscriber: Subscriber, deadline: float) -> bool:
        is_there = True
        over = self._source if membership.state is State.JOINED else None
        left: PacketConnection | None = None
        try:
            if over is not None:
                if membership.subscribers == (subscriber,):
                    is_there = ask_out(membership, ask_over(over), deadline)
                    left = over
                else:
                    wait_heard(over, deadline)
        except ConnectionFailed:
            left = over  # the node removes a client whose connection is closed
        finally:
            try:
                self._remove(subscriber, left, Lifecycle.LEFT)
            finally:  # again, as the first time may have been interrupted
                self._remove(subscriber, left, Lifecycle.LEFT)
                self._leave_later(membership)
        return is_there

    def abandon(self, subscriber: Subscriber) -> None:
        """Remove a subscriber at once, without waiting for the node."""
        membership = subscriber.membership
        if membership is not None:
            self._remove(subscriber)
            self._leave_later(membership)

    def _remove(
        self, subscriber: Subscriber, left: PacketConnection | None = None, change: Lifecycle | None = None
    ) -> None:
        """Remove a subscriber and notify it of a change. Doing it again changes nothing.

        Args:
            left: the connection whose node has confirmed that this client is out of the room.
            change: None to notify of nothing.
        """
        with self._lock.here:
            membership = subscriber.membership
            if membership is not None:
                if change is not None:
                    subscriber.dispatcher.notify(change)
                may_be_in = self._rejoin is not None or self._source not in (None, left)
                membership.remove(subscriber, may_be_in=may_be_in)
                self._memberships.drop_if_unused(membership)

    def _leave_later(self, membership: Membership) -> None:
        """If a room was abandoned, leave it, in another thread."""
        if membership.state is State.ABANDONED:
            with suppress(RuntimeError):  # the system gives no thread: the next `join` leaves it first
                detect().spawn(self._leave_quietly, membership)

    def _leave_quietly(self, membership: Membership) -> None:
        deadline, over = time.monotonic() + LEAVE_TIMEOUT, self._source
        if over is not None:
            with suppress(FlowThingsError):
                self._run_exclusively(
                    membership, deadline, lambda found: self._leave_abandoned(found, ask_over(over), deadline)
                )

    def _leave_abandoned(self, membership: Membership, ask: Ask, deadline: float) -> None:
        """If a room was abandoned, ask for LEAVE and wait. Events that come before the answer are dropped."""
        if membership.state is State.ABANDONED:
            with suppress(things_errors.LookupError):
                ask_out(membership, ask, deadline)
            with self._lock.here:
                if membership.state is State.ABANDONED:
                    membership.change(State.OUT)

    # Mutual exclusion

    def _run_exclusively(self, wanted: Membership, deadline: float, work: Callable[[Membership], T]) -> T:
        """Call `work(membership)` for the membership of that room, in one thread at a time."""
        ticket = Ticket()
        try:
            result = work(self._acquire(ticket, wanted, deadline))
        finally:
            try:
                self._release(ticket)
            finally:  # again, as the first time may have been interrupted
                self._release(ticket)
        return result

    def _acquire(self, ticket: Ticket, wanted: Membership, deadline: float) -> Membership:
        with self._lock.here:
            ticket.membership = membership = self._memberships.get_or_add(wanted)
            membership.tickets.append(ticket)
        while membership.tickets[0] is not ticket:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(
                    f"room {membership.id} in {membership.scope}: others were busy with it for too long"
                )
            ticket.called.wait(min(left, RECHECK_INTERVAL))
        return membership

    def _release(self, ticket: Ticket) -> None:
        """Give the turn to the next thread. Doing it again changes nothing."""
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
        """The connection is lost."""
        with self._lock.here:
            if self._source is not None and self._source.closed:
                self._source = None
                self._memberships.lose()

    def begin_rejoin(self, connection: PacketConnection) -> Rejoin:
        """A new connection is about to rejoin all rooms. Call `finish_rejoin` or `cancel_rejoin` next.

        Until then no connection is the source: events of both are kept, because it is not known which count.
        """
        self.check_process()
        with self._lock.here:
            self._rejoin = Rejoin(connection, self._source, self._memberships.to_rejoin())
            self._source = None
            return self._rejoin

    def finish_rejoin(self, rejoin: Rejoin) -> None:
        """The new connection is used from now on."""
        with self._lock.here:
            if self._rejoin is rejoin:
                self._rejoin = None
                self._memberships.drop_held()
                self._memberships.end(rejoin.forbidden, Lifecycle.LEFT)
                self._memberships.end(rejoin.deleted, Lifecycle.DELETED)
                self._memberships.accept(rejoin.accepted, rejoin.connection)
                self._count(rejoin.connection, rejoin)
        self._leave_all_later()

    def cancel_rejoin(self, rejoin: Rejoin) -> None:
        """The new connection failed. The previous one counts again, if it is still open."""
        with self._lock.here:
            if self._rejoin is rejoin:
                self._rejoin = None
                if rejoin.before is None or rejoin.before.closed:
                    self._memberships.lose()
                else:
                    self._count(rejoin.before, rejoin)
        self._leave_all_later()

    def _count(self, over: PacketConnection, rejoin: Rejoin) -> None:
        """The events of this connection count, also those that came during the rejoin."""
        for connection, event in rejoin.events:
            if connection is over:
                self._deliver(event)
        self._source = over  # last: from here on events are handed out without the lock

    def _leave_all_later(self) -> None:
        """Leave the rooms that were abandoned during a rejoin, when there was no connection to ask."""
        for membership in list(self._memberships.values()):
            self._leave_later(membership)

    # Events

    def deliver(self, over: PacketConnection, kind: int, data: Mapping[str, Any]) -> None:
        """Hand out an event of a room. Called by one thread at a time; never waits."""
        scope, id = data.get("scope"), data["id"]
        if kind == _EMIT:
            event: QueuedEvent = (data["event"], data["args"])
            membership = self._memberships.get((scope, id))  # type: ignore[arg-type]
            # In this order: if the room is joined over another connection, that one is the source by now.
            if membership is not None and membership.state is State.JOINED and over is self._source:
                membership.hand_out(*event)
                return
        else:
            event = (Lifecycle.DELETED, ())
        with self._lock.here:
            if self._rejoin is not None:
                self._rejoin.events.append((over, RoomEvent(scope, id, event)))
            elif over is self._source:
                self._deliver(RoomEvent(scope, id, event))

    def _deliver(self, event: RoomEvent) -> None:
        """Hand out an event, or keep it until the answer to JOIN has come."""
        membership = self._memberships.find(event.scope, event.id)
        if membership is None:
            _log.debug("an event of room %s in %s, which is not joined", event.id, event.scope)
        elif membership.state is State.JOINED:
            membership.hand_out(*event.event)
            self._memberships.drop_if_unused(membership)
        else:
            membership.hold(event.event)
