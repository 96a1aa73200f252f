"""The drops' URLs: every way to name a flow, every verb, and both forms of elements."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.problems import BadRequest

from .harness import Client


@pytest.fixture
def flow(api: Client) -> Any:
    return api.flow("x")


@pytest.fixture(params=["id", "encoded", "doubled"])
def place(request: pytest.FixtureRequest, flow: Any) -> str:
    """The flow's URL, in each of its three forms."""
    encoded = f"/drop/{quote('/acme/x', safe='')}"
    forms = {"id": f"/drop/{flow['id']}", "encoded": encoded, "doubled": "/drop//acme/x"}
    return forms[str(request.param)]


def test_every_verb(api: Client, flow: Any, place: str) -> None:
    one = api.post(place, {"elems": {"a": 1}}).ok(201)
    assert one["flowId"] == flow["id"]
    assert one["path"] == "/acme/x"
    more = api.post(place, [{"elems": {"a": 2}}, {"elems": {"a": 3}}]).ok(201)
    assert [drop["elems"]["a"] for drop in more] == [2, 3]
    assert api.get(f"{place}/{one['id']}").ok() == one
    assert api.get(place).ok() == [more[1], more[0], one]
    assert api.get(f"{place}?limit=1&only=elems").ok() == [{"id": more[1]["id"], "elems": {"a": 3}}]
    assert api("MGET", place, [one["id"], "d" + "0" * 24]).ok() == {one["id"]: one}
    assert api.put(f"{place}/{one['id']}", {"elems": {"a": 5}}).ok()["elems"] == {"a": 5}
    assert api.put(f"{place}/{one['id']}/elems", {"a": 6}).ok()["elems"] == {"a": 6}
    changed = api("MPUT", place, {one["id"]: {"elems": {"a": 7}}, more[0]["id"]: {"elems": {"a": 8}}}).ok()
    assert {id_: drop["elems"]["a"] for id_, drop in changed.items()} == {one["id"]: 7, more[0]["id"]: 8}
    assert api.delete(f"{place}/{one['id']}").ok() == {}
    assert api.get(f"{place}/{one['id']}").status == 404
    assert api.delete(place).ok() == {}
    assert api.get(place).ok() == []
    assert api.get(f"/flow/{flow['id']}").ok() == flow


def test_by_path_in_the_body_or_query(api: Client, flow: Any) -> None:
    drop = api.post("/drop", {"path": "/acme/x", "elems": {"a": 1}}).ok(201)
    assert api.get("/drop?path=/acme/x").ok() == [drop]
    assert "path is required" in api.post("/drop", {"elems": {"a": 1}}).error
    assert "path is required" in api.post("/drop", []).error
    assert "path is required" in api.get("/drop").error
    assert api.post("/drop", {"path": "/acme/nowhere", "elems": {"a": 1}}).status == 404


def test_several_finds_at_once(api: Client, flow: Any) -> None:
    other = api.flow("y")
    drops = api.post(f"/drop/{flow['id']}", [{"elems": {"a": a}} for a in range(3)]).ok(201)
    found = api(
        "MGET", "/drop", [{"flowId": flow["id"], "params": {"limit": 2}}, {"flowId": other["id"]}]
    ).ok()
    assert found == {flow["id"]: [drops[2], drops[1]], other["id"]: []}


def test_an_id_in_the_body_must_be_the_one_in_the_path(api: Client, flow: Any) -> None:
    one, other = api.post(f"/drop/{flow['id']}", [{"elems": {"a": 1}}, {"elems": {"a": 2}}]).ok(201)
    api.put(f"/drop/{flow['id']}/{one['id']}", {"id": one["id"], "elems": {"a": 3}}).ok()
    assert api.put(f"/drop/{flow['id']}/{one['id']}", {"id": other["id"], "elems": {"a": 4}}).status == 400


TYPED = {"a": {"type": "integer", "value": 1}, "when": {"type": "date", "value": 0}}
PLAIN = {"a": 1, "when": 0}


@pytest.mark.parametrize(
    ("version", "query", "elems"),
    [
        ("v0.1", "", TYPED),
        ("v0.1", "hints=1", TYPED),
        ("v0.1", "hints=0", PLAIN),
        ("v0.1", "hints=False", PLAIN),
        ("v0.1", "hints=false", PLAIN),
        ("v4.0", "", PLAIN),
        ("v4.0", "hints=0", PLAIN),
        ("v4.0", "hints=True", TYPED),
        ("v9", "", PLAIN),
    ],
)
def test_elements_are_shown_as_the_version_and_hints_say(
    api: Client, flow: Any, version: str, query: str, elems: Any
) -> None:
    reader = api.speaking(version)
    place = f"/drop/{flow['id']}"
    mixed = {"elems": {"a": 1, "when": TYPED["when"]}}
    created = reader.post(f"{place}?{query}", mixed).ok(201)
    one = f"{place}/{created['id']}"
    shown = [
        created,
        reader.get(f"{one}?{query}").ok(),
        *reader.get(f"{place}?{query}").ok(),
        *reader.post(f"{place}?{query}", [mixed]).ok(201),
        *reader("MGET", f"{place}?{query}", [created["id"]]).ok().values(),
        reader.put(f"{one}?{query}", mixed).ok(),
        reader.put(f"{one}/elems?{query}", mixed["elems"]).ok(),
        *reader("MPUT", f"{place}?{query}", {created["id"]: mixed}).ok().values(),
        *reader("MGET", f"/drop?{query}", [{"flowId": flow["id"]}]).ok()[flow["id"]],
        *reader.get(f"/drop?path=/acme/x&{query}").ok(),
        reader.post(f"/drop?{query}", {"path": "/acme/x", **mixed}).ok(201),
    ]
    assert all(drop["elems"] == elems for drop in shown)


@pytest.mark.parametrize("query", ["each=1&hints=0", "each=1&hints=1", "each=1"])
def test_each_of_several_finds_shows_elements_as_its_own_hints_say(
    api: Client, flow: Any, query: str
) -> None:
    api.post(f"/drop/{flow['id']}", {"elems": {"a": 1, "when": TYPED["when"]}}).ok(201)
    asked = [{"flowId": flow["id"], "params": {"hints": said}} for said in (1, 0, "true", False, None)]
    found = api("MGET", f"/drop?{query}", asked).ok()
    last = TYPED if "hints=1" in query else PLAIN
    assert [drops[0]["elems"] for drops in found] == [TYPED, PLAIN, TYPED, PLAIN, last]
    assert api("MGET", "/drop", asked[:1]).ok()[flow["id"]][0]["elems"] == TYPED


def test_references_name_creator_and_flow(api: Client, flow: Any) -> None:
    (me,) = api.get("/identity").ok()
    drop = api.post(f"/drop/{flow['id']}?refs=1", {"elems": {"a": 1}})
    expected = {"identity": {me["id"]: me}, "flow": {flow["id"]: flow}}
    assert drop.head["references"] == expected
    place = f"/drop/{flow['id']}"
    for reply in (
        api.get(f"{place}?refs=1"),
        api("MGET", "/drop?refs=1", [{"flowId": flow["id"]}]),
        api("MGET", f"{place}?refs=1", [drop.body["id"]]),
    ):
        assert reply.head["references"] == expected


def test_references_and_only_go_together(api: Client, flow: Any) -> None:
    (me,) = api.get("/identity").ok()
    drop = api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).ok(201)
    expected = {"identity": {me["id"]: me}, "flow": {flow["id"]: flow}}
    place, short = f"/drop/{flow['id']}", {"id": drop["id"], "elems": {"a": 1}}
    several = [{"flowId": flow["id"], "params": {"only": "elems"}}]
    for reply, body in (
        (api.get(f"{place}?refs=1&only=elems"), [short]),
        (api.get(f"{place}/{drop['id']}?refs=1&only=elems"), short),
        (api("MGET", "/drop?refs=1", several), {flow["id"]: [short]}),
    ):
        assert reply.ok() == body
        assert reply.head["references"] == expected
    reply = api.get("/flow?refs=1&only=path")
    assert reply.ok() == [{"id": flow["id"], "path": flow["path"]}]
    assert reply.head["references"] == {"identity": {me["id"]: me}}


def test_filters_see_the_types_that_were_stated(api: Client, flow: Any) -> None:
    """In a find, an aggregate, a flow's own filter, a track's, and in what a track would do."""
    place = f"/drop/{flow['id']}"
    for name, filter in (("dates", "HAS dropRef"), ("copies", "HAS date")):
        api.flow(name, filter=filter)
    api.post("/track", {"source": flow["path"], "destination": "/acme/copies"}).ok(201)
    api.post("/track", {"source": flow["path"], "destination": "/acme/dates", "filter": "HAS date"}).ok(201)
    models = [
        {"n": 0, "since": {"type": "date", "value": 5}, "to": {"type": "dropRef", "value": "d1"}},
        {"n": 1, "since": 5, "to": "d1"},
        {"n": 2, "a/b~": {"type": "date", "value": "2016-02-29"}},
        {"n": 3, "m": {"type": "map", "value": {"since": {"type": "date", "value": 5}}}},
    ]
    api.post(place, [{"elems": elems} for elems in models]).ok(201)

    def numbers(where: str, filter: str) -> list[int]:
        return sorted(drop["elems"]["n"] for drop in api.get(f"{where}?filter={quote(filter)}").ok())

    assert numbers(place, "HAS date") == [0, 2]
    assert numbers(place, "HAS dropRef") == [0]
    assert numbers(place, "HAS dropRef && n == 0") == [0]
    assert numbers(place, "NOT HAS date") == [1, 3]
    assert numbers(place, "HAS string") == [0, 1, 2]  # a type that was stated does not hide the value's own
    assert numbers("/drop//acme/copies", "") == [0, 2]
    assert numbers("/drop//acme/dates", "HAS date") == [0]
    (row,) = api.post(f"{place}/aggregate", {"output": ["$count"], "filter": "HAS date"}).ok()
    assert row["$count"] == 2
    refused = api.post("/drop//acme/dates", {"elems": {"n": 9}})
    assert "does not match the filter" in refused.error
    api.post("/drop//acme/dates", {"elems": models[0]}).ok(201)
    for elems, passes in ((models[0], True), (models[1], False)):
        drop = {"elems": elems}
        simulated = api.post("/track/simulate", {"drop": drop, "filter": "HAS date"}).ok()
        assert simulated["drops"] == ([drop] if passes else [])


@pytest.mark.parametrize("number", [-(2**63) - 1, 2**63, 2**64, -(10**25)])
def test_whole_numbers_are_kept_exactly_or_refused(api: Client, flow: Any, number: int) -> None:
    place = f"/drop/{flow['id']}"
    kept = api.post(place, {"elems": {"least": -(2**63), "most": 2**63 - 1}}).ok(201)
    assert api.get(f"{place}/{kept['id']}").ok()["elems"] == {"least": -(2**63), "most": 2**63 - 1}
    for reply in (
        api.post(place, {"elems": {"n": number}}),
        api.post(place, [{"elems": {"n": [{"deep": number}]}}]),
        api.put(f"{place}/{kept['id']}", {"elems": {"n": number}}),
        api.put(f"{place}/{kept['id']}/elems.n", number),
        api.put(f"/flow/{flow['id']}", {"metadata": {"n": number}}),
        api.put(f"/flow/{flow['id']}", {"capacity": number}),
        api.post("/group", {"memberIds": [], "mine": number}),
    ):
        assert reply.status == 400
        assert "64 bits" in reply.error
        assert str(number) in reply.error
    assert api.get(place).ok() == [kept]


def test_thousands_of_sorts_are_the_requests_fault(api: Client, flow: Any) -> None:
    for where in (f"/drop/{flow['id']}", "/flow"):
        refused = api.get(f"{where}?" + "&".join(f"sort=e{n}" for n in range(2100)))
        assert refused.status == 400
        assert "2100 members to sort by" in refused.error


@pytest.mark.sqlite("a statement of PostgreSQL has as many terms as it has memory")
def test_a_statement_that_is_too_much_for_the_database_is_a_400(platform: Platform) -> None:
    terms = ", ".join(f"'{n}'" for n in range(3000))
    for use in (platform.store.read, platform.store.write):
        with pytest.raises(BadRequest, match="too much at once: too many terms"):
            use(lambda connection: connection.exec_driver_sql(f"SELECT 1 ORDER BY {terms}").close())


def test_aggregates(api: Client, flow: Any) -> None:
    api.post(f"/drop/{flow['id']}", [{"elems": {"a": a}} for a in (1, 2, 6)]).ok(201)
    rows = api.post(f"/drop/{flow['id']}/aggregate", {"output": ["$avg:a", "$count"]}).ok()
    (row,) = rows
    assert (row["$avg:a"], row["$count"]) == (3, 3)
    assert api.post("/drop//acme/x/aggregate", {"output": ["$avg:a", "$count"]}).ok() == rows
    assert api("GET", f"/drop/{flow['id']}/aggregate").status == 405
    assert api.post(f"/drop/{flow['id']}/aggregate", {}).error


@pytest.mark.parametrize("model", [{}, {"elems": {}}, {"elems": []}, {"elems": {"a": 1}, "temp": 5}, 5, "x"])
def test_a_bad_drop_changes_nothing(api: Client, flow: Any, model: Any) -> None:
    place = f"/drop/{flow['id']}"
    assert api.post(place, model).status == 400
    assert "drop 1" in api.post(place, [{"elems": {"a": 1}}, model]).error
    assert api.get(place).ok() == []


def test_a_flow_with_indexes_and_what_a_find_uses(api: Client) -> None:
    flow = api.flow("indexed", index=["elems.a"])
    assert api.get(f"/flow/{flow['id']}").ok()["index"] == ["elems.a"]
    api.post(f"/drop/{flow['id']}", [{"elems": {"a": n}} for n in range(3)]).ok(201)
    where = f"/drop/{flow['id']}?filter={quote('a == 1')}"
    assert [drop["elems"] for drop in api.get(where).ok()] == [{"a": 1}]
    said = api.get(f"{where}&explain=True").ok()
    assert (said["uses"], said["elements"], said["building"]) == ("by_index", ["elems.a"], [])
    assert said["plan"]
    assert "8 is the most" in api.put(f"/flow/{flow['id']}", {"index": [f"e{n}" for n in range(9)]}).error
    assert api.put(f"/flow/{flow['id']}", {"index": None}).ok().get("index") is None
    assert [drop["elems"] for drop in api.get(where).ok()] == [{"a": 1}]


@pytest.mark.parametrize("name", ["groupBy", "groupby", "rules", "output", "outputs"])
def test_what_belongs_in_the_body_of_an_aggregate_is_no_parameter(api: Client, flow: Any, name: str) -> None:
    """As `aggregate(["$count"], groupBy=["a"])` sends it."""
    wanted = {"output": ["$count"]}
    place = f"/drop/{flow['id']}/aggregate"
    said = api.post(f"{place}?{name}=a", wanted).head
    assert said["status"] == 400
    assert "belongs in the body" in said["errors"][0]
    api.post(f"{place}?_=17&cache=no&limit=5", wanted).ok()


def test_zip_codes_are_found_and_refused(api: Client, flow: Any) -> None:
    places = {"midtown": (40.7484, -73.9857), "airport": (40.6413, -73.7781)}
    for name, (lat, lon) in places.items():
        api.post("/drop//acme/x", {"elems": {"n": name}, "location": {"lat": lat, "lon": lon}}).ok(201)
    near = quote("location WITHIN 5 MILES OF [ZIP=10001]")
    assert [drop["elems"]["n"] for drop in api.get(f"/drop//acme/x?filter={near}").ok()] == ["midtown"]
    nowhere = "location WITHIN 5 MILES OF [ZIP=99999]"
    assert "no zip code 99999" in api.get(f"/drop//acme/x?filter={quote(nowhere)}").error
    assert "no zip code 99999" in api.post("/flow", {"path": "/acme/y", "filter": nowhere}).error
