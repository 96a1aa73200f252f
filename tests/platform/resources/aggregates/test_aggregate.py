from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.filters.text import parse
from flowthings_like.platform import ids
from flowthings_like.platform.problems import BadRequest, Forbidden, NotFound
from flowthings_like.platform.resources.access.rights import Caller
from flowthings_like.platform.resources.aggregates.aggregate import aggregate
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store

from ...harness import ME, add_flow

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = 1_356_998_400_000  # 2013-01-01T00:00:00Z


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One for all of them: here a flow of its own is enough for each."""
    with Store(tmp_path_factory.mktemp("aggregate")) as opened:
        yield opened


@pytest.fixture
def flow(store: Store) -> str:
    return add_flow(store, f"/acme/{ids.new_id('x')}")


def rows_of(store: Store, flow: str, **request: Any) -> list[dict[str, Any]]:
    return aggregate(store, ME, flow, request)


def fill(store: Store, flow: str, *elems: dict[str, Any], step: int = HOUR) -> None:
    models = [{"elems": one, "creationDate": T0 + index * step} for index, one in enumerate(elems)]
    verbs.create_many(store, ME, flow, models)


def test_measures_over_the_whole_flow(store: Store, flow: str) -> None:
    fill(
        store,
        flow,
        {"t": 1, "s": "x"},
        {"t": 2.5, "s": "y"},
        {"t": "no number"},
        {"t": True},
        {"s": "x"},
        {"t": 2},
    )
    output = ["$avg:t", "$min:t", "$max:t", "$sum:elems.t", "$count", "$unique:s", "$all:s", "$avg:nothing"]
    assert rows_of(store, flow, output=output) == [
        {
            "id": {},
            "$avg:t": 5.5 / 3,
            "$min:t": 1,
            "$max:t": 2.5,
            "$sum:elems.t": 5.5,
            "$count": 6,
            "$unique:s": ["x", "y"],
            "$all:s": ["x", "y", "x"],
            "$avg:nothing": None,
        }
    ]


def test_no_drops_no_rows(store: Store, flow: str) -> None:
    assert rows_of(store, flow, output=["$count"]) == []
    fill(store, flow, {"t": 1})
    assert rows_of(store, flow, output=["$count"], filter="t > 5") == []
    assert rows_of(store, flow, output=["$all:t"], filter="t > 5", groupBy=["t"]) == []


def test_groups_by_month_and_year(store: Store, flow: str) -> None:
    fill(store, flow, *({"t": n} for n in range(400)), step=DAY)
    found = rows_of(store, flow, output=["$count"], groupBy=["$month"])
    assert [row["id"]["$month"] for row in found] == list(range(1, 13))
    assert [row["$count"] for row in found] == [62, 32, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    found = rows_of(store, flow, output=["$count"], groupBy=["$month"], sorts=["$year:desc", "$month"])
    assert len(found) == 14
    assert [row["id"] for row in found[:3]] == [
        {"$month": 1, "$year": 2014},
        {"$month": 2, "$year": 2014},
        {"$month": 1, "$year": 2013},
    ]
    assert rows_of(store, flow, output=["$count"], sorts=["$year"])[0] == {
        "id": {"$year": 2013},
        "$count": 365,
    }


def test_a_sort_that_means_a_group_adds_none(store: Store, flow: str) -> None:
    fill(store, flow, {"t": 1}, {"t": 2})
    found = rows_of(store, flow, output=["$count"], groupBy=["$hour:creationDate"], sorts=["$hour:desc"])
    assert found == [
        {"id": {"$hour:creationDate": 1}, "$count": 1},
        {"id": {"$hour:creationDate": 0}, "$count": 1},
    ]


@pytest.mark.parametrize(
    "written",
    [
        "2013-12-31T23:58:57Z",
        "2013-12-31 23:58:57.123",
        "2014-01-01T01:58:57+02:00",
        T0 + 364 * DAY + 86_337_999,
    ],
)
def test_dates_in_an_element(store: Store, flow: str, written: Any) -> None:
    fill(store, flow, {"at": {"when": written}})
    units = ["$year", "$month", "$day", "$hour", "$minute", "$second"]
    (row,) = rows_of(store, flow, output=["$count"], groupBy=[f"{unit}:at.when" for unit in units])
    assert list(row["id"].values()) == [2013, 12, 31, 23, 58, 57]


@pytest.mark.parametrize("written", ["now", "12:30", "2456293.5", "x", None, True, "2013-13-45", [], 1e300])
def test_what_is_no_date_has_no_parts(store: Store, flow: str, written: Any) -> None:
    fill(store, flow, {"when": written, "n": 1})
    assert rows_of(store, flow, output=["$count"], groupBy=["$hour:when"]) == [
        {"id": {"$hour:when": None}, "$count": 1}
    ]


def test_rules_are_members_of_one_and_nought(store: Store, flow: str) -> None:
    fill(store, flow, *({"wind": n} for n in range(10)))
    found = rows_of(
        store,
        flow,
        output=["$avg:gale", "$sum:gale", "$count"],
        groupBy=["gale"],
        rules={"gale": "wind >= 8", "calm": "NOT EXISTS wind"},
    )
    assert found == [
        {"id": {"gale": 0}, "$avg:gale": 0.0, "$sum:gale": 0, "$count": 8},
        {"id": {"gale": 1}, "$avg:gale": 1.0, "$sum:gale": 2, "$count": 2},
    ]
    (row,) = rows_of(
        store, flow, output=["$avg:wind", "$all:wind"], rules={"wind": "elems.wind >= 8"}, filter="wind > 6"
    )
    assert row["$avg:wind"] == 2 / 3  # the rule's name wins over the element's
    assert row["$all:wind"] == [0, 1, 1]


def test_groups_keep_types_apart_and_missing_last(store: Store, flow: str) -> None:
    values = [1, "1", True, 1.0, None, [1], {"a": 1}, "x", 0.5]
    fill(store, flow, *({"v": value, "n": 1} for value in values), {"n": 1})
    found = rows_of(store, flow, output=["$count"], groupBy=["v"])
    assert [(row["id"]["v"], row["$count"]) for row in found] == [
        (True, 1),
        (0.5, 1),
        (1, 2),
        ("1", 1),
        ("x", 1),
        ([1], 1),
        ({"a": 1}, 1),
        (None, 2),
    ]
    found = rows_of(store, flow, output=["$unique:v", "$all:v"])
    assert found[0]["$all:v"] == values
    assert found[0]["$unique:v"] == [None, True, 0.5, 1, "1", "x", [1], {"a": 1}]


def test_sorts_by_outputs(store: Store, flow: str) -> None:
    fill(store, flow, {"k": "a", "n": 1}, {"k": "b", "n": 3}, {"k": "c"}, {"k": "d", "n": 3})
    found = rows_of(store, flow, output=["$avg:n"], groupBy=["k"], sorts=["$avg:n:desc"])
    assert [row["id"]["k"] for row in found] == ["b", "d", "a", "c"]
    found = rows_of(store, flow, output=["$avg:n"], groupBy=["k"], sorts=["$avg:n", "k:desc"])
    assert [row["id"]["k"] for row in found] == ["a", "d", "b", "c"]


def test_top_level_members_and_awkward_names(store: Store, flow: str) -> None:
    fill(store, flow, {'a"b': 2, "c.d": 3}, {'a"b': 4, "c.d": 3})
    (row,) = rows_of(
        store, flow, output=['$avg:a"b', "$max:creationDate", "$all:`c.d`"], groupBy=["flowId", "`c.d`"]
    )
    assert row == {
        "id": {"flowId": flow, "`c.d`": 3},
        '$avg:a"b': 3.0,
        "$max:creationDate": T0 + HOUR,
        "$all:`c.d`": [3, 3],
    }


def test_a_sum_beyond_64_bits_is_a_float(store: Store, flow: str) -> None:
    fill(store, flow, {"n": 2**63 - 1, "few": 1}, {"n": 2**63 - 1, "few": 2})
    (row,) = rows_of(store, flow, output=["$sum:n", "$avg:n", "$sum:few"])
    assert row == {"id": {}, "$sum:n": float(2**64), "$avg:n": float(2**63), "$sum:few": 3}
    assert type(row["$sum:few"]) is int


def test_groups_that_fit_stay_whole_beside_one_that_does_not(store: Store, flow: str) -> None:
    fill(store, flow, *({"g": 1, "n": 2**62} for _ in range(2)), {"g": 2, "n": 2**53}, {"g": 2, "n": 1})
    rows = rows_of(store, flow, output=["$sum:n"], groupBy=["g"])
    assert [row["$sum:n"] for row in rows] == [2.0**63, 2**53 + 1]
    assert [type(row["$sum:n"]) for row in rows] == [float, int]


def test_an_average_does_not_overflow(store: Store, flow: str) -> None:
    fill(store, flow, {"n": 1e308}, {"n": 1e308}, {"n": -1e308, "m": 5e-324})
    (row,) = rows_of(store, flow, output=["$avg:n", "$max:n", "$avg:m", "$sum:m"], filter="n > 0 || m > 0")
    assert row == {"id": {}, "$avg:n": 1e308 / 3, "$max:n": 1e308, "$avg:m": 5e-324, "$sum:m": 5e-324}
    (row,) = rows_of(store, flow, output=["$avg:n", "$sum:none"], filter="n > 0")
    assert row == {"id": {}, "$avg:n": 1e308, "$sum:none": None}


def test_a_sum_on_its_way_back_is_right(store: Store, flow: str) -> None:
    fill(store, flow, {"n": 1e308}, {"n": 1e308}, {"n": -1.5e308}, {"n": 1})
    assert rows_of(store, flow, output=["$sum:n"])[0]["$sum:n"] == 5e307


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_that_no_number_can_be_is_refused(store: Store, flow: str, sign: int) -> None:
    fill(store, flow, {"n": sign * 1e308}, {"n": sign * 1e308})
    with pytest.raises(BadRequest, match=r"\$sum:n is beyond 1.8e308"):
        rows_of(store, flow, output=["$count", "$sum:n"])


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ([], "an aggregate is a map"),
        ({}, "output is required"),
        ({"output": []}, "output is required"),
        ({"output": "$count"}, "output must be a list of strings"),
        ({"output": ["$median:x"]}, "output: '$median:x' is not one of $avg:member"),
        ({"output": ["$avg"]}, "output: '$avg' is not one of"),
        ({"output": ["$count"], "groupby": ["x"]}, "no member 'groupby'"),
        (
            {"output": ["$count"], "groupBy": ["$week"]},
            "groupBy: '$week' is no date selector: there are $year",
        ),
        ({"output": ["$count"], "groupBy": [3]}, "groupBy must be a list of strings"),
        ({"output": ["$count"], "groupBy": ["a..b"]}, "'a..b' names no member"),
        ({"output": ["$count"], "filter": "x >"}, "filter, line 1"),
        ({"output": ["$count"], "filter": ["x"]}, "filter must be a string"),
        ({"output": ["$count"], "rules": {"r": "x >"}}, "rules: r: "),
        ({"output": ["$count"], "rules": {"r": ""}}, "rules: r has an empty filter"),
        ({"output": ["$count"], "rules": {"$r": "x > 1"}}, "'$r' cannot be a rule's name"),
        ({"output": ["$count"], "rules": ["x > 1"]}, "rules must be a map"),
        ({"output": ["$count"], "sorts": ["temp:desc"]}, "sorts: 'temp' is neither grouped by nor put out"),
        ({"output": ["$count"] * 1 + [f"$avg:x{n}" for n in range(100)]}, "output has 101 entries"),
    ],
)
def test_bad_requests_say_what_is_allowed(store: Store, flow: str, request_: Any, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        aggregate(store, ME, flow, request_)
    assert said in caught.value.message


def test_flows_and_rights(store: Store, flow: str) -> None:
    with pytest.raises(NotFound):
        rows_of(store, "/acme/nowhere", output=["$count"])
    nobody = Caller("acme", "i", rights=(("/acme/elsewhere", frozenset(["dropRead"])),))
    with pytest.raises(Forbidden):
        aggregate(store, nobody, flow, {"output": ["$count"]})


SCALARS = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0, "a", "b", True, False, None])
DROPS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("xyz"), SCALARS, min_size=1), st.integers(0, 800 * DAY // 1000)
    ),
    max_size=20,
)
GROUPS = st.lists(
    st.sampled_from(["x", "elems.y", "rule", "$year", "$month", "$day", "$hour", "$minute", "$second"]),
    max_size=3,
    unique=True,
)
OUTPUTS = ["$count", *(f"${kind}:{name}" for kind in ("avg", "min", "max", "sum") for name in ("x", "rule"))]
RULE = "x >= 0 || y == 'a'"
FILTER = "EXISTS x || z != 1"


def in_plain_python(models: list[Any], groups: list[str]) -> dict[Any, dict[str, Any]]:
    now = ids.now_ms()
    rule, filter_ = compile_predicate(parse(RULE)), compile_predicate(parse(FILTER))
    buckets: dict[Any, list[Any]] = {}
    for elems, seconds in models:
        document = {"elems": elems, "creationDate": T0 + 1000 * seconds}
        if not filter_(document, now):
            continue
        values = {**elems, "rule": int(rule(document, now))}
        moment = datetime.fromtimestamp(T0 / 1000 + seconds, timezone.utc)
        key = tuple(
            getattr(moment, group[1:]) if group.startswith("$") else values.get(group.removeprefix("elems."))
            for group in groups
        )
        typed = tuple((isinstance(part, bool), part) for part in key)
        buckets.setdefault(typed, []).append(values)
    found = {}
    for key, members in buckets.items():
        figures: dict[str, Any] = {"$count": len(members)}
        for name in ("x", "rule"):
            numbers = [one[name] for one in members if type(one.get(name)) in (int, float)]
            figures[f"$avg:{name}"] = math.fsum(numbers) / len(numbers) if numbers else None
            figures[f"$sum:{name}"] = math.fsum(numbers) if numbers else None
            figures[f"$min:{name}"] = min(numbers, default=None)
            figures[f"$max:{name}"] = max(numbers, default=None)
        found[key] = figures
    return found


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models=DROPS, groups=GROUPS)
def test_the_database_counts_as_plain_python_does(store: Store, models: list[Any], groups: list[str]) -> None:
    flow = add_flow(store, f"/acme/{ids.new_id('x')}")
    verbs.create_many(
        store, ME, flow, [{"elems": elems, "creationDate": T0 + 1000 * at} for elems, at in models]
    )
    found = rows_of(store, flow, output=OUTPUTS, groupBy=groups, filter=FILTER, rules={"rule": RULE})
    as_map = {
        tuple((isinstance(part, bool), part) for part in row.pop("id").values()): pytest.approx(row)
        for row in found
    }
    assert in_plain_python(models, groups) == as_map
    assert len(found) == len(as_map)
