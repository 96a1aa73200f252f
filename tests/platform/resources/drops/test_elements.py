from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.drops.elements import DEEPEST, TYPES, accept, with_hints

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)


def wrapped(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values with a type stated that they fit."""
    typed = {str: "string email", bool: "boolean", int: "integer long float date", float: "float"}
    return values.flatmap(
        lambda value: st.sampled_from(typed.get(type(value), "rating").split()).map(
            lambda name: {"type": name, "value": value}
        )
    )


VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | wrapped(SCALARS.filter(lambda value: value is not None)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.builds(lambda v: {"type": "sortedSet", "value": v}, st.lists(inner, max_size=3))
        | st.builds(lambda v: {"type": "sortedMap", "value": v}, st.dictionaries(NAMES, inner, max_size=3))
    ),
    max_leaves=8,
)
ELEMS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@pytest.mark.once
@settings(deadline=None, max_examples=200)
@given(elems=ELEMS)
def test_what_is_typed_on_the_way_out_reads_back_the_same(elems: dict[str, Any]) -> None:
    plain, types = accept(elems)
    assert accept(with_hints(plain, types)) == (plain, types)


@pytest.mark.once
@settings(deadline=None, max_examples=100)
@given(elems=ELEMS)
def test_what_was_accepted_is_accepted_as_it_is(elems: dict[str, Any]) -> None:
    plain, _ = accept(elems)
    types_alone = {name: value for name, value in plain.items() if not _looks_typed(value)}
    if types_alone:
        assert accept(types_alone) == (types_alone, None)


def _looks_typed(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) == {"type", "value"} or any(map(_looks_typed, value.values()))
    return isinstance(value, list) and any(map(_looks_typed, value))


def test_flat_elements_come_back_as_another_map() -> None:
    elems = {"temp": 39.5, "name": "jfk", "dry": True, "gust": None, "count": 3}
    plain, types = accept(elems)
    assert plain == elems
    assert plain is not elems
    assert types is None


def test_plain_and_typed_values_mix_at_every_level() -> None:
    plain, types = accept(
        {
            "since": {"type": "date", "value": 1_363_000_000_000},
            "count": {"type": "integer", "value": 3},
            "box": {"type": "map", "value": {"who": {"type": "email", "value": "a@b.c"}, "n": 1}},
            "tags": [{"type": "url", "value": "http://x"}, "y"],
            "at": {"type": "location", "value": {"lat": 1, "lon": 2.5}},
            "a/b~c": {"type": "phone", "value": "1"},
        }
    )
    assert plain == {
        "since": 1_363_000_000_000,
        "count": 3,
        "box": {"who": "a@b.c", "n": 1},
        "tags": ["http://x", "y"],
        "at": {"lat": 1, "lon": 2.5},
        "a/b~c": "1",
    }
    assert types == {
        "/since": "date",
        "/box/who": "email",
        "/tags/0": "url",
        "/at": "location",
        "/a~1b~0c": "phone",
    }
    assert with_hints(plain, types)["at"] == {"type": "location", "value": {"lat": 1, "lon": 2.5}}
    assert with_hints(plain, types)["box"]["value"]["n"] == {"type": "integer", "value": 1}


def test_a_map_that_only_resembles_a_typed_value_stays_one() -> None:
    elems = {"a": {"type": "spaceship", "value": 1}, "b": {"type": "string", "value": "x", "unit": "F"}}
    assert accept(elems) == (elems, None)
    assert accept({"type": "string", "value": 5})[0] == {"type": "string", "value": 5}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (1.5, "float"),
        ("", "string"),
        ({}, "map"),
        ([], "list"),
    ],
)
def test_inference(value: Any, name: str) -> None:
    assert with_hints({"x": value}) == {"x": {"type": name, "value": value}}
    assert name in TYPES


@pytest.mark.parametrize(
    ("elems", "said"),
    [
        (None, "elems must be a map"),
        ([], "elems must be a map"),
        ({}, "must not be empty"),
        ({"": 1}, "a name must be a string"),
        ({3: 1}, "a name must be a string"),
        ({"a": {"": 1}}, "elems.a: a name"),
        ({"a": float("nan")}, "elems.a: a number must be finite"),
        ({"a": [1, {"b": float("inf")}]}, "elems.a[1].b: a number must be finite"),
        ({"a": 2**63}, "elems.a: a whole number must lie between"),
        ({"a": {"b": -(2**63) - 1}}, "elems.a.b: a whole number must lie between"),
        ({"a": b"x"}, "elems.a: a value of type bytes is no JSON value"),
        (
            {"a": {"type": "integer", "value": "x"}},
            "elems.a: type integer takes a whole number, not a string",
        ),
        ({"a": {"type": "integer", "value": True}}, "elems.a: type integer takes"),
        ({"a": {"type": "map", "value": []}}, "elems.a: type map takes a map, not a list"),
    ],
)
def test_bad_elements_are_named(elems: Any, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        accept(elems)
    assert said in caught.value.message


def test_depth_is_bounded() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return {"a": value}

    accept(nested(DEEPEST - 1))
    for levels in (DEEPEST, 10_000):
        with pytest.raises(BadRequest, match="nested more than"):
            accept(nested(levels))
