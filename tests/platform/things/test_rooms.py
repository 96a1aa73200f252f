"""Which events the members of rooms get, and in which order."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.things import node
from flowthings_like.platform.things.database import tables
from flowthings_like.wire.things.packages import Kind

from .harness import STUFF, Peer, wait_until

Connect = Callable[..., Peer]


@pytest.fixture
def room(peer: Peer) -> int:
    id: int = peer.query(".chat = room(); .chat.set_name('chat'); .chat.id();")
    return id


def emitted(room: int, event: str, *args: Any) -> tuple[Kind, Any]:
    return Kind.ROOM_EMIT, {"scope": STUFF, "id": room, "event": event, "args": list(args)}


def joined(room: int) -> tuple[Kind, Any]:
    return Kind.ROOM_JOIN, {"scope": STUFF, "id": room}


def left(room: int) -> tuple[Kind, Any]:
    return Kind.ROOM_LEAVE, {"scope": STUFF, "id": room}


def deleted(room: int) -> tuple[Kind, Any]:
    return Kind.ROOM_DELETE, {"scope": STUFF, "id": room}


def member(connect: Connect, room: int) -> Peer:
    found = connect()
    assert found.ask(Kind.JOIN, ["//stuff", room]) == (Kind.DATA, [room])
    assert found.read() == joined(room)
    return found


def test_join_is_answered_before_its_event(peer: Peer, room: int) -> None:
    assert peer.ask(Kind.JOIN, ["//stuff", room, room + 1000, "chat", "nobody", "no name!"]) == (
        Kind.DATA,
        [room, None, room, None, None],
    )
    assert peer.read() == joined(room)
    assert peer.nothing_more()
    assert peer.ask(Kind.JOIN, ["//stuff", room]) == (Kind.DATA, [room])  # again: no second event
    assert peer.nothing_more()
    assert peer.ask(Kind.JOIN, ["//stuff"]) == (Kind.DATA, [])


def test_leave_is_answered_after_its_event(connect: Connect, room: int) -> None:
    peer = member(connect, room)
    peer.say(Kind.LEAVE, ["//stuff", room])
    assert peer.read() == left(room)
    assert peer.read() == (Kind.DATA, [room])
    assert peer.ask(Kind.LEAVE, ["//stuff", room, 1000]) == (Kind.DATA, [room, None])  # not in it: no event
    assert peer.nothing_more()
    assert peer.ask(Kind.EMIT, ["//stuff", room, "msg"]) == (Kind.OK, None)


def test_leave_and_join_in_one_go(connect: Connect, room: int) -> None:
    peer = member(connect, room)
    peer.say(Kind.LEAVE, ["//stuff", room], id=1)
    peer.say(Kind.JOIN, ["//stuff", room], id=2)
    answers = (Kind.DATA, [room])
    assert [peer.read() for _ in range(4)] == [left(room), answers, answers, joined(room)]


def test_every_member_gets_the_event(connect: Connect, room: int) -> None:
    here, there = member(connect, room), member(connect, room)
    here.say(Kind.EMIT, ["//stuff", "chat", "msg", "hello", {"deep": [1, {"er": b"x"}]}])
    told = emitted(room, "msg", "hello", {"deep": [1, {"er": b"x"}]})
    assert [here.read(), here.read()] == [told, (Kind.OK, None)]
    assert there.read() == told
    assert here.ask(Kind.EMIT_PEER, ["//stuff", room, ""]) == (Kind.OK, None)
    assert there.read() == emitted(room, "")
    assert here.nothing_more()


def test_code_emits_too(connect: Connect, peer: Peer, room: int) -> None:
    listener = member(connect, room)
    peer.query(".chat.emit('one', 1); .changed = true; .chat.emit('two', {a: 2});")
    assert [listener.read(), listener.read()] == [emitted(room, "one", 1), emitted(room, "two", {"a": 2})]


def test_emits_that_are_refused(peer: Peer, room: int) -> None:
    for body, code in (
        (["//stuff", 1000, "msg"], -54),
        (["//stuff", "nobody", "msg"], -54),
        (["//stuff", "no name!", "msg"], -60),
        (["//stuff", 1.5, "msg"], -53),
        (["//stuff", True, "msg"], -53),
        (["//stuff", None, "msg"], -53),
        (["//stuff", "chat"], -53),
        (["//stuff", "chat", b"msg"], -53),
        (["@t", "chat", "msg"], -53),
        (["//nowhere", "chat", "msg"], -54),
    ):
        assert peer.error(Kind.EMIT, body) == code, body
        assert peer.error(Kind.EMIT_PEER, body) == code, body


def test_invalid_rooms(peer: Peer, room: int) -> None:
    for kind in (Kind.JOIN, Kind.LEAVE):
        assert peer.error(kind, ["//stuff", room, 1.5]) == -53
        assert peer.error(kind, ["@n", room]) == -53
        assert peer.nothing_more()


def test_a_room_that_is_deleted(connect: Connect, peer: Peer, room: int) -> None:
    listener = member(connect, room)
    peer.query(".del('chat');")
    assert listener.read() == deleted(room)
    assert listener.ask(Kind.JOIN, ["//stuff", room]) == (Kind.DATA, [None])
    assert listener.ask(Kind.LEAVE, ["//stuff", room]) == (Kind.DATA, [None])


def test_deleting_a_collection_deletes_its_rooms(connect: Connect, peer: Peer, room: int) -> None:
    listener = member(connect, room)
    peer.query("del_collection('stuff');", "@t")
    assert listener.read() == deleted(room)
    assert listener.error(Kind.JOIN, ["//stuff", room]) == -54


def test_renaming_a_collection(connect: Connect, peer: Peer, room: int) -> None:
    listener = member(connect, room)
    peer.query("rename_collection('stuff', 'things');", "@t")
    assert peer.ask(Kind.EMIT, ["//things", room, "msg"]) == (Kind.OK, None)
    kind, said = listener.read()
    assert (kind, said["scope"]) == (Kind.ROOM_EMIT, "@collection:things")
    assert peer.error(Kind.EMIT, ["//stuff", room, "msg"]) == -54


def test_rooms_of_two_collections_with_one_number(connect: Connect, peer: Peer, room: int) -> None:
    peer.query("new_collection('other');", "@t")
    assert peer.query(".chat = room(); .chat.id();", "//other") == room
    listener = member(connect, room)
    assert peer.ask(Kind.EMIT, ["//other", room, "msg"]) == (Kind.OK, None)
    assert listener.nothing_more()


def test_a_client_that_disconnects_leaves_its_rooms(platform: Platform, connect: Connect, room: int) -> None:
    staying = member(connect, room)
    leaving = member(connect, room)
    leaving.sock.close()
    running = platform.things._running
    assert running is not None
    wait_until(lambda: running.node.connections == 2)
    staying.say(Kind.EMIT, ["//stuff", room, "msg"])
    assert [staying.read()[0], staying.read()[0]] == [Kind.ROOM_EMIT, Kind.OK]
    assert staying.nothing_more()


def test_accounts_have_separate_rooms(connect: Connect, room: int) -> None:
    listener = member(connect, room)
    other = connect("bravo")
    assert other.ask(Kind.JOIN, ["//stuff", room]) == (Kind.DATA, [None])
    assert other.query(".chat = room(); .chat.id();") == room
    assert other.ask(Kind.EMIT, ["//stuff", room, "msg"]) == (Kind.OK, None)
    assert listener.nothing_more()


def test_logging_in_as_another_account_leaves_the_rooms(
    platform: Platform, connect: Connect, peer: Peer, room: int
) -> None:
    listener = member(connect, room)
    password = platform.things_address()[3]
    assert listener.ask(Kind.AUTH, ["bravo", password]) == (Kind.OK, None)
    assert peer.ask(Kind.EMIT, ["//stuff", room, "msg"]) == (Kind.OK, None)
    assert listener.nothing_more()


def test_events_come_in_the_order_of_their_causes(connect: Connect, peer: Peer, room: int) -> None:
    listener = member(connect, room)
    for number in range(50):
        if number % 3:
            peer.say(Kind.QUERY, ["//stuff", ".n = n; .chat.emit('n', n);", {"n": number}])
        else:
            peer.say(Kind.EMIT, ["//stuff", room, "n", number])
    assert [listener.read() for _ in range(50)] == [emitted(room, "n", number) for number in range(50)]


def test_a_room_in_a_reference_cycle_is_deleted_by_the_garbage_collector(
    connect: Connect, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "SWEEP_INTERVAL", 0.01)
    peer = connect()
    peer.query(".a = {b: {room: room()}}; .a.b.a = .a;")
    id = peer.query(".a.b.room.id();")
    listener = member(connect, id)
    gc.disable()
    try:
        peer.query(".del('a'); nil;")
        assert listener.nothing_more()
    finally:
        gc.enable()
    gc.collect()
    assert listener.read() == deleted(id)  # without any further request
    kept = platform.store.read(lambda connection: tables.load(connection, "acme"))["values"]
    assert [kind for _, kind, _ in kept] == ["thing"] * 2  # the roots of stuff and of @thingsdb
