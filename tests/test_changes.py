"""P, which collects query parameters, and M, which collects changes to a model."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like import InvalidInput, M, Modify, P, Params, mem

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)
models = st.dictionaries(st.text(max_size=2), values, max_size=4)


def test_params_chain_and_know_three_names() -> None:
    params = P(start=10, limit=100).refs(True).only("name", "path").some_other("foo")
    assert params.to_dict() == {
        "start": 10,
        "limit": 100,
        "refs": 1,
        "only": "name,path",
        "some_other": "foo",
    }
    assert P(refs=False, only=["a", "b"]).to_dict() == {"refs": 0, "only": "a,b"}
    assert P().only("a", ("b", "c")).to_dict() == {"only": "a,b,c"}
    assert P().filter(mem.a == 1, mem.b == 2).to_dict() == {"filter": "(a == 1) && (b == 2)"}
    assert P(filter=()).to_dict() == {}
    assert (P is Params, M is Modify) == (True, True)


def test_params_can_have_any_name() -> None:
    names = {"to_dict": 1, "_params": 2, "of": 3, "self": 4, "params": 5}
    assert P(names).to_dict() == names
    assert P({"to_dict": 1}, limit=2).to_dict() == {"to_dict": 1, "limit": 2}


def test_params_are_copied_out_and_survive_copying() -> None:
    params = P(limit=1)
    params.to_dict()["limit"] = 2
    assert params.to_dict() == {"limit": 1}
    assert copy.deepcopy(params) == pickle.loads(pickle.dumps(params)) == params
    assert repr(params) == "P({'limit': 1})"
    with pytest.raises(InvalidInput):
        P(only=[1])


def test_modify_as_documented() -> None:
    before = {"id": "f1", "capacity": 10, "elems": {"a": {"b": 1}}}
    m = M(before, displayName="Foo")
    m["capacity"] = 20
    m.modify("name", "x").modify("other", None)
    assert m["capacity"] == 20
    assert "name" in m
    whole, diff = m.done()
    assert diff == {"capacity": 20, "displayName": "Foo", "name": "x", "other": None}
    assert whole == {**before, **diff}
    assert before == {"id": "f1", "capacity": 10, "elems": {"a": {"b": 1}}}


def test_results_belong_to_the_caller() -> None:
    m = M({"id": "f1"}, elems={"a": 1})
    whole, diff = m.done()
    whole["elems"]["a"] = diff["elems"]["a"] = 2
    assert m.done() == ({"id": "f1", "elems": {"a": 1}}, {"elems": {"a": 1}})


def test_deep_edits_count_and_idle_ones_do_not() -> None:
    m = M({"elems": {"a": {"b": 1}, "c": [1]}, "n": 1}, n=1)
    assert m.done()[1] == {}
    m["elems"]["a"]["b"] = 2
    assert m.done()[1] == {"elems": {"a": {"b": 2}, "c": [1]}}


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, 1.0), ("1", 1), (None, False)])
def test_values_that_json_tells_apart_are_changes(one: Any, other: Any) -> None:
    assert M({"a": [one]}, a=[other]).done()[1] == {"a": [other]}


def test_modify_takes_any_member_name_and_no_model() -> None:
    assert M({"id": 1}, model=2, self=3, key=4).done()[1] == {"model": 2, "self": 3, "key": 4}
    assert M().done() == ({}, {})
    assert M(None, a=1).done() == ({"a": 1}, {"a": 1})
    with pytest.raises(InvalidInput, match="dict"):
        M([1])  # type: ignore[arg-type]


def test_modify_takes_what_is_on_its_way() -> None:
    class Later:
        def unwrap(self) -> Any:
            return {"id": "f1", "a": 1}

    assert M(Later(), a=2).done() == ({"id": "f1", "a": 2}, {"a": 2})  # type: ignore[arg-type]


@pytest.mark.once
@settings(deadline=None, max_examples=150)
@given(models, models)
def test_the_difference_turns_one_model_into_the_other(
    before: dict[str, Any], changes: dict[str, Any]
) -> None:
    m = M(before)
    for key, value in changes.items():
        m[key] = value
    whole, diff = m.done()
    assert {**before, **diff} == whole == {**before, **changes}
    assert set(diff) <= set(changes)
    assert M(whole).done()[1] == {}
