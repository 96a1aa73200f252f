"""Rooms after reconnects and moves to another node, and with packages in every order that is possible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flowthings_like import Client, ConnectionFailed, DeadlineExceeded
from flowthings_like.green.backends.choice import detect
from flowthings_like.wire.things.packages import EVENT_ID, Kind, Package, package
from flowthings_like.wire.things.values import pack

from ...transport.things.scripted_node import Node, Session, node, wait_until
from .support import STUFF, USER, Heard, Script, error


@pytest.fixture
def room(client: Client) -> Heard:
    found = Heard(7)
    found.join(client, wait=20)
    return found


# Several Room objects of one room


def test_the_node_is_asked_once_and_told_when_the_last_object_leaves(client: Client, script: Script) -> None:
    first, second, third = Heard(7), Heard(7, "@:stuff"), Heard(8)
    for each in (first, second, third):
        each.join(client, wait=20)
    assert script.count(Kind.JOIN) == 2
    script.emit(7, "msg", "to both")
    first.expect("init", "join", "to both")
    first.leave()
    assert script.count(Kind.LEAVE) == 0
    script.emit(7, "msg", "to one")
    second.expect("init", "join", "to both", "to one")
    second.leave()
    assert script.count(Kind.LEAVE) == 1
    first.expect("init", "join", "to both", "leave")
    assert client.get_rooms() == (third,)


def test_many_that_join_at_once_ask_once(client: Client, script: Script) -> None:
    pool = detect().pool(16)
    rooms = [Heard(7) for _ in range(16)]
    for call in [pool.spawn(each.join, client, 20) for each in rooms]:
        call.get(timeout=20)
    assert script.count(Kind.JOIN) == 1
    assert all(each.heard == ["init", "join"] for each in rooms)
    for call in [pool.spawn(each.leave) for each in rooms]:
        call.get(timeout=20)
    assert script.count(Kind.LEAVE) == 1


# The order of packages


def test_emits_that_overtake_the_join_event_come_after_on_join(client: Client, script: Script) -> None:
    def join(session: Session, request: Package, scope: str, *ids: int) -> bytes:
        emit = script.say(Kind.ROOM_EMIT, 7, event="msg", args=["early"])
        answer = package(Kind.DATA, request.id, pack(list(ids)))
        return emit + answer + emit + script.say(Kind.ROOM_JOIN, 7) + emit

    script._join = join  # type: ignore[method-assign]
    room = Heard(7)
    room.join(client, wait=20)
    room.expect("init", "join", "early", "early", "early")


@pytest.mark.parametrize("overtakes", [True, False])
def test_a_room_that_is_deleted_while_it_is_joined(client: Client, script: Script, overtakes: bool) -> None:
    def join(session: Session, request: Package, scope: str, *ids: int) -> bytes:
        emit = script.say(Kind.ROOM_EMIT, 7, event="msg", args=["last words"])
        events = emit + script.say(Kind.ROOM_DELETE, 7)
        answer = package(Kind.DATA, request.id, pack(list(ids)))
        return events + answer if overtakes else answer + events

    script._join = join  # type: ignore[method-assign]
    room = Heard(7)
    room.join(client, wait=20)
    room.expect("init", "join", "last words", "delete")
    assert client.get_rooms() == ()
    assert client._rooms._memberships == {}
    assert script.count(Kind.JOIN) == 1


def test_a_join_event_that_comes_too_late_is_ignored(client: Client, script: Script, played: Node) -> None:
    room = Heard(7)
    room.join(client, wait=20)
    room.leave()
    played.session().send(script.say(Kind.ROOM_JOIN, 7))
    room.join(client, wait=20)
    script.emit(7, "msg", 2)
    room.expect("init", "join", "leave", "init", "join", 2)


def test_a_node_that_names_no_scope(client: Client, script: Script) -> None:
    script.called[STUFF] = None
    room = Heard(7)
    room.join(client, wait=20)
    script.emit(7, "msg", 1)
    room.expect("init", "join", 1)


def test_a_node_that_keeps_using_a_collections_former_name(
    client: Client, script: Script, room: Heard
) -> None:
    script.called[STUFF] = "@collection:former"
    script.emit(7, "msg", 1)
    room.expect("init", "join", 1)
    room.emit("msg", 2)  # which the node refuses at first, in the scope that it named itself
    room.leave()
    room.expect("init", "join", 1, 2, "leave")
    assert script.joined[STUFF, 7] == []


def test_a_collection_that_gets_its_name_back(client: Client, script: Script, room: Heard) -> None:
    for number, name in enumerate(
        ("@collection:other", STUFF, "@collection:third", "@collection:other", STUFF)
    ):
        script.called[STUFF] = name
        script.emit(7, "msg", number)
    room.expect("init", "join", 0, 1, 2, 3, 4)
    assert room.scope == STUFF


def test_an_event_of_a_room_that_was_left_renames_nothing(client: Client, script: Script) -> None:
    script.rooms.add(("@collection:other", 7))
    room, left = Heard(7), Heard(7, "//other")
    left.join(client, wait=20)
    left.leave()
    room.join(client, wait=20)
    script.emit(7, "msg", "stray", scope="@collection:other")
    script.emit(7, "msg", "own")
    room.expect("init", "join", "own")
    assert room.scope == STUFF


def test_invalid_events_are_ignored(client: Client, script: Script, played: Node, room: Heard) -> None:
    session = played.session()
    for kind, body in (
        (Kind.ROOM_EMIT, b"\xff"),
        (Kind.ROOM_EMIT, pack([1])),
        (Kind.ROOM_EMIT, pack({"id": 7})),
        (Kind.ROOM_DELETE, pack({"scope": STUFF, "id": 99})),
        (Kind.WARNING, pack({"warn_code": 2, "warn_msg": "mind"})),
        (3, b""),
        (15, pack("?")),
    ):
        session.send(package(kind, EVENT_ID, body))
    script.emit(7, "msg", "fine")
    room.expect("init", "join", "fine")
    assert client.query("1") == "1"


# Joins that fail


def test_a_join_that_times_out_is_undone(client: Client, script: Script, played: Node) -> None:
    room = Heard(7)
    script.mute.add(Kind.JOIN)
    with pytest.raises(DeadlineExceeded):
        room.join(client, wait=0.2)
    assert client.get_rooms() == ()
    wait_until(lambda: script.count(Kind.LEAVE) == 1)  # it may have gone through after all
    script.mute.clear()
    room.join(client, wait=20)
    script.emit(7, "msg", 1)
    room.expect("init", "join", 1)


class Failing(Heard):
    """Its first `on_init` fails, after the node has joined it."""

    def on_init(self) -> None:
        super().on_init()
        if self.heard == ["init"]:
            raise KeyError("no")


def test_a_join_gets_no_event_from_before_it_after_a_join_that_failed(
    client: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the thread that undoes it never ran.
    monkeypatch.setattr(client._rooms, "_leave_quietly", lambda *args: None)
    room = Failing(7)
    with pytest.raises(KeyError, match="no"):
        room.join(client, wait=20)
    script.emit(7, "msg", 1)
    room.join(client, wait=20)
    script.emit(7, "msg", 2)
    room.expect("init", "init", "join", 2)
    assert [kind for kind, _ in script.asked] == [Kind.JOIN, Kind.LEAVE, Kind.JOIN]


def test_a_join_gets_no_event_from_before_it_after_a_leave_without_an_answer(
    client: Client, script: Script, room: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._rooms, "_leave_quietly", lambda *args: None)
    script.mute.add(Kind.LEAVE)
    with pytest.raises(DeadlineExceeded):
        room.leave(timeout=0.2)
    script.mute.clear()
    script.emit(7, "msg", 1)
    room.join(client, wait=20)
    script.emit(7, "msg", 2)
    room.expect("init", "join", "leave", "init", "join", 2)


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_join_that_is_killed_anywhere_leaves_nothing_behind(client: Client, script: Script) -> None:
    backend = detect()
    script.queries = lambda code, variables: 7
    ended, turns = 0, 0
    while ended < 3:  # three joins were through before they could be killed
        turns += 1 + turns // 20
        room = Heard("which();")
        joining = backend.spawn(room.join, client, 20)
        for _ in range(turns):
            backend.yield_to_others()
        backend.kill(joining)
        backend.task(joining).outcome(20)
        if room in client.get_rooms():
            ended += 1
            room.leave()
        wait_until(lambda: not client._rooms._memberships and not script.joined.get((STUFF, 7)))
    assert turns > 3
    last = Heard("which();")
    last.join(client, wait=20)
    script.emit(7, "msg", 1)
    last.expect("init", "join", 1)


def test_a_room_that_is_not_there(client: Client, script: Script) -> None:
    for missing in (Heard(99), Heard(7, "//nowhere")):
        with pytest.raises(LookupError):
            missing.join(client, wait=20)
        assert missing.heard == []
    assert client.get_rooms() == ()
    assert client._rooms._memberships == {}


def test_closing_while_joining(client: Client, script: Script) -> None:
    script.mute.add(Kind.JOIN)
    room = Heard(7)
    backend = detect()
    joining = backend.spawn(room.join, client, 20)
    wait_until(lambda: script.count(Kind.JOIN) == 1)
    client.close()
    with pytest.raises(ConnectionFailed):
        backend.get(joining, 20)
    assert room.heard == []


# Lost connections


def test_rooms_are_rejoined(client: Client, script: Script, played: Node, room: Heard) -> None:
    twin, eighth = Heard(7), Heard(8)
    twin.join(client)
    eighth.join(client)
    script.asked.clear()
    played.end()
    for each in (room, twin, eighth):
        each.expect("init", "join", "join")
    assert script.asked == [(Kind.JOIN, [STUFF, 7, 8])]
    script.emit(7, "msg", "back")
    room.expect("init", "join", "join", "back")
    twin.expect("init", "join", "join", "back")


def test_rooms_that_are_gone_after_a_reconnect_are_deleted_and_others_rejoined(
    client: Client, script: Script, played: Node
) -> None:
    script.rooms.add(("@collection:other", 7))
    stays, goes, elsewhere = Heard(7), Heard(8), Heard(7, "//other")
    for each in (stays, goes, elsewhere):
        each.join(client, wait=20)
    script.rooms -= {(STUFF, 8), ("@collection:other", 7)}
    played.end()
    goes.expect("init", "join", "delete")
    elsewhere.expect("init", "join", "delete")
    stays.expect("init", "join", "join")
    assert client.get_rooms() == (stays,)


def test_a_room_that_must_not_be_rejoined_is_left(
    client: Client, script: Script, played: Node, room: Heard
) -> None:
    script._join = lambda session, request, *body: error(request, -55, "no more")  # type: ignore[method-assign]
    played.end()
    room.expect("init", "join", "leave")
    assert client.query("1", timeout=30) == "1"


@pytest.mark.parametrize("kind", [Kind.PING, Kind.AUTH, Kind.JOIN])
def test_a_connection_that_breaks_during_the_handshake(
    client: Client, script: Script, played: Node, room: Heard, kind: Kind
) -> None:
    broken: list[Session] = []

    def breaking(session: Session, request: Package) -> bytes | None:
        if request.kind == kind and not broken:
            broken.append(session)
            session.end()
            return None
        return script(session, request)

    played.answer = breaking
    played.end()
    room.expect("init", "join", "join")  # though nobody calls
    assert broken


def test_leaving_while_there_is_no_connection(script: Script) -> None:
    with node(script) as played:
        client = Client()
        client.connect_pool([played.url], *USER)
        room = Heard(7)
        room.join(client, wait=20)
    wait_until(lambda: not client.is_connected())
    room.leave(timeout=30)
    room.expect("init", "join", "leave")
    client.close_and_wait()


# Moves


@pytest.fixture
def pair(script: Script) -> Iterator[tuple[Client, Node, Node]]:
    """A client of two nodes, the node that it is connected to, and the other node."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(node(script)) for _ in range(2)]
        client = Client()
        client.connect_pool([each.url for each in nodes], *USER)
        nodes.sort(key=lambda each: not each.sessions)
        yield client, nodes[0], nodes[1]
        client.close_and_wait()


def test_a_node_that_shuts_down_is_left_before_it_does(
    script: Script, pair: tuple[Client, Node, Node]
) -> None:
    client, first, second = pair
    room = Heard(7)
    room.join(client, wait=20)
    slow = detect().event()
    script.queries = lambda code, variables: slow.wait(30) and code if code == "slow" else code
    asked = detect().spawn(client.query, "slow")
    wait_until(lambda: script.count(Kind.QUERY) == 1)
    first.session().event(Kind.NODE_STATUS, pack({"id": 0, "status": "SHUTTING_DOWN"}))
    room.expect("init", "join", "join")
    assert client.connection_info() == second.address
    script.emit(7, "msg", "once")  # both connections have joined
    assert client.query("quick") == "quick"
    slow.set()
    assert detect().get(asked, 20) == "slow"  # the old connection ends when its calls are done
    wait_until(lambda: not first.open())
    script.emit(7, "msg", "twice")
    room.expect("init", "join", "join", "once", "twice")


def test_a_move_that_fails_changes_nothing(script: Script, pair: tuple[Client, Node, Node]) -> None:
    client, first, second = pair
    room = Heard(7)
    room.join(client, wait=20)

    def breaking(session: Session, request: Package) -> bytes | None:
        if request.kind == Kind.JOIN:
            session.end()
        return script(session, request)

    first.answer = second.answer = breaking
    with pytest.raises(DeadlineExceeded, match="still used"):
        client.reconnect(timeout=0.5)
    wait_until(lambda: bool(second.sessions))  # it is tried, and fails
    script.emit(7, "msg", "still heard")
    room.expect("init", "join", "still heard")
    assert client.connection_info() == first.address


@pytest.mark.parametrize("succeeds", [False, True])
def test_events_during_a_move_are_handed_out_if_the_move_fails(
    script: Script, pair: tuple[Client, Node, Node], succeeds: bool
) -> None:
    client, first, second = pair
    room, eighth = Heard(7), Heard(8)
    for each in (room, eighth):
        each.join(client, wait=20)
    backend = detect()
    asked, answered = backend.event(), backend.event()

    def late(session: Session, request: Package) -> bytes | None:
        if request.kind == Kind.JOIN:
            asked.set()
            answered.wait(20)
            if not succeeds:
                session.end()
        return script(session, request)

    first.answer = second.answer = late
    moving = backend.spawn(client.reconnect, 20 if succeeds else 0.5)
    assert asked.wait(20)
    for number in range(3):
        script.emit(7, "msg", number)
        script.emit(8, "msg", number)
    assert client.query("1", timeout=20) == "1"  # so all of that has come
    assert client._session is not None
    assert client._session.current is not None
    assert client._session.current.wait_heard(20)
    assert room.heard == eighth.heard == ["init", "join"]
    answered.set()
    before = ["join"] if succeeds else [0, 1, 2]
    for each in (room, eighth):
        each.expect("init", "join", *before)
    if succeeds:
        backend.get(moving, 20)
    else:
        with pytest.raises(DeadlineExceeded, match="still used"):
            backend.get(moving, 20)
    script.emit(7, "msg", "after")
    room.expect("init", "join", *before, "after")


@pytest.mark.parametrize("succeeds", [False, True])
def test_a_room_that_is_left_during_a_move_is_left_at_the_node_after_it(
    script: Script, pair: tuple[Client, Node, Node], succeeds: bool
) -> None:
    client, first, second = pair
    room = Heard(7)
    room.join(client, wait=20)
    backend = detect()
    asked, answered = backend.event(), backend.event()

    def late(session: Session, request: Package) -> bytes | None:
        if request.kind == Kind.JOIN:
            asked.set()
            answered.wait(20)
            if not succeeds:
                session.end()
        return script(session, request)

    first.answer = second.answer = late
    moving = backend.spawn(client.reconnect, 20 if succeeds else 0.5)
    assert asked.wait(20)
    room.leave(timeout=20)
    room.expect("init", "join", "leave")
    assert script.count(Kind.LEAVE) == 0  # it is not known yet at which node
    answered.set()
    wait_until(lambda: script.count(Kind.LEAVE) == 1 and not client._rooms._memberships)
    backend.task(moving).outcome(20)
    script.emit(7, "msg", "late")
    assert client.query("1", timeout=20) == "1"
    assert room.heard == ["init", "join", "leave"]


def test_reconnect_goes_to_the_next_node(pair: tuple[Client, Node, Node]) -> None:
    client, first, second = pair
    client.reconnect()
    assert client.connection_info() == second.address
    client.reconnect()
    assert client.connection_info() == first.address


def test_the_other_node_is_taken_when_one_is_lost(script: Script, pair: tuple[Client, Node, Node]) -> None:
    client, first, second = pair
    first.answer = lambda session, request: session.end()  # type: ignore[assignment,return-value,func-returns-value]
    with pytest.raises(ConnectionFailed):
        client.query("x", timeout=30)
    assert client.query("x", timeout=30) == "x"
    assert client.connection_info() == second.address


def test_a_client_that_is_garbage_collected_closes_its_connection(played: Node) -> None:
    client: Any = Client()
    client.connect_pool([played.url], *USER)
    assert client.query("1") == "1"
    del client
    wait_until(lambda: not played.open())
