"""Which rooms a client has joined, over which connection, and who hears what comes in.

A node's answer to a JOIN is what counts: from then on its emits are handed out, those that overtook it first.
Its JOIN and LEAVE events say nothing that the answers do not, and can come too late to be true, so they are
passed over.

When a connection is lost, or the client moves to another node, the next connection joins all rooms anew. Its
events count from the moment it asks to; those of the connection before it wait, and count only if the new
one comes to nothing. So no event is heard twice, and one that is emitted during a move is not heard at all:
`on_join`, which is called again, is where to find out.
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
from ...wire.things.packages import Kind, pack
from ...wire.things.scopes import cnscope
from .membership import Membership, Moment, Turn, collection_scope, in_its_scope, room_ids
from .rejoining import Event, Rejoining

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from .room import Room

    Ask = Callable[..., tuple[PacketConnection, Any]]

__all__ = ["Rooms"]

T = TypeVar("T")

_log = logging.getLogger("flowthings_like")
_EMIT = int(Kind.ROOM_EMIT)
_TIDY_WITHIN = 10.0  # seconds

RECHECK = 1.0
"""Seconds after which one who waits for a turn looks for himself, in case whoever should have woken him was
interrupted just then."""


class Rooms:
    """The rooms of one client, which tells it of connections and events; rooms ask it in and out."""

    def __init__(self) -> None:
        self._memberships: dict[tuple[str, int], Membership] = {}
        self._scopes: set[str] = set()  # every scope in which a room was ever joined
        self._source: PacketConnection | None = None  # whose events count
        self._rejoining: Rejoining | None = None  # while a new one joins all rooms anew
        self._lock = LockOfProcess()  # held for moments only, in which no green thread gives way
        self._pid = os.getpid()
        forget_in_child(self)

    def joined(self) -> tuple[Room, ...]:
        """The objects that have joined a room."""
        self.check_process()
        with self._lock.here:
            return self._all_rooms()

    def _all_rooms(self) -> tuple[Room, ...]:
        return tuple(room for membership in self._memberships.values() for room in membership.rooms)

    def check_process(self) -> None:
        """In a forked child begin with no rooms, whether or not a hook was run."""
        if self._pid != os.getpid():
            self.forget()

    def forget(self) -> None:
        """In a forked child: whoever has joined a room is in the parent."""
        with self._lock.here:
            if self._pid == os.getpid():
                return
            self._forget_rooms()
            self._memberships = {}
            self._source = self._rejoining = None
            self._pid = os.getpid()

    def _forget_rooms(self) -> None:
        for room in self._all_rooms():
            room._forget()

    def end(self) -> None:
        """The client was closed."""
        self.check_process()
        with self._lock.here:
            self._source = self._rejoining = None
            self._empty_all(list(self._memberships.values()), Moment.ENDED)

    # In and out

    def enter(self, room: Room, collection: str, id: int, ask: Ask, deadline: float) -> None:
        """Join a room with one object, which hears of it by JOINED; the node is asked unless it was before.

        Args:
            ask: makes a request, `(kind, content, deadline)`, and returns the connection that answered it,
                and the answer.

        Raises:
            LookupError: there is no such room. And what `ask` raises.
        """
        self._in_turn(
            collection, id, deadline, lambda membership: self._enter(membership, room, ask, deadline)
        )

    def _enter(self, membership: Membership, room: Room, ask: Ask, deadline: float) -> None:
        self._leave_stray(membership, deadline)
        membership.stray = None
        with self._lock.here:
            membership.rooms = (*membership.rooms, room)
            room._membership, room._over = membership, None
            self._scopes.add(membership.scope)
        try:
            self._ask_in(membership, room, ask, deadline)
        except BaseException as error:
            self._detach(room)
            if not isinstance(error, things_errors.ThingsDBError):
                self._tidy(membership)
            raise

    def _ask_in(self, membership: Membership, room: Room, ask: Ask, deadline: float) -> None:
        # It may be settled and over at once: an event that was held can be that of its deletion.
        while room._membership is membership and not self._is_settled(membership):
            over, answer = ask(Kind.JOIN, [membership.scope, membership.id], deadline)
            if room_ids(answer, 1)[0] is None:
                raise things_errors.LookupError(f"there is no room {membership.id} in {membership.scope}")
            with self._lock.here:
                if over is self._source:  # else another one takes over, and must be asked too
                    self._settle(membership, over)

    def abandon(self, room: Room) -> None:
        """Have an object out of its room at once, without waiting for the node."""
        membership = room._membership
        if self._detach(room) is not None and membership is not None:
            self._tidy(membership)

    def leave(self, room: Room, ask: Callable[..., Any], deadline: float) -> bool:
        """Leave a room with one object, which hears of it by LEFT; the node is told when it was the last.

        Args:
            ask: makes a request over a given connection: `(connection, kind, content, deadline)`.

        Returns:
            False if the node does not know the room any more.
        """
        membership = room._membership
        if membership is None:
            return True
        return self._in_turn(
            membership.collection,
            membership.id,
            deadline,
            lambda found: self._leave(found, room, ask, deadline),
        )

    def _leave(self, membership: Membership, room: Room, ask: Callable[..., Any], deadline: float) -> bool:
        over = membership.over if membership.over is self._source else None
        known = True
        left: PacketConnection | None = None
        try:
            if over is not None:
                known = self._ask_out(membership, over, ask, deadline)
            left = over
        except ConnectionFailed:
            left = over  # a node forgets who hangs up
        finally:
            self._take_out_one(membership, room, left)
        return known

    @staticmethod
    def _ask_out(
        membership: Membership, over: PacketConnection, ask: Callable[..., Any], deadline: float
    ) -> bool:
        """Tell the node, if one object only is left, and wait until all is heard that came before."""
        known = True
        if len(membership.rooms) == 1:
            answer = in_its_scope(
                membership, lambda scope: ask(over, Kind.LEAVE, [scope, membership.id], deadline)
            )
            known = room_ids(answer, 1)[0] is not None
        over.wait_heard(min(_TIDY_WITHIN, max(0.0, deadline - time.monotonic())))
        return known

    def _take_out_one(self, membership: Membership, room: Room, left: PacketConnection | None) -> None:
        """An object is out of its room, which was left over this connection if it was the last one. None: it
        is not known whether the node was told."""
        if room._membership is None:  # the room was deleted meanwhile
            return
        try:
            still_in = self._detach(room)
        except BaseException:
            self._detach(room)
            raise
        finally:
            if room._membership is None:
                room._receive(Moment.LEFT, ())
        if still_in is not None and still_in is not left:  # joined anew meanwhile, or interrupted
            self._tidy(membership)

    def _detach(self, room: Room) -> PacketConnection | None:
        """Have an object hear nothing more. The connection over which its room is now to be left, if any."""
        with self._lock.here:
            membership = room._membership
            if membership is None:
                return None
            others = _without(membership.rooms, room)
            over = membership.over if membership.over is self._source and not others else None
            if not others:
                membership.over, membership.held = None, []
            membership.rooms = others
            room._membership = None  # last: until then all of this can be done again
            return over

    def _tidy(self, membership: Membership) -> None:
        """Somebody gave a room up: tell the node, if nobody else is in it."""
        with self._lock.here:
            over = self._source
            if over is None:
                return
            if not membership.rooms:
                self._memberships.setdefault(membership.key, membership).stray = over
        with suppress(RuntimeError):  # no thread to be had: what the node goes on to tell is passed over
            detect().spawn(self._leave_quietly, membership.collection, membership.id)

    def _leave_quietly(self, collection: str, id: int) -> None:
        deadline = time.monotonic() + _TIDY_WITHIN

        def leave(membership: Membership) -> None:
            try:
                self._leave_stray(membership, deadline)
            finally:
                membership.stray = None  # tried once: a node that does not answer is not asked for ever

        with suppress(FlowThingsError):
            self._in_turn(collection, id, deadline, leave)

    def _leave_stray(self, membership: Membership, deadline: float) -> None:
        """Leave a room that was given up, and wait until all is heard that came before.

        Whoever joins the room next would hear that too: an event that comes before the answer to a JOIN
        counts as one that has overtaken it.
        """
        over = membership.stray
        if over is not None and over is self._source and not membership.rooms:
            with suppress(ConnectionFailed):  # a node forgets who hangs up
                over.call(Kind.LEAVE, pack([membership.scope, membership.id]), deadline)
                over.wait_heard(min(_TIDY_WITHIN, max(0.0, deadline - time.monotonic())))

    def _in_turn(self, collection: str, id: int, deadline: float, work: Callable[[Membership], T]) -> T:
        """`work(membership)` for a room, in one thread at a time."""
        turn = Turn()
        try:
            result = work(self._wait_turn(turn, collection, id, deadline))
        finally:
            try:
                self._end_turn(turn)
            finally:  # again, as the first time may have been interrupted
                self._end_turn(turn)
        return result

    def _wait_turn(self, turn: Turn, collection: str, id: int, deadline: float) -> Membership:
        """Wait until a turn at a room has come, for one thread at a time to join or leave with; the room."""
        made = Membership(collection, id)
        with self._lock.here:
            turn.membership = membership = self._memberships.setdefault(made.key, made)
            membership.turns.append(turn)
        while membership.turns[0] is not turn:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(
                    f"room {id} in {membership.scope}: others were busy with it for too long"
                )
            turn.latch.wait(min(left, RECHECK))
        return membership

    def _end_turn(self, turn: Turn) -> None:
        """Let the next one have his turn. May be done again."""
        membership = turn.membership
        if membership is None:
            return
        with self._lock.here:
            if turn in membership.turns:
                membership.turns.remove(turn)
            if membership.turns:
                membership.turns[0].latch.set()
            elif (
                not (membership.rooms or membership.stray)
                and self._memberships.get(membership.key) is membership
            ):
                del self._memberships[membership.key]

    def _is_settled(self, membership: Membership) -> bool:
        """Whether the room is joined over the present connection; if so, all its objects know."""
        with self._lock.here:
            if membership.over is None or membership.over is not self._source:
                return False
            self._settle(membership, membership.over)
            return True

    def settle(self, memberships: list[Membership], over: PacketConnection) -> None:
        """These are joined over a connection."""
        with self._lock.here:
            self._settle_all(memberships, over)
        for membership in memberships:
            if not membership.rooms:  # left while they were being joined
                self._tidy(membership)

    def take_out(self, memberships: list[Membership], moment: Moment) -> None:
        """All objects are out of these rooms: left, or deleted."""
        with self._lock.here:
            self._empty_all(memberships, moment)

    def _settle_all(self, memberships: list[Membership], over: PacketConnection) -> None:
        for membership in memberships:
            self._settle(membership, over)

    def _settle(self, membership: Membership, over: PacketConnection) -> None:
        """The room is joined: say so to those who do not know yet, then hand out what came too early."""
        for room in membership.rooms:
            if room._over is not over:
                room._over = over
                room._receive(Moment.JOINED, ())
        held, membership.held = membership.held, []
        for origin, what, args in held:
            if origin is over:
                self._hand_out(membership, what, args)
        if membership.rooms:
            membership.over = over  # last: from here on events pass by the lock

    # Connections

    def begin(self, over: PacketConnection) -> Rejoining:
        """A new connection is about to join all rooms anew: from now on its events count."""
        self.check_process()
        with self._lock.here:
            before, self._source = self._source, over
            self._rejoining = Rejoining(self, over, before, self._joined_by_scope())
            return self._rejoining

    def _joined_by_scope(self) -> dict[str, list[Membership]]:
        by_scope: dict[str, list[Membership]] = {}
        for membership in self._memberships.values():
            if membership.rooms and membership.over is not None:
                by_scope.setdefault(membership.scope, []).append(membership)
        return by_scope

    def end_rejoining(self) -> None:
        """All rooms are joined over the new connection: what came over the one before meanwhile is lost."""
        with self._lock.here:
            self._rejoining = None

    def go_back(self, rejoining: Rejoining) -> None:
        """The new connection came to nothing: the one before it, if it is still there, counts again, and so
        does what came over it meanwhile."""
        with self._lock.here:
            if self._rejoining is rejoining:
                self._rejoining = None
                self._hand_on_all(rejoining.before, rejoining.meanwhile)
                self._source = rejoining.before  # last: from here on events pass by the lock

    def lost(self) -> None:
        """The connection broke."""
        with self._lock.here:
            if self._source is not None and self._source.closed:
                self._source = None

    # Events

    def deliver(self, over: PacketConnection, kind: int, data: Mapping[str, Any]) -> None:
        """Hand out an event of a room. Called by the connection's reader, one at a time; never waits."""
        scope, id = data.get("scope"), data["id"]
        if kind != _EMIT:
            event: Event = (scope, id, Moment.DELETED, ())
        else:
            event = (scope, id, data["event"], data["args"])
            membership = self._memberships.get((scope, id))  # type: ignore[arg-type]
            if membership is not None and membership.over is over is self._source:
                self._hand_out(membership, event[2], event[3])
                return
        with self._lock.here:
            rejoining = self._rejoining
            if over is self._source:
                self._hand_on(over, event)
            elif rejoining is not None and over is rejoining.before:
                rejoining.meanwhile.append(event)

    def _hand_on_all(self, over: PacketConnection | None, events: list[Event]) -> None:
        if over is not None:
            for event in events:
                self._hand_on(over, event)

    def _hand_on(self, over: PacketConnection, event: Event) -> None:
        """Hand out an event of a connection that counts, or keep it until its room is joined."""
        scope, id, what, args = event
        membership = self._memberships.get((scope, id))  # type: ignore[arg-type]
        if membership is None:
            membership = self._find(scope, id)
        if membership is None:
            _log.debug("an event of room %s in %s, which is not joined", id, scope)
        elif membership.over is over:
            self._hand_out(membership, what, args)
        elif membership.rooms:
            membership.held.append((over, what, args))

    def _hand_out(self, membership: Membership, what: Any, args: Any) -> None:
        if what is Moment.DELETED:
            self._empty(membership, Moment.DELETED)
        else:
            for room in membership.rooms:
                room._receive(what, args)

    def _empty_all(self, memberships: list[Membership], moment: Moment) -> None:
        for membership in memberships:
            self._empty(membership, moment)

    def _empty(self, membership: Membership, moment: Moment) -> None:
        """All objects are out of the room."""
        rooms, membership.rooms, membership.over = membership.rooms, (), None
        for room in rooms:
            room._membership = None
            room._receive(moment, ())
        if not membership.turns:
            self._memberships.pop(membership.key, None)

    def _find(self, scope: str | None, id: int) -> Membership | None:
        """The room that is meant by a scope in which none is joined.

        A node before 1.8.6 names no scope; then, and when a collection was renamed, the id may be enough.
        """
        alike = [membership for membership in self._memberships.values() if membership.id == id]
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
        found = [each for each in self._memberships.values() if each.collection == former]
        for membership in found:
            del self._memberships[membership.key]
            membership.collection, membership.former = collection, former
            self._memberships[membership.key] = membership
            for room in membership.rooms:
                room._collection = collection
        self._scopes.discard(collection_scope(former))
        self._scopes.add(collection_scope(collection))


def _without(rooms: tuple[Room, ...], room: Room) -> tuple[Room, ...]:
    return tuple(other for other in rooms if other is not room)
