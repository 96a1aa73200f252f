from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowthings_like.platform import ids
from flowthings_like.platform.problems import BadRequest, Forbidden, NotFound, TooLarge
from flowthings_like.platform.resources.access.rights import Caller
from flowthings_like.platform.resources.drops import find, verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.query.query import Query

from ...harness import ME, add_flow, change_resource, counted, sizes_agree

HOUR = 3_600_000
T0 = 1_357_000_000_000


def temps(store: Store, flow: str) -> list[Any]:
    return [drop["elems"]["temp"] for drop in verbs.find(store, ME, flow, Query(limit=1000))]


def test_a_drop_is_what_was_sent_and_when(store: Store, flow: str) -> None:
    before = ids.now_ms()
    made = verbs.create(
        store,
        ME,
        "/acme/a",
        {
            "elems": {"temp": 39.02, "tags": ["x", None]},
            "fhash": "jfk-1",
            "location": {"lat": 40.64, "lon": -73.78, "specifiers": {"city": "New York"}},
        },
    )
    assert ids.is_id(made["id"], "d")
    assert before <= made["creationDate"] <= ids.now_ms()
    assert made == {
        "id": made["id"],
        "flowId": flow,
        "path": "/acme/a",
        "creationDate": made["creationDate"],
        "creatorId": ME.identity,
        "elems": {"temp": 39.02, "tags": ["x", None]},
        "version": 0,
        "fhash": "jfk-1",
        "location": {"lat": 40.64, "lon": -73.78, "specifiers": {"city": "New York"}},
    }
    assert verbs.read(store, ME, flow, made["id"]) == made
    assert verbs.find(store, ME, "/acme/a") == [made]


def test_history_keeps_its_dates_and_its_place(store: Store, flow: str) -> None:
    now = verbs.create(store, ME, flow, {"elems": {"temp": 1}})
    old = verbs.create(store, ME, flow, {"elems": {"temp": 2}, "creationDate": T0})
    assert old["creationDate"] == T0
    assert [drop["id"] for drop in verbs.find(store, ME, flow)] == [now["id"], old["id"]]


def test_stated_types_are_remembered_and_shown_where_asked(store: Store, flow: str) -> None:
    elems = {"since": {"type": "date", "value": T0}, "n": {"type": "integer", "value": 3}, "s": "x"}
    made = verbs.create(store, ME, flow, {"elems": elems}, hints=True)
    typed = {
        "since": {"type": "date", "value": T0},
        "n": {"type": "integer", "value": 3},
        "s": {"type": "string", "value": "x"},
    }
    assert made["elems"] == typed
    assert verbs.read(store, ME, flow, made["id"])["elems"] == {"since": T0, "n": 3, "s": "x"}
    assert verbs.read(store, ME, flow, made["id"], hints=True)["elems"] == typed
    verbs.set_member(store, ME, flow, made["id"], "elems.s", "y")
    again = verbs.find(store, ME, flow, hints=True)[0]["elems"]
    assert again == {**typed, "s": {"type": "string", "value": "y"}}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (None, "a drop must be a map"),
        ({}, "elems is required"),
        ({"elems": {}}, "elems must not be empty"),
        ({"elems": {"x": 1}, "colour": "red"}, "no member 'colour'"),
        ({"elems": {"x": 1}, "fhash": ""}, "fhash must be a string of 1 to 1024"),
        ({"elems": {"x": 1}, "fhash": 5}, "fhash must be a string"),
        ({"elems": {"x": 1}, "fhash": "x" * 1025}, "fhash must be a string"),
        ({"elems": {"x": 1}, "fhash": "\ud800"}, "fhash must be a string"),
        ({"elems": {"x": "\ud800"}}, "elems: "),
        ({"elems": {"x": 1}, "creationDate": "now"}, "creationDate must be whole milliseconds"),
        ({"elems": {"x": 1}, "creationDate": True}, "creationDate must be"),
        ({"elems": {"x": 1}, "creationDate": -1}, "creationDate must be"),
        ({"elems": {"x": 1}, "creationDate": ids.LATEST + 1}, "creationDate must be"),
        ({"elems": {"x": 1}, "location": "here"}, "location must be a map"),
        ({"elems": {"x": 1}, "location": {"lat": 91, "lon": 0}}, "location.lat must be a number"),
        ({"elems": {"x": 1}, "location": {"lat": 0}}, "location.lon must be a number"),
        ({"elems": {"x": 1}, "location": {"lat": 0, "lon": 0, "alt": 1}}, "location has no member 'alt'"),
        ({"elems": {"x": 1}, "location": {"lat": 0, "lon": 0, "specifiers": {"zip": 1}}}, "specifiers.zip"),
    ],
)
def test_a_bad_model_is_refused_and_changes_nothing(store: Store, flow: str, model: Any, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        verbs.create(store, ME, flow, model)
    assert said in caught.value.message
    good = {"elems": {"x": 1}}
    with pytest.raises(BadRequest) as caught:
        verbs.create_many(store, ME, flow, [good, good, model])
    assert caught.value.message.startswith("drop 2: ")
    assert said in caught.value.message
    assert verbs.find(store, ME, flow) == []
    assert counted(store) == {}


def test_bounds(store: Store, flow: str) -> None:
    with pytest.raises(TooLarge, match="1048576 is the most"):
        verbs.create(store, ME, flow, {"elems": {"x": "y" * 2**20}})
    with pytest.raises(TooLarge, match="10000 is the most"):
        verbs.create_many(store, ME, flow, [{"elems": {"x": 1}}] * 10_001)
    with pytest.raises(TooLarge):
        verbs.read_many(store, ME, flow, ["d"] * 10_001)
    with pytest.raises(BadRequest, match="must be a list"):
        verbs.create_many(store, ME, flow, {"elems": {"x": 1}})
    assert verbs.create_many(store, ME, flow, []) == []


def test_unknown_flows_and_rights(store: Store, flow: str) -> None:
    calls: list[Any] = [
        lambda who, where: verbs.create(store, who, where, {"elems": {"x": 1}}),
        lambda who, where: verbs.create_many(store, who, where, [{"elems": {"x": 1}}]),
        lambda who, where: verbs.find(store, who, where),
        lambda who, where: verbs.read(store, who, where, ids.new_id("d")),
        lambda who, where: verbs.read_many(store, who, where, []),
        lambda who, where: find.multi_find(store, who, [{"flowId": where}]),
        lambda who, where: verbs.update(store, who, where, ids.new_id("d"), {}),
        lambda who, where: verbs.set_member(store, who, where, ids.new_id("d"), "elems.x", 1),
        lambda who, where: verbs.delete(store, who, where, ids.new_id("d")),
        lambda who, where: verbs.delete_all(store, who, where),
    ]
    nobody = Caller("acme", "i", rights=(("/acme/elsewhere", frozenset(["dropRead", "dropWrite"])),))
    for call in calls:
        for where in ("/acme/nowhere", ids.new_id("f")):
            with pytest.raises(NotFound, match="no flow"):
                call(ME, where)
        with pytest.raises(BadRequest, match="neither a flow's id"):
            call(ME, "acme/a")
        with pytest.raises(Forbidden, match=f"right to flow {flow}"):
            call(nobody, flow)


def test_reading_is_no_right_to_write(store: Store, flow: str) -> None:
    reader = Caller("acme", "i", rights=(("/acme", frozenset(["dropRead"])),))
    assert verbs.find(store, reader, flow) == []
    with pytest.raises(Forbidden, match="dropWrite"):
        verbs.create(store, reader, flow, {"elems": {"x": 1}})


def test_an_unknown_drop(store: Store, flow: str) -> None:
    other = add_flow(store, "/acme/b")
    elsewhere = verbs.create(store, ME, other, {"elems": {"x": 1}})["id"]
    for call in (
        lambda name: verbs.read(store, ME, flow, name),
        lambda name: verbs.update(store, ME, flow, name, {"elems": {"x": 2}}),
        lambda name: verbs.set_member(store, ME, flow, name, "elems.x", 2),
        lambda name: verbs.delete(store, ME, flow, name),
    ):
        for name in (ids.new_id("d"), elsewhere):
            with pytest.raises(NotFound, match="no drop"):
                call(name)
        with pytest.raises(BadRequest, match="no drop's id"):
            call("nonsense")
    assert verbs.read(store, ME, other, elsewhere)["elems"] == {"x": 1}


def test_read_many_leaves_out_what_is_not_there(store: Store, flow: str) -> None:
    made = verbs.create_many(store, ME, flow, [{"elems": {"temp": n}} for n in range(1200)])
    change_resource(store, flow, capacity=5000)
    wanted = [made[5]["id"], "nonsense", ids.new_id("d"), made[1]["id"], made[5]["id"]]
    assert verbs.read_many(store, ME, flow, wanted) == {}  # evicted: the flow held a thousand
    wanted = [drop["id"] for drop in made]
    found = verbs.read_many(store, ME, flow, wanted)
    assert list(found) == wanted[200:]
    assert found[made[700]["id"]] == made[700]
    with pytest.raises(BadRequest, match="list of drop ids"):
        verbs.read_many(store, ME, flow, [5])


class TestUpdate:
    def test_only_what_is_listed_changes(self, store: Store, flow: str) -> None:
        made = verbs.create(store, ME, flow, {"elems": {"temp": 1, "wind": 2}, "fhash": "h"})
        changed = verbs.update(store, ME, flow, made["id"], {"elems": {"temp": 3}})
        assert changed.pop("lastEditDate") >= made["creationDate"]
        assert changed == {**made, "elems": {"temp": 3}}
        changed = verbs.update(store, ME, flow, made["id"], {"location": {"lat": 1, "lon": 2}, "fhash": None})
        assert changed["elems"] == {"temp": 3}
        assert changed["location"] == {"lat": 1, "lon": 2}
        assert "fhash" not in changed
        assert verbs.read(store, ME, flow, made["id"]) == changed

    def test_a_whole_drop_may_come_back(self, store: Store, flow: str) -> None:
        made = verbs.create(store, ME, flow, {"elems": {"temp": 1}})
        sent = {**made, "elems": {"temp": 2}, "id": "other", "creationDate": 5, "version": 7}
        changed = verbs.update(store, ME, flow, made["id"], sent)
        assert changed["id"] == made["id"]
        assert changed["creationDate"] == made["creationDate"]

    def test_nothing_to_change_changes_nothing(self, store: Store, flow: str) -> None:
        made = verbs.create(store, ME, flow, {"elems": {"temp": 1}})
        assert verbs.update(store, ME, flow, made["id"], {}) == made

    def test_many_all_or_none(self, store: Store, flow: str) -> None:
        made = verbs.create_many(store, ME, flow, [{"elems": {"temp": n}} for n in range(3)])
        wanted = {drop["id"]: {"elems": {"temp": drop["elems"]["temp"] + 10}} for drop in made}
        changed = verbs.update_many(store, ME, flow, wanted)
        assert [changed[drop["id"]]["elems"]["temp"] for drop in made] == [10, 11, 12]
        with pytest.raises(NotFound):
            verbs.update_many(store, ME, flow, {made[0]["id"]: {"elems": {"temp": 0}}, ids.new_id("d"): {}})
        with pytest.raises(BadRequest, match=f"{made[1]['id']}: elems must not be empty"):
            verbs.update_many(store, ME, flow, {made[0]["id"]: {}, made[1]["id"]: {"elems": {}}})
        assert temps(store, flow) == [12, 11, 10]

    def test_one_member(self, store: Store, flow: str) -> None:
        made = verbs.create(store, ME, flow, {"elems": {"temp": 1, "wind": 2}})
        assert verbs.set_member(store, ME, flow, made["id"], "elems", {"a": 1})["elems"] == {"a": 1}
        assert verbs.set_member(store, ME, flow, made["id"], "elems.b", 2)["elems"] == {"a": 1, "b": 2}
        assert verbs.set_member(store, ME, flow, made["id"], "fhash", "h")["fhash"] == "h"
        with pytest.raises(BadRequest, match="no member 'colour'"):
            verbs.set_member(store, ME, flow, made["id"], "colour", "red")

    def test_an_fhash_stays_unique(self, store: Store, flow: str) -> None:
        made = verbs.create_many(store, ME, flow, [{"elems": {"x": 1}, "fhash": h} for h in "ab"])
        with pytest.raises(BadRequest, match="has the fhash 'a'"):
            verbs.update(store, ME, flow, made[1]["id"], {"fhash": "a"})
        assert verbs.update(store, ME, flow, made[0]["id"], {"fhash": "a"})["fhash"] == "a"

    def test_the_result_must_match_the_flows_filter(self, store: Store) -> None:
        flow = add_flow(store, "/acme/warm", filter="elems.temp > 10")
        made = verbs.create(store, ME, flow, {"elems": {"temp": 11}})
        with pytest.raises(BadRequest, match="temp > 10"):
            verbs.update(store, ME, flow, made["id"], {"elems": {"temp": 9}})
        assert temps(store, flow) == [11]


class TestDelete:
    def test_one(self, store: Store, flow: str) -> None:
        made = verbs.create_many(store, ME, flow, [{"elems": {"temp": n}} for n in range(3)])
        verbs.delete(store, ME, flow, made[1]["id"])
        assert temps(store, flow) == [2, 0]
        sizes_agree(store)
        with pytest.raises(NotFound):
            verbs.delete(store, ME, flow, made[1]["id"])
        sizes_agree(store)

    def test_all(self, store: Store, flow: str) -> None:
        other = add_flow(store, "/acme/b")
        for where in (flow, other):
            verbs.create_many(store, ME, where, [{"elems": {"temp": n}} for n in range(3)])
        verbs.delete_all(store, ME, flow)
        assert temps(store, flow) == []
        assert temps(store, other) == [2, 1, 0]
        sizes_agree(store)
        verbs.create(store, ME, flow, {"elems": {"temp": 5}})
        sizes_agree(store)


def test_a_change_by_another_process_is_seen(store: Store, folder: Path) -> None:
    flow = add_flow(store, "/acme/b")
    verbs.create(store, ME, flow, {"elems": {"temp": 1}})
    with Store(folder) as other:
        change_resource(other, flow, filter="elems.temp > 10")
        with pytest.raises(BadRequest, match="temp > 10"):
            verbs.create(store, ME, flow, {"elems": {"temp": 2}})
        change_resource(store, flow, filter="")
        verbs.create(other, ME, flow, {"elems": {"temp": 2}})
    assert temps(store, flow) == [2, 1]


def test_counters_count_by_hour_and_flow_and_writer(store: Store, flow: str) -> None:
    verbs.create_many(store, ME, flow, [{"elems": {"x": n}, "creationDate": T0} for n in range(3)])
    verbs.create(store, ME, flow, {"elems": {"x": 4}})
    assert counted(store) == {("flowDropAdded", flow): 4, ("dropCreatedBy", ME.identity): 4}
