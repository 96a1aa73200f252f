"""After any sequence of joins, leaves, losses and moves, each member gets each event exactly once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.services.things.events import Lifecycle
from flowthings_like.services.things.joined_rooms import Rooms
from flowthings_like.services.things.membership import Subscriber
from flowthings_like.wire.things.packages import Kind, Package
from flowthings_like.wire.things.values import pack, unpack

from .support import STUFF

IDS = (7, 8)
OBJECTS = 4


class Connection:
    """A connection, with what the node knows of it."""

    def __init__(self, there: set[int]) -> None:
        self.there = there
        self.closed = False
        self.joined: set[int] = set()
        self.asked = 0
        self.on_its_way: Callable[[], None] = lambda: None

    def ask(self, kind: int, ids: list[int], there: set[int]) -> list[int | None]:
        self.asked += 1
        found = [id if id in there else None for id in ids]
        for id in found:
            if id is not None:
                (self.joined.add if kind == Kind.JOIN else self.joined.discard)(id)
        return found

    def call(self, kind: int, body: bytes, deadline: float) -> Package:
        _, *ids = unpack(body)
        return Package(Kind.DATA, 0, pack(self.ask(kind, ids, self.there)))

    def wait_heard(self, timeout: float) -> bool:
        self.on_its_way()
        return True


class Object:
    """A Room and its dispatcher, as Rooms sees them."""

    def __init__(self, id: int) -> None:
        self.id = id
        self.inside = False
        self.heard: list[Any] = []
        self.expected: list[Any] = []
        self.subscriber: Any = None
        self.room = self
        self._collection = "stuff"

    def deliver(self, event: str, args: Any) -> None:
        self.heard.append(args[0])

    def notify(self, change: Lifecycle) -> None:
        self.heard.append(change)


class World:
    """A client's rooms, its connection, and a node. Nothing takes time."""

    def __init__(self) -> None:
        self.rooms: Any = Rooms()
        self.there = set(IDS)
        self.objects = [Object(IDS[number % len(IDS)]) for number in range(OBJECTS)]
        self.emitted = 0
        self.connection: Connection | None = None
        self.old: list[Connection] = []
        self.connect(True)

    def connect(self, succeeds: bool) -> None:
        """Make a new connection in place of the present one, with its handshake."""
        fresh = Connection(self.there)
        rejoin = self.rooms.begin_rejoin(fresh)
        answers = [
            Package(Kind.DATA, 0, pack(fresh.ask(Kind.JOIN, ids, self.there)))
            for _, *ids in rejoin.requests()
        ]
        if self.connection is not None:  # counts if the old connection is kept
            self.emitted += 1
            self.hear(self.connection, 7, self.emitted)
        if not succeeds:
            self.rooms.cancel_rejoin(rejoin)
            if self.connection is not None and 7 in self.connection.joined:
                self.expect(7, self.emitted)
            return
        rejoin.take_in(answers, math.inf)
        self.rooms.finish_rejoin(rejoin)
        if self.connection is not None:
            self.old.append(self.connection)
        self.connection = fresh
        for each in self.objects:
            if each.inside:
                each.expected.append(Lifecycle.JOINED)

    def cut(self, which: int) -> None:
        if self.connection is not None:
            self.connection.closed = True
            self.connection = None
            self.rooms.lost()

    def join(self, which: int) -> None:
        each = self.objects[which]
        if each.inside or self.connection is None:
            return

        early: list[int] = []

        def ask(kind: int, content: list[Any], deadline: float) -> Any:
            assert self.connection is not None
            answer = self.connection.ask(kind, content[1:], self.there)
            if answer != [None]:  # an emit that overtakes it
                self.emitted += 1
                early.append(self.emitted)
                self.hear(self.connection, each.id, self.emitted)
            return self.connection, answer

        asked = self.connection.asked
        alone = not any(other.inside and other.id == each.id for other in self.objects)
        try:
            each.subscriber = Subscriber(each)  # type: ignore[arg-type]
            self.rooms.join(each.subscriber, "stuff", each.id, ask, math.inf)
        except LookupError:
            assert each.id not in self.there
            return
        assert self.connection.asked - asked == alone
        each.inside = True
        each.expected += [Lifecycle.JOINED, *early]

    def leave(self, which: int) -> None:
        each = self.objects[which]
        if not each.inside:
            return
        if self.connection is not None:  # an emit that has come, and waits to be handed out
            self.emitted += 1
            event = self.event(each.id, self.emitted)
            self.connection.on_its_way = lambda: self.rooms.deliver(self.connection, Kind.ROOM_EMIT, event)
            self.expect(each.id, self.emitted)

        assert self.rooms.leave(each.subscriber, math.inf)
        each.inside = False
        each.expected.append(Lifecycle.LEFT)

    def emit(self, which: int) -> None:
        id = self.objects[which].id
        self.emitted += 1
        for old in self.old:  # connections that were replaced live on until their calls are done
            self.hear(old, id, self.emitted)
        if self.connection is not None and id in self.connection.joined:
            self.hear(self.connection, id, self.emitted)
            self.expect(id, self.emitted)

    def delete(self, which: int) -> None:
        id = self.objects[which].id
        if id not in self.there or self.connection is None:
            return
        self.there.discard(id)
        if id in self.connection.joined:
            self.connection.joined.discard(id)
            self.rooms.deliver(self.connection, Kind.ROOM_DELETE, {"scope": STUFF, "id": id})
        for each in self.objects:
            if each.inside and each.id == id:
                each.inside = False
                each.expected.append(Lifecycle.DELETED)

    def hear(self, over: Connection, id: int, what: Any) -> None:
        if id in over.joined:
            self.rooms.deliver(over, Kind.ROOM_EMIT, self.event(id, what))

    def expect(self, id: int, what: Any) -> None:
        """Each member of a room is to receive this next."""
        for each in self.objects:
            if each.inside and each.id == id:
                each.expected.append(what)

    @staticmethod
    def event(id: int, what: Any) -> dict[str, Any]:
        return {"scope": STUFF, "id": id, "event": "msg", "args": [what]}


STEPS = st.one_of(
    st.tuples(
        st.sampled_from(["join", "leave", "emit", "emit", "cut", "delete"]), st.integers(0, OBJECTS - 1)
    ),
    st.tuples(st.just("connect"), st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_each_member_gets_each_event_exactly_once(steps: list[tuple[str, int]]) -> None:
    world = World()
    for name, argument in steps:
        getattr(world, name)(argument)
        for each in world.objects:
            assert each.heard == each.expected
        assert set(world.rooms.joined()) == {each for each in world.objects if each.inside}
        if world.connection is not None:
            assert world.connection.joined == {each.id for each in world.objects if each.inside}
    for number in range(OBJECTS):
        world.leave(number)
    assert world.rooms._memberships == {}
