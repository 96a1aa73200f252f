from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowthings_like.platform import ids
from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.drops import flow_sizes, verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.query.query import Query

from ...harness import ME, add_flow, add_track, at_once, change_resource, counted, sizes_agree

HOUR = 3_600_000
T0 = 1_357_000_000_000


def temps(store: Store, flow: str) -> list[Any]:
    return [drop["elems"]["temp"] for drop in verbs.find(store, ME, flow, Query(limit=1000))]


class TestFhash:
    def test_a_repeated_one_replaces_the_elements(self, store: Store, flow: str) -> None:
        place = {"lat": 1, "lon": 2}
        model = {"elems": {"a": 1}, "fhash": "h", "creationDate": T0, "location": place}
        made = verbs.create(store, ME, flow, model)
        again = verbs.create(store, ME, flow, {"elems": {"b": 2}, "fhash": "h"})
        assert again.pop("lastEditDate") > T0
        assert again == {**made, "elems": {"b": 2}}
        assert len(verbs.find(store, ME, flow)) == 1
        moved = verbs.create(
            store, ME, flow, {"elems": {"b": 3}, "fhash": "h", "location": {"lat": 3, "lon": 4}}
        )
        assert verbs.find(store, ME, flow) == [moved]
        assert moved["location"] == {"lat": 3, "lon": 4}
        assert counted(store)["flowDropAdded", flow] == 1

    def test_it_belongs_to_its_flow(self, store: Store, flow: str) -> None:
        other = add_flow(store, "/acme/b")
        made = [verbs.create(store, ME, where, {"elems": {"x": 1}, "fhash": "h"}) for where in (flow, other)]
        assert made[0]["id"] != made[1]["id"]

    def test_within_one_batch_the_last_wins(self, store: Store, flow: str) -> None:
        verbs.create(store, ME, flow, {"elems": {"n": 0}, "fhash": "old"})
        made = verbs.create_many(
            store,
            ME,
            flow,
            [
                {"elems": {"n": 1}, "fhash": "new", "creationDate": T0},
                {"elems": {"n": 2}, "fhash": "old"},
                {"elems": {"n": 3}},
                {"elems": {"n": 4}, "fhash": "new"},
                {"elems": {"n": 5}, "fhash": "old"},
            ],
        )
        assert [drop["elems"]["n"] for drop in made] == [4, 5, 3, 4, 5]
        assert made[0] == made[3]
        assert made[0]["creationDate"] == T0
        assert sorted(drop["elems"]["n"] for drop in verbs.find(store, ME, flow)) == [3, 4, 5]
        sizes_agree(store)

    def test_the_filter_holds_for_replacements_too(self, store: Store) -> None:
        flow = add_flow(store, "/acme/warm", filter="elems.temp > 10")
        verbs.create(store, ME, flow, {"elems": {"temp": 11}, "fhash": "h"})
        with pytest.raises(BadRequest, match="temp > 10"):
            verbs.create(store, ME, flow, {"elems": {"temp": 9}, "fhash": "h"})
        assert temps(store, flow) == [11]


MODELS = st.lists(
    st.fixed_dictionaries(
        {"elems": st.fixed_dictionaries({"n": st.integers(0, 99)})},
        optional={"fhash": st.sampled_from("abcd"), "creationDate": st.integers(T0, T0 + 5)},
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models=MODELS, cut=st.integers(0, 12))
def test_many_at_once_are_as_many_one_by_one(store: Store, models: list[Any], cut: int) -> None:
    path = f"/acme/{ids.new_id('x')}"
    add_flow(store, path + "/one")
    add_flow(store, path + "/many")
    for model in models:
        verbs.create(store, ME, path + "/one", model)
    for part in (models[:cut], models[cut:]):
        verbs.create_many(store, ME, path + "/many", part)

    def kept(flow: str) -> list[Any]:
        # Which of two drops of one moment is the newer is told by their order of arrival, dates by theirs.
        return [
            (drop["elems"], drop.get("fhash"), "lastEditDate" in drop, drop["creationDate"] < T0 + 9)
            for drop in verbs.find(store, ME, flow, Query(limit=100))
        ]

    assert kept(path + "/one") == kept(path + "/many")


class TestCapacity:
    def test_a_thousand_by_default(self, store: Store, flow: str) -> None:
        verbs.create_many(store, ME, flow, [{"elems": {"temp": n}} for n in range(1005)])
        assert temps(store, flow) == list(range(1004, 4, -1))
        sizes_agree(store)

    def test_the_oldest_go_first(self, store: Store) -> None:
        flow = add_flow(store, "/acme/small", capacity=3)
        for n in range(5):
            verbs.create(store, ME, flow, {"elems": {"temp": n}})
            sizes_agree(store)
        assert temps(store, flow) == [4, 3, 2]

    def test_history_stays_as_long_as_news(self, store: Store) -> None:
        """What goes first is what came first, whatever age it has."""
        flow = add_flow(store, "/acme/small", capacity=3)
        for hour in (5, 1, 4, 2, 3):
            verbs.create(store, ME, flow, {"elems": {"temp": hour}, "creationDate": T0 + hour * HOUR})
        assert temps(store, flow) == [4, 3, 2]
        late = verbs.create(store, ME, flow, {"elems": {"temp": 0}, "creationDate": 1})
        assert verbs.read(store, ME, flow, late["id"])["elems"] == {"temp": 0}
        assert temps(store, flow) == [3, 2, 0]
        sizes_agree(store)

    def test_a_clock_that_steps_back_takes_nothing_along(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flow = add_flow(store, "/acme/small", capacity=20)
        clock = {"ms": T0}
        monkeypatch.setattr(verbs, "now_ms", lambda: clock["ms"])

        def create(n: int) -> Any:
            clock["ms"] += 10
            return verbs.create(store, ME, flow, {"elems": {"temp": n}})["id"]

        for n in range(20):
            create(n)
        clock["ms"] -= 2000
        acknowledged = [create(20 + n) for n in range(25)]
        found = verbs.read_many(store, ME, flow, acknowledged)
        assert list(found) == acknowledged[5:]
        sizes_agree(store)

    def test_what_arrives_through_a_track_stays_as_long(self, store: Store, flow: str) -> None:
        copies = add_flow(store, "/acme/copies", capacity=2)
        add_track(store, "/acme/a", "/acme/copies")
        for n, created in enumerate((T0, 5, 7, 1)):
            verbs.create(store, ME, flow, {"elems": {"temp": n}, "creationDate": created})
        assert sorted(temps(store, copies)) == [2, 3]
        sizes_agree(store)

    def test_replacing_pushes_nothing_out(self, store: Store) -> None:
        flow = add_flow(store, "/acme/small", capacity=2)
        for n in range(2):
            verbs.create(store, ME, flow, {"elems": {"temp": n}, "fhash": str(n)})
        verbs.create(store, ME, flow, {"elems": {"temp": 9}, "fhash": "0"})
        assert temps(store, flow) == [1, 9]

    def test_what_is_replaced_has_arrived_anew(self, store: Store) -> None:
        flow = add_flow(store, "/acme/small", capacity=2)
        for n in range(2):
            verbs.create(store, ME, flow, {"elems": {"temp": n}, "fhash": str(n)})
        verbs.create(store, ME, flow, {"elems": {"temp": 9}, "fhash": "0"})
        verbs.create(store, ME, flow, {"elems": {"temp": 10}})
        assert temps(store, flow) == [10, 9]

    def test_arrivals_are_counted_on_after_all_was_deleted(self, store: Store) -> None:
        flow = add_flow(store, "/acme/small", capacity=2)
        for round in (0, 10):
            for n in range(3):
                verbs.create(store, ME, flow, {"elems": {"temp": round + n}})
            assert temps(store, flow) == [round + 2, round + 1]
            verbs.delete_all(store, ME, flow)
            sizes_agree(store)

    def test_none_keeps_none(self, store: Store) -> None:
        flow = add_flow(store, "/acme/wire", capacity=0)
        made = verbs.create(store, ME, flow, {"elems": {"temp": 1}, "fhash": "h"})
        assert made["elems"] == {"temp": 1}
        assert temps(store, flow) == []
        assert counted(store)["flowDropAdded", flow] == 1
        sizes_agree(store)

    def test_a_smaller_one_takes_effect(self, store: Store, flow: str) -> None:
        verbs.create_many(store, ME, flow, [{"elems": {"temp": n}} for n in range(10)])
        change_resource(store, flow, capacity=4)
        verbs.create(store, ME, flow, {"elems": {"temp": 10}})
        assert temps(store, flow) == [10, 9, 8, 7]
        store.write(lambda connection: flow_sizes.shrink(connection, flow, 2))
        assert temps(store, flow) == [10, 9]
        store.write(lambda connection: flow_sizes.shrink(connection, flow, 0))
        assert temps(store, flow) == []
        sizes_agree(store)

    def test_from_many_writers_and_two_processes(self, store: Store, folder: Path) -> None:
        flow = add_flow(store, "/acme/small", capacity=7)
        with Store(folder) as other:
            calls = [
                lambda where=where, n=n: verbs.create(where, ME, flow, {"elems": {"temp": n}})
                for n in range(20)
                for where in (store, other)
            ]
            assert not [one for one in at_once(calls) if isinstance(one, BaseException)]
        assert len(temps(store, flow)) == 7
        sizes_agree(store)
