"""What goes on the wire: JSON, paths, parameters, time-outs."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like import EXISTS, FlowThingsNotFound, InvalidInput, M, mem
from flowthings_like.transport.http.encoder import JSONEncoder
from flowthings_like.transport.http.urls import check_path, segment, wire_params
from flowthings_like.transport.retry import check_timeout

encode = JSONEncoder().dumps


class Later:
    """Stands for a value on its way."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def unwrap(self) -> Any:
        return self.value


class Colour(Enum):
    RED = "red"


def test_json_of_our_own_values() -> None:
    moment = datetime(2020, 1, 1, tzinfo=timezone.utc)
    elsewhere = moment.astimezone(timezone(timedelta(hours=5)))
    value = {
        "later": Later([Later(1), None]),
        "model": M({"a": 1}, b=2),
        "moment": moment,
        "elsewhere": elsewhere,
        "naive": datetime(2020, 1, 1),
        "day": date(2020, 1, 1),
        "text": b"caf\xc3\xa9",
        "id": UUID(int=1),
        "colour": Colour.RED,
        "pair": (1, 2.5),
        "filter": (mem.elems.wind >= 32) & ~EXISTS(mem.elems.gust),
    }
    assert json.loads(encode(value)) == {
        "later": [1, None],
        "model": {"a": 1, "b": 2},
        "filter": "(elems.wind >= 32) && (NOT EXISTS elems.gust)",
        "moment": 1577836800000,
        "elsewhere": 1577836800000,
        "naive": 1577836800000,
        "day": 1577836800000,
        "text": "café",
        "id": "00000000-0000-0000-0000-000000000001",
        "colour": "red",
        "pair": [1, 2.5],
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"elems": {"temp": math.nan}}, "data.elems.temp is nan"),
        ({"elems": [0, -math.inf]}, r"data.elems\[1\] is -inf"),
        ({"a": None, "b": Later({"c": math.inf})}, "data.b.c is inf"),
        ({"a": 2**64}, "data.a is an integer beyond 64 bits"),
        ({"a": {1, 2}}, r"data.a is a set; write sorted"),
        ({"odd name": object()}, r"data\['odd name'\] is a object"),
        ([{1: 2}], r"data\[0\] has the key 1"),
        ({"a": Decimal("1.5")}, "data.a is a Decimal, which has no form in JSON"),
        ({"a": time(12)}, "data.a is a time, which has no form in JSON"),
        ({"a": b"\xff"}, "data.a is bytes that are not UTF-8"),
        ({"a": "\udc80"}, "data.a is a str with a lone surrogate"),
        ({"\udc80": 1}, "data has a key with a lone surrogate"),
    ],
)
def test_what_json_cannot_say_is_refused_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        encode(value)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FlowThingsNotFound(["gone"]), KeyError("x")])
def test_a_value_that_fails_on_its_way_fails_as_itself(error: BaseException) -> None:
    class Failing:
        def unwrap(self) -> Any:
            raise error

    with pytest.raises(type(error)) as caught:
        encode({"a": [Failing()]})
    assert caught.value is error


def test_data_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidInput, match="holds itself"):
        encode(loop)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(json_values)
def test_what_json_can_say_comes_back(value: Any) -> None:
    assert json.loads(encode(value)) == value
    assert JSONEncoder().loads(encode(value)) == value


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_segment_stays_one_segment(name: str) -> None:
    if name in (".", ".."):
        with pytest.raises(InvalidInput):
            segment(name)
        return
    encoded = segment(name)
    assert unquote(encoded) == name
    assert encoded.isascii()
    assert not set(encoded) & set("/?#\\ \r\n")
    assert check_path("/" + encoded) == "/" + encoded


def test_paths_are_kept_and_made_safe() -> None:
    assert check_path("") == ""
    assert check_path("/drop/%2Facc%2Fx/d1") == "/drop/%2Facc%2Fx/d1"
    assert check_path("/a b/ü\n") == "/a%20b/%C3%BC%0A"
    assert check_path("/a.b/...") == "/a.b/..."


def test_parameters_on_the_wire() -> None:
    moment = datetime(2020, 1, 1, tzinfo=timezone.utc)
    given = {"a": True, "b": None, "c": Later(3), "d": ["x", 2], "e": b"y", "f": moment, "g": 1.5, "h": ""}
    assert wire_params(given) == {
        "a": True,
        "c": 3,
        "d": ["x", 2],
        "e": "y",
        "f": 1577836800000,
        "g": 1.5,
        "h": "",
    }
    for bad in ({"a": math.inf}, {"a": {1}}, {"a": [object()]}, {3: 1}, {"": 1}):
        with pytest.raises(InvalidInput, match="query parameter"):
            wire_params(bad)  # type: ignore[arg-type]


def test_timeouts() -> None:
    assert check_timeout(3) == (3.0, 3.0)
    assert check_timeout((1, math.inf)) == (1.0, None)
    for bad in (0, -1, None, "3", (1,), True, math.nan, (3, None)):
        with pytest.raises(InvalidInput, match="timeout"):
            check_timeout(bad)
