"""`api.room` and filters of events, on the node of an embedded platform and on one that is served."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import (
    API,
    NOT,
    Client,
    ConfigurationError,
    DeadlineExceeded,
    InvalidInput,
    Room,
    Token,
    event,
    mem,
)
from flowthings_like.green.backends.choice import detect
from flowthings_like.services.things import events as room_events
from flowthings_like.services.things.api_room import APIRoom
from flowthings_like.services.things.room import NotJoined
from flowthings_like.wire.things import errors as things_errors
from tests.platform.rest.served import Served
from tests.transport.things.scripted_node import wait_until

from .support import STUFF, Heard

_numbers = count()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A platform with rooms in a process of its own."""
    with Served(tmp_path_factory.mktemp("served"), "--things-port", "0") as server:
        yield server


@pytest.fixture(params=["embedded", "served"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[API]:
    """An API with the default scope //stuff."""
    if request.param == "embedded":
        opened = API.embedded(tmp_path / "data")
    else:
        server: Served = request.getfixturevalue("served")
        (rooms,) = [line.removeprefix("things: ") for line in server.printed if line.startswith("things: ")]
        host = server.url.removeprefix("http://")
        opened = API(Token("acme", server.token), host=host, secure=False, things=rooms)
    with opened:
        opened.things.set_default_scope("//stuff")
        yield opened
    opened.things.wait_closed()


@pytest.fixture
def name() -> str:
    """The name of a room that no other test uses."""
    return f"gales_{next(_numbers)}"


# Making and finding rooms


def test_a_named_room_is_made_once_and_is_a_property_of_its_name(api: API, name: str) -> None:
    with api.room(name, "//stuff") as room:
        assert type(room) is APIRoom
        assert room.scope == STUFF
        assert room.id == api.things.query("room(name).id();", name=name)
        assert room.id == api.things.query(".get(name).id();", name=name)
        assert api.things.get_rooms() == (room,)
    assert api.things.get_rooms() == ()
    again = api.room(name)
    again.no_join()
    assert again.id == room.id
    room.join()  # it knows its client
    assert api.things.get_rooms() == (room,)
    room.leave()


def test_a_room_that_the_collection_holds_without_a_name_is_used(api: API, name: str) -> None:
    id = api.things.query(".set(name, room()); .get(name).id();", name=name)
    room = api.room(name)
    room.no_join()
    assert room.id == id


def test_a_property_that_is_no_room_stays_what_it_is(api: API, name: str) -> None:
    api.things.query(".set(name, 41.4);", name=name)
    with pytest.raises(AssertionError, match=rf"\.{name} is no room; give a room another name"):
        api.room(name).join()
    assert api.things.query(".get(name);", name=name) == 41.4


def test_a_room_is_found_by_code_and_by_id(api: API, name: str) -> None:
    id = api.things.query(f".{name} = room(); .{name}.id();")
    for room in (api.room(f".{name}.id();", "//stuff"), api.room(id, "@collection:stuff")):
        with room:
            assert room.id == id
    with pytest.raises(things_errors.LookupError):
        api.room(".no_such_room.id();").join()
    with pytest.raises(things_errors.LookupError):
        api.room(123_456_789).join()
    with pytest.raises(things_errors.TypeError, match="must return a room's id"):
        api.room("'41';").join()


def test_the_default_scope_counts_and_must_be_a_collections(api: API, name: str) -> None:
    api.things.set_default_scope("@t")
    with pytest.raises(InvalidInput, match="default scope '@t' is that of no collection"):
        api.room(name)
    with pytest.raises(ValueError, match="scope of a collection"):
        api.room(name, "@n")
    with pytest.raises(InvalidInput, match="a room is an id, a name, or code"):
        api.room(1.5, "//stuff")  # type: ignore[arg-type]
    assert api.room(name, "//stuff").scope == STUFF


def test_two_clients_that_make_a_room_at_once_make_one(api: API, name: str) -> None:
    pool = detect().pool(8)
    rooms = [api.room(name) for _ in range(8)]
    for call in [pool.spawn(room.no_join) for room in rooms]:
        call.get()
    assert len({room.id for room in rooms}) == 1


def test_an_api_without_a_node_says_so() -> None:
    api = API(Token("acme", "secret"), host="127.0.0.1")
    with pytest.raises(ConfigurationError, match="things="):
        api.room("gales", "//stuff").join()


# Emitting and hearing


def test_emit_needs_no_join_and_events_joins(api: API, name: str) -> None:
    api.room(name).emit("nobody hears it")
    room = api.room(name)
    heard = room.events(timeout=20)
    api.room(name).emit("gale", {"wind": 41.4}, 2)
    room.emit("calm", peers_only=True)  # not to this connection
    room.emit("gale", {"wind": 12})
    assert [next(heard), next(heard)] == [("gale", [{"wind": 41.4}, 2]), ("gale", [{"wind": 12}])]
    room.leave()
    assert list(heard) == []
    with pytest.raises(DeadlineExceeded):
        next(room.events(timeout=0.05))


def test_functions_handle_events_after_the_methods(api: API, name: str) -> None:
    heard: list[Any] = []

    class Logged(Room):
        @event("gale")
        def on_gale(self, gale: Any) -> None:
            heard.append(("method", gale))

    room = Logged(name)
    room.on("gale", lambda gale: heard.append(("one", gale)))

    @room.on("gale")
    def two(gale: Any) -> None:
        heard.append(("two", gale))

    two("called as before")
    assert heard.pop() == ("two", "called as before")
    plain = api.room(name)
    assert plain.on("gale", heard.append) == heard.append
    with plain:
        room.join(api.things)
        room.emit("gale", 1)
        wait_until(lambda: len(heard) == 4)
    assert [each for each in heard if each != 1] == [("method", 1), ("one", 1), ("two", 1)]
    room.leave()


def test_a_function_that_cannot_handle_events_is_refused(api: API, name: str) -> None:
    room = api.room(name)

    async def coroutine() -> None: ...

    for wrong, said in ((coroutine, "without await"), (5, "a handler is a function, not int")):
        with pytest.raises(InvalidInput, match=said):
            room.on("gale", wrong)  # type: ignore[call-overload]
    with pytest.raises(InvalidInput, match="an event's name is a str"):
        room.on(5, print)  # type: ignore[call-overload]


# Blocks


def test_leaving_a_block_keeps_its_exception(api: API, name: str) -> None:
    room = api.room(name)

    def fail() -> None:
        with room:
            api.things.query(".del(name);", name=name)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(NotJoined):
        room.leave()
    with api.room(name) as room:
        room.leave()  # so there is nothing left to do at the end


def test_a_block_that_cannot_begin_leaves_the_room(api: API, name: str) -> None:
    class Failing(Room):
        def on_join(self) -> None:
            raise ValueError("on_join")

    with pytest.raises(ValueError, match="on_join"):
        api.room(Failing, name)
    assert api.things.get_rooms() == ()

    room = Heard(name)
    with pytest.raises(NotJoined, match="call join"), room:
        pass
    room.join(api.things)
    with room:
        assert api.things.get_rooms() == (room,)
    room.expect("init", "join", "leave")


# Classes


def test_a_class_is_made_and_joined(api: API, name: str) -> None:
    chat = api.room(Heard, name)
    assert type(chat) is Heard
    assert chat.client is api.things
    chat.emit("msg", "hello")
    chat.expect("init", "join", "hello")
    chat.leave()
    chat.expect("init", "join", "hello", "leave")

    class Gales(Room):
        heard: list[Any]

        def on_init(self) -> None:
            self.heard = []

        @event("gale")
        def on_gale(self, gale: Any) -> None:
            self.heard.append(gale)

    class Named(Gales):
        def __init__(self) -> None:
            super().__init__(name, "@:stuff")

    with api.room(Gales) as gales, api.room(Named) as named:
        assert (gales.id, named.id) == (api.things.query("room('Gales').id();"), chat.id)
        gales.emit("gale", 1)
        named.emit("gale", 2)
        wait_until(lambda: (gales.heard, named.heard) == ([1], [2]))
    with pytest.raises(InvalidInput, match="derived from Room, which dict is not"):
        api.room(dict)  # type: ignore[type-var]


# Filters


def test_events_are_those_that_match(api: API, name: str) -> None:
    room = api.room(name)
    strong, weak = room.events(20, where=mem.wind > 30), room.events(20, where="NOT (wind > 30)")
    everything = room.events(20)
    for args in ([{"wind": 41.4}, "more"], [{"wind": 12}], [{}], [], [{"wind": "41"}], [41.4], [["x"]]):
        room.emit("gale", *args)
    room.emit("calm", {"wind": 31, "elems": 5})
    room.emit("drop", {"path": "/acme/x", "elems": {"wind": 50}, "wind": 1})
    assert [next(everything)[0] for _ in range(9)] == ["gale"] * 7 + ["calm", "drop"]
    assert [next(strong)[1][0] for _ in range(3)] == [
        {"wind": 41.4},
        {"wind": 31, "elems": 5},
        {"path": "/acme/x", "elems": {"wind": 50}, "wind": 1},
    ]
    assert [next(weak)[1][0] for _ in range(3)] == [{"wind": 12}, {}, {"wind": "41"}]
    room.leave()
    assert [list(each) for each in (strong, weak, everything)] == [[], [], []]


def test_events_that_are_not_wanted_take_no_memory(
    api: API, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_events, "MAX_WAITING", 3)
    room = api.room(name)
    few, all = room.events(20, where=mem.n >= 8), room.events(20)
    for number in range(10):
        room.emit("counted", {"n": number})
        assert next(all) == ("counted", [{"n": number}])
    assert [next(few)[1][0]["n"] for _ in range(2)] == [8, 9]


def test_handlers_with_filters_of_one_event(api: API, name: str) -> None:
    class Wind(Room):
        def __init__(self, room: str) -> None:
            super().__init__(room)
            self.heard: list[Any] = []

        @event("gale", where=mem.wind > 30)
        def on_storm(self, gale: Any) -> None:
            self.heard.append(("storm", gale["wind"]))

        @event("gale", where="wind <= 30")
        def on_breeze(self, gale: Any) -> None:
            self.heard.append(("breeze", gale["wind"]))

        def on_emit(self, event: str, *args: Any) -> None:
            self.heard.append((event, *args))

    class Quiet(Wind):
        def on_breeze(self, gale: Any) -> None:
            self.heard.append("quiet")

        @event("gale", where=mem.wind > 30)
        def on_strong(self, gale: Any) -> None:
            self.heard.append(("strong", gale["wind"]))

    with api.room(Wind, name) as wind, api.room(Quiet, name) as quiet:
        wind.on("gale", lambda gale: wind.heard.append("both"), where=mem.wind.IN(30, 31))
        for args in ([{"wind": 31}], [{"wind": 30}], [{"wind": None}], ["no map"]):
            wind.emit("gale", *args)
        wind.emit("calm", 1)
        wait_until(lambda: len(wind.heard) == 5 and len(quiet.heard) == 3)
    assert wind.heard == [("storm", 31), "both", ("breeze", 30), "both", ("calm", 1)]
    assert quiet.heard == [("strong", 31), "quiet", ("calm", 1)]


HOSTILE: list[Any] = [
    {"n": float("nan")},
    {"n": float("inf")},
    {"n": b"\xff"},
    {"": {5: 5}, "elems": {"n": 2}},
    {"": 7, "n": [1, {"n": None}]},
    {"elems": None, "n": 1 << 62},
    {"elems": {"elems": {"elems": 2}}},
]


@pytest.mark.parametrize(
    "where",
    [mem.n % 2 == 0, NOT(mem.n % 2 == 0), mem.n == [1, {"n": None}], mem.elems.elems.n == 1, "HAS long"],
    ids=str,
)
def test_no_event_can_make_a_filter_raise(
    api: API, name: str, where: Any, caplog: pytest.LogCaptureFixture
) -> None:
    room = api.room(name)
    heard = room.events(20, where=where)
    handled: list[Any] = []
    room.on("msg", handled.append, where=where)
    with caplog.at_level(logging.WARNING, "flowthings_like"):
        for document in HOSTILE:
            room.emit("msg", document)
        for filler in (
            {"n": 2},
            {"n": 3, "elems": {"n": 3}},
            {"n": [1, {"n": None}]},
            {"elems": {"elems": {"n": 1}}},
        ):
            room.emit("msg", filler)
        assert next(heard)[0] == "msg"  # at least one of the last matches
        room.leave()
        wait_until(lambda: bool(handled))
    assert caplog.records == []


def test_a_filter_that_cannot_be_used_is_refused_where_it_is_written(api: API, name: str) -> None:
    room = api.room(name)
    uses: list[Callable[[Any], Any]] = [
        lambda where: room.events(where=where),
        lambda where: room.on("gale", print, where=where),
        lambda where: event("gale", where=where),
    ]
    for use in uses:
        for where, said in (
            (5, "where is a filter"),
            (mem.wind, "where is a filter"),
            ("wind >", "expected"),
        ):
            with pytest.raises(InvalidInput, match=said):
                use(where)
        with pytest.raises(InvalidInput, match="re2's syntax"):
            use(mem.wind.re("(?=x)"))
    assert api.things.get_rooms() == ()


# In parallel


def test_lazy_rooms(api: API, name: str) -> None:
    lazy = api.lazy()
    room = lazy.room(name)
    room.join().force()
    heard = room.events(20, where=mem.n >= 0)
    limit = api.lazy().things.query("7;")
    for number in range(5):
        room.emit("counted", {"n": number})
    room.emit("counted", {"n": limit})
    assert [next(heard)[1][0]["n"] for _ in range(6)] == [0, 1, 2, 3, 4, 7]
    later = lazy.room(lazy.things.query("name;", name=name))
    later.emit("counted", {"n": 8}).force()
    assert next(heard)[1] == [{"n": 8}]
    assert later.id == room.id
    chat = lazy.room(Heard, name)
    chat.emit("msg", 1).force()
    chat.leave().force()
    chat.expect("init", "join", 1, "leave")
    assert isinstance(api.room.lazy()(name), type(room))
    room.leave().force()


def test_async_rooms(api: API, name: str) -> None:
    calls = api.async_()
    room = calls.room(name)
    room.join().get()
    heard = room.events(20)
    sent = [room.emit("counted", number) for number in range(5)]
    for call in sent:
        call.get()
    assert sorted(next(heard)[1][0] for _ in range(5)) == [0, 1, 2, 3, 4]
    with api.room.async_() as rooms:
        rooms(name).emit("counted", 9)
    assert next(heard) == ("counted", [9])
    room.leave().get()


@pytest.mark.needs("green", "a thread cannot be killed")
def test_a_block_that_is_killed_while_it_begins_leaves_the_room(api: API, name: str) -> None:
    busy = detect().event()

    class Slow(Room):
        def on_join(self) -> None:
            busy.wait(20)

    task = detect().spawn(api.room, Slow, name)
    wait_until(lambda: len(api.things.get_rooms()) == 1)
    task.kill()
    wait_until(lambda: api.things.get_rooms() == ())
    busy.set()


def test_a_view_of_a_client_and_the_client_are_the_same(api: API, name: str) -> None:
    client: Client = api.things
    room = api.room(name)
    room.join(client.lazy())
    assert room.client is client
    room.leave()
