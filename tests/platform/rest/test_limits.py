"""Limits of a served platform's requests: rights come first, searches end, large bodies wait."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sql

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.permits import PermitLimits
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.rest.application import Limits
from flowthings_like.platform.rest.search_limits import SearchLimits
from flowthings_like.testing.server import Server

from ..store.test_cancellation import FOREVER
from .harness import Client, client_of

ONE = PermitLimits(per_caller=1, total=2, waiting=5, timeout=0.05)
SLOW = " || ".join(f"elems.text =~ /x{number}+y/" for number in range(150))  # 15 ms a hundred drops, or so
DROPS = 1000


class Unread:
    """A body that must not be read."""

    def read(self, size: int) -> bytes:
        raise AssertionError("the body was read")


@pytest.fixture
def refusing(platform: Platform) -> Client:
    """The platform for a caller that may read one flow and nothing else."""
    api = client_of(platform)
    api.flow("mine")
    api.flow("other")
    token = api.post("/token", {"paths": {"/acme/mine": {"dropRead": True, "read": True}}}).ok(201)
    return api.as_(token["tokenString"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/drop"),
        ("POST", "/drop/f0123456789abcdef01234567"),
        ("POST", "/drop/%2Facme%2Fmine"),
        ("MPUT", "/drop/%2Facme%2Fmine"),
        ("PUT", "/drop/%2Facme%2Fmine/d0123456789abcdef01234567"),
        ("PUT", "/drop/%2Facme%2Fmine/d0123456789abcdef01234567/elems"),
        ("MGET", "/drop/%2Facme%2Fother"),
        ("POST", "/drop/%2Facme%2Fother/aggregate"),
        ("POST", "/drop//acme/other/aggregate"),
        ("POST", "/flow"),
        ("MPUT", "/flow"),
        ("PUT", "/track/t0123456789abcdef01234567"),
        ("POST", "/token"),
    ],
)
def test_rights_come_before_the_body(refusing: Client, method: str, path: str) -> None:
    extra = {"wsgi.input": Unread(), "CONTENT_LENGTH": "1000000"}
    assert "right" in refusing(method, path, **extra).error
    assert refusing(method, path, **extra).status == 403
    assert refusing.as_(None)(method, path, **extra).status == 401
    assert refusing.as_("wrong")(method, path, **extra).status == 403


def test_what_may_be_done_is_done(refusing: Client) -> None:
    assert refusing("MGET", "/drop/%2Facme%2Fmine", []).ok() == {}
    assert refusing.post("/drop/%2Facme%2Fmine/aggregate", {"output": ["$count"]}).ok() == []
    assert refusing("MGET", "/flow", []).ok() == {}
    assert refusing.post("/track/simulate", {"drop": {"elems": {"a": 1}}, "filter": ""}).ok()["drops"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flow with a thousand drops."""
    made = tmp_path_factory.mktemp("limits")
    with open_platform(made, "acme") as platform:
        api = client_of(platform)
        flow = api.flow("x")
        drops = [{"elems": {"n": number, "text": "abcdefgh " * 20}} for number in range(DROPS)]
        api.post(f"/drop/{flow['id']}", drops).ok(201)
    return made


def limited(folder: Path, **limits: Any) -> Platform:
    return open_platform(folder, "acme", limits=Limits(**limits))


SEARCHES = {
    "find": ("GET", f"/drop?path=/acme/x&filter={quote(SLOW)}", None),
    "find in": ("GET", f"/drop/%2Facme%2Fx?filter={quote(SLOW)}", None),
    "multi-find": ("MGET", "/drop", [{"flowId": "/acme/x", "params": {"filter": SLOW}}]),
    "aggregate": ("POST", "/drop/%2Facme%2Fx/aggregate", {"output": ["$count"], "filter": SLOW}),
    "rule": (
        "POST",
        "/drop/%2Facme%2Fx/aggregate",
        {"output": ["$avg:r"], "rules": {"r": SLOW}},
    ),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_search_ends_when_its_time_is_up(folder: Path, search: Any) -> None:
    with limited(folder, searches=SearchLimits(seconds=0.02, quick=0.01)) as platform:
        api = client_of(platform)
        reply = api(*search)
        assert reply.status == 400
        assert "ended after 0.02 seconds" in reply.error
        assert len(api.get("/drop?path=/acme/x&filter=elems.n < 5").ok()) == 5
    with limited(folder) as platform:  # slow, and not quick, and done all the same
        client_of(platform)(*search).ok()


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_search_ends_when_its_client_has_gone(folder: Path, search: Any) -> None:
    looked: list[bool] = []

    def is_gone() -> bool:
        looked.append(True)
        return len(looked) > 1

    with limited(folder, searches=SearchLimits(quick=0.001)) as platform:
        reply = client_of(platform)(*search, **{"flowthings.is_gone": is_gone})
        assert "hung up" in reply.error


def test_resources_and_statistics_are_searches_too(folder: Path) -> None:
    with limited(folder) as platform:
        api = client_of(platform)
        gone = {"flowthings.is_gone": lambda: True}
        for path in ("/flow", "/track", "/identity", "/statistics/calls/i0123456789abcdef01234567"):
            assert "hung up" in api.get(path, **gone).error
        (flow,) = api.get("/flow").ok()
        assert api.get(f"/flow/{flow['id']}", **gone).ok() == flow


def held(platform: Platform, name: str, caller: Any) -> Any:
    return getattr(platform.application, name).hold(caller)


def test_a_caller_with_too_many_searches_is_told_when_to_retry(folder: Path) -> None:
    limits = SearchLimits(quick_permits=ONE, permits=ONE)
    with limited(folder, searches=limits) as platform:
        api = client_of(platform)
        me = api.get("/identity").ok()[0]["id"]
        with platform.application._searches._quick.hold((me, None)):  # type: ignore[union-attr]
            reply = api.get("/drop?path=/acme/x")
            assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
            assert "1 searches of this caller" in reply.error
            drop = "d0123456789abcdef01234567"
            assert api.get(f"/drop/%2Facme%2Fx/{drop}").status == 404, "reads are no searches"
        assert len(api.get("/drop?path=/acme/x").ok()) == 20


def test_so_many_large_bodies_are_held_at_once(folder: Path) -> None:
    with limited(folder, bodies=ONE) as platform:
        api = client_of(platform)
        me = api.get("/identity").ok()[0]["id"]
        large = {"path": "/acme/x", "elems": {"text": "x" * 2_000_000}}
        packed = gzip.compress(json.dumps(large).encode())
        with platform.application._bodies.hold((me, None)):  # type: ignore[union-attr]
            for extra in ({}, {"HTTP_CONTENT_ENCODING": "gzip"}):
                reply = api.post("/drop", packed if extra else large, **extra)
                assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
                assert "large bodies of this caller" in reply.error
            api.post("/track/simulate", {"drop": {"elems": {"a": 1}}, "filter": ""}).ok()
        assert platform.application._bodies._total == 0  # type: ignore[union-attr]
        assert api.post("/track/simulate", {"drop": large, "filter": ""}).ok()["drops"] == [large]
        assert platform.application._bodies._total == 0  # type: ignore[union-attr]


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(folder, limits=Limits(SearchLimits(seconds=None, quick=0.01))) as running:
        yield running


def test_over_a_socket_a_client_that_hangs_up_ends_its_search(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(store: Store, *_: Any) -> Any:
        return store.read(lambda connection: connection.execute(sql.text(FOREVER.format("count(*)"))).all())

    monkeypatch.setattr("flowthings_like.platform.rest.drop_routes.aggregate", endless)
    client = http.client.HTTPConnection(server.address, timeout=60)
    body = b"{}"
    headers = {"X-Auth-Token": server.token}
    client.request("POST", "/v4.0/acme/drop/%2Facme%2Fx/aggregate", body, headers)
    running = server._platform.application._searches._permits
    until(lambda: running._total == 1)
    client.close()
    until(lambda: running._total == 0)


def test_over_a_socket_a_body_is_read_after_the_rights(server: Server) -> None:
    client = http.client.HTTPConnection(server.address, timeout=60)
    client.request("POST", "/v4.0/acme/flow", b"{" * 100_000, {"X-Auth-Token": "wrong"})
    assert client.getresponse().read()
    client.request("GET", "/v4.0/acme/flow", headers={"X-Auth-Token": server.token})
    assert client.getresponse().status == 200
    client.close()


def until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_many_searches_of_one_caller_are_all_answered(server: Server) -> None:
    found: list[int] = []

    def work(number: int) -> None:
        client = http.client.HTTPConnection(server.address, timeout=60)
        url = f"/v4.0/acme/drop/%2Facme%2Fx?filter=elems.n=={number}"
        client.request("GET", url, headers={"X-Auth-Token": server.token})
        found.extend(drop["elems"]["n"] for drop in json.load(client.getresponse())["body"])
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(40))
