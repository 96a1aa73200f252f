from __future__ import annotations

from typing import Any

import pytest

from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.drops import tracking, verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.query.query import Query

from ...harness import ME, add_flow, add_track, change_resource, counted, sizes_agree

T0 = 1_357_000_000_000


def numbers(store: Store, flow: str) -> list[Any]:
    return [drop["elems"]["n"] for drop in reversed(verbs.find(store, ME, flow, Query(limit=1000)))]


@pytest.fixture
def flows(store: Store, flow: str) -> dict[str, str]:
    return {"a": flow, **{name: add_flow(store, f"/acme/{name}") for name in "bcd"}}


def test_a_copy_is_a_drop_of_its_own(store: Store, flows: dict[str, str]) -> None:
    add_track(store, "/acme/a", "/acme/b")
    made = verbs.create(
        store,
        ME,
        "/acme/a",
        {
            "elems": {"n": 1, "since": {"type": "date", "value": 5}},
            "fhash": "h",
            "creationDate": T0,
            "location": {"lat": 1, "lon": 2},
        },
    )
    (copy,) = verbs.find(store, ME, "/acme/b")
    assert copy["id"] != made["id"]
    assert copy == {
        "id": copy["id"],
        "flowId": flows["b"],
        "path": "/acme/b",
        "creationDate": T0,
        "creatorId": ME.identity,
        "elems": {"n": 1, "since": 5},
        "location": {"lat": 1, "lon": 2},
        "version": 0,
        "parentDropId": {"flowId": flows["a"], "dropId": made["id"]},
    }
    assert verbs.find(store, ME, "/acme/b", hints=True)[0]["elems"]["since"]["type"] == "date"


def test_a_filter_chooses_and_a_list_spreads(store: Store, flows: dict[str, str]) -> None:
    track = add_track(store, "/acme/a", ["/acme/b", "/acme/c"], "elems.n > 2")
    off = add_track(store, "/acme/a", "/acme/d", disabled=True)
    verbs.create_many(store, ME, "/acme/a", [{"elems": {"n": n}} for n in range(5)])
    assert [numbers(store, flows[name]) for name in "abcd"] == [[0, 1, 2, 3, 4], [3, 4], [3, 4], []]
    assert counted(store) == {
        ("flowDropAdded", flows["a"]): 5,
        ("dropCreatedBy", ME.identity): 5,
        ("trackHit", track): 5,
        ("trackPass", track): 2,
        ("flowTracked", flows["b"]): 2,
        ("flowDropAdded", flows["b"]): 2,
        ("flowTracked", flows["c"]): 2,
        ("flowDropAdded", flows["c"]): 2,
    }
    change_resource(store, off, destination="/acme/d")
    verbs.create(store, ME, "/acme/a", {"elems": {"n": 9}})
    assert numbers(store, flows["d"]) == [9]
    sizes_agree(store)


def test_copies_travel_on(store: Store, flows: dict[str, str]) -> None:
    add_track(store, "/acme/a", "/acme/b", "elems.n > 1")
    add_track(store, "/acme/b", "/acme/c", "elems.n > 2")
    add_track(store, "/acme/c", "/acme/d", "path == '/acme/c' && EXISTS parentDropId && NOT EXISTS fhash")
    verbs.create_many(store, ME, "/acme/a", [{"elems": {"n": n}, "fhash": str(n)} for n in range(5)])
    assert [numbers(store, flows[name]) for name in "bcd"] == [[2, 3, 4], [3, 4], [3, 4]]
    last = verbs.find(store, ME, "/acme/d")[0]
    assert last["parentDropId"]["flowId"] == flows["c"]


def test_the_destinations_filter_holds_quietly(store: Store, flows: dict[str, str]) -> None:
    change_resource(store, flows["b"], filter="elems.n % 2 == 0")
    add_track(store, "/acme/a", "/acme/b")
    add_track(store, "/acme/b", "/acme/c")
    verbs.create_many(store, ME, "/acme/a", [{"elems": {"n": n}} for n in range(5)])
    assert numbers(store, flows["b"]) == numbers(store, flows["c"]) == [0, 2, 4]
    assert counted(store)["flowTracked", flows["b"]] == 3


def test_a_flow_that_keeps_nothing_still_passes_on(store: Store, flows: dict[str, str]) -> None:
    for name in "ab":
        change_resource(store, flows[name], capacity=0)
    add_track(store, "/acme/a", "/acme/b")
    add_track(store, "/acme/b", "/acme/c")
    verbs.create(store, ME, "/acme/a", {"elems": {"n": 1}})
    assert [numbers(store, flows[name]) for name in "abc"] == [[], [], [1]]


def test_copies_push_out_the_oldest_too(store: Store, flows: dict[str, str]) -> None:
    change_resource(store, flows["b"], capacity=2)
    add_track(store, "/acme/a", "/acme/b")
    verbs.create_many(store, ME, "/acme/a", [{"elems": {"n": n}} for n in range(5)])
    assert numbers(store, flows["b"]) == [3, 4]
    sizes_agree(store)


def test_a_destination_that_is_not_there_is_passed_over(store: Store, flows: dict[str, str]) -> None:
    add_track(store, "/acme/a", ["/acme/nowhere", "/acme/b"])
    verbs.create(store, ME, "/acme/a", {"elems": {"n": 1}})
    assert numbers(store, flows["b"]) == [1]
    add_flow(store, "/acme/nowhere")
    verbs.create(store, ME, "/acme/a", {"elems": {"n": 2}})
    assert numbers(store, "/acme/nowhere") == [2]


def test_circles_end(store: Store, flows: dict[str, str]) -> None:
    add_track(store, "/acme/a", ["/acme/a", "/acme/b"])
    add_track(store, "/acme/b", "/acme/c")
    add_track(store, "/acme/c", ["/acme/a", "/acme/b"])
    verbs.create(store, ME, "/acme/a", {"elems": {"n": 1}})
    assert [numbers(store, flows[name]) for name in "abc"] == [[1], [1], [1]]
    verbs.create(store, ME, "/acme/c", {"elems": {"n": 2}})
    # From c there are two ways to b: straight, and by a.
    assert [numbers(store, flows[name]) for name in "abc"] == [[1, 2], [1, 2, 2], [1, 2]]


def test_tracks_that_reach_too_many_flows_are_refused(store: Store, flows: dict[str, str]) -> None:
    paths = [f"/acme/net{index}" for index in range(8)]
    for path in paths:
        add_flow(store, path)
        add_track(store, path, paths)
    with pytest.raises(BadRequest, match=f"more than {tracking.MOST_VISITS} flows"):
        verbs.create(store, ME, paths[0], {"elems": {"n": 1}})
    assert not any(verbs.find(store, ME, path) for path in paths)


def test_a_repeated_fhash_is_not_tracked_again(store: Store, flows: dict[str, str]) -> None:
    track = add_track(store, "/acme/a", "/acme/b")
    verbs.create(store, ME, "/acme/a", {"elems": {"n": 1}, "fhash": "h"})
    verbs.create(store, ME, "/acme/a", {"elems": {"n": 2}, "fhash": "h"})
    # Within one batch too: it is tracked as it was when it came.
    verbs.create_many(store, ME, "/acme/a", [{"elems": {"n": n}, "fhash": "i"} for n in (3, 4)])
    assert numbers(store, flows["a"]) == [2, 4]
    assert numbers(store, flows["b"]) == [1, 3]
    assert counted(store)["trackHit", track] == 2


def test_updates_are_not_tracked(store: Store, flows: dict[str, str]) -> None:
    add_track(store, "/acme/a", "/acme/b")
    made = verbs.create(store, ME, "/acme/a", {"elems": {"n": 1}})
    verbs.update(store, ME, "/acme/a", made["id"], {"elems": {"n": 2}})
    assert numbers(store, flows["b"]) == [1]


def test_a_refused_batch_leaves_no_copies(store: Store, flows: dict[str, str]) -> None:
    change_resource(store, flows["a"], filter="elems.n < 3")
    add_track(store, "/acme/a", "/acme/b")
    with pytest.raises(BadRequest, match=r"drop 3 does not match the filter of /acme/a: elems.n < 3"):
        verbs.create_many(store, ME, "/acme/a", [{"elems": {"n": n}} for n in range(5)])
    assert numbers(store, flows["a"]) == numbers(store, flows["b"]) == []
    assert counted(store) == {}
