"""Element indexes: a find gives the same drops with one and without, whatever is stored, at every moment."""

from __future__ import annotations

import _thread
import contextlib
import itertools
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowthings_like.filters import nodes
from flowthings_like.filters.index_columns import LONGEST, literal_start
from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.aggregates.aggregate import aggregate
from flowthings_like.platform.resources.base import verbs as resources
from flowthings_like.platform.resources.drops import element_indexes, index_builder, query_plan, rows, verbs
from flowthings_like.platform.resources.drops.flow_cache import find_flow
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.flows import FLOW
from flowthings_like.platform.resources.query.query import Query
from flowthings_like.platform.store import bulk, schema
from tests.filters import strategies as generated
from tests.servers.platform_store import STORE

from ...harness import ME, until

ELEMENTS = ["elems.a", "b", "elems.temp", "name", "elems.m.l", "elems.`odd name`"]
T0 = 1_357_000_000_000


def make(store: Store, path: str, **members: Any) -> str:
    made: str = resources.create(store, ME, FLOW, {"path": path, "capacity": 100_000, **members})["id"]
    return made


def index(store: Store, flow: str, *elements: str) -> None:
    resources.update(store, ME, FLOW, flow, {"index": list(elements)})


def way(store: Store, flow: str, **params: Any) -> dict[str, Any]:
    query = Query.from_values(params)
    return store.read(lambda connection: query_plan.explain(connection, find_flow(connection, flow), query))


def is_ready(store: Store, flow: str) -> bool:
    found = store.read(lambda connection: find_flow(connection, flow).indexes)
    return found is None or not found.pending


def numbers(store: Store, flow: str, **params: Any) -> list[Any]:
    return [drop["elems"].get("n") for drop in verbs.find(store, ME, flow, Query.from_values(params))]


# ------------------------------------------------------------------------------- with and without an index

_odd = st.sampled_from(["x" * LONGEST, "x" * (LONGEST + 1), "x" * LONGEST + "y", "a\0", "a\0b"])
_values = generated.scalars | _odd | generated.usual | st.lists(generated.few, max_size=2)
_elems = st.fixed_dictionaries(
    {"n": st.just(0)},
    optional={
        "a": _values,
        "b": generated.few,
        "temp": generated.numbers,
        "name": generated.text | _odd,
        "m": st.fixed_dictionaries({}, optional={"l": generated.few}) | generated.few,
        "odd name": generated.few,
    },
)
_members = st.sampled_from(
    [("a",), ("elems", "a"), ("b",), ("elems", "temp"), ("elems", "name"), ("m", "l"), ("odd name",), ("n",)]
).map(nodes.Member)
_wanted = generated.few | generated.ordered | _odd
_rules = st.one_of(
    st.builds(nodes.Compare, _members, generated.equalities, _wanted),
    st.builds(nodes.Compare, _members, generated.orders, generated.ordered | _odd),
    st.builds(nodes.In, _members, st.lists(_wanted, max_size=4).map(tuple)),
    st.builds(nodes.Exists, _members),
    st.builds(nodes.Age, st.none() | _members, generated.orders, generated.ages),
    st.builds(
        nodes.Regex, _members, st.sampled_from(["^a", "^te", "^x+", "^a?", "^t|a", "e"]), generated.flags
    ),
)
_filters = st.one_of(
    _rules,
    st.builds(nodes.Not, _rules),
    st.builds(nodes.And, st.lists(_rules | generated.rules, min_size=2, max_size=3).map(tuple)),
    st.builds(nodes.Or, st.lists(_rules, min_size=2, max_size=2).map(tuple)),
    generated.filters,
)
_sorts = st.lists(
    st.tuples(
        st.sampled_from(["a", "elems.b", "temp", "name", "m.l", "`odd name`", "n", "creationDate"]),
        st.booleans(),
    ),
    max_size=3,
).map(tuple)
_queries = st.builds(
    Query,
    filter=st.none() | _filters,
    sort=_sorts,
    start=st.sampled_from([0, 0, 1, 5]),
    limit=st.sampled_from([1, 3, 100]),
    now=st.just(generated.NOW),
)


@pytest.mark.once
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_elems, min_size=4, max_size=12), st.lists(_queries, min_size=8, max_size=16), st.booleans())
def test_finds_agree_with_and_without_an_index(
    shared_store: Store, documents: list[Any], queries: list[Query], few: bool
) -> None:
    store = shared_store
    models = [
        {"elems": {**elems, "n": n}, "creationDate": n * 100, "fhash": str(n)}
        for n, elems in enumerate(documents)
    ]
    plain = make(store, f"/acme/plain-{next(_counter)}")
    indexed = make(store, f"/acme/indexed-{next(_counter)}", index=ELEMENTS)
    verbs.create_many(store, ME, plain, models)
    verbs.create_many(store, ME, indexed, models)
    few_before = query_plan.FEW
    query_plan.FEW = 3 if few else few_before
    try:
        for query in queries:
            try:
                expected = found(store, plain, query)
            except BadRequest:
                with pytest.raises(BadRequest):
                    found(store, indexed, query)
                continue
            assert found(store, indexed, query) == expected, (str(query.filter), query.sort)
    finally:
        query_plan.FEW = few_before


def found(store: Store, flow: str, query: Query) -> list[Any]:
    return [drop["elems"]["n"] for drop in verbs.find(store, ME, flow, query)]


_counter = itertools.count()


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("shared")) as opened:
        yield opened


def test_each_kind_of_rule_and_order_uses_the_index(store: Store) -> None:
    flow = make(store, "/acme/uses", index=["elems.station", "elems.at"])
    verbs.create_many(
        store,
        ME,
        flow,
        [{"elems": {"n": n, "station": f"s{n % 7}", "at": n}, "creationDate": T0 + n} for n in range(50)],
    )
    for asked in (
        "elems.station == 's3'",
        "station IN ['s3', 's4']",
        "at > 47",
        "at >= 3 && at < 5",
        "elems.station =~ /^s3/",
        "at == 3 && EXISTS n",
    ):
        said = way(store, flow, filter=asked)
        assert said["uses"] == "by_index", asked
        assert said["elements"], asked
        assert any("drops_by_s" in line for line in said["plan"]), said
        assert all("USING INDEX drops_by_s" in line for line in said["plan"] if "SEARCH" in line), said
    said = way(store, flow, sort="elems.at", order="asc", limit=1)
    assert (said["uses"], said["elements"]) == ("by_order", ["elems.at"])
    assert numbers(store, flow, sort="elems.at", order="asc", limit=2) == [0, 1]
    verbs.create(store, ME, flow, {"elems": {"n": 50}})  # comes last, either way
    verbs.create(store, ME, flow, {"elems": {"n": 51, "at": None}})
    assert way(store, flow, sort="elems.at")["uses"] == "by_order"
    assert numbers(store, flow, sort="elems.at", start=48, limit=9) == [1, 0, 51, 50]
    assert numbers(store, flow, sort="elems.at", order="asc", start=51) == [50]
    for asked in ("n == 3", "station == 's1' || n == 3", "station != 's1'"):
        assert way(store, flow, filter=asked)["uses"] == "documents", asked
    assert way(store, flow)["uses"] == "documents"


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_an_indexed_find_reads_the_index_of_a_large_flow(store: Store, is_analyzed: bool) -> None:
    """Whether the database has statistics or not."""
    flow, other = (make(store, f"/acme/{name}", index=["n", "station"]) for name in ("large", "other"))
    for name in (flow, other):
        elems = [{"n": n, "station": f"s{n % 7 if n else 'rare'}", "more": n % 3} for n in range(3000)]
        verbs.create_many(store, ME, name, [{"elems": one, "creationDate": T0 + one["n"]} for one in elems])
    if is_analyzed:
        store.write(lambda connection: connection.exec_driver_sql("ANALYZE drops"))
    for asked, found in (
        ({"filter": "station == 'srare'"}, [0]),
        ({"filter": "station == 's3'"}, [2999 - 2999 % 7 + 3 - 7 * n for n in range(20)]),
        ({"filter": "station IN ['srare', 'sno'] && more == 0"}, [0]),
        ({"filter": "station == 's3' && more == 0", "limit": 1}, [2985]),
        ({"filter": "n > 2990 && station =~ /3/"}, [2999, 2992]),
        ({"filter": "n < 5", "sort": "more", "order": "asc"}, [3, 0, 4, 1, 2]),
        ({"filter": "n >= 2998"}, [2999, 2998]),
        ({"filter": "n == 7"}, [7]),
        ({"sort": "n", "order": "asc", "limit": 2}, [0, 1]),
    ):
        said = way(store, flow, **asked)
        assert said["uses"] in ("by_index", "by_order"), asked
        assert any("drops_by_s" in line for line in said["plan"]), (asked, said)
        assert not any("Seq Scan" in line for line in said["plan"]), (asked, said)
        assert numbers(store, flow, **asked) == found, asked


def test_a_filter_that_leaves_many_reads_the_index_of_all_in_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_plan, "FEW", 5)
    flow = make(store, "/acme/many", index=["at", "kind"])
    models = [{"elems": {"n": n, "at": n, "kind": n % 2}, "creationDate": T0 + n} for n in range(50)]
    verbs.create_many(store, ME, flow, models)
    said = way(store, flow, filter="at >= 10")
    assert said["uses"] == "indexed"
    if STORE == "sqlite":
        assert any("COVERING INDEX drops_indexed" in line for line in said["plan"])
    assert numbers(store, flow, filter="at >= 10", limit=3) == [49, 48, 47]
    assert way(store, flow, filter="kind == 1", sort="at")["uses"] == "indexed"
    assert numbers(store, flow, filter="kind == 1", sort="at", limit=2) == [49, 47]
    assert numbers(store, flow, filter="at >= 10 && n < 12") == [11, 10]


@pytest.mark.parametrize(
    ("pattern", "flags", "start"),
    [
        ("^abc", "", "abc"),
        ("^abc", "i", ""),
        ("^abc", "m", ""),
        ("^abc$", "", "abc"),
        ("^abc*", "", "ab"),
        ("^abc?d", "", "ab"),
        ("^ab{0}", "", "a"),
        ("^a|b", "", ""),
        ("abc", "", ""),
        ("^", "", ""),
        (r"^a\.b", "", "a"),
        ("^é[x]", "", "é"),
    ],
)
def test_what_a_pattern_begins_with(pattern: str, flags: str, start: str) -> None:
    assert literal_start(pattern, flags) == start


# ----------------------------------------------------------------------------------------- what writes do


def test_every_way_to_write_keeps_the_index(store: Store) -> None:
    flow = make(store, "/acme/writes", index=["kind"])
    copies = make(store, "/acme/copies", index=["kind"])
    store.write(lambda _: None)
    from ...harness import add_track

    add_track(store, "/acme/writes", "/acme/copies")

    def kinds(kind: str, where: str = flow) -> int:
        return len(verbs.find(store, ME, where, Query.from_values({"filter": f"kind == {kind}"})))

    one = verbs.create(store, ME, flow, {"elems": {"kind": 1}, "fhash": "x"})
    assert (kinds("1"), kinds("1", copies)) == (1, 1)
    verbs.create(store, ME, flow, {"elems": {"kind": 2}, "fhash": "x"})  # replaces it
    assert (kinds("1"), kinds("2")) == (0, 1)
    verbs.create_many(store, ME, flow, [{"elems": {"kind": n}, "fhash": "x"} for n in (3, 4)])
    assert (kinds("2"), kinds("3"), kinds("4")) == (0, 0, 1)
    verbs.update(store, ME, flow, one["id"], {"elems": {"kind": 5}})
    assert (kinds("4"), kinds("5")) == (0, 1)
    verbs.set_member(store, ME, flow, one["id"], "elems.kind", 6)
    assert (kinds("5"), kinds("6")) == (0, 1)
    verbs.update(store, ME, flow, one["id"], {"elems": {"other": 6}})
    assert kinds("6") == 0
    verbs.delete(store, ME, flow, one["id"])
    verbs.create_many(store, ME, flow, [{"elems": {"kind": 7}} for _ in range(10)])
    resources.update(store, ME, FLOW, flow, {"capacity": 3})
    assert kinds("7") == 3
    verbs.delete_all(store, ME, flow)
    assert kinds("7") == 0


def test_a_typed_value_is_indexed_as_what_it_holds(store: Store) -> None:
    flow = make(store, "/acme/typed", index=["elems.at"])
    verbs.create(store, ME, flow, {"elems": {"n": 1, "at": {"type": "date", "value": 5}}})
    assert numbers(store, flow, filter="at == 5") == [1]
    assert numbers(store, flow, filter="elems.at.value == 5") == [1]


# ------------------------------------------------------------------------------------ making and removing


def fill(store: Store, flow: str, count: int) -> None:
    for first in range(0, count, 1000):
        verbs.create_many(
            store,
            ME,
            flow,
            [{"elems": {"n": n, "kind": n % 10}} for n in range(first, min(first + 1000, count))],
        )


def test_an_index_is_built_for_what_is_there(store: Store) -> None:
    flow = make(store, "/acme/built")
    fill(store, flow, 3000)
    index(store, flow, "kind", "elems.n")
    assert len(numbers(store, flow, filter="kind == 3", limit=1000)) == 300  # whether it is ready or not
    verbs.create(store, ME, flow, {"elems": {"n": 3, "kind": 3}})
    until(lambda: is_ready(store, flow))
    assert way(store, flow, filter="kind == 3") | {"plan": []} == {
        "uses": "by_index",
        "elements": ["kind"],
        "building": [],
        "plan": [],
    }
    assert len(numbers(store, flow, filter="kind == 3", limit=1000)) == 301
    assert numbers(store, flow, filter="n == 2999") == [2999]


def test_finds_are_right_while_it_is_built(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.indexing, "wake", lambda: None)
    monkeypatch.setattr(element_indexes, "BATCH", 7)
    flow = make(store, "/acme/halfway", index=["kind"])
    fill(store, flow, 40)
    index(store, flow, "kind", "n")
    pieces = 0
    while True:
        said = way(store, flow, filter="n >= 38")
        assert said["uses"] == ("documents" if said["building"] else "by_index")
        assert numbers(store, flow, filter="n >= 38") == [39, 38]
        assert way(store, flow, filter="kind == 3")["uses"] == "by_index"  # that one was there before
        assert numbers(store, flow, filter="kind == 3") == [33, 23, 13, 3]
        if not store.write(element_indexes.backfill_batch):
            break
        pieces += 1
    assert pieces == 6
    assert said["building"] == []


def test_an_element_that_takes_the_place_of_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.indexing, "wake", lambda: None)
    flow = make(store, "/acme/replaced", index=[f"e{number}" for number in range(element_indexes.MOST)])
    verbs.create_many(
        store, ME, flow, [{"elems": {"n": n, "e0": 1, "new": n % 2}, "fhash": str(n)} for n in range(6)]
    )
    index(store, flow, "new", *(f"e{number}" for number in range(1, element_indexes.MOST)))
    assert numbers(store, flow, filter="new == 1") == [5, 3, 1]
    assert numbers(store, flow, filter="e0 == 1", limit=2) == [5, 4]
    verbs.create(store, ME, flow, {"elems": {"n": 6, "new": 1}})
    while store.write(element_indexes.backfill_batch):
        pass
    assert way(store, flow, filter="new == 1")["uses"] == "by_index"
    assert numbers(store, flow, filter="new == 1") == [6, 5, 3, 1]
    assert way(store, flow, filter="e0 == 1")["uses"] == "documents"


def kept(store: Store) -> list[Any]:
    """How many drops have values in `indexed` and in the columns of two slots; and the flows with indexes."""

    def work(connection: Any) -> list[Any]:
        there = [slot.exists() for slot in query_plan.slot_sql(connection).columns[:2]]
        counts = [sa.func.count(sa.case((one, 1))) for one in there]
        held = connection.execute(sa.select(sa.func.count(schema.drops.c.indexed), *counts)).one()
        states = connection.execute(sa.select(sa.func.count()).select_from(schema.element_indexes)).one()
        return [*held, *states]

    return store.read(work)


def test_an_index_that_is_removed_leaves_nothing(store: Store, folder: Path) -> None:
    flow = make(store, "/acme/removed", index=["n", "kind"])
    fill(store, flow, 1200)
    assert kept(store) == [1200, 1200, 1200, 1]
    index(store, flow, "kind")
    until(lambda: is_ready(store, flow))
    assert kept(store) == [1200, 0, 1200, 1]
    resources.update(store, ME, FLOW, flow, {"index": None})
    until(lambda: kept(store) == [0, 0, 0, 0])
    assert way(store, flow, filter="kind == 1") | {"plan": []} == {
        "uses": "documents",
        "elements": [],
        "building": [],
        "plan": [],
    }
    index(store, flow, "kind")
    resources.delete(store, ME, FLOW, flow)
    assert kept(store) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("elems.a", "must be a list of elements"),
        ([1], "must be a list of elements"),
        (["id"], "'id' is no element.*fhash need no index"),
        (["creationDate"], "'creationDate' is no element"),
        (["location.lat"], "is no element"),
        (["elems"], "is no element"),
        (["elems.a.value"], "is no element"),
        (["a..b"], "names no element"),
        (["a", "elems.a"], "names the element 'a' more than once"),
        ([f"e{n}" for n in range(9)], "has 9 elements: 8 is the most"),
    ],
)
def test_what_cannot_be_indexed(store: Store, wanted: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        make(store, "/acme/refused", index=wanted)


# ------------------------------------------------------------------------------------------------ crashes


@pytest.mark.parametrize("after", [0.0, 0.05, 0.2])
def test_building_goes_on_after_kill_9(folder: Path, after: float) -> None:
    count = 6000
    with Store(folder) as store:
        flow = make(store, "/acme/killed")
        fill(store, flow, count)
        store.indexing.wake = lambda: None  # type: ignore[method-assign]
        index(store, flow, "kind", "n")
    process = building(folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with Store(folder) as store:
        assert len(numbers(store, flow, filter="kind == 3", limit=count)) == count // 10
        store.indexing.wake()
        until(lambda: is_ready(store, flow))
        assert way(store, flow, filter="kind == 3")["uses"] == "by_index"
        assert len(numbers(store, flow, filter="kind == 3", limit=count)) == count // 10
        assert numbers(store, flow, filter="n == 17") == [17]


def building(folder: Path) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("indexing_process.py")
    root = str(Path(__file__).parents[4])
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script), backend.detect().name, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": root},
    )


def test_a_find_starts_the_backfill(store: Store) -> None:
    """The process that began it may have ended: the next one continues."""
    flow = make(store, "/acme/woken")
    fill(store, flow, 600)
    wake, store.indexing.wake = store.indexing.wake, lambda: None  # type: ignore[method-assign]
    index(store, flow, "kind")
    store.indexing.wake = wake  # type: ignore[method-assign]
    assert not is_ready(store, flow)
    numbers(store, flow, filter="kind == 3")
    until(lambda: is_ready(store, flow))


@pytest.mark.sqlite("PostgreSQL has no tables of an earlier version")
def test_tables_of_an_earlier_version_get_the_columns(folder: Path) -> None:
    with Store(folder) as store:
        flow = make(store, "/acme/old")
        verbs.create(store, ME, flow, {"elems": {"n": 1}})
    with sqlite3.connect(folder / "platform.db") as connection:
        for name in ("drops_indexed", *(f"drops_by_{name}" for name in schema.SLOT_NAMES)):
            connection.execute(f"DROP INDEX {name}")
        for name in ("indexed", *schema.SLOT_NAMES):
            connection.execute(f"ALTER TABLE drops DROP COLUMN {name}")
        connection.execute("DROP TABLE element_indexes")
        connection.execute("PRAGMA user_version=2")
    connection.close()
    with Store(folder) as store:
        assert numbers(store, flow) == [1]
        index(store, flow, "n")
        until(lambda: is_ready(store, flow))
        assert numbers(store, flow, filter="n == 1") == [1]


# --------------------------------------------------------------------------------------------- aggregates

_outputs = [f"${figure}:{member}" for figure in ("avg", "min", "max", "sum") for member in ("temp", "a", "b")]


@pytest.mark.once
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(_elems, min_size=3, max_size=10),
    st.lists(
        st.sampled_from(["a", "b", "name", "temp", "$month", "$day:a", "$hour", "gale"]),
        max_size=2,
        unique=True,
    ),
    st.none() | _rules,
    _rules,
)
def test_aggregates_agree_with_and_without_an_index(
    shared_store: Store, documents: list[Any], groups: list[str], node: Any, rule: Any
) -> None:
    store = shared_store
    plain = make(store, f"/acme/plain-{next(_counter)}")
    indexed = make(store, f"/acme/indexed-{next(_counter)}", index=ELEMENTS)
    models = [{"elems": elems, "creationDate": n * 2_000_000_000} for n, elems in enumerate(documents)]
    verbs.create_many(store, ME, plain, models)
    verbs.create_many(store, ME, indexed, models)
    request = {
        "output": [*_outputs, "$count", "$avg:gale", "$unique:b"],
        "groupBy": groups,
        "rules": {"gale": str(rule)},
        **({} if node is None else {"filter": str(node)}),
    }

    def answer(flow: str) -> Any:
        try:
            return aggregate(store, ME, flow, request)
        except BadRequest as problem:
            return problem.message

    assert answer(indexed) == answer(plain)


@pytest.mark.parametrize("figure", ["$unique:note", "$all:note"])
def test_lists_of_elements_that_are_not_indexed_stand_beside_figures_of_those_that_are(
    store: Store, figure: str
) -> None:
    flow = make(store, "/acme/lists", index=["temp", "kind"])
    verbs.create_many(store, ME, flow, [{"elems": {"temp": n, "kind": n % 2, "note": "x"}} for n in range(4)])
    for others in ([], ["$count"], ["$avg:temp"]):
        request = {"output": [figure, *others], "groupBy": ["kind"], "filter": "temp < 3"}
        assert [row["id"]["kind"] for row in aggregate(store, ME, flow, request)] == [0, 1]
        assert aggregate(store, ME, flow, request)[1][figure] == ["x"]


@pytest.mark.parametrize("elements", [[], ["at"], ["n"], ["at", "n"]])
def test_a_rule_may_be_named_as_a_date_that_is_grouped_by(store: Store, elements: list[str]) -> None:
    flow = make(store, "/acme/dates", index=elements)
    hour = 3_600_000
    models = [{"elems": {"at": n * hour, "n": n}, "creationDate": n * hour} for n in range(3)]
    verbs.create_many(store, ME, flow, models)
    request = {"output": ["$count", "$max:n"], "groupBy": ["$hour:at"], "rules": {"at": "n > 0"}}
    assert [row["id"]["$hour:at"] for row in aggregate(store, ME, flow, request)] == [0, 1, 2]
    request = {"output": ["$sum:creationDate"], "groupBy": ["$hour"], "rules": {"creationDate": "n > 0"}}
    assert [row["id"]["$hour"] for row in aggregate(store, ME, flow, request)] == [0, 1, 2]
    assert [row["$sum:creationDate"] for row in aggregate(store, ME, flow, request)] == [0, 1, 1]


@pytest.mark.sqlite("PostgreSQL looks up hashes one by one in large flows, and reads small ones as a whole")
def test_many_hashes_are_looked_up_and_the_flow_is_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite, left to itself, reads the whole flow for five hundred of them."""
    flow = make(store, "/acme/hashes")
    asked: list[tuple[str, Any]] = []

    def spy(connection: Any, text: str, values: Any) -> Any:
        asked.append((text, values))
        return bulk.fetch(connection, text, values)

    monkeypatch.setattr(rows, "fetch", spy)
    models = [{"elems": {"n": n}, "fhash": f"h{n}"} for n in range(1200)]
    verbs.create_many(store, ME, flow, models)
    verbs.read_many(store, ME, flow, [drop["id"] for drop in verbs.create_many(store, ME, flow, models)])
    assert len(asked) == 9

    def plans(connection: Any) -> set[str]:
        return {bulk.fetch(connection, f"EXPLAIN QUERY PLAN {text}", values)[0][-1] for text, values in asked}

    assert store.read(plans) == {
        "SEARCH drops USING INDEX one_drop_a_hash (flow_id=? AND fhash=?)",
        "SEARCH drops USING PRIMARY KEY (flow_id=? AND id=?)",
    }


def test_a_flow_is_changed_even_if_no_thread_can_be_had(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = make(store, "/acme/threadless")
    fill(store, flow, 10)

    def no_thread(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(
            index_builder,
            "_thread",
            SimpleNamespace(start_new_thread=no_thread, allocate_lock=_thread.allocate_lock),
        )
        index(store, flow, "kind")
        assert not is_ready(store, flow)
    assert numbers(store, flow, filter="kind == 3") == [3]
    until(lambda: is_ready(store, flow))
