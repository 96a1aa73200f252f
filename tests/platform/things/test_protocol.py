"""Packages, logins, queries and procedures, as they are in ThingsDB's protocol."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator

import pytest

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.things.connections.session import MAX_BYTES_BEFORE_LOGIN
from flowthings_like.wire.things.packages import Kind, package
from flowthings_like.wire.things.values import pack

from .harness import PATIENCE, Peer


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all tests here, because none leaves anything that another could see."""
    with open_platform(tmp_path_factory.mktemp("shared"), "acme") as opened:
        yield opened


def test_ping_needs_no_login(stranger: Peer) -> None:
    assert stranger.ask(Kind.PING, id=0) == (Kind.PONG, None)
    assert stranger.ask(Kind.PING, {"more": "is ignored"}, id=65_535) == (Kind.PONG, None)


@pytest.mark.parametrize("kind", [Kind.QUERY, Kind.RUN, Kind.JOIN, Kind.LEAVE, Kind.EMIT, Kind.EMIT_PEER])
def test_everything_else_needs_a_login(stranger: Peer, kind: Kind) -> None:
    assert stranger.error(kind, ["//stuff", "1"]) == -56


def test_an_unknown_kind_is_answered_with_an_error(stranger: Peer, peer: Peer) -> None:
    assert stranger.error(60, ["//stuff"]) == -56
    assert peer.error(60, ["//stuff"]) == -53


def test_packages_in_one_segment_are_answered_in_order(platform: Platform, stranger: Peer) -> None:
    user, password = platform.things_address()[2:]
    said = [
        package(Kind.PING, 1),
        package(Kind.AUTH, 2, pack([user, password])),
        package(Kind.QUERY, 3, pack(["//stuff", ".n = 1; .n;"])),
        package(Kind.QUERY, 4, pack(["//stuff", ".n"])),
        package(Kind.PING, 5),
    ]
    stranger.sock.sendall(b"".join(said))
    answers = [(found.kind, found.id) for found in (stranger.next() for _ in said)]
    answers.remove((Kind.PONG, 5))  # a ping waits for no commit, so its answer may come first
    assert answers == [(Kind.PONG, 1), (Kind.OK, 2), (Kind.DATA, 3), (Kind.DATA, 4)]


def test_a_package_may_come_in_pieces(peer: Peer) -> None:
    for byte in package(Kind.QUERY, 9, pack(["//stuff", "'in pieces'"])):
        peer.sock.sendall(bytes([byte]))
    assert peer.read() == (Kind.DATA, "in pieces")


def test_a_wrong_check_byte_ends_the_connection(peer: Peer, connect: Callable[[], Peer]) -> None:
    peer.sock.sendall(b"\0\0\0\0\1\0\x20\x20")
    assert peer.gone()
    assert connect().query("1") == 1


def test_an_unauthenticated_connection_may_not_send_much(stranger: Peer) -> None:
    start = package(Kind.AUTH, 1, b"\0" * (MAX_BYTES_BEFORE_LOGIN + 1))
    try:
        stranger.sock.sendall(start)
    except ConnectionError:
        return
    assert stranger.gone()


def test_a_client_that_has_shut_down_its_side_gets_the_answers(peer: Peer) -> None:
    for number in range(20):
        peer.say(Kind.QUERY, ["//stuff", ".n = number", {"number": number}], id=number)
    peer.sock.shutdown(socket.SHUT_WR)
    assert [peer.next().id for _ in range(20)] == list(range(20))
    assert peer.gone()


def test_seventy_thousand_requests_in_flight(peer: Peer) -> None:
    count = 70_000
    peer.sock.sendall(package(Kind.PING, 5) * count)
    for _ in range(count):
        assert peer.next() == (Kind.PONG, 5, b"")


@pytest.mark.parametrize("credentials", [[], ["acme"], ["acme", b"pw"], 5, None, {"a": 1}, ["a", "b", "c"]])
def test_malformed_credentials(stranger: Peer, credentials: object) -> None:
    stranger.sock.sendall(package(Kind.AUTH, 1, pack(credentials)))
    kind, said = stranger.read()
    assert (kind, said["error_code"]) == (Kind.ERROR, -53)


def test_wrong_credentials_leave_the_connection_as_it_was(platform: Platform, stranger: Peer) -> None:
    user, password = platform.things_address()[2:]
    for wrong in ([user, "wrong"], ["nobody", password[:-1]], ["", ""], [user, "x" * 200], "x" * 22, "short"):
        assert stranger.error(Kind.AUTH, wrong) == -56
    assert stranger.ask(Kind.AUTH, [user, password]) == (Kind.OK, None)
    assert stranger.error(Kind.AUTH, [user, "wrong"]) == -56
    assert stranger.query("1 + 1") == 2


def test_the_platforms_own_token_is_the_accounts_password(platform: Platform, stranger: Peer) -> None:
    token = platform.accounts.new_master("acme")
    assert stranger.ask(Kind.AUTH, ["acme", token]) == (Kind.OK, None)
    assert stranger.error(Kind.AUTH, ["bravo", token]) == -56


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (["stuff", "1"], -60),
        (["@:", "1"], -60),
        (["//nowhere", "1"], -54),
        (["@n:5", "1"], -54),
        (["//stuff", b"1"], -61),
        (["//stuff"], -61),
        (["//stuff", "1 +"], -52),
        (["//stuff", "no_such_function()"], -54),
        (["//stuff", "x", {"1x": 1}], -60),
        ([], -53),
        ("//stuff", -53),
        ([7, "1"], -53),
    ],
)
def test_queries_that_are_refused(peer: Peer, body: object, code: int) -> None:
    assert peer.error(Kind.QUERY, body) == code
    assert peer.query("1") == 1


def test_a_body_that_is_no_messagepack(peer: Peer) -> None:
    for body in (
        b"",
        b"\xc1",
        b"\xa5ab",
        b"\x91" * 100_000,
        pack(["//stuff", "1"]) + b"\0",
        b"\x91\xa2\xff\xfe",
    ):
        peer.sock.sendall(package(Kind.QUERY, 3, body))
        kind, said = peer.read()
        assert (kind, said["error_code"]) == (Kind.ERROR, -53)
    assert peer.query("1") == 1


@pytest.mark.parametrize("third", [None, [1], 5])
def test_variables_of_a_wrong_type_are_ignored(peer: Peer, third: object) -> None:
    assert peer.ask(Kind.QUERY, ["//stuff", "2", third, "more"]) == (Kind.DATA, 2)


def test_all_forms_of_a_scope(peer: Peer) -> None:
    for scope in (
        "//stuff",
        "@:stuff",
        "/c/stuff",
        "@collection:stuff",
        "@t",
        "/thingsdb",
        "@n",
        "/n/0",
        "@n:0",
    ):
        assert peer.query("1", scope) == 1


def test_a_log_is_sent_before_the_answer(peer: Peer) -> None:
    peer.say(Kind.QUERY, ["//stuff", "log('look'); 5;"])
    assert peer.read() == (Kind.WARNING, {"warn_code": 2, "warn_msg": "look"})
    assert peer.read() == (Kind.DATA, 5)


def test_a_change_that_the_text_does_not_show_has_to_be_declared(peer: Peer) -> None:
    peer.query(".mine = [1]; .add = |x| .mine.push(x);")
    assert peer.error(Kind.QUERY, ["//stuff", "x = .mine; x.push(2);"]) == -63
    assert peer.error(Kind.QUERY, ["//stuff", ".add.call(2);"]) == -63
    assert peer.error(Kind.QUERY, ["//stuff", "nse(.mine.push(2));"]) == -63
    assert peer.query("wse(); x = .mine; x.push(2);") == 2
    assert peer.query("wse(.add.call(3));") == 3
    assert peer.query(".mine") == [1, 2, 3]


def test_changes_before_an_error_stay(peer: Peer) -> None:
    assert peer.error(Kind.QUERY, ["//stuff", ".kept = 1; raise('no');"]) == -100
    assert peer.query(".kept") == 1


def test_procedures(peer: Peer) -> None:
    peer.query("new_procedure('add', |a, b| [a, b]);")
    for args, result in (
        ([1, 2], [1, 2]),
        ([1], [1, None]),
        ([1, 2, 3], [1, 2]),
        ({"b": 1, "a": 2, "c": 3}, [2, 1]),
        (None, [None, None]),
    ):
        assert peer.ask(Kind.RUN, ["//stuff", "add", args]) == (Kind.DATA, result)
    assert peer.ask(Kind.RUN, ["//stuff", "add"]) == (Kind.DATA, [None, None])
    assert peer.error(Kind.RUN, ["//stuff", "nothing"]) == -54
    assert peer.error(Kind.RUN, ["//stuff", "add", 5]) == -53
    assert peer.error(Kind.RUN, ["@n", "add"]) == -53
    peer.query("new_procedure('two', || 2);", "@t")
    assert peer.ask(Kind.RUN, ["@t", "two"]) == (Kind.DATA, 2)


def test_garbage_affects_no_other_connection(
    platform: Platform, connect: Callable[[], Peer], caplog: pytest.LogCaptureFixture
) -> None:
    dice = random.Random(11)
    user, password = platform.things_address()[2:]
    login = package(Kind.AUTH, 1, pack([user, password]))
    bodies = [
        ["//stuff", ".n = [1, 2, {a: 3}];"],
        ["//stuff", 2, "msg", 1],
        ["@t", "users_info();", {"a": 1}],
        [],
    ]
    for _ in range(150):
        said = bytearray()
        for _ in range(dice.randrange(1, 6)):
            body = bytearray(pack(dice.choice(bodies)))
            for _ in range(dice.randrange(4)):
                body[dice.randrange(len(body))] = dice.randrange(256)
            said += package(dice.choice([*range(32, 42), 0, 255]), 1, bytes(body))
        if dice.random() < 0.3:
            said[dice.randrange(len(said))] = dice.randrange(256)
        peer = Peer(*platform.things_address()[:2])
        peer.sock.sendall(dice.choice([login, b"GET ", b""]) + said)
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.gone()
        peer.close()
    assert connect().query("1") == 1
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_large_code_and_results(peer: Peer) -> None:
    text = "x" * (8 << 20)
    peer.sock.settimeout(3 * PATIENCE)
    assert peer.query("text", text=text) == text
