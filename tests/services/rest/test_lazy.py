"""The requests of lazy calls: one bulk request for several calls, the plain request for one."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from flowthings_like import (
    API,
    FlowThingsBadRequest,
    FlowThingsNotFound,
    GreenThunk,
    InvalidInput,
    M,
    force,
    mem,
)

from ...green.fakes import submitted_together
from ..support import CREDS, Answer, Seen, envelope, make_api, serving


class Recorder:
    """A sender that answers like an empty platform, and records the requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, Any]] = []

    def __call__(self, method: str, url: str, params: Any = None, data: Any = None, creds: Any = None) -> Any:
        path = url.removeprefix("https://test/vtest/acc")
        self.asked.append((method, path, dict(params or {}), data))
        if method == "MGET" and path == "/drop":
            body: Any = {query["flowId"]: [query["params"]] for query in data}
        elif method == "MGET":
            body = {id: {"id": id} for id in data}
        elif method == "MPUT":
            body = data
        elif isinstance(data, list):
            body = [{**model, "id": "new"} for model in data]
        else:
            body = {"id": path.rpartition("/")[2], **(data or {})}
        return envelope(body), {}, 200


@pytest.fixture
def sender() -> Recorder:
    return Recorder()


def lazily(api: API, program: Any) -> list[Any]:
    """The values of a program's thunks. Also on threads all calls are queued before the first is sent."""
    lazy = api.lazy()
    with submitted_together(lazy):
        thunks = program(lazy)
        assert all(type(thunk) is GreenThunk for thunk in thunks)
    return [force(thunk) for thunk in thunks]


def test_reads(sender: Recorder) -> None:
    api = make_api(request=sender)
    found = lazily(api, lambda lazy: [lazy.flow.read("a"), lazy.flow.find("b"), lazy.track.read("c")])
    assert found == [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert sorted(sender.asked) == [("GET", "/track/c", {}, None), ("MGET", "/flow", {}, ["a", "b"])]


def test_reads_of_drops_by_whatever_names_their_flow(sender: Recorder) -> None:
    api = make_api(request=sender)
    flow = {"id": "f1", "path": "/acc/a"}
    found = lazily(api, lambda lazy: [lazy.drop("f1").read("a"), lazy.drop(flow).read("b")])
    assert found == [{"id": "a"}, {"id": "b"}]
    assert sender.asked == [("MGET", "/drop/f1", {}, ["a", "b"])]


def test_creates_and_updates(sender: Recorder) -> None:
    api = make_api(request=sender)
    lazily(api, lambda lazy: [lazy.drop("f1").create({"elems": {"n": n}}) for n in range(3)])
    model = {"id": "a", "n": 1}
    lazily(api, lambda lazy: [lazy.flow.update(M(model, n=2)), lazy.flow.save({"id": "b", "n": 3})])
    assert sender.asked == [
        ("POST", "/drop/f1", {}, [{"elems": {"n": n}} for n in range(3)]),
        ("MPUT", "/flow", {}, {"a": {"n": 2}, "b": {"id": "b", "n": 3}}),
    ]


def test_flows_are_created_one_by_one(sender: Recorder) -> None:
    api = make_api(request=sender)
    lazily(api, lambda lazy: [lazy.flow.create({"n": n}) for n in range(2)])
    assert [asked[:2] for asked in sender.asked] == [("POST", "/flow")] * 2


def test_finds_in_several_flows(sender: Recorder) -> None:
    api = make_api(request=sender, params={"hints": 0})
    found = lazily(
        api,
        lambda lazy: [
            lazy.drop("f1").find(mem.elems.temp > 90, limit=10),
            lazy.drop("/acc/b").find(),
            lazy.drop("f3").find_many("temp > 1", params={"only": "elems"}),
        ],
    )
    assert found == [
        [{"hints": 0, "filter": "elems.temp > 90", "limit": 10}],
        [{"hints": 0}],
        [{"hints": 0, "filter": "temp > 1", "only": "elems"}],
    ]
    assert [asked[:3] for asked in sender.asked] == [("MGET", "/drop", {"hints": 0, "each": 1})]


def test_a_find_after_a_write_to_its_flow_is_made_again(sender: Recorder) -> None:
    """Also where the first find of the batch is about another flow."""
    api = make_api(request=sender)
    lazily(
        api,
        lambda lazy: [
            lazy.drop("f1").find(mem.n > 1),
            lazy.drop("f2").find(mem.n > 1),
            lazy.drop("f2").create({"elems": {"n": 2}}),
            lazy.drop("f2").find(mem.n > 1),
        ],
    )
    in_lists = [query["flowId"] for method, _, _, data in sender.asked if method == "MGET" for query in data]
    alone = [path.rpartition("/")[2] for method, path, _, _ in sender.asked if method == "GET"]
    assert sorted(in_lists + alone) == ["f1", "f2", "f2"]


def test_one_call_is_the_plain_request(sender: Recorder) -> None:
    programs = [
        lambda api: [api.flow.read("a")],
        lambda api: [api.flow.find("a")],
        lambda api: [api.drop("f1").find(mem.temp > 1, limit=3)],
        lambda api: [api.drop("f1").create({"elems": {"n": 2}})],
        lambda api: [api.flow.update({"id": "a", "n": 1})],
        lambda api: [api.flow.read_or_else("a", None)],
    ]
    for program in programs:
        api = make_api(request=sender)
        sender.asked.clear()
        plain = program(api)
        asked = [*sender.asked]
        sender.asked.clear()
        assert lazily(api, program) == plain
        assert sender.asked == asked


def test_references_and_chosen_members_go_alone(sender: Recorder) -> None:
    for options, keywords in ({}, {"refs": True}), ({}, {"only": "path"}), ({"params": {"refs": 1}}, {}):
        sender.asked.clear()
        api = make_api(request=sender, **options)
        lazily(api, lambda lazy, kw=keywords: [lazy.flow.read("a", **kw), lazy.flow.read("b", **kw)])  # type: ignore[misc]
        # At the same time, so in any order.
        assert sorted(asked[:2] for asked in sender.asked) == [("GET", "/flow/a"), ("GET", "/flow/b")]


@pytest.mark.parametrize("options", [{}, {"params": {"refs": 1}}])
def test_creates_that_go_alone_keep_their_order(sender: Recorder, options: dict[str, Any]) -> None:
    api = make_api(request=sender, **options)
    lazily(
        api,
        lambda lazy: [lazy.drop("f1").create({"n": n}, **({"hints": 1} if n == 3 else {})) for n in range(6)],
    )
    written = [
        model["n"] for _, _, _, data in sender.asked for model in (data if isinstance(data, list) else [data])
    ]
    assert written == list(range(6))


def test_what_makes_no_sense_fails_as_itself(sender: Recorder) -> None:
    api = make_api(request=sender)
    with pytest.raises(InvalidInput, match="no 'id'"):
        lazily(api, lambda lazy: [lazy.flow.update({"n": 1}), lazy.flow.read("a"), lazy.flow.read("b")])
    for bad in (None, 5, ""):
        with pytest.raises(InvalidInput, match="an id"):
            lazily(api, lambda lazy, bad=bad: [lazy.flow.read(bad)])  # type: ignore[misc]
    for bad in ([1], "text", None):
        with pytest.raises(InvalidInput, match="a model is a dict"):
            lazily(api, lambda lazy, bad=bad: [lazy.drop("f1").create(bad)])  # type: ignore[misc]
    with pytest.raises(InvalidInput, match="stands alone"):
        lazily(api, lambda lazy: [lazy.flow.find("a", "b")])


def test_a_value_json_cannot_say_fails_its_own_create() -> None:
    seen: list[Seen] = []

    def answer(request: Seen) -> Answer:
        seen.append(request)
        body = json.loads(request.body)
        return Answer(201, json.dumps(envelope(body, 201)).encode())

    with serving(answer) as server, API(CREDS, host=server.address, secure=False) as api:
        lazy = api.lazy()
        with submitted_together(lazy):
            thunks = [lazy.drop("f").create({"n": n}) for n in (1.0, float("nan"), 2.0, 3.0)]
        with pytest.raises(InvalidInput, match=r"data\.n is nan"):
            force(thunks[1])
        assert [thunks[n]["n"] for n in (0, 2, 3)] == [1.0, 2.0, 3.0]
    sent = [json.loads(request.body) for request in seen]
    assert sent == [{"n": 1.0}, [{"n": 2.0}, {"n": 3.0}]]


def test_a_proxy_that_does_not_know_mget_is_got_round() -> None:
    seen: list[str] = []

    def answer(request: Seen) -> Answer:
        seen.append(request.method)
        if request.method == "MGET":
            return Answer(405, b"<html>", {"Content-Type": "text/html"})
        return Answer(body=json.dumps(envelope({"id": request.target.rpartition("/")[2]})).encode())

    with serving(answer) as server, API(CREDS, host=server.address, secure=False) as api:
        for _ in range(2):
            found = lazily(api, lambda lazy: [lazy.flow.read(id) for id in ("a", "b", "c")])
            assert [flow["id"] for flow in found] == ["a", "b", "c"]
    assert seen == ["MGET", *["GET"] * 6]


def test_on_the_embedded_platform_lazy_programs_end_as_plain_ones(tmp_path: Any) -> None:
    def program(api: Any, wait: Any) -> list[Any]:
        flows = [api.flow.create({"path": f"/acme/{wait.__name__}/{n}"}) for n in range(4)]
        made = [api.drop(flow["id"]).create({"elems": {"n": n}}) for flow in flows for n in range(5)]
        found = [api.drop(flow["id"]).find(mem.elems.n >= 2, sort="elems.n", order="asc") for flow in flows]
        wait(made)
        wait(found)
        found = [api.drop(flow["id"]).find(mem.elems.n >= 2, limit=2) for flow in flows]
        changed = [api.flow.update({"id": flow["id"], "capacity": 7}) for flow in flows]
        wait(changed)
        again = [api.flow.read(flow["id"]) for flow in flows]
        return [
            [drop["elems"]["n"] for drop in made],
            [[drop["elems"]["n"] for drop in drops] for drops in found],
            [flow["capacity"] for flow in again],
        ]

    def missing(drops: Any) -> Any:
        thunks = [drops.read(id) for id in ("d" + "0" * 24, "d" + "1" * 24)]
        with pytest.raises(FlowThingsNotFound, match="there is no"):
            force(thunks[1])
        return thunks[0]

    def plain(thunks: Any) -> None:
        pass

    def lazily(thunks: Any) -> None:
        for thunk in thunks:
            force(thunk)

    with API.embedded(tmp_path) as api:
        assert program(api.lazy(), lazily) == program(api, plain)
        flow = api.flow.create({"path": "/acme/one"})
        with pytest.raises(FlowThingsNotFound, match="there is no d0"):
            force(missing(api.lazy().drop(flow["id"])))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            lazy = api.lazy()
            drops = [
                lazy.drop(flow["id"]).create(model)
                for model in ({"elems": {"n": 1}}, {}, {"elems": {"n": 2}})
            ]
            with pytest.raises(FlowThingsBadRequest, match="elems is required"):
                force(drops[1])
            assert (drops[0]["elems"], drops[2]["elems"]) == ({"n": 1}, {"n": 2})
