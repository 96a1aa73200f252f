"""What each resource's documents must look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.store.schema import resources

from .harness import Client

IDENTITY = "i" + "0" * 24


@pytest.fixture(autouse=True)
def friend(platform: Platform) -> None:
    """Somebody else's identity, for groups and shares."""
    body = json.dumps({"id": IDENTITY, "name": "friend"})
    row = {"id": IDENTITY, "kind": "identity", "account": "friend", "created": 1, "body": body}
    platform.store.write(lambda connection: connection.execute(resources.insert(), [row]).close())


class TestFlows:
    @pytest.mark.parametrize(
        ("members", "reason"),
        [
            ({"path": None}, "path is required"),
            ({"path": "/other/x"}, "outside the account"),
            ({"path": 5}, "path must be a string"),
            ({"capacity": -1}, "whole number from 0 to 9007199254740992, not -1"),
            ({"capacity": 2**53 + 1}, "whole number"),
            ({"capacity": 1.5}, "whole number"),
            ({"capacity": True}, "whole number"),
            ({"capacity": "many"}, "whole number"),
            ({"capacity": []}, "whole number"),
            ({"filter": "a =="}, "line 1, column"),
            ({"filter": 5}, "filter"),
            ({"filter": "a =~ /(/"}, "re2"),
            ({"filter": "location WITHIN 5 KM OF [ZIP=123]"}, "zip"),
            ({"public": "yes"}, "true or false"),
            ({"metadata": []}, "must be a map"),
            ({"description": 5}, "must be a string"),
            ({"displayName": "x" * 3000}, "2048 is the most"),
        ],
    )
    def test_bad_ones_change_nothing(self, api: Client, members: Any, reason: str) -> None:
        good = api.flow("good")
        reply = api.post("/flow", {"path": "/acme/x", **members})
        assert reply.status == 400
        assert reason in reply.error
        if members.get("path") != 5:
            assert reason in api.put(f"/flow/{good['id']}", members).error or "cannot be changed" in reason
        assert api.get("/flow").ok() == [good]

    @pytest.mark.parametrize(
        ("sent", "kept"), [("20", 20), (0, 0), (100_000, 100_000), (2**53, 2**53), (5.0, 5), (None, 1000)]
    )
    def test_capacity(self, api: Client, sent: Any, kept: int) -> None:
        assert api.flow("x", capacity=sent)["capacity"] == kept

    def test_an_empty_filter_clears_and_reads_back(self, api: Client) -> None:
        flow = api.flow("x", filter="elems.a == 1")
        drops = f"/drop/{flow['id']}"
        assert api.post(drops, {"elems": {"a": 2}}).status == 400
        assert api.put(f"/flow/{flow['id']}", {"filter": ""}).ok()["filter"] == ""
        api.post(drops, {"elems": {"a": 2}}).ok(201)

    def test_one_flow_a_path(self, api: Client) -> None:
        flow = api.flow("x")
        assert flow["id"] in api.post("/flow", {"path": "/acme/x"}).error
        api.delete(f"/flow/{flow['id']}").ok()
        api.flow("x")

    def test_a_path_is_for_life(self, api: Client) -> None:
        flow = api.flow("x")
        assert "cannot be changed" in api.put(f"/flow/{flow['id']}", {"path": "/acme/y"}).error
        assert api.put(f"/flow/{flow['id']}", {"path": "/acme/x"}).ok()["path"] == "/acme/x"

    def test_its_drops_go_with_it(self, api: Client) -> None:
        flow = api.flow("x")
        api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).ok(201)
        api.delete(f"/flow/{flow['id']}").ok()
        assert api.get(f"/drop/{flow['id']}").status == 404
        assert api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).status == 404
        again = api.flow("x")
        assert api.get(f"/drop/{again['id']}").ok() == []

    def test_less_capacity_evicts_the_oldest(self, api: Client) -> None:
        flow = api.flow("x")
        api.post(f"/drop/{flow['id']}", [{"elems": {"n": n}} for n in range(5)]).ok(201)
        api.put(f"/flow/{flow['id']}", {"capacity": 2}).ok()
        assert [drop["elems"]["n"] for drop in api.get(f"/drop/{flow['id']}").ok()] == [4, 3]
        api.put(f"/flow/{flow['id']}", {"capacity": 3}).ok()
        assert len(api.get(f"/drop/{flow['id']}").ok()) == 2


class TestTracks:
    @pytest.fixture
    def flows(self, api: Client) -> list[Any]:
        return [api.flow(name) for name in ("from", "to", "also")]

    @pytest.mark.parametrize(
        ("members", "status", "reason"),
        [
            ({"source": None}, 400, "source is required"),
            ({"destination": None}, 400, "destination is required"),
            ({"destination": []}, 400, "destination must be"),
            ({"destination": {"a": 1}}, 400, "destination must be"),
            ({"destination": ["/acme/to", 5]}, 400, "destination must be"),
            ({"source": "/other/x"}, 400, "outside the account"),
            ({"destination": ["/acme/to", "/other/x"]}, 400, "outside the account"),
            ({"source": "/acme/nowhere"}, 404, "source: there is no flow /acme/nowhere"),
            ({"destination": "/acme/nowhere"}, 404, "destination: there is no flow /acme/nowhere"),
            ({"filter": "a >"}, 400, "line 1"),
            ({"filter": "a =~ /(/"}, 400, "re2"),
            ({"js": "function (drop) {"}, 400, "js: line 2: SyntaxError"),
            ({"js": "x" * 200_000}, 400, "js has 200000 characters"),
            ({"js": 5}, 400, "js must be a string"),
            ({"disabled": 1}, 400, "true or false"),
        ],
    )
    def test_bad_ones_change_nothing(
        self, api: Client, flows: Any, members: Any, status: int, reason: str
    ) -> None:
        track = {"source": "/acme/from", "destination": "/acme/to"}
        reply = api.post("/track", {**track, **members})
        assert reply.status == status
        assert reason in reply.error
        assert api.get("/track").ok() == []
        stored = api.post("/track", track).ok(201)
        assert reason in api.put(f"/track/{stored['id']}", members).error
        assert api.get(f"/track/{stored['id']}").ok() == stored

    def test_they_copy_what_passes(self, api: Client, flows: Any) -> None:
        track = api.post(
            "/track",
            {"source": "/acme/from", "destination": ["/acme/to", "/acme/also"], "filter": "elems.n > 1"},
        ).ok(201)
        assert api.get("/track?filter=source%20%3D%3D%20'/acme/from'").ok() == [track]
        api.post("/drop", [{"path": "/acme/from", "elems": {"n": 1}}])  # no list is taken there
        for n in (1, 2):
            api.post("/drop", {"path": "/acme/from", "elems": {"n": n}}).ok(201)
        for flow in flows[1:]:
            (copy,) = api.get(f"/drop/{flow['id']}").ok()
            assert copy["elems"] == {"n": 2}
        api.put(f"/track/{track['id']}", {"disabled": True}).ok()
        api.post("/drop", {"path": "/acme/from", "elems": {"n": 3}}).ok(201)
        assert len(api.get(f"/drop/{flows[1]['id']}").ok()) == 1

    def test_a_track_outlives_its_flows_and_can_still_be_edited(self, api: Client, flows: Any) -> None:
        track = api.post("/track", {"source": "/acme/from", "destination": "/acme/to"}).ok(201)
        for flow in flows:
            api.delete(f"/flow/{flow['id']}").ok()
        assert api.put(f"/track/{track['id']}", {"disabled": True}).ok()["disabled"] is True
        assert api.put(f"/track/{track['id']}", {"destination": "/acme/also"}).status == 404

    def test_simulating_one(self, api: Client) -> None:
        drop = {"elems": {"n": {"type": "integer", "value": 5}}}
        passed = api.post("/track/simulate", {"drop": drop, "filter": "elems.n > 4"}).ok()
        assert passed == {"drops": [drop], "log": [], "errors": []}
        assert api.post("/track/simulate", {"drop": drop, "filter": "elems.n > 5"}).ok()["drops"] == []
        assert api.post("/track/simulate", {"drop": drop}).ok()["drops"] == [drop]
        found = api.post("/track/simulate", {"drop": drop, "js": "drop => [drop.elems.n]"}).ok()
        assert found["errors"] == ['a drop must be a map such as {"elems": {"temp": 39.5}}']
        assert "line 1" in api.post("/track/simulate", {"drop": drop, "filter": "n >"}).error
        assert "drop is required" in api.post("/track/simulate", {}).error
        assert "elems" in api.post("/track/simulate", {"drop": {}}).error
        assert api.post("/track/simulate", []).error


GOOD: dict[str, dict[str, Any]] = {
    "group": {"memberIds": [IDENTITY], "displayName": "us"},
    "api-task": {"destination": "/acme/x", "js": "new Task({})"},
    "mqtt": {"destination": "/acme/x", "uri": "tcp://broker.example.com:1883", "topic": "t"},
    "rss": {"destination": "/acme/x", "url": "https://example.com/feed.xml"},
    "device": {"path": "/acme/x/device"},
    "share": {"issuedTo": IDENTITY, "paths": {"/acme/x": {"read": True, "write": False}}},
    "token": {"paths": {"/acme/x": {"dropRead": True}}},
}


@pytest.mark.parametrize("kind", GOOD)
def test_plain_storage(api: Client, kind: str) -> None:
    stored = api.post(f"/{kind}", GOOD[kind]).ok(201)
    stored.pop("tokenString", None)
    assert GOOD[kind].items() <= stored.items()
    assert api.get(f"/{kind}/{stored['id']}").ok() == stored
    assert api.get(f"/{kind}").ok() == [stored]
    assert api("MGET", f"/{kind}", [stored["id"]]).ok() == {stored["id"]: stored}
    assert api.delete(f"/{kind}/{stored['id']}").ok() == {}
    assert api.get(f"/{kind}").ok() == []


@pytest.mark.parametrize("kind", sorted(GOOD.keys() - {"token", "share"}))
def test_plain_storage_can_be_edited(api: Client, kind: str) -> None:
    stored = api.post(f"/{kind}", GOOD[kind]).ok(201)
    assert api.put(f"/{kind}/{stored['id']}", {"displayName": "new"}).ok()["displayName"] == "new"
    assert "displayName" in api.put(f"/{kind}/{stored['id']}", {"displayName": 5}).error


@pytest.mark.parametrize("kind", ["token", "share"])
def test_rights_cannot_be_edited(api: Client, kind: str) -> None:
    stored = api.post(f"/{kind}", GOOD[kind]).ok(201)
    for reply in (
        api.put(f"/{kind}/{stored['id']}", {"description": "x"}),
        api.put(f"/{kind}/{stored['id']}/description", "x"),
        api("MPUT", f"/{kind}", {stored["id"]: {}}),
    ):
        assert "cannot be changed" in reply.error


@pytest.mark.parametrize(
    ("kind", "members", "reason"),
    [
        ("group", {"memberIds": None}, "memberIds is required"),
        ("group", {"memberIds": "i1"}, "must be a list of ids"),
        ("group", {"memberIds": ["me"]}, "memberIds[0] must be an id"),
        ("api-task", {"js": None}, "js is required"),
        ("api-task", {"js": "new Task({"}, "js: line 2: SyntaxError"),
        ("api-task", {"destination": None}, "destination is required"),
        ("api-task", {"destination": "/other/x"}, "outside the account"),
        ("api-task", {"periodicity": 1000}, "whole number from 60000"),
        ("api-task", {"displayName": "x" * 2049}, "2048 is the most"),
        ("mqtt", {"source": "/acme/y"}, "exactly one of"),
        ("mqtt", {"destination": None}, "exactly one of"),
        ("mqtt", {"uri": None}, "uri is required"),
        ("mqtt", {"uri": "http://broker:1883"}, "tcp://host:port"),
        ("mqtt", {"uri": "tcp://broker"}, "tcp://host:port"),
        ("mqtt", {"uri": "tcp://broker:99999"}, "tcp://host:port"),
        ("mqtt", {"uri": "tcp://broker:1883/x"}, "tcp://host:port"),
        ("mqtt", {"qos": 3}, "whole number from 0 to 2"),
        ("mqtt", {"version": "5"}, "one of 3.1, 3.1.1"),
        ("rss", {"url": None}, "url is required"),
        ("rss", {"url": "feed.xml"}, "must be a URL"),
        ("rss", {"url": "https://[broken"}, "must be a URL"),
        ("device", {"path": None}, "path is required"),
        ("device", {"path": "/acme/" + "x" * 120}, "128 is the most"),
        ("token", {"paths": None}, "paths is required"),
        ("token", {"paths": {"/other/x": {"dropRead": True}}}, "outside the account"),
        ("token", {"paths": {"/acme/x": {"write": True}}}, "cannot be granted"),
        ("token", {"duration": 0}, "duration must be"),
        ("share", {"issuedTo": None}, "issuedTo is required"),
        ("share", {"issuedTo": "somebody"}, "issuedTo must be an id"),
        ("share", {"issuedTo": "t" + "0" * 24}, "issuedTo must be an id"),
        ("share", {"paths": {}}, "paths is required"),
    ],
)
def test_bad_documents_change_nothing(api: Client, kind: str, members: Any, reason: str) -> None:
    reply = api.post(f"/{kind}", {**GOOD[kind], **members})
    assert reply.status == 400
    assert reason in reply.error
    assert api.get(f"/{kind}").ok() == []


def test_defaults_of_tasks(api: Client) -> None:
    assert api.post("/api-task", GOOD["api-task"]).ok(201)["periodicity"] == 3_600_000
    assert api.post("/rss", GOOD["rss"]).ok(201)["periodicity"] == 3_600_000
    mqtt = api.post("/mqtt", GOOD["mqtt"]).ok(201)
    assert (mqtt["version"], mqtt["reportFrequency"]) == ("3.1.1", 300_000)
    source = {"http": {"uri": "https://example.com/x.json"}}
    assert api.post("/api-task", {"destination": "/acme/x", "source": source}).ok(201)["source"] == source


class TestIdentities:
    def test_an_account_has_its_own(self, api: Client) -> None:
        (me,) = api.get("/identity").ok()
        assert me["name"] == "acme"
        assert me["creatorId"] == me["id"]
        changed = api.put(f"/identity/{me['id']}", {"email": "a@example.com", "masterToken": "x"}).ok()
        assert changed["email"] == "a@example.com"
        assert "masterToken" not in changed

    def test_no_more_are_made_and_none_deleted(self, api: Client) -> None:
        (me,) = api.get("/identity").ok()
        assert api.post("/identity", {"name": "two"}).status == 403
        assert api.delete(f"/identity/{me['id']}").status == 403
        assert api.get("/identity").ok() == [me]


def test_a_share_is_for_somebody_else(api: Client) -> None:
    (me,) = api.get("/identity").ok()
    error = api.post("/share", {**GOOD["share"], "issuedTo": me["id"]}).error
    assert "somebody else" in error


def test_a_tokens_string_is_shown_once(api: Client, platform: Platform) -> None:
    created = api.post("/token", {**GOOD["token"], "duration": 60_000}).ok(201)
    assert len(created["tokenString"]) == 28
    assert 0 < created["expiresInMs"] <= 60_000
    read = api.get(f"/token/{created['id']}").ok()
    assert "tokenString" not in read
    assert 0 < read["expiresInMs"] <= 60_000
    assert read["issuedBy"] == api.get("/identity").ok()[0]["id"]


TASK = """new Task({
    request: {uri: 'https://example.com/data.json'},
    callback: function (text) {
        const data = JSON.parse(text);
        console.log(data.length, 'rows');
        return data.map(row => ({elems: row, fhash: row.id}));
    }
})"""


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"js": TASK}, {}),
        (
            {"js": TASK, "text": '[{"id": "a", "n": 1}, {"id": "b", "n": 2}]'},
            {
                "drops": [{"elems": {"id": id_, "n": n}, "fhash": id_} for id_, n in (("a", 1), ("b", 2))],
                "log": [{"line_no": 5, "message": "2 rows"}],
            },
        ),
        (
            {"js": TASK, "text": "{}"},
            {
                "log": [{"line_no": 5, "message": "undefined rows"}],
                "errors": ["line 6: TypeError: not a function"],
            },
        ),
        (
            {"js": TASK, "text": '[{"id": ""}]'},
            {
                "log": [{"line_no": 5, "message": "1 rows"}],
                "errors": ["drop 0: fhash must be a string of 1 to 1024 characters"],
            },
        ),
        (
            {"js": "new Task({request: 5, callback: t => null})", "text": ""},
            {
                "request": {},
                "errors": ['request must be a map such as {uri: "https://example.com/data.json"}'],
            },
        ),
        (
            {"js": "new Task({request: () => ({uri: 'x', color: 1}), callback: t => null})"},
            {
                "request": {},
                "errors": ["request has no member 'color': there are body, headers, method, uri"],
            },
        ),
        (
            {"js": "5", "text": ""},
            {
                "request": {},
                "errors": ["Flow.Error: js must be new Task({request: …, callback: function (text) {…}})"],
            },
        ),
    ],
)
def test_simulating_an_api_task(api: Client, task: Any, found: Any) -> None:
    expected = {"request": {"uri": "https://example.com/data.json"}, "drops": [], "log": [], "errors": []}
    assert api.post("/api-task/simulate", task).ok() == {**expected, **found}
    assert api.get("/api-task").ok() == []


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ([], "{js, text}"),
        ({}, "js is required"),
        ({"js": ""}, "js must not be empty"),
        ({"js": TASK, "text": 5}, "text must be"),
    ],
)
def test_what_cannot_be_simulated(api: Client, task: Any, reason: str) -> None:
    assert reason in api.post("/api-task/simulate", task).error
