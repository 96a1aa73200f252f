"""The verbs that all resources share, tested on flows and groups."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowthings_like.platform.store.schema import resources

from .harness import Client

UNKNOWN = "f" + "0" * 24


def test_create_read_update_delete(api: Client) -> None:
    flow = api.post("/flow", {"path": "/acme/x", "displayName": "X"}).ok(201)
    assert len(flow["id"]) == 25
    assert flow["id"][0] == "f"
    assert flow == {
        "id": flow["id"],
        "path": "/acme/x",
        "displayName": "X",
        "capacity": 1000,
        "creationDate": flow["creationDate"],
        "creatorId": api.get("/identity").ok()[0]["id"],
    }
    assert api.get(f"/flow/{flow['id']}").ok() == flow

    changed = api.put(f"/flow/{flow['id']}", {"id": flow["id"], "description": "d"}).ok()
    assert changed.pop("lastEditDate") >= flow["creationDate"]
    assert changed.pop("lastEditorId") == flow["creatorId"]
    assert changed == {**flow, "description": "d"}

    assert api.delete(f"/flow/{flow['id']}").ok() == {}
    assert api.get(f"/flow/{flow['id']}").status == 404
    assert api.delete(f"/flow/{flow['id']}").status == 404
    assert api.put(f"/flow/{flow['id']}", {"description": "d"}).status == 404


def test_an_update_is_partial_and_null_removes(api: Client) -> None:
    flow = api.flow("x", displayName="X", description="d", metadata={"a": 1})
    changed = api.put(f"/flow/{flow['id']}", {"displayName": None, "metadata": {"b": 2}}).ok()
    assert "displayName" not in changed
    assert changed["metadata"] == {"b": 2}
    assert changed["description"] == "d"
    assert "path is required" in api.put(f"/flow/{flow['id']}", {"path": None}).error


def test_what_the_platform_sets_may_be_sent_back_and_is_ignored(api: Client) -> None:
    flow = api.flow("x")
    sent = {**flow, "creationDate": 5, "creatorId": "me", "lastEditDate": 7, "displayName": "X"}
    changed = api.put(f"/flow/{flow['id']}", sent).ok()
    assert changed["creationDate"] == flow["creationDate"]
    assert changed["creatorId"] == flow["creatorId"]
    assert changed["lastEditDate"] > 7
    assert changed["displayName"] == "X"


def test_members_that_nobody_checks_are_kept(api: Client) -> None:
    flow = api.flow("x", colour={"hue": [1, 2, None]}, ref=12)
    assert api.get(f"/flow/{flow['id']}").ok()["colour"] == {"hue": [1, 2, None]}


def test_ids_are_the_platforms(api: Client) -> None:
    assert "chosen by the platform" in api.post("/flow", {"id": UNKNOWN, "path": "/acme/x"}).error
    assert api.post("/flow", {"id": None, "path": "/acme/x"}).ok(201)["id"] != UNKNOWN
    one, other = api.flow("a"), api.flow("b")
    assert other["id"] in api.put(f"/flow/{one['id']}", {"id": other["id"], "displayName": "X"}).error


def test_one_member_can_be_set(api: Client) -> None:
    flow = api.flow("x")
    assert api.put(f"/flow/{flow['id']}/capacity", 5).ok()["capacity"] == 5
    assert api.put(f"/flow/{flow['id']}/displayName", "X").ok()["displayName"] == "X"
    assert "capacity" in api.put(f"/flow/{flow['id']}/capacity", -1).error
    assert "set by the platform" in api.put(f"/flow/{flow['id']}/creationDate", 5).error
    assert api.get(f"/flow/{flow['id']}").ok()["capacity"] == 5


def test_reading_many_leaves_out_what_is_not_there(api: Client) -> None:
    flows = [api.flow(name) for name in "abc"]
    wanted = [flows[2]["id"], UNKNOWN, "nonsense", flows[0]["id"], flows[2]["id"]]
    found = api("MGET", "/flow", wanted).ok()
    assert list(found) == [flows[2]["id"], flows[0]["id"]]
    assert found[flows[0]["id"]] == flows[0]
    assert api("MGET", "/flow", []).ok() == {}
    assert api("MGET", "/track", wanted).ok() == {}


@pytest.mark.parametrize("body", [{}, "x", [1], None, ["x"] * 10_001])
def test_reading_many_takes_a_list_of_ids(api: Client, body: Any) -> None:
    assert "ids" in api("MGET", "/flow", body if body is not None else b"null").error


def test_updating_many_is_all_or_nothing(api: Client) -> None:
    one, other = api.flow("a"), api.flow("b")
    changed = api("MPUT", "/flow", {one["id"]: {"capacity": 1}, other["id"]: {"capacity": 2}}).ok()
    assert {id_: flow["capacity"] for id_, flow in changed.items()} == {one["id"]: 1, other["id"]: 2}
    for bad in ({UNKNOWN: {}}, {other["id"]: {"capacity": -1}}, {other["id"]: 5}):
        reply = api("MPUT", "/flow", {one["id"]: {"capacity": 9}, **bad})
        assert reply.error
        assert api.get(f"/flow/{one['id']}").ok()["capacity"] == 1
    assert api("MPUT", "/flow", []).error
    assert api("MPUT", "/flow", {}).error


class TestFind:
    @pytest.fixture
    def flows(self, api: Client) -> list[Any]:
        return [
            api.flow(f"w/{name}", capacity=index * 10, displayName=name) for index, name in enumerate("abcd")
        ]

    def names(self, api: Client, query: str) -> str:
        return "".join(flow["displayName"] for flow in api.get(f"/flow?{query}").ok())

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", "dcba"),
            ("order=asc", "abcd"),
            ("limit=2", "dc"),
            ("limit=2&start=1", "cb"),
            ("limit=2&skip=3", "a"),
            ("limit=0", ""),
            ("filter=", "dcba"),
            ("filter=capacity%20%3E%3D%2020", "dc"),
            ("filter=path%20%3D%3D%20'/acme/w/b'", "b"),
            ("filter=displayName%20IN%20%5B'a','c'%5D&order=asc", "ac"),
            ("filter=nothing%20%3D%3D%201", ""),
            ("sort=capacity&order=asc", "abcd"),
            ("sort=displayName&order=desc&start=1", "cba"),
        ],
    )
    def test_by_filter_order_and_page(self, api: Client, flows: Any, query: str, expected: str) -> None:
        assert self.names(api, query) == expected

    def test_only_some_members(self, api: Client, flows: Any) -> None:
        (found,) = api.get("/flow?limit=1&only=path,displayName").ok()
        assert found == {"id": flows[3]["id"], "path": "/acme/w/d", "displayName": "d"}
        assert api.get(f"/flow/{flows[0]['id']}?only=path").ok() == {
            "id": flows[0]["id"],
            "path": "/acme/w/a",
        }

    def test_twenty_unless_told_otherwise(self, api: Client) -> None:
        for index in range(21):
            api.flow(f"n{index}")
        assert len(api.get("/flow").ok()) == 20
        assert len(api.get("/flow?limit=2147483647").ok()) == 21

    def test_a_filter_that_does_not_parse_says_where(self, api: Client) -> None:
        error = api.get("/flow?filter=a%20%3D%3D%20").error
        assert "line 1" in error
        assert "column" in error


def test_references_name_the_creator(api: Client) -> None:
    flow = api.flow("x")
    me = api.get("/identity").ok()[0]
    for reply in (
        api.get(f"/flow/{flow['id']}?refs=1"),
        api.get("/flow?refs=true"),
        api("MGET", "/flow?refs=1", [flow["id"]]),
        api.put(f"/flow/{flow['id']}?refs=1", {"displayName": "X"}),
    ):
        assert reply.head["references"] == {"identity": {me["id"]: me}}
    assert api.get("/flow?refs=0").head["references"] == {}
    assert api.delete(f"/flow/{flow['id']}?refs=1").head["references"] == {}


def test_accounts_do_not_see_each_other(api: Client, platform: Any) -> None:
    flow = api.flow("x")
    platform.accounts.ensure("other")
    other = api.as_(platform.accounts.new_master("other"), "other")
    assert other.get("/flow").ok() == []
    assert other.get(f"/flow/{flow['id']}").status == 404
    assert other.delete(f"/flow/{flow['id']}").status == 404
    assert other("MGET", "/flow", [flow["id"]]).ok() == {}
    assert other("MPUT", "/flow", {flow["id"]: {"capacity": 1}}).status == 404
    missing = "f" + "0" * 24
    for where, nowhere in (
        (flow["id"], missing),
        ("%2Facme%2Fx", "%2Facme%2Fmissing"),
        ("/acme/x", "/acme/y"),
    ):
        for method, rest, body in (
            ("GET", "", None),
            ("GET", "?explain=true", None),
            ("POST", "", {"elems": {"a": 1}}),
            ("POST", "", [{"elems": {"a": 1}}]),
            ("DELETE", "", None),
            ("MGET", "", ["d" + "0" * 24]),
            ("MPUT", "", {"d" + "0" * 24: {"elems": {"a": 1}}}),
            ("GET", "/d" + "0" * 24, None),
            ("PUT", "/d" + "0" * 24, {"elems": {"a": 1}}),
            ("PUT", "/d" + "0" * 24 + "/elems.a", 1),
            ("DELETE", "/d" + "0" * 24, None),
            ("POST", "/aggregate", {"output": ["$count"]}),
        ):
            reply = other(method, f"/drop/{where}{rest}", body)
            assert reply.status == 404, (method, rest, reply.content)
            # Nothing tells it from one that is not there at all.
            absent = other(method, f"/drop/{nowhere}{rest}", body)
            names = {where: nowhere, "/acme/x": "/acme/missing" if "%" in nowhere else nowhere}
            expected = reply.error
            for name, other_name in names.items():
                expected = expected.replace(name, other_name)
            assert absent.error == expected
            if not where.startswith(("/", "%")):
                assert "/acme" not in reply.error
    assert other.get("/drop?path=/acme/x").error == "there is no flow /acme/x"
    assert other.post("/drop", {"path": "/acme/x", "elems": {"a": 1}}).status == 404
    assert other("MGET", "/drop", [{"flowId": flow["id"]}]).error == f"find 0: there is no flow {flow['id']}"
    for stat in ("flowDropAdded", "flowTracked"):
        assert other.get(f"/statistics/{stat}/{flow['id']}").error == f"there is no flow {flow['id']}"
    track = {"source": "/acme/x", "destination": "/other/y"}
    assert "outside the account" in other.post("/track", track).error


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/flow?limt=5", "limit"),
        ("/flow?Sort=path", "sort"),
        ("/drop/%2Facme%2Fx?oder=asc", "order"),
        ("/drop?path=/acme/x&filters=a", "filter"),
        ("/drop?path=/acme/x&only=elms", "elems"),
        ("/drop/%2Facme%2Fx?only=id,creationdate", "creationDate"),
        ("/flow?only=capcity", "capacity"),
    ],
)
def test_a_parameter_that_is_nearly_right_is_refused(api: Client, path: str, meant: str) -> None:
    api.flow("x")
    assert f"did you mean '{meant}'?" in api.get(path).error
    assert api.get(path).status == 400


def test_a_write_with_such_a_parameter_does_nothing(api: Client) -> None:
    assert "did you mean 'refs'" in api.post("/flow?ref=1", {"path": "/acme/x"}).error
    assert "percent-encoded" in api.post("/flow?refs=%ff", {"path": "/acme/x"}).error
    assert api.get("/flow").ok() == []
    flow = api.flow("x")
    assert api.post(f"/drop/{flow['id']}?hint=1", {"elems": {"a": 1}}).status == 400
    assert api.get(f"/drop/{flow['id']}?_=1700000000&nocache=1&cb=7").ok() == []


def test_a_member_that_is_nearly_right_is_refused(api: Client) -> None:
    refused = api.post("/flow", {"path": "/acme/x", "capcity": 5})
    assert refused.status == 400
    assert refused.error == "there is no member 'capcity': did you mean 'capacity'?"
    assert api.get("/flow").ok() == []
    flow = api.flow("x", colour="red", unit="F")
    place = f"/flow/{flow['id']}"
    assert (flow["colour"], flow["unit"]) == ("red", "F")
    for reply in (
        api.put(place, {"capcity": 5}),
        api.put(f"{place}/capcity", 5),
        api("MPUT", "/flow", {flow["id"]: {"displayname": "X"}}),
    ):
        assert "did you mean" in reply.error
    assert api.get(place).ok() == flow
    assert "did you mean 'params'" in api("MGET", "/drop", [{"flowId": flow["id"], "parms": {}}]).error
    asked = [{"flowId": flow["id"], "params": {"limt": 1}}]
    assert "did you mean 'limit'" in api("MGET", "/drop", asked).error


def test_one_that_is_stored_already_can_be_sent_back_and_removed(api: Client, platform: Any) -> None:
    """An earlier version took it."""
    flow = api.flow("x")
    stored = json.dumps({**flow, "capcity": 5})
    change = resources.update().where(resources.c.id == flow["id"]).values(body=stored)
    platform.store.write(lambda connection: connection.execute(change).close(), clears_cache=True)
    place = f"/flow/{flow['id']}"
    whole = api.get(place).ok()
    assert api.put(place, {**whole, "displayName": "X"}).ok()["capcity"] == 5
    assert "capcity" not in api.put(place, {"capcity": None}).ok()


def test_documents_are_bounded(api: Client) -> None:
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    assert "levels deep" in api.post("/flow", {"path": "/acme/x", "metadata": {"a": deep}}).error
    assert "bytes of JSON" in api.post("/flow", {"path": "/acme/x", "metadata": {"a": "x" * 300_000}}).error
    assert api.get("/flow").ok() == []


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_a_resource_is_an_object(api: Client, body: Any) -> None:
    raw = b"null" if body is None else body
    assert "JSON object" in api.post("/flow", raw).error
    flow = api.flow("x")
    assert api.put(f"/flow/{flow['id']}", raw).error
