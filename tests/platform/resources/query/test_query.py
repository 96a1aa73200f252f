from __future__ import annotations

import re
from typing import Any

import pytest

from flowthings_like.filters.nodes import Member
from flowthings_like.platform.problems import BadRequest, TooLarge
from flowthings_like.platform.resources.drops import find, query_plan, rows, verbs
from flowthings_like.platform.resources.drops.flow_cache import find_flow
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.query import search
from flowthings_like.platform.resources.query.query import LARGEST_LIMIT, Query
from flowthings_like.platform.store.cancellation import CURRENT, CancelScope, SearchTooLong
from flowthings_like.platform.store.schema import drops as table
from tests.servers.platform_store import STORE

from ...harness import ME, add_flow

T0 = 1_357_000_000_000


def asked(**params: Any) -> Query:
    return Query.from_values(params)


def numbers(store: Store, flow: str, **params: Any) -> list[Any]:
    return [drop["elems"].get("n") for drop in verbs.find(store, ME, flow, asked(**params))]


@pytest.fixture
def many(store: Store) -> str:
    flow = add_flow(store, "/acme/many", capacity=1000)
    verbs.create_many(
        store,
        ME,
        flow,
        [{"elems": {"n": n, "odd": n % 2, "name": f"n{n:02}"}, "creationDate": T0 + n} for n in range(50)],
    )
    return flow


class TestParameters:
    def test_the_defaults(self) -> None:
        query = Query.from_params({})
        assert (query.filter, query.start, query.limit, query.sort, query.only) == (None, 0, 20, (), None)

    def test_everything(self) -> None:
        query = Query.from_params(
            {
                "filter": ["elems.n > 3"],
                "start": ["5"],
                "limit": ["7"],
                "sort": ["a,b", "c"],
                "order": ["asc", "desc", "asc"],
                "only": ["id,elems"],
                "unheard": ["of"],
            }
        )
        assert str(query.filter) == "elems.n > 3"
        assert (query.start, query.limit, query.only) == (5, 7, ("id", "elems"))
        assert query.sort == (("a", False), ("b", True), ("c", False))

    def test_one_order_is_for_all_sorts_and_for_none(self) -> None:
        assert asked(sort=["a", "b"], order="asc").sort == (("a", False), ("b", False))
        assert asked(sort="a").sort == (("a", True),)
        assert asked(order="asc").sort == (("creationDate", False),)

    def test_skip_is_start(self) -> None:
        assert asked(skip=3).start == 3
        assert asked(skip=3, start="4").start == 4

    def test_an_empty_filter_is_none(self) -> None:
        assert asked(filter="").filter is None
        assert asked(filter="  ").filter is None

    def test_a_large_limit_asks_for_all_there_may_be(self) -> None:
        assert asked(limit=2147483647).limit == LARGEST_LIMIT
        assert asked(limit="9" * 30).limit == LARGEST_LIMIT

    @pytest.mark.parametrize(
        ("params", "said"),
        [
            ({"limit": "-1"}, "limit must be a whole number of at least 0"),
            ({"limit": "many"}, "limit must be"),
            ({"limit": 1.5}, "limit must be"),
            ({"start": "-5"}, "start must be"),
            ({"start": "٣"}, "start must be"),
            ({"limit": ["1", "2"]}, "limit was given 2 times"),
            ({"filter": "elems.n >"}, "line 1, column"),
            ({"filter": {"n": 1}}, "filter must be a string or a number"),
            ({"order": "geo"}, "order must be asc or desc"),
            ({"sort": "a,b,c", "order": "asc,desc"}, "2 orders for 3 sorts"),
            ({"sort": "a..b"}, "can be no member's name"),
            ({"sort": ".a"}, "can be no member's name"),
            ({"sort": "foo bar"}, "'foo bar' can be no member's name"),
            ({"sort": "-temp"}, "the direction as order"),
            ({"sort": "temp:desc"}, "the direction as order"),
            ({"sort": "elems.wind speed"}, "in backquotes"),
            ({"sort": "$month"}, "can be no member's name"),
            ({"sort": "a', (select 1)"}, "can be no member's name"),
            ({"sort": ["a"] * 33}, "33 members to sort by: 32 is the most"),
            ({"limt": 5}, "there is no parameter 'limt': did you mean 'limit'?"),
        ],
    )
    def test_what_makes_no_sense(self, params: dict[str, Any], said: str) -> None:
        with pytest.raises(BadRequest) as caught:
            Query.from_values(params)
        assert said in caught.value.message


class TestFind:
    def test_newest_first_twenty_at_a_time(self, store: Store, many: str) -> None:
        assert numbers(store, many) == list(range(49, 29, -1))
        assert numbers(store, many, start=20, limit=5) == [29, 28, 27, 26, 25]
        assert numbers(store, many, order="asc", limit=3) == [0, 1, 2]
        assert numbers(store, many, limit=0) == []
        assert numbers(store, many, start=10**29) == []

    def test_filters(self, store: Store, many: str) -> None:
        assert numbers(store, many, filter="n > 46") == [49, 48, 47]
        assert numbers(store, many, filter="elems.odd == 1 && n < 6") == [5, 3, 1]
        assert numbers(store, many, filter="name =~ /^n0[12]$/") == [2, 1]
        assert numbers(store, many, filter=f"creationDate <= {T0 + 1}") == [1, 0]
        assert numbers(store, many, filter="path == '/acme/many' && n == 7") == [7]
        assert numbers(store, many, filter=f"flowId != '{many}'") == []

    def test_a_filter_that_cannot_be_evaluated(self, store: Store, many: str) -> None:
        with pytest.raises(BadRequest, match="zip"):
            verbs.find(store, ME, many, asked(filter="location WITHIN 5 KM OF [ZIP=00000]"))

    def test_sorts(self, store: Store, many: str) -> None:
        assert numbers(store, many, sort="elems.n", order="asc", limit=3) == [0, 1, 2]
        assert numbers(store, many, sort=["odd", "n"], order=["asc", "desc"], limit=3) == [48, 46, 44]
        assert numbers(store, many, sort="odd", limit=3) == [49, 47, 45]  # ties: newest first
        assert numbers(store, many, sort="id", order="asc", limit=2) == [0, 1]
        assert numbers(store, many, sort=["creationDate", "n"], order="asc", limit=2) == [0, 1]

    def test_missing_comes_last_and_numbers_before_strings(self, store: Store, flow: str) -> None:
        for value in (None, 2, "b", 1.5, "a", {}):
            verbs.create(store, ME, flow, {"elems": {"n": value, "m": 1} if value != {} else {"m": 1}})
        assert numbers(store, flow, sort="n", order="asc") == [1.5, 2, "a", "b", None, None]
        assert numbers(store, flow, sort="n", order="desc") == ["b", "a", 2, 1.5, None, None]

    def test_truth_is_sorted_as_the_number_that_it_is_equal_to(self, store: Store, flow: str) -> None:
        for value in (0, False, 1, True, 1.0, 2):
            verbs.create(store, ME, flow, {"elems": {"n": value}})
        found = [repr(value) for value in numbers(store, flow, sort="n", order="asc")]
        assert found == ["False", "0", "1.0", "True", "1", "2"]  # ties: newest first

    @pytest.mark.parametrize("name", ['a"b', "a\\b", "a.b", "12", "é", "a b", "\n", "[0]", "$"])
    def test_any_name_may_be_sorted_by(self, store: Store, flow: str, name: str) -> None:
        for n in (2, 1, 3):
            verbs.create(store, ME, flow, {"elems": {"n": n, name: n}})
        assert numbers(store, flow, sort=str(Member((name,))), order="asc") == [1, 2, 3]
        assert numbers(store, flow, sort=str(Member(("elems", name))), order="desc") == [3, 2, 1]

    def test_deeper_members(self, store: Store, flow: str) -> None:
        for n in (2, 1, 3):
            elems = {"n": n, "box": {"n": n, "list": [0, {"x": n}]}}
            verbs.create(store, ME, flow, {"elems": elems, "location": {"lat": n, "lon": 0}})
        for sort in ("box.n", "elems.box.n", "box.list.1.x", "n.value", "elems.n.value", "location.lat"):
            assert numbers(store, flow, sort=sort, order="asc") == [1, 2, 3], sort
        for sort in ("path.x", "fhash.x.y", "box.list.7.x"):
            assert numbers(store, flow, sort=sort) == [3, 1, 2], sort

    def test_only(self, store: Store, many: str) -> None:
        (drop,) = verbs.find(store, ME, many, asked(limit=1, only="elems"))
        assert set(drop) == {"id", "elems"}
        (drop,) = verbs.find(store, ME, many, asked(limit=1, only="creationDate,path,nothing"))
        assert set(drop) == {"id", "creationDate", "path"}

    @pytest.mark.parametrize("filter", [None, "elems.odd == 1"])
    def test_the_newest_are_one_walk_down_the_key(self, store: Store, many: str, filter: str | None) -> None:
        """Nothing is sorted, no other flow's drops are looked at, whatever the number of drops."""

        def plan(connection: Any) -> str:
            found = find_flow(connection, many)
            query = (asked(filter=filter) if filter else Query()).apply(
                rows.SELECT.where(rows.IN_FLOW),
                columns=rows.COLUMNS,
                document=table.c.elems,
                newest=rows.NEWEST,
                dialect=connection.dialect,
            )
            compiled = query.statement.params(rows.of(found)).compile(
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            explain = query_plan.slot_sql(connection).explain
            return "\n".join(row[-1] for row in connection.exec_driver_sql(f"{explain} {compiled}"))

        said = store.read(plan)
        if STORE == "sqlite":
            assert said == "SEARCH drops USING PRIMARY KEY (flow_id=?)"
        else:
            assert re.search(r"Index Scan Backward using drops(_\d)?_pkey on drops", said)
            assert "Sort" not in said

    def test_a_rule_that_is_tested_in_python_ends_with_the_page_and_the_time(
        self, store: Store, many: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(search, "BATCH", 3)
        found = asked(filter="n % 2 == 1", start=2, limit=4)
        assert [drop["elems"]["n"] for drop in verbs.find(store, ME, many, found)] == [45, 43, 41, 39]
        assert verbs.find(store, ME, many, asked(filter="n % 2 == 1", limit=0)) == []
        token = CURRENT.set(CancelScope(0.0))
        try:
            with pytest.raises(SearchTooLong):
                verbs.find(store, ME, many, found)
        finally:
            CURRENT.reset(token)


class TestMultiFind:
    def test_each_flow_gets_its_own_answer(self, store: Store, many: str, flow: str) -> None:
        verbs.create(store, ME, flow, {"elems": {"n": 7}})
        found = find.multi_find(
            store,
            ME,
            [
                {"flowId": many, "params": {"limit": 2, "filter": "n < 40"}},
                {"flowId": "/acme/a", "params": {"limit": "1", "only": ["elems"], "refs": False}},
                {"flowId": flow},
            ],
        )
        assert list(found) == [many, "/acme/a", flow]
        assert [drop["elems"]["n"] for drop in found[many]] == [39, 38]
        assert [drop["elems"] for drop in found["/acme/a"]] == [{"n": 7}]
        assert set(found["/acme/a"][0]) == {"id", "elems"}

    @pytest.mark.parametrize(
        ("requests", "said"),
        [
            ({}, "a multi-find is a list"),
            ([5], "find 0: a find is a map"),
            ([{"flowId": 5}], "find 0: a find is a map"),
            ([{"flowId": "/acme/a", "params": 5}], "find 0: params must be a map"),
            (
                [{"flowId": "/acme/a"}, {"flowId": "/acme/a", "params": {"limit": -1}}],
                "find 1: limit must be",
            ),
            ([{"flowId": "/acme/a"}, {"flowId": "nonsense"}], "find 1: 'nonsense' is neither"),
        ],
    )
    def test_errors_say_which(self, store: Store, flow: str, requests: Any, said: str) -> None:
        with pytest.raises(BadRequest) as caught:
            find.multi_find(store, ME, requests)
        assert caught.value.message.startswith(said)

    def test_a_bound(self, store: Store) -> None:
        with pytest.raises(TooLarge, match="1000 is the most"):
            find.multi_find(store, ME, [{"flowId": "/acme/a"}] * 1001)


class TestFindEach:
    def test_each_find_has_its_own_answer(self, store: Store, many: str, flow: str) -> None:
        other = add_flow(store, "/other/x")
        answers = find.find_each(
            store,
            ME,
            [
                {"flowId": many, "params": {"filter": "n < 40", "limit": 1}},
                {"flowId": many, "params": {"filter": "n < 30", "limit": 1}},
                {"flowId": many, "params": {"filter": "n <"}},
                {"flowId": "nonsense"},
                5,
                {"flowId": "f" + "0" * 24},
                {"flowId": flow},
                {"flowId": "/acme/many", "params": {"limit": 1, "only": "fhash"}},
                {"flowId": other},
            ],
        )
        assert [drop["elems"]["n"] for answer in answers[:2] for drop in answer] == [39, 29]
        statuses = [answer["status"] if isinstance(answer, dict) else len(answer) for answer in answers]
        assert statuses[:8] == [1, 1, 400, 400, 400, 404, 0, 1]
        assert isinstance(answers[8], dict)
        assert "line 1" in answers[2]["errors"][0]

    def test_finds_beyond_the_limits_are_returned_undone(
        self, store: Store, many: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(find, "MOST_FOUND", 60)
        wanted = [{"flowId": many, "params": {"limit": 50}}] * 4
        assert [answer and len(answer) for answer in find.find_each(store, ME, wanted)] == [
            50,
            50,
            None,
            None,
        ]
        monkeypatch.setattr(find, "TIME_LIMIT", -1.0)
        assert find.find_each(store, ME, wanted) == [None] * 4

    def test_bounds(self, store: Store) -> None:
        assert find.find_each(store, ME, []) == []
        with pytest.raises(TooLarge, match="1000 is the most"):
            find.find_each(store, ME, [{"flowId": "/acme/a"}] * 1001)
        with pytest.raises(BadRequest, match="is a list"):
            find.find_each(store, ME, {"flowId": "/acme/a"})
