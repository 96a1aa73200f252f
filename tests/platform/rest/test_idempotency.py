"""Idempotency keys: the same write twice is one write and one answer."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flowthings_like.platform import ids
from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.rest import idempotency
from flowthings_like.platform.rest.idempotency import _decrypt, _encrypt
from flowthings_like.platform.store.schema import idempotency_keys

from ..harness import HeldWriteLock, at_once, queued, until
from .harness import Client, Reply, client_of


def keyed(key: str = "k1", **extra: Any) -> dict[str, Any]:
    return {"HTTP_IDEMPOTENCY_KEY": key, **extra}


def twice(send: Callable[[], Reply]) -> Reply:
    """The reply to a request that is sent two times, after making sure that it is the same."""
    first, second = send(), send()
    assert (second.status, second.content) == (first.status, first.content)
    return first


def kept(platform: Platform) -> int:
    return platform.store.read(
        lambda connection: connection.execute(idempotency_keys.select()).all().__len__()
    )


def test_a_drop_is_created_once(api: Client) -> None:
    api.flow("a")
    drop = twice(lambda: api.post("/drop/%2Facme%2Fa", {"elems": {"n": 1.5}}, **keyed())).ok(201)
    assert api.get("/drop/%2Facme%2Fa").ok() == [drop]
    assert api.post("/drop/%2Facme%2Fa", {"elems": {"n": 1.5}}, **keyed("k2")).ok(201)["id"] != drop["id"]


def test_a_drop_that_scripts_see_is_created_once(api: Client, platform: Platform) -> None:
    for name in "abc":
        api.flow(name)
    for source, destination in ("ab", "bc"):
        js = "drop => { drop.elems.n += 1; return drop; }"
        api.post("/track", {"source": f"/acme/{source}", "destination": f"/acme/{destination}", "js": js})
    runs: list[int] = []
    run = platform.store.scripts.run

    def counted(script: Any, inputs: Any, answer: Any) -> Any:
        runs.append(len(inputs))
        return run(script, inputs, answer)

    platform.store.scripts.run = counted  # type: ignore[method-assign]
    twice(lambda: api.post("/drop", {"path": "/acme/a", "elems": {"n": 1}}, **keyed()))
    assert [[drop["elems"]["n"] for drop in api.get(f"/drop//acme/{name}").ok()] for name in "abc"] == [
        [1],
        [2],
        [3],
    ]
    assert runs == [1, 1]


def test_every_kind_of_write(api: Client) -> None:
    flow = twice(lambda: api.post("/flow", {"path": "/acme/a"}, **keyed("flow"))).ok(201)
    where = f"/flow/{flow['id']}"
    twice(lambda: api.put(where, {"capacity": 7}, **keyed("put")))
    twice(lambda: api("MPUT", "/flow", {flow["id"]: {"capacity": 8}}, **keyed("mput")))
    twice(lambda: api.put(f"{where}/capacity", 9, **keyed("member")))
    assert api.get(where).ok()["capacity"] == 9
    for kind, model in (
        ("track", {"source": "/acme/a", "destination": "/acme/b"}),
        ("group", {"displayName": "g", "memberIds": []}),
        ("token", {"paths": {"/acme/a": {"dropRead": True}}}),
    ):
        if kind == "track":
            api.flow("b")
        made = twice(lambda: api.post(f"/{kind}", model, **keyed(kind)))  # noqa: B023
        assert made.status == 201, made.content
    drops = f"/drop/{flow['id']}"
    made = twice(lambda: api.post(drops, [{"elems": {"n": n}} for n in range(100)], **keyed("many")))
    assert (made.head["evicted"], made.head["evictedCreated"]) == (91, 91)
    many = made.ok(201)
    found = api.get(f"{drops}?limit=100").ok()
    assert len(found) == 9
    drop = found[0]["id"]
    assert drop == many[-1]["id"]
    twice(lambda: api.put(f"{drops}/{drop}", {"elems": {"m": 1}}, **keyed("dput")))
    twice(lambda: api("MPUT", drops, {drop: {"elems": {"m": 2}}}, **keyed("dmput")))
    twice(lambda: api.put(f"{drops}/{drop}/elems.m", 3, **keyed("dmember")))
    assert api.get(f"{drops}/{drop}").ok()["elems"] == {"m": 3}
    twice(lambda: api("DELETE", f"{drops}/{drop}", **keyed("ddelete"))).ok()
    twice(lambda: api("DELETE", drops, **keyed("clear"))).ok()
    twice(lambda: api("DELETE", where, **keyed("delete"))).ok()
    assert api.get(where).status == 404


def test_a_repetition_changes_nothing_back(api: Client) -> None:
    flow = api.flow("a", capacity=5)["id"]
    first = api.put(f"/flow/{flow}", {"capacity": 6}, **keyed())
    api.put(f"/flow/{flow}", {"capacity": 7})
    assert api.put(f"/flow/{flow}", {"capacity": 6}, **keyed()).content == first.content
    assert api.get(f"/flow/{flow}").ok()["capacity"] == 7


def test_a_repetition_answers_as_before_whatever_happened_since(api: Client) -> None:
    flow = api.flow("a", capacity=1)["id"]
    send = lambda: api.post(f"/drop/{flow}", {"elems": {"n": 1}}, **keyed())  # noqa: E731
    first = send()
    api.post(f"/drop/{flow}", {"elems": {"n": 2}})
    assert send().content == first.content
    assert [drop["elems"]["n"] for drop in api.get(f"/drop/{flow}").ok()] == [2]
    api("DELETE", f"/flow/{flow}")
    assert send().content == first.content


def test_the_same_key_for_another_request(api: Client) -> None:
    flow = api.flow("a")["id"]
    api.post(f"/drop/{flow}", {"elems": {"n": 1}}, **keyed())
    others = [
        lambda: api.post(f"/drop/{flow}", {"elems": {"n": 2}}, **keyed()),
        lambda: api.post(f"/drop/{flow}?hints=1", {"elems": {"n": 1}}, **keyed()),
        lambda: api.post("/flow", {"path": "/acme/b"}, **keyed()),
        lambda: api("DELETE", f"/drop/{flow}", **keyed()),
        lambda: api("DELETE", f"/drop/{flow}/d{'0' * 24}", **keyed()),
    ]
    for other in others:
        reply = other()
        assert reply.status == 400
        assert "k1 was used for another request" in reply.error
    assert len(api.get(f"/drop/{flow}").ok()) == 1
    assert len(api.get("/flow").ok()) == 1


def test_what_failed_may_be_tried_again(api: Client) -> None:
    send = lambda: api.post("/drop/%2Facme%2Fa", {"elems": {"n": 1}}, **keyed())  # noqa: E731
    assert send().status == 404
    api.flow("a", filter="n > 0")
    refused = api.post("/drop/%2Facme%2Fa", {"elems": {"n": -1}}, **keyed("k2"))
    assert refused.status == 400
    assert "does not match" in refused.error
    drop = twice(send).ok(201)
    assert api.get("/drop/%2Facme%2Fa").ok() == [drop]


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\tb"])
def test_a_key_that_is_none(api: Client, key: str) -> None:
    reply = api.post("/flow", {"path": "/acme/a"}, **keyed(key))
    assert reply.status == 400
    assert "1 to 255 printable" in reply.error
    assert api.get("/flow").ok() == []


def test_requests_that_write_nothing_keep_nothing(api: Client, platform: Platform) -> None:
    flow = api.flow("a")["id"]
    assert api.post(f"/drop/{flow}/aggregate", {"output": ["$count"]}, **keyed()).status == 200
    assert api.get("/flow", **keyed()).status == 200
    assert api("MGET", "/flow", [flow], **keyed()).status == 200
    assert kept(platform) == 0
    api.put(f"/flow/{flow}", {"capacity": 3}, **keyed())
    assert kept(platform) == 1


def test_keys_of_different_tokens_are_different(api: Client) -> None:
    api.flow("a")
    rights = {"paths": {"/acme/a": {"dropWrite": True, "dropRead": True}}}
    other = api.as_(api.post("/token", rights).ok(201)["tokenString"])
    mine = twice(lambda: api.post("/drop/%2Facme%2Fa", {"elems": {"n": 1}}, **keyed())).ok(201)
    theirs = twice(lambda: other.post("/drop/%2Facme%2Fa", {"elems": {"n": 1}}, **keyed())).ok(201)
    assert mine["id"] != theirs["id"]


@pytest.mark.sqlite("looks into the file of the database")
def test_no_tokens_string_lies_in_the_file(api: Client, platform: Platform, tmp_path: Path) -> None:
    rights = {"paths": {"/acme/a": {"dropRead": True}}}
    made = twice(lambda: api.post("/token", rights, **keyed())).ok(201)
    assert len(made["tokenString"]) == 28
    platform.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    assert made["id"].encode() in stored
    assert made["tokenString"].encode() not in stored


def test_a_large_result_is_stored_compressed(api: Client, platform: Platform) -> None:
    flow = api.flow("a", capacity=5000)["id"]
    models = [{"elems": {"n": n, "name": f"name {n}"}} for n in range(2000)]
    reply = twice(lambda: api.post(f"/drop/{flow}", models, **keyed()))
    (size,) = platform.store.read(
        lambda connection: connection.exec_driver_sql("SELECT length(result) FROM idempotency_keys").one()
    )
    assert size < len(reply.content) / 4
    assert len(api.get(f"/drop/{flow}?limit=9999").ok()) == 2000


def test_a_packed_body_is_the_same_request_as_before(api: Client) -> None:
    import gzip

    api.flow("a")
    plain = b'{"elems": {"n": 1}}'
    packed = keyed(HTTP_CONTENT_ENCODING="gzip")
    first = api("POST", "/drop/%2Facme%2Fa", plain, **keyed())
    assert api("POST", "/drop/%2Facme%2Fa", gzip.compress(plain), **packed).content == first.content


def test_several_at_the_same_moment_are_one(api: Client, platform: Platform, tmp_path: Path) -> None:
    """Repetitions in one group with the first, and with neighbours that have nothing to do with them."""
    flow = api.flow("a")["id"]
    send = lambda: api.post(f"/drop/{flow}", {"elems": {"n": 0}}, **keyed())  # noqa: E731
    others = [
        lambda n=n: api.post(f"/drop/{flow}", {"elems": {"n": n}}, **keyed(f"other {n}".replace(" ", "-")))
        for n in range(1, 6)
    ]
    outcome: list[Reply] = []
    with HeldWriteLock(platform.store, tmp_path / "data"):
        waiting = threading.Thread(target=lambda: outcome.extend(at_once([send, send, *others, send])))
        waiting.start()
        until(lambda: queued(platform.store) == 8)
    waiting.join()
    same = [outcome[0], outcome[1], outcome[7]]
    assert {reply.status for reply in outcome} == {201}
    assert len({reply.content for reply in same}) == 1
    found = api.get(f"/drop/{flow}").ok()
    assert sorted(drop["elems"]["n"] for drop in found) == [0, 1, 2, 3, 4, 5]


def test_deletes_at_the_same_moment_both_succeed(api: Client) -> None:
    flow = api.flow("a")["id"]
    replies = at_once([lambda: api("DELETE", f"/flow/{flow}", **keyed())] * 4)
    assert [reply.status for reply in replies] == [200] * 4
    assert api("DELETE", f"/flow/{flow}").status == 404


def test_another_process_knows_the_keys(api: Client, platform: Platform, tmp_path: Path) -> None:
    master = platform.accounts.new_master("acme")
    first = api.as_(master).post("/flow", {"path": "/acme/a"}, **keyed())
    with Platform(type(platform.store)(tmp_path / "data"), "acme") as other:
        again = client_of(other).as_(master).post("/flow", {"path": "/acme/a"}, **keyed())
    assert again.content == first.content


@pytest.mark.sqlite("its trigger is SQLite's")
def test_key_and_write_are_one_transaction(api: Client, platform: Platform, tmp_path: Path) -> None:
    """If the key cannot be stored, nothing is written; if nothing is written, no key is stored."""
    flow = api.flow("a")["id"]
    with sqlite3.connect(tmp_path / "data" / "platform.db") as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON idempotency_keys "
            "BEGIN SELECT RAISE(ABORT, 'no more keys'); END"
        )
    other.close()
    assert api.post(f"/drop/{flow}", {"elems": {"n": 1}}, **keyed()).status == 500
    assert api.get(f"/drop/{flow}").ok() == []
    platform.store.write(lambda connection: connection.exec_driver_sql("DROP TRIGGER full"))
    assert api.post(f"/drop/{flow}", {"elems": {"n": 1}}, **keyed()).status == 201


def test_a_request_writes_once_by_construction(platform: Platform) -> None:
    from flowthings_like.platform.rest.request import Request, Target

    request = Request(
        {"REQUEST_METHOD": "POST", "RAW_URI": "/"},
        Target("v4.0", "acme", "x", ()),
        platform.accounts.caller(platform.token, "acme"),
        store=platform.store,
        accounts=platform.accounts,
        calls=None,  # type: ignore[arg-type]
    )
    store = idempotency.IdempotencyKeys().once(request, "k", platform.token)
    assert store.write(lambda connection: {"n": 1}) == {"n": 1}
    with pytest.raises(RuntimeError, match="writes once"):
        store.write(lambda connection: {"n": 2})


def test_keys_are_forgotten_after_a_day(
    api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = api.flow("a")["id"]
    send = lambda: api.post(f"/drop/{flow}", {"elems": {"n": 1}}, **keyed())  # noqa: E731
    first, now = send(), ids.now_ms()
    monkeypatch.setattr(ids, "now_ms", lambda: now + idempotency.KEPT - 60_000)
    assert send().content == first.content
    monkeypatch.setattr(ids, "now_ms", lambda: now + idempotency.KEPT + 60_000)
    second = send()
    assert second.ok(201)["id"] != first.ok(201)["id"]
    assert send().content == second.content
    assert kept(platform) == 1


def test_expired_keys_are_swept_a_few_at_a_time(
    api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_SWEEP_EVERY", 4)
    rows = [{"mark": b"%05d" % n, "created": n % 2 * ids.now_ms(), "result": b""} for n in range(5000)]
    platform.store.write(lambda connection: connection.execute(idempotency_keys.insert(), rows))
    flow = api.flow("a")["id"]
    for n in range(4):
        api.post(f"/drop/{flow}", {"elems": {"n": n}}, **keyed(f"k{n}")).ok(201)
    assert kept(platform) == 5004 - 512
    for n in range(4, 20):
        api.post(f"/drop/{flow}", {"elems": {"n": n}}, **keyed(f"k{n}")).ok(201)
    assert kept(platform) == 2500 + 20
    for n in range(20, 40):  # and round again
        api.post(f"/drop/{flow}", {"elems": {"n": n}}, **keyed(f"k{n}")).ok(201)
    assert kept(platform) == 2500 + 40


@hypothesis_settings(deadline=None, max_examples=100)
@given(text=st.binary(max_size=3000).map(lambda raw: b'"' + raw.hex().encode() + b'"'), secret=st.binary())
def test_what_is_closed_opens_only_with_its_secret(text: bytes, secret: bytes) -> None:
    closed = _encrypt(text, secret)
    assert _decrypt(closed, secret) == text
    assert _decrypt(closed, secret + b"x") is None
    assert text not in closed
