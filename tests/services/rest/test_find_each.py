"""Many lazy finds: one request if the platform knows `each`, else requests at the same time."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from flowthings_like import API, FlowThingsBadRequest, FlowThingsForbidden, FlowThingsNotFound, force, mem
from flowthings_like.errors import FlowThingsException, InvalidResponse
from flowthings_like.green.batching.bulk_marker import ALONE
from flowthings_like.services.rest.find_each import find_each

from ..support import CREDS, Answer, Seen, envelope, make_api, serving


class Foreign:
    """A platform that knows only multi-finds by flow, and refuses the filter `bad`."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, method: str, url: str, params: Any = None, data: Any = None, creds: Any = None) -> Any:
        path = url.removeprefix("https://test/vtest/acc")
        self.asked.append((method, path, data))
        if method == "MGET" and self.status:
            return envelope({}, self.status, errors=["no"]), {}, self.status
        if method == "MGET":
            if any(query["params"].get("filter") == "bad" for query in data):
                return envelope({}, 400, errors=["find 1: no"]), {}, 400
            return envelope({query["flowId"]: [query["params"]] for query in data}), {}, 200
        return envelope([dict(params)]), {}, 200


def query(flow: str, **params: Any) -> dict[str, Any]:
    return {"flowId": flow, "params": params}


def test_our_platform_answers_each(tmp_path: Any) -> None:
    with API.embedded(tmp_path) as api:
        one, two = (api.flow.create({"path": f"/acme/{name}"})["id"] for name in ("one", "two"))
        for n in range(5):
            api.drop(one).create({"elems": {"n": n}})
        lazy = api.lazy()
        good = [lazy.drop(one).find(mem.elems.n == n, limit=1) for n in range(5)]
        bad = lazy.drop(one).find(filter="n ==")
        gone = lazy.drop("f" + "0" * 24).find()
        empty = lazy.drop(two).find(mem.elems.n == 1)
        assert [thunk[0]["elems"]["n"] for thunk in good] == [0, 1, 2, 3, 4]
        assert force(empty) == []
        with pytest.raises(FlowThingsBadRequest, match="line 1"):
            force(bad)
        with pytest.raises(FlowThingsNotFound, match="there is no flow"):
            force(gone)
        found = find_each(api._connection, [query(one, limit=1), query("nonsense"), query(two)], {})
        assert [type(each) for each in found] == [list, FlowThingsBadRequest, list]
        assert api._connection.answers_each is True


def test_a_map_by_flow_says_that_the_platform_does_not() -> None:
    sender = Foreign()
    connection = make_api(request=sender)._connection
    queries = [query("a", n=1), query("b"), query("a", n=2), query("c")]
    assert find_each(connection, queries, {}) == [ALONE, [{}], ALONE, [{}]]
    assert connection.answers_each is False
    assert find_each(connection, queries, {}) == [[{"n": 1}], [{}], ALONE, [{}]]
    assert [each["flowId"] for each in sender.asked[-1][2]] == ["a", "b", "c"]
    asked = len(sender.asked)
    assert find_each(connection, [query("a", n=n) for n in range(3)], {}) == [ALONE] * 3
    assert len(sender.asked) == asked  # a map by flow cannot answer it


def test_a_refusal_of_one_leaves_the_others_to_themselves() -> None:
    connection = make_api(request=Foreign())._connection
    queries = [query("a"), query("b", filter="bad"), query("c")]
    assert find_each(connection, queries, {}) == [ALONE] * 3
    assert connection.answers_each is None
    find_each(connection, [query("a"), query("b")], {})
    assert connection.answers_each is False
    assert find_each(connection, queries, {}) == [ALONE] * 3


@pytest.mark.parametrize("status", [404, 405, 413, 501])
def test_a_platform_that_knows_no_finds_of_many(status: int) -> None:
    sender = Foreign(status)
    api = make_api(request=sender)
    lazy = api.lazy()
    for n in range(2):
        thunks = [lazy.drop("a").find(limit=limit) for limit in (n + 1, n + 2, n + 3)]
        assert [thunk[0]["limit"] for thunk in thunks] == [n + 1, n + 2, n + 3]


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_what_is_about_the_caller_or_the_platform_is_everybodys(status: int) -> None:
    connection = make_api(request=Foreign(status))._connection
    with pytest.raises(FlowThingsException) as caught:
        find_each(connection, [query("a"), query("b")], {})
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"status": 403, "errors": ["x"]}, FlowThingsForbidden),
        ({"status": 404, "errors": 5}, FlowThingsNotFound),
        ({"status": "404"}, InvalidResponse),
        ({}, InvalidResponse),
        (5, InvalidResponse),
        ("text", InvalidResponse),
    ],
)
def test_what_may_stand_in_an_answer(entry: Any, kind: type[Exception]) -> None:
    connection = make_api(request=lambda *_, **__: (envelope([[], entry, None]), {}, 200))._connection
    found = find_each(connection, [query("a")] * 3, {})
    assert [found[0], found[2]] == [[], ALONE]
    assert type(found[1]) is kind
    with pytest.raises(InvalidResponse, match="3 answers to 2 finds"):
        find_each(connection, [query("a")] * 2, {})


@pytest.mark.parametrize("flows", [["f1"], ["f1", "f2", "f3"]])
def test_a_platform_without_it_is_asked_for_many_at_the_same_time(flows: list[str]) -> None:
    """The finds of one flow with different filters do not wait for each other."""
    at_once = 6
    arrived: list[str] = []
    enough = threading.Event()

    def answer(request: Seen) -> Answer:
        if request.method == "MGET":
            found = {each["flowId"]: [] for each in json.loads(request.body)}
            return Answer(body=json.dumps(envelope(found)).encode())
        if "limit=1" not in request.target:  # the first find may be sent before the others are made
            arrived.append(request.target)
            if len(arrived) >= at_once:
                enough.set()
            assert enough.wait(30)
        return Answer(body=json.dumps(envelope([{"id": "d1"}])).encode())

    with serving(answer) as server, API(CREDS, host=server.address, secure=False) as api:
        lazy = api.lazy()
        first = lazy.drop("f0").find(limit=1)
        thunks = [lazy.drop(flow).find(mem.elems.n == n) for flow in flows for n in range(2 * at_once)]
        found = [force(thunk) for thunk in [first, *thunks]]
    assert found.count([{"id": "d1"}]) >= at_once
    assert enough.is_set()


def test_the_short_way_to_a_query_is_the_long_way() -> None:
    drops = make_api().drop("f1")
    short = drops._as_query(mem.elems.a == "it's", limit=3, sort="a")
    long = drops._as_query(filter=mem.elems.a == "it's", limit=3, sort=["a"])
    assert short is not None
    assert long is not None
    assert short[1]["params"] == {**long[1]["params"], "sort": "a"}
    for alone in ({"refs": True}, {"explain": 1}, {"retry": False}):
        assert drops._as_query(mem.a == 1, **alone) is None
