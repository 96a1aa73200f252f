"""Users, passwords, tokens and privileges, and what of them is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.things import authentication
from flowthings_like.platform.things.scopes import tokens
from flowthings_like.wire.things.packages import Kind

from .harness import Peer

QUERY, CHANGE, GRANT, JOIN, RUN = 1, 2, 4, 8, 16


@pytest.fixture
def iris(platform: Platform, peer: Peer) -> Iterator[Peer]:
    """A user without privileges."""
    peer.query("new_user('iris'); set_password('iris', 'siri');", "@t")
    found = Peer(*platform.things_address()[:2])
    assert found.ask(Kind.AUTH, ["iris", "siri"]) == (Kind.OK, None)
    yield found
    found.close()


def allow(peer: Peer, mask: int, scope: str = "//stuff") -> None:
    peer.query("revoke(at, 'iris', 31); grant(at, 'iris', mask);", "@t", at=scope, mask=mask)


def test_what_each_privilege_is_for(peer: Peer, iris: Peer) -> None:
    room = peer.query(".chat = room(); .n = 1; new_procedure('up', || .n += 1); .chat.id();")
    requests = {
        "query": (Kind.QUERY, ["//stuff", ".n"]),
        "change": (Kind.QUERY, ["//stuff", ".m = 1"]),
        "run": (Kind.RUN, ["//stuff", "up"]),
        "join": (Kind.JOIN, ["//stuff", room]),
        "emit": (Kind.EMIT_PEER, ["//stuff", room, "msg"]),
        "leave": (Kind.LEAVE, ["//stuff", 1000]),
    }
    allowed = {
        0: set(),
        QUERY: {"query"},
        QUERY | CHANGE: {"query", "change"},
        RUN: set(),
        RUN | CHANGE: {"run"},
        GRANT: set(),
        QUERY | JOIN: {"query", "join", "emit", "leave"},
    }
    for mask, names in allowed.items():
        allow(peer, mask)
        done = set()
        for name, (kind, body) in requests.items():
            found, said = iris.ask(kind, body)
            if found == Kind.ERROR:
                assert said["error_code"] == -55
            else:
                done.add(name)
            if (found, kind) == (Kind.DATA, Kind.JOIN):
                assert iris.read()[0] == Kind.ROOM_JOIN
        assert done == names, mask


def test_settings_of_a_scope_are_for_those_who_may_change_it(peer: Peer, iris: Peer) -> None:
    settings = ("set_default_deep('//stuff', 2);", "set_time_zone('stuff', 'Europe/Rome');")
    allow(peer, QUERY | CHANGE, "@t")
    for code in settings:
        allow(peer, QUERY)
        assert iris.error(Kind.QUERY, ["@t", code]) == -55
        allow(peer, CHANGE)
        assert iris.query(code, "@t") is None
    peer.query(".a = {b: {}};")
    assert peer.query("[deep(), .a.b.id()]") == [2, peer.query(".a")["b"]["#"]]
    assert peer.query("datetime(2024, 1, 2)") == "2024-01-02T00:00:00+0100"


def test_a_change_that_was_forbidden_has_not_happened(peer: Peer, iris: Peer) -> None:
    peer.query(".n = 1; .list = [1]; .room = room();")
    allow(peer, QUERY | JOIN)
    assert iris.error(Kind.QUERY, ["//stuff", ".n = 2; .list.push(2); .del('room');"]) == -55
    assert peer.query("[.n, .list.len(), .has('room')];") == [1, 1, True]


def test_allowed_changes_survive_a_forbidden_one(peer: Peer, iris: Peer) -> None:
    """A forbidden change discards the state in memory while other changes are being written."""
    allow(peer, QUERY)
    for number in range(30):
        peer.say(Kind.QUERY, ["//stuff", ".n = n; .set(`k{n}`, n);", {"n": number}])
        iris.say(Kind.QUERY, ["//stuff", ".n = -1;"])
    assert [peer.read()[1] for _ in range(30)] == list(range(30))
    assert {iris.read()[1]["error_code"] for _ in range(30)} == {-55}
    assert peer.query("[.n, .len()];") == [29, 31]


def test_only_privileges_that_one_has_can_be_granted(peer: Peer, iris: Peer) -> None:
    allow(peer, QUERY | CHANGE, "@t")
    peer.query("new_user('bob');", "@t")
    for code in (
        "grant('//stuff', 'bob', 1);",
        "new_user('eve');",
        "set_password('bob', 'x');",
        "new_token('bob');",
        "del_user('bob');",
        "users_info();",
        "user_info('bob');",
        "grant('//stuff', 'iris', 31);",
    ):
        assert iris.error(Kind.QUERY, ["@t", code]) == -55, code
    allow(peer, GRANT)
    assert iris.error(Kind.QUERY, ["@t", "grant('//stuff', 'bob', 1);"]) == -55  # a privilege that iris lacks
    iris.query("grant('//stuff', 'bob', 4); set_password('iris', 'new');", "@t")


def test_the_creator_of_a_collection_may_use_it(peer: Peer, iris: Peer) -> None:
    allow(peer, QUERY | CHANGE, "@t")
    iris.query("new_collection('mine');", "@t")
    assert iris.query(".n = 1;", "//mine") == 1
    assert [found["name"] for found in iris.query("collections_info();", "@t")] == ["mine"]
    assert [found["name"] for found in peer.query("collections_info();", "@t")] == ["stuff", "mine"]


def test_a_user_who_is_deleted_while_connected(peer: Peer, iris: Peer) -> None:
    allow(peer, QUERY)
    peer.query("del_user('iris');", "@t")
    assert iris.error(Kind.QUERY, ["//stuff", "1"]) == -55
    assert iris.error(Kind.AUTH, ["iris", "siri"]) == -56
    assert iris.ask(Kind.PING) == (Kind.PONG, None)


def test_tokens(peer: Peer, stranger: Peer) -> None:
    token = peer.query("new_token('acme', datetime(t), 'for the tests');", "@t", t=int(time.time()) + 3600)
    assert len(token) == 22
    assert stranger.ask(Kind.AUTH, token) == (Kind.OK, None)
    assert stranger.query("has_token(token);", "@t", token=token) is True
    (shown,) = stranger.query("user_info();", "@t")["tokens"]
    assert shown["description"] == "for the tests"
    assert token not in str(shown)
    peer.query("del_token(token);", "@t", token=token)
    assert stranger.error(Kind.AUTH, token) == -56
    assert peer.error(Kind.QUERY, ["@t", "del_token('x');"]) == -54
    assert peer.error(Kind.QUERY, ["@t", "new_token('acme', datetime(5));"]) == -60


def test_a_token_that_has_expired(peer: Peer, stranger: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    token = peer.query("new_token('acme', datetime(t));", "@t", t=int(time.time()) + 3600)
    peer.query("del_expired();", "@t")
    assert peer.query("has_token(token);", "@t", token=token) is True
    an_hour_on = SimpleNamespace(time=lambda: time.time() + 3601)
    monkeypatch.setattr(authentication, "time", an_hour_on)
    monkeypatch.setattr(tokens, "time", an_hour_on)
    assert stranger.error(Kind.AUTH, token) == -56
    peer.query("del_expired();", "@t")
    assert peer.query("has_token(token);", "@t", token=token) is False


def test_refused_queries(peer: Peer) -> None:
    for code, error in (
        ("new_user('acme');", -54),
        ("new_user('');", -60),
        ("new_user(5);", -61),
        ("new_user();", -62),
        ("set_password('acme', 'x');", -63),
        ("set_password('nobody', 'x');", -54),
        ("del_user('acme');", -63),
        ("grant('//stuff', 'nobody', 1);", -54),
        ("grant('//nowhere', 'acme', 1);", -54),
        ("grant('stuff', 'acme', 1);", -60),
        ("new_collection('stuff');", -54),
        ("new_collection('no name');", -60),
        ("rename_collection('stuff', '@thingsdb');", -60),
        ("del_collection('nowhere');", -54),
        ("set_time_zone('stuff', 'Mars');", -60),
        ("set_time_zone('@n', 'Europe/Rome');", -54),
        ("set_time_zone('nowhere', 'Europe/Rome');", -54),
        ("set_default_deep('nowhere', 1);", -54),
        ("set_default_deep('stuff', 128);", -60),
        ("set_default_deep('stuff', nil);", -61),
        ("new_module('x', 'y');", -54),
    ):
        assert peer.error(Kind.QUERY, ["@t", code]) == error, code


def test_a_users_name_belongs_to_one_account(peer: Peer, connect: Callable[..., Peer]) -> None:
    other = connect("bravo")
    peer.query("new_user('iris');", "@t")
    assert other.error(Kind.QUERY, ["@t", "new_user('iris');"]) == -54
    assert other.error(Kind.QUERY, ["@t", "new_user('acme');"]) == -54
    peer.query("del_user('iris'); new_user('iris'); rename_user('iris', 'eris');", "@t")
    assert peer.query("has_user('eris') && !has_user('iris');", "@t") is True


def test_everything_is_stored_and_no_password_or_token_in_clear(folder: Path) -> None:
    with open_platform(folder, "acme") as platform:
        peer = Peer.of(platform)
        peer.query(
            "new_user('iris'); set_password('iris', 'siri-secret'); new_collection('more');"
            "grant('//more', 'iris', 9); rename_collection('more', 'most');"
            "set_time_zone('most', 'Europe/Rome'); set_default_deep('//most', 3);"
            "set_default_deep('@n', 4); set_time_zone('@t', 'Asia/Tokyo');"
            "new_procedure('three', || 3); del_collection('stuff');",
            "@t",
        )
        token = peer.query("new_token('iris');", "@t")
        peer.query(
            ".thing = {list: [1, 2, {a: /b.*/}], set: set({})}; .room = room(); new_procedure('p', |x| x);",
            "//most",
        )
        before = [
            peer.query(code, "@t") for code in ("collections_info();", "users_info();", "procedures_info();")
        ]
        secret = platform.things_address()[3]
        stored = peer.query("return .thing, 3;", "//most")
        ids = peer.query("[.room.id(), .thing.id()];", "//most")
        peer.close()
    found = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    for hidden in (b"siri-secret", token.encode(), secret.encode()):
        assert hidden not in found
    with open_platform(folder, "acme") as platform:
        peer = Peer.of(platform)
        assert before == [
            peer.query(code, "@t") for code in ("collections_info();", "users_info();", "procedures_info();")
        ]
        assert peer.query("return .thing, 3;", "//most") == stored
        assert peer.query("deep();", "//most") == 3
        assert peer.query("deep();", "@n") == 4
        assert peer.query("deep();", "@t") == 1
        assert peer.query("datetime(2024, 1, 2).zone();", "//most") == "Europe/Rome"
        assert peer.query("datetime(2024, 1, 2).zone();", "@t") == "Asia/Tokyo"
        assert peer.ask(Kind.RUN, ["@t", "three"]) == (Kind.DATA, 3)
        assert peer.ask(Kind.RUN, ["//most", "p", [4]]) == (Kind.DATA, 4)
        next_id = before[0][0]["next_free_id"]
        assert peer.query(".next = room(); .next.id();", "//most") == next_id
        assert peer.ask(Kind.AUTH, ["iris", "siri-secret"]) == (Kind.OK, None)
        assert peer.ask(Kind.AUTH, token) == (Kind.OK, None)
        assert peer.query("[.room.id(), .thing.id()];", "//most") == ids
        peer.close()
