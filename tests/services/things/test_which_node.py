"""Which of several nodes a client asks after connecting, a shutdown, a lost connection and a move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flowthings_like import Client
from flowthings_like.green.backends.choice import detect
from flowthings_like.wire.things.packages import Kind, Package
from flowthings_like.wire.things.values import pack

from ...transport.things.scripted_node import Node, Session, node, wait_until
from .support import USER, Script

SCOPES = ["/n", "/t", "//stuff"]


class Member(Script):
    """One node of a cluster: it answers with its number. A change takes effect here at once, and at the
    others when `spread` is called."""

    def __init__(self, number: int, others: list[Member]) -> None:
        super().__init__()
        self.number = number
        self.others = others
        self.value = 0
        self.behind: list[int] = []
        self.queries = self.answer

    def answer(self, code: str, variables: dict[str, Any]) -> Any:
        if code == "set":
            self.value = variables["to"]
            for other in self.others:
                if other is not self:
                    other.behind.append(self.value)
            return None
        return self.value if code == "get" else self.number

    def spread(self) -> None:
        while self.behind:
            self.value = self.behind.pop()


@pytest.fixture
def members() -> list[Member]:
    found: list[Member] = []
    found += [Member(number, found) for number in range(3)]
    return found


@pytest.fixture
def cluster(members: list[Member]) -> Iterator[list[Node]]:
    with ExitStack() as stack:
        yield [stack.enter_context(node(member)) for member in members]


@pytest.fixture
def pooled(cluster: list[Node]) -> Iterator[Client]:
    client = Client()
    client.connect_pool([found.url for found in cluster], *USER)
    yield client
    client.close_and_wait()


def shut_down(found: Node) -> None:
    found.session().event(Kind.NODE_STATUS, pack({"id": 0, "status": "SHUTTING_DOWN"}))


def test_one_node_is_asked_for_everything(pooled: Client, members: list[Member], cluster: list[Node]) -> None:
    """The node that it is connected to. It does not even connect to others."""
    asked = pooled.query("which")
    assert pooled.connection_info() == cluster[asked].address
    assert {pooled.query("which", scope) for scope in SCOPES for _ in range(20)} == {asked}
    pool = detect().pool(10)
    calls = [pool.spawn(pooled.query, "which", SCOPES[number % 3]) for number in range(60)]
    assert {call.get() for call in calls} == {asked}
    lazy = pooled.lazy()
    assert {thunk + 0 for thunk in [lazy.query("which", "/n") for _ in range(20)]} == {asked}
    assert [len(found.sessions) for found in cluster] == [int(member.number == asked) for member in members]


def test_a_change_is_read_where_it_was_made(pooled: Client) -> None:
    """At once, although other nodes have not made it yet."""
    for number in range(50):
        pooled.query("set", "/t", to=number)
        assert pooled.query("get", "/n") == number


def test_each_client_asks_its_own_node_at_once(members: list[Member], cluster: list[Node]) -> None:
    """A node answers when it has made the change itself. Other nodes may make it later."""
    clients = []
    for found in cluster[:2]:
        client = Client()
        client.connect(found.url)
        client.authenticate(*USER)
        clients.append(client)
    writer, reader = clients
    writer.query("set", "/t", to=1)
    assert (writer.query("get", "/n"), reader.query("get", "/n")) == (1, 0)
    members[1].spread()
    assert reader.query("get", "/n") == 1
    assert [len(found.sessions) for found in cluster] == [1, 1, 0]
    for client in clients:
        client.close_and_wait()


def test_the_client_leaves_a_node_that_shuts_down(pooled: Client, cluster: list[Node]) -> None:
    for _ in range(5):
        before = pooled.query("which", "/n")
        shut_down(cluster[before])
        wait_until(lambda: pooled.connection_info() != cluster[before].address)  # noqa: B023
        after = pooled.query("which", "/n")
        assert after == (before + 1) % 3
        assert {pooled.query("which", scope) for scope in SCOPES for _ in range(10)} == {after}
        wait_until(lambda: not cluster[before].open())  # noqa: B023


def test_a_call_under_way_is_answered_by_the_node_that_is_left(
    pooled: Client, members: list[Member], cluster: list[Node]
) -> None:
    before = pooled.query("which")
    held: list[tuple[Session, Package]] = []
    answer = cluster[before].answer

    def slow(session: Session, request: Package) -> bytes | None:
        if request.kind == Kind.QUERY:
            held.append((session, request))
            return None
        return answer(session, request)

    cluster[before].answer = slow
    under_way = detect().spawn(pooled.query, "which", "/n", 30)
    wait_until(lambda: bool(held))
    shut_down(cluster[before])
    wait_until(lambda: pooled.connection_info() != cluster[before].address)
    assert pooled.query("which", "/n") == (before + 1) % 3
    session, request = held[0]
    said = answer(session, request)
    assert said is not None
    session.send(said)
    assert detect().get(under_way, 20) == before


def test_a_lost_connection_and_a_move_go_to_the_next_node(pooled: Client, cluster: list[Node]) -> None:
    asked = pooled.query("which")
    cluster[asked].end()
    wait_until(lambda: pooled.connection_info() not in (cluster[asked].address, "disconnected"))
    assert pooled.query("which", "/n") == (asked + 1) % 3
    pooled.reconnect()
    assert pooled.query("which", "/n") == (asked + 2) % 3
