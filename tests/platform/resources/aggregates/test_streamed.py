"""What is computed here from the drops as they come is what the database computes, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowthings_like.filters.values import is_number
from flowthings_like.platform import ids
from flowthings_like.platform.resources.aggregates import aggregate, postgresql, streamed
from flowthings_like.platform.resources.aggregates.plan import Plan
from flowthings_like.platform.resources.aggregates.source import Source
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.flow_cache import find_flow
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store

from ...harness import ME, add_flow

pytestmark = pytest.mark.once

T0 = 1_356_998_400_000  # 2013-01-01T00:00:00Z
VALUES = [
    0,
    1,
    1.0,
    -1,
    2.5,
    -0.0,
    90,
    1e16,
    2**53,
    2**53 + 1,
    2.0**53,
    2**62,
    2.0**62,
    2**63 - 1,
    1e300,
    5e-324,
]
VALUES += [True, False, None, "", "a", "a\0b", "\1", "1", "\\u0000", "é😀", [1, "a\0"], {"a": 1}, [], {}]
DATES = [
    "2013-02-03",
    "2013-02-30T23:59:59.999Z",
    "2013-02-03 04:05+01:30",
    "2013-13-01",
    "2013-02-03T4:05",
    "2013-01-31T23:59:59.5-00:30",
    "2013-02-03T24:00Z",
    "2013-02-03T12",
    "2013-12-31  23:00 -14:00",
    "2013-02-03x",
    " 2013-02-03",
]
SCALARS = st.sampled_from(VALUES + DATES) | st.integers(-3, 3) | st.floats(-1e6, 1e6)
DROPS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from("xyz"), SCALARS, min_size=1), st.integers(-(10**9), 10**11)),
    min_size=1,
    max_size=12,
)
GROUPS = [
    "x",
    "elems.y",
    "rule",
    "$year",
    "$month",
    "$day",
    "$hour",
    "$minute",
    "$second",
    "path",
    "creationDate",
]
OUTPUTS = [
    f"${kind}:{name}" for kind in ("avg", "min", "max", "sum") for name in ("x", "rule", "creationDate", "id")
]
REQUEST = {"rules": {"rule": "x >= 0 || y == 'a'"}, "filter": "EXISTS x || z != 1"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("streamed")) as opened:
        yield opened


def both(store: Store, models: list[Any], **request: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The outputs by group, as the database computes them and as they are computed here."""
    flow = add_flow(store, f"/acme/{ids.new_id('x')}")
    drops = [{"elems": elems, "creationDate": T0 + at} for elems, at in models]
    verbs.create_many(store, ME, flow, drops)
    plan = Plan.from_request({**REQUEST, **request})

    def work(connection: Any) -> tuple[Any, Any]:
        found = find_flow(connection, flow)
        here = streamed.computed(connection, plan, found)
        if connection.dialect.name == "postgresql":
            return postgresql.computed(connection, plan, found), here
        source = Source.of_documents(connection, plan, found)
        values, lists = (
            aggregate._computed(connection, plan, source),
            aggregate._lists(connection, plan, source),
        )
        return {key: {**values[key], **lists.get(key, {})} for key in values}, here

    by_database, here = store.read(work)
    return by_database, here


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models=DROPS, groups=st.lists(st.sampled_from(GROUPS), max_size=3, unique=True))
@example(models=[({"x": 2**62}, 0), ({"x": 2.0**62}, 0), ({"x": 2**62 + 1}, 0)], groups=["x"])
@example(models=[({"x": value}, 0) for value in VALUES], groups=["x"])
def test_numbers_and_groups(store: Store, models: list[Any], groups: list[str]) -> None:
    by_database, here = both(store, models, output=["$count", *OUTPUTS], groupBy=groups)
    assert by_database.keys() == here.keys()
    for key, values in here.items():
        close = {
            name: pytest.approx(value, rel=1e-9, abs=1e-6) if is_number(value) else value
            for name, value in values.items()
        }
        assert by_database[key] == close


@pytest.mark.sqlite("PostgreSQL leaves these to what is computed here")
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    models=st.lists(
        st.tuples(st.fixed_dictionaries({"x": st.sampled_from(DATES + VALUES)}), st.just(0)), min_size=1
    ),
    unit=st.sampled_from(["year", "month", "day", "hour", "minute", "second"]),
)
def test_lists_and_dates_in_elements(store: Store, models: list[Any], unit: str) -> None:
    by_database, here = both(store, models, output=["$unique:x", "$all:x"], groupBy=[f"${unit}:x"])
    assert by_database == here


def test_a_sum_beyond_the_largest_double_is_computed_here(store: Store) -> None:
    models = [({"x": 1.7e308}, 0), ({"x": 1.7e308}, 0), ({"x": -1.7e308}, 0)]
    by_database, here = both(store, models, output=["$sum:x"])
    assert here == {(): {"$sum:x": 1.7e308}}
    assert by_database in (here, None)
