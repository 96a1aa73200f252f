"""Rooms of the embedded node: which events are handed out, in which order, and what handlers may do."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from flowthings_like import API, Client, DeadlineExceeded, InvalidInput, Room, event
from flowthings_like.green.backends.choice import detect
from flowthings_like.services.things import events as room_events
from flowthings_like.services.things import handlers
from flowthings_like.services.things.room import EventsLost, NotJoined
from flowthings_like.wire.things import errors as things_errors

from .support import STUFF, Heard

ROOM = ".has('room') || .room = room(); .room.id();"


@pytest.fixture
def room(things: Client) -> Heard:
    """A room that is joined."""
    found = Heard(ROOM)
    found.join(things, wait=20)
    return found


# Handlers


def test_hooks_and_handlers_are_called_in_order(room: Heard, things: Client) -> None:
    for number in range(200):
        room.emit("msg", number)
    room.emit("other", 1, 2)
    room.leave()
    room.expect("init", "join", *range(200), ("other", 1, 2), "leave")


def test_handlers_are_inherited_and_overridden(things: Client) -> None:
    class Base(Heard):
        @event("one")
        @event("uno")
        def on_one(self) -> None:
            self.heard.append("base")

        @event("two")
        def on_two(self) -> None:
            self.heard.append("base")

    class Derived(Base):
        def on_one(self) -> None:
            self.heard.append("derived")

        @event("two")
        def on_second(self) -> None:
            self.heard.append("second")

    room = Derived(ROOM)
    room.join(things)
    for name in ("one", "uno", "two", "msg"):
        room.emit(name)
    room.expect("init", "join", "derived", "derived", "second", ())


def test_coroutine_functions_are_refused_where_they_are_written() -> None:
    with pytest.raises(InvalidInput, match="without await"):

        class Handler(Room):
            @event("msg")
            async def on_msg(self) -> None: ...

    with pytest.raises(InvalidInput, match="on_join is a coroutine function"):

        class Hook(Room):
            async def on_join(self) -> None: ...  # type: ignore[override]

    with pytest.raises(InvalidInput, match="parentheses"):

        class Bare(Room):
            @event  # type: ignore[arg-type]
            def on_msg(self) -> None: ...


def test_a_handler_that_fails_is_logged_and_the_next_one_runs(
    things: Client, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Heard):
        @event("bad")
        def on_bad(self, error: str) -> None:
            raise (GeneratorExit if error == "base" else ValueError)(error)

    room = Failing(ROOM)
    room.join(things)
    with caplog.at_level(logging.ERROR, "flowthings_like"):
        for name, arg in (("bad", "oh"), ("bad", "base"), ("msg", "fine")):
            room.emit(name, arg)
        room.expect("init", "join", "fine")
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ValueError, GeneratorExit]
    assert f"{room!r}: the handler of bad failed" in caplog.text


def test_a_slow_handler_delays_its_own_room_only(things: Client) -> None:
    going = detect().event()

    class Slow(Heard):
        def on_msg(self, *args: Any) -> None:
            going.wait(20)
            super().on_msg(*args)

    slow, quick = Slow(ROOM), Heard(ROOM)
    slow.join(things)
    quick.join(things)
    for number in range(3):
        quick.emit("msg", number)
    quick.expect("init", "join", 0, 1, 2)
    assert slow.heard == ["init", "join"]
    going.set()
    slow.expect("init", "join", 0, 1, 2)


def test_events_that_are_too_many_are_dropped_and_on_join_is_called(
    things: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (room_events, handlers):
        monkeypatch.setattr(module, "MAX_WAITING", 3)
    busy, going = detect().event(), detect().event()

    class Slow(Heard):
        def on_msg(self, *args: Any) -> None:
            busy.set()
            going.wait(20)
            super().on_msg(*args)

    room, quick = Slow(ROOM), Heard(ROOM)
    room.join(things)
    quick.join(things)
    heard = room.events(timeout=20)
    room.emit("msg", 0)
    assert busy.wait(20)
    for number in range(1, 9):
        room.emit("msg", number)
        quick.expect("init", "join", *range(number + 1))  # so it has come to both
    going.set()
    room.expect("init", "join", 0, 1, 2, 3, "join")
    assert "3 events wait" in caplog.text
    assert [next(heard) for _ in range(3)] == [("msg", [number]) for number in range(3)]
    with pytest.raises(EventsLost, match="3 events"):
        next(heard)
    room.emit("msg", "and so on")
    assert next(heard) == ("msg", ["and so on"])
    room.expect("init", "join", 0, 1, 2, 3, "join", "and so on")


def test_rooms_may_be_joined_and_left_by_handlers(things: Client) -> None:
    inner = Heard(".other = room(); .other.id();")

    class Outer(Heard):
        def on_join(self) -> None:
            inner.join(self.client)
            super().on_join()

        def on_msg(self, *args: Any) -> None:
            self.leave()
            super().on_msg(*args)

        def on_leave(self) -> None:
            super().on_leave()
            if self.heard.count("leave") == 1:
                self.join(self.client)
                self.heard.append("done leaving")

    outer = Outer(ROOM)
    outer.join(things, wait=20)
    assert inner.heard == ["init", "join"]
    outer.emit("msg", "go")
    outer.expect("init", "join", "go", "leave", "init", "done leaving", "join")
    assert set(things.get_rooms()) == {inner, outer}


def test_join_raises_what_on_join_raises(things: Client) -> None:
    class Failing(Heard):
        def on_join(self) -> None:
            raise KeyError("no")

    room = Failing(ROOM)
    with pytest.raises(KeyError, match="no"):
        room.join(things)
    room.emit("msg", 1)
    room.expect("init", 1)


def test_nothing_is_joined_if_on_init_raises(things: Client, other: Client) -> None:
    class Failing(Heard):
        fails = True

        def on_init(self) -> None:
            super().on_init()
            if self.fails:
                raise KeyError("no")

    room = Failing(ROOM)
    with pytest.raises(KeyError, match="no"):
        room.join(things)
    assert things.get_rooms() == ()
    there = Heard(ROOM)
    there.no_join(other)
    there.emit("msg", 1)
    room.fails = False
    room.join(things)
    there.emit("msg", 2)
    room.expect("init", "init", "join", 2)


def test_not_waiting_for_on_join(things: Client) -> None:
    going = detect().event()

    class Slow(Heard):
        def on_join(self) -> None:
            going.wait(20)
            super().on_join()

    room = Slow(ROOM)
    room.join(things, wait=0)
    assert room.heard == ["init"]
    late = Slow(ROOM)
    with pytest.raises(DeadlineExceeded, match="is joined, but its on_join"):
        late.join(things, wait=2)
    assert late in things.get_rooms()
    going.set()
    room.expect("init", "join")
    late.expect("init", "join")


# Rooms and clients


def test_two_clients(room: Heard, other: Client) -> None:
    there = Heard(ROOM)
    there.join(other)
    room.emit("msg", "to all")
    room.emit("msg", "to others", peers_only=True)
    there.emit("msg", "back", peers_only=True)
    room.expect("init", "join", "to all", "back")
    there.expect("init", "join", "to all", "to others")


def test_joining_again_changes_nothing(room: Heard, things: Client, other: Client) -> None:
    began = time.monotonic()
    room.join(things)
    assert time.monotonic() - began < 20
    with pytest.raises(NotJoined, match="another client"):
        room.join(other)
    assert room.heard == ["init", "join"]


def test_leaving_and_coming_back(room: Heard, things: Client) -> None:
    room.leave()
    with pytest.raises(NotJoined):
        room.leave()
    room.expect("init", "join", "leave")
    room.emit("msg", "into the void")
    room.join(things)
    room.emit("msg", "heard")
    room.expect("init", "join", "leave", "init", "join", "heard")


def test_before_anything_is_joined() -> None:
    room = Room(7)
    assert (room.id, room.scope) == (7, None)
    for call in (lambda: room.client, lambda: room.emit("msg"), room.leave):
        with pytest.raises(RuntimeError, match="join"):
            call()


def test_a_deleted_room(room: Heard, things: Client) -> None:
    twin = Heard(room.id or 0)
    twin.join(things)
    things.query(".del('room');")
    room.expect("init", "join", "delete")
    twin.expect("init", "join", "delete")
    assert things.get_rooms() == ()
    with pytest.raises(LookupError):
        room.emit("msg")
    with pytest.raises(LookupError, match="no room"):
        Room(room.id or 0).join(things)


def test_a_deleted_collection(room: Heard, things: Client) -> None:
    things.del_collection("stuff")
    room.expect("init", "join", "delete")


def test_a_renamed_collection(room: Heard, things: Client) -> None:
    twin = Heard(".twin = room(); .twin.id();")
    twin.join(things)
    things.rename_collection("stuff", "things")
    things.query(".room.emit('msg', 'still here');", scope="//things")
    room.expect("init", "join", "still here")
    assert room.scope == twin.scope == "@collection:things"
    room.emit("msg", "and speaking")
    twin.emit("msg", "me too")
    twin.expect("init", "join", "me too")
    room.leave()
    room.expect("init", "join", "still here", "and speaking", "leave")
    assert things.get_rooms() == (twin,)


def test_by_name_by_id_and_by_code(things: Client) -> None:
    id = things.query(".room = room(); .room.set_name('hall'); .room.id();")
    for named in ("hall", id, "room('hall').id();"):
        room = Room(named, "@:stuff")
        room.no_join(things)
        assert (room.id, room.scope) == (id, STUFF)
    with pytest.raises(LookupError):
        Room("cellar").join(things)
    with pytest.raises(TypeError, match="returned str"):
        Room("'text';").join(things)
    with pytest.raises(TypeError, match="no room's id"):
        Room(id + 99).no_join(things)


def test_scopes(things: Client) -> None:
    for scope in ("@t", "/n", "stuff", "//"):
        with pytest.raises(ValueError, match="scope"):
            Room(7, scope)
    things.set_default_scope("@t")
    with pytest.raises(ValueError, match=r"write Room\(…, scope="):
        Room(7).join(things)
    with pytest.raises(LookupError):
        Room(7, "//nowhere").join(things)


@pytest.mark.parametrize("room", [None, True, -1, 1.5, "", b"x"])
def test_invalid_rooms(room: Any) -> None:
    with pytest.raises(InvalidInput):
        Room(room)


def test_a_room_is_joined_with_a_client_only() -> None:
    with pytest.raises(InvalidInput, match="Client"):
        Room(7, "//stuff").join("localhost")  # type: ignore[arg-type]


def test_a_room_may_be_joined_with_a_view_of_a_client(api: API) -> None:
    for shown in (api.lazy(), api.async_()):
        room = Heard(ROOM)
        room.join(shown.things)
        assert room.client is api.things
        room.join(api.things)  # is no other client
        assert type(room.id) is int
        room.leave()


# Looping


def test_events_to_loop_over(room: Heard) -> None:
    heard = room.events()
    with_deadline = room.events(timeout=0.1)
    for number in range(3):
        room.emit("msg", number)
    assert [next(heard) for _ in range(3)] == [("msg", [number]) for number in range(3)]
    with pytest.raises(DeadlineExceeded):
        for _ in with_deadline:
            pass
    room.emit("msg", "last")
    room.leave()
    assert list(heard) == [("msg", ["last"])]
    assert list(heard) == []
    room.expect("init", "join", 0, 1, 2, "last", "leave")


def test_a_loop_ends_with_the_room_and_with_the_client(room: Heard, things: Client) -> None:
    second = Heard(".second = room(); .second.id();")
    second.join(things)
    backend = detect()
    first_loop = backend.spawn(list, room.events(timeout=20))
    second_loop = backend.spawn(list, second.events(timeout=20))
    things.query(".del('room');")
    assert backend.get(first_loop, 20) == []
    things.close()
    assert backend.get(second_loop, 20) == []
    assert things.get_rooms() == ()
    assert second.heard == ["init", "join"]


def test_an_iterator_that_is_garbage_collected_is_forgotten(room: Heard) -> None:
    for _ in range(100):
        room.events()
    assert len(room._loops) <= 2


def test_lookup_errors_carry_the_nodes_code(things: Client) -> None:
    with pytest.raises(things_errors.LookupError) as caught:
        Room(999).join(things)
    assert caught.value.error_code == -54
