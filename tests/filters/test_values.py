"""Filters are values: they force thunks, pickle, compare, hash, and are sent as their text."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import AGE, API, EXISTS, HAS, MATCHES, NOT, mem, parse
from flowthings_like.filters import Filter
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.services.streams.arguments import encode_annotation

NODES: list[Filter] = [
    mem.a == "it's \\ \n 'odd'",
    (mem.elems.temp > 90) & NOT(EXISTS(mem.elems.gust)) | mem.a.IN(1, 2.0, "x", None),
    mem["odd name"].re("^a/b", "i"),
    mem.place.WITHIN(5, "KM", (40.6, -73.8)),
    AGE("seen") < 60_000,
    HAS("string") & MATCHES("x"),
    mem.a % 10 == 3,
    mem.a == [1, {"b": None}],
]


@pytest.mark.once
@pytest.mark.parametrize("node", NODES, ids=str)
def test_a_filter_that_was_written_is_still_the_same_value(node: Filter) -> None:
    """It remembers its text, which is no part of the value."""
    fresh = pickle.loads(pickle.dumps(node))
    text = str(node)
    assert str(node) is text
    assert text == f"{node}" == str(fresh) == str(copy.deepcopy(node))
    assert node == fresh
    assert hash(node) == hash(fresh)
    assert pickle.dumps(node) == pickle.dumps(pickle.loads(pickle.dumps(node)))
    assert {node: 1}[fresh] == 1
    assert parse(text) == node
    assert str(~node) == str(~fresh)


@pytest.mark.once
def test_another_process_reads_a_pickled_filter(tmp_path: Path) -> None:
    (tmp_path / "filters").write_bytes(pickle.dumps(NODES))
    code = (
        "import pickle; nodes = pickle.load(open('filters', 'rb'));"
        "print(len({hash(one) for one in nodes})); print(*map(repr, nodes), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [str(len(NODES)), *map(repr, NODES)]


def test_results_of_lazy_calls_are_values_in_filters(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        lazy = api.lazy()
        flow = lazy.flow.create({"path": "/acme/a", "capacity": 100})
        found = lazy.flow.find(mem.id == flow["id"])
        assert [one["path"] for one in found] == ["/acme/a"]
        drop = lazy.drop(flow["id"]).create({"elems": {"temp": 5}})
        temp = drop["elems"]["temp"]
        assert str((mem.temp >= temp) & mem.temp.IN(temp, 6)) == "(temp >= 5) && (temp IN [5,6])"
        assert compile_predicate(mem.temp == temp)({"elems": {"temp": 5}}, 0)
        assert len(lazy.drop(flow["id"]).find((mem.temp >= temp) & (mem.flowId == flow["id"]))) == 1


def test_a_filter_is_sent_as_its_text(tmp_path: Path) -> None:
    node = (mem.temp > 5) & (mem.name == "it's")
    with API.embedded(tmp_path) as api:
        flow = api.flow.create({"path": "/acme/a", "filter": node})
        assert api.flow.read(flow["id"])["filter"] == str(node)
        assert api.things.query("wanted;", wanted=node) == str(node)
        assert api.things.query("wanted;", wanted=[{"deep": node}]) == [{"deep": str(node)}]
    assert encode_annotation(node) == str(node)
    assert json.loads(encode_annotation({"wanted": node})) == {"wanted": str(node)}


@pytest.mark.once
def test_members_are_made_once_and_stay_apart() -> None:
    some: list[Any] = [mem.a == 1, mem["a"] == 1, mem["`a.b`"] == 1, mem["a.b"] == 1]
    assert some[0] == some[1]
    assert len(set(some)) == 3
