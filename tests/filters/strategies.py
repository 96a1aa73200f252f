"""Hypothesis strategies for filters and documents. Names and values are few, so rules are often true."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from flowthings_like.filters import nodes
from flowthings_like.filters.nodes import Node
from flowthings_like.filters.values import TYPES
from flowthings_like.services.streams.dialect import Descriptor

NAMES = [
    "a",
    "b",
    "temp",
    "name",
    "odd name",
    "a.b",
    'q"t',
    "b\\s",
    "t`k",
    "é😀",
    "value",
    "0",
    "1",
    "AGE",
    "null",
]
TOP = [
    "id",
    "flowId",
    "path",
    "creationDate",
    "creatorId",
    "lastEditDate",
    "lastEditorId",
    "fhash",
    "version",
]
STRINGS = [
    "",
    "a",
    "A",
    "temp",
    "it's",
    'say "hi"',
    "back\\slash",
    "line\nbreak",
    "a\0b",
    "a\1b",
    "a\0\1",
    "\\u0000",
    "é",
    "😀",
    "\U0001f60a",
    "z",
    "10",
    "true",
]
PATTERNS = ["a", "A", "^t", "e$", r"[0-9]+", ".", "a|é", "/", r"\/", "k.b", "", r"[\n]", "😀", "^b.*h$"]
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    10,
    90,
    0.0,
    -0.0,
    0.1,
    0.5,
    1.0,
    2.5,
    -1.5,
    90.5,
    1e22,
    5e-324,
    2**53,
    2**53 + 1,
    2.0**53,
]
NUMBERS += [2**63 - 1, -(2**63), 2.0**63, 39.019999999999996, 1.7976931348623157e308]

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
text = st.sampled_from(STRINGS) | any_text
numbers = (
    st.sampled_from(NUMBERS)
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
)
_edges = st.builds(
    lambda power, off, sign: sign * (2**power + off),
    st.integers(50, 62),
    st.integers(-3, 3),
    st.sampled_from([1, -1]),
)
near = st.one_of(
    _edges,
    _edges.map(float),
    st.builds(math.nextafter, _edges.map(float), st.sampled_from([-math.inf, math.inf])),
    st.sampled_from([2**63 - 1, -(2**63), -(2.0**63), 2.0**63, 1234567890123456789, 1.5, 0]),
)
"""Ints and floats that change their value when they are converted to the other type."""
scalars = st.none() | st.booleans() | numbers | text
names = st.sampled_from(NAMES) | any_text.filter(bool)


def shape(value: Any) -> Any:
    """A node as text, with all types: a comparison that does not rely on the nodes' own equality."""
    if isinstance(value, Node):
        return type(value).__name__, [(one.name, shape(getattr(value, one.name))) for one in fields(value)]
    if isinstance(value, tuple):
        return [shape(item) for item in value]
    return type(value).__name__, repr(value)


# ------------------------------------------------------------------------------------------------ filters

_paths = st.one_of(
    st.tuples(names),
    st.tuples(st.just("elems"), names),
    st.tuples(st.just("elems"), st.sampled_from(["m", "l", "place"]), names),
    st.tuples(st.sampled_from(["m", "l"]), st.sampled_from(["0", "1", "m", "value"]), names),
    st.sampled_from([("elems",), ("elems", "value"), ("a", "value"), ("elems", "a", "value"), ("location",)]),
    st.sampled_from([("location", "lat"), ("location", "value"), ("parentDropId", "dropId"), ("path", "x")]),
    st.sampled_from(TOP).map(lambda name: (name,)),
)
members = _paths.map(nodes.Member)
plain_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
json_values = (st.lists(plain_values, max_size=3) | st.dictionaries(text, plain_values, max_size=3)).map(
    nodes.Json.of
)
typed = st.one_of(
    st.builds(
        nodes.Typed, st.just("Date"), st.integers(-(2**40), 2**40) | st.just("1970-01-01T00:00:00.010Z")
    ),
    st.builds(nodes.Typed, st.sampled_from(["ObjectId", "Email"]), text),
)
ordered = numbers | text | typed
operands = scalars | typed | json_values | members
flags = st.sampled_from(["", "i", "g", "m", "s", "gim", "si"])
few = st.sampled_from([None, True, False, 0, 1, 1.0, 2.5, "a", "temp", ""])
items = st.lists(few | operands, max_size=4).map(tuple)
short = st.lists(few, max_size=2).map(tuple)
_texts = st.sampled_from([("name",), ("elems", "name"), ("a",), ("path",), ("elems", "l", "0")]).map(
    nodes.Member
)
_lists = st.sampled_from([("l",), ("elems", "l"), ("elems", "m", "l"), ("l", "value")]).map(nodes.Member)
_places = st.sampled_from([("location",), ("elems", "place"), ("place",), ("location", "value")]).map(
    nodes.Member
)
_common = st.sampled_from([("a",), ("elems", "b"), ("b", "value"), ("elems", "l", "1"), ("temp",)]).map(
    nodes.Member
)
points = st.tuples(st.floats(-90, 90) | st.integers(-3, 3), st.floats(-180, 180) | st.integers(-3, 3))
_side = st.sampled_from([1, 41, 89.5])
boxes = st.builds(lambda a, b: ((-a, -b), (a, -b), (a, 2 * b), (-a, 2 * b)), _side, _side)
distances = st.floats(0.001, 30_000) | st.integers(1, 500)
ages = st.integers(-100, 2000) | st.floats(-100, 2000)
orders = st.sampled_from(nodes.ORDER)
equalities = st.sampled_from(nodes.EQUALITY)

rules = st.one_of(
    st.builds(nodes.Compare, members, equalities, operands),
    st.builds(nodes.Compare, members, orders, ordered | members),
    st.builds(nodes.Compare, _common, equalities, few),
    st.builds(nodes.In, members, items),
    st.builds(nodes.In, _common, st.lists(few, min_size=2, max_size=4).map(tuple)),
    st.builds(nodes.Contains, members, items),
    st.builds(nodes.Contains, _lists, short),
    st.builds(nodes.Exists, members),
    st.builds(nodes.Modulo, members, numbers.filter(bool), equalities, numbers),
    st.builds(nodes.Regex, members, st.sampled_from(PATTERNS), flags),
    st.builds(nodes.Regex, _texts, st.sampled_from(PATTERNS), flags),
    st.builds(nodes.Within, _places, st.integers(1000, 15000), st.just("KM"), points),
    st.builds(nodes.Inside, _places, boxes),
    st.builds(nodes.Matches, st.sampled_from(PATTERNS), flags),
    st.builds(
        nodes.Has,
        st.sampled_from(["string", "integer", "float", "boolean", "map", "list", "null", "date", "dropRef"]),
    ),
    st.builds(nodes.Age, st.none() | members, orders | equalities, ages),
    st.builds(nodes.Within, members, distances, st.sampled_from(["KM", "MILES"]), points),
    st.builds(nodes.Inside, members, st.lists(points, min_size=3, max_size=5).map(tuple)),
)


def combined(some: st.SearchStrategy[nodes.Filter]) -> st.SearchStrategy[nodes.Filter]:
    """Filters that consist of these rules, NOT, && and ||."""
    return st.recursive(
        some,
        lambda inner: st.one_of(
            st.builds(nodes.Not, inner),
            st.builds(nodes.And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(nodes.Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=8,
    )


filters = combined(rules)

# ------------------------------------------------------------------------------------------------ columns

FLAT = ["a", "b", "temp", "name", "creationDate", "path", "value", "odd name", "0"]
_flat_members = st.one_of(
    st.sampled_from(FLAT).map(lambda name: (name,)),
    st.sampled_from([("a", "value"), ("elems", "a"), ("a", "b"), ("place", "lat"), ("l", "0"), ("nowhere",)]),
).map(nodes.Member)
_flat_numbers = near | numbers
_flat_operands = st.one_of(_flat_numbers, scalars, typed, _flat_members, json_values)
flat_rules = st.one_of(
    st.builds(nodes.Compare, _flat_members, equalities, _flat_operands),
    st.builds(nodes.Compare, _flat_members, orders, _flat_numbers | text | typed | _flat_members),
    st.builds(nodes.In, _flat_members, st.lists(_flat_operands, max_size=5).map(tuple)),
    st.builds(nodes.Modulo, _flat_members, _flat_numbers.filter(bool), equalities, _flat_numbers),
    st.builds(
        nodes.Modulo, _flat_members, st.sampled_from([2, 2.0, 0.5, -3]), equalities, st.integers(-1, 1)
    ),
    st.builds(nodes.Exists, _flat_members),
    st.builds(nodes.Regex, _flat_members, st.sampled_from(PATTERNS), flags),
    st.builds(nodes.Age, st.none() | _flat_members, orders | equalities, ages),
    st.builds(nodes.Contains, _flat_members, items),
    rules,
)
flat_filters = combined(flat_rules)
"""Filters on documents without maps and lists, which name members of FLAT more often than others."""


def columns(size: int) -> st.SearchStrategy[dict[str, NDArray[Any]]]:
    """Columns of numpy of that length, of any dtype. Floats may be NaN."""

    def of(dtype: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[NDArray[Any]]:
        return st.lists(values, min_size=size, max_size=size).map(lambda found: np.array(found, dtype))

    whole = (
        st.integers(-(2**63), 2**63 - 1) | near.filter(lambda value: type(value) is int) | st.integers(-3, 3)
    )
    real = st.floats(allow_infinity=False) | near.map(float) | st.sampled_from([1.0, 0.5, -0.0, math.nan])
    single = st.floats(width=32, allow_infinity=False)
    place = st.tuples(st.floats(-90, 90), st.sampled_from([0.5, math.nan, 181.0]))
    column = st.one_of(
        of("i8", whole),
        of("u8", whole.map(abs) | st.integers(0, 2**64 - 1)),
        of("i1", st.integers(-128, 127)),
        of("u4", st.integers(0, 2**32 - 1)),
        of("f8", real),
        of("f4", single),
        of("?", st.booleans()),
        of("U8", text.map(lambda value: value[:8])),
        of("S8", text.map(lambda value: value.encode()[:8])),
        of(object, scalars | _inner),
        of([("lat", "f8"), ("lon", "f8")], place),
        of([("value", "i4"), ("b", "?")], st.tuples(st.integers(-2, 2), st.booleans())),
        of(("i2", (2,)), st.tuples(st.integers(-2, 2), st.integers(-2, 2))),
        of("M8[us]", st.integers(-2000, 2_000_000)),
    )
    return st.dictionaries(st.sampled_from([*FLAT, "place", "l"]), column, min_size=1, max_size=5)


# ------------------------------------------------------------------------------------------------ streams

_COLLECTIONS = ["sensors/jfk", "sensors/lga", "sensors", "a", "Ä", "50%_x", "it's"]
_NAMES = ["", "temp", "Temp", "t", "e", "it's", "a_b%", "é😀", "\U0001f60a"]
_ANNOTATIONS = ["ops", '"ops"', ' "\\u006fps"', "3", "3.0", " 3", "true", "null", "[1,2]", '{"b":5}', ""]
_ANNOTATIONS += ['{"lat":0.5,"lon":0.5}', "1.5", 'say "hi"', "9007199254740993", "NaN", '"unclosed', "it's"]
_KEYS = ["owner", "floor", "value", "a.b", "it's", "~/x", "$.a", "name"]
_stream_text = text.map(lambda value: value.replace("\0", ""))
streams = st.builds(
    Descriptor,
    st.uuids(),
    st.sampled_from(_COLLECTIONS) | _stream_text.filter(bool),
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(_NAMES) | _stream_text,
            "unit": st.sampled_from(["", "F", "C"]),
            "ingress": st.sampled_from(["", "x"]),
        },
    ),
    st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_ANNOTATIONS) | text, max_size=4),
)
_stream_members = st.one_of(
    st.sampled_from([("collection",), ("name",), ("unit",), ("tags", "name"), ("tags", "ingress")]),
    st.sampled_from(_KEYS).map(lambda key: ("annotations", key)),
    st.sampled_from([("tags",), ("annotations",), ("uuid",), ("nowhere",), ("name", "x"), ("name", "value")]),
    st.sampled_from([("annotations", "owner", "b"), ("annotations", "floor", "0"), ("tags", "other")]),
    st.sampled_from([("tags", "value"), ("annotations", "owner", "value"), ("collection", "value")]),
).map(nodes.Member)
_stream_values = st.one_of(
    st.sampled_from([*_COLLECTIONS, *_NAMES, "ops", "F", 'say "hi"', "1.5", "true", '"ops"']),
    st.sampled_from([3, 3.0, 1.5, True, None, 2**53 + 1, nodes.Json.of([1, 2]), nodes.Json.of({"b": 5})]),
    text,
    _stream_members,
)
_STREAM_PATTERNS = ["^t", "^t.*p", "temp$", "^temp$", "emp", "s/", "^sensors/", r"^it\'s", "^", "$", "", "^$"]
_STREAM_PATTERNS += ["t|e", "^50%_", "[a-z]", r"\.", "^é", "😀$"]
stream_rules = st.one_of(
    st.builds(nodes.Compare, _stream_members, equalities, _stream_values),
    st.builds(nodes.Compare, _stream_members, equalities, _stream_values),
    st.builds(nodes.Compare, _stream_members, orders, text | numbers | st.sampled_from(_NAMES)),
    st.builds(nodes.In, _stream_members, st.lists(_stream_values, max_size=4).map(tuple)),
    st.builds(nodes.Exists, _stream_members),
    st.builds(
        nodes.Regex, _stream_members, st.sampled_from(_STREAM_PATTERNS), st.sampled_from(["", "i", "m"])
    ),
    st.builds(nodes.Contains, _stream_members, short),
    st.builds(nodes.Modulo, _stream_members, st.just(2), equalities, st.integers(0, 1)),
    st.builds(nodes.Inside, _stream_members, boxes),
    st.builds(nodes.Has, st.sampled_from(["string", "map", "integer", "sortedMap", "date"])),
    st.builds(nodes.Matches, st.sampled_from(PATTERNS), flags),
    st.builds(nodes.Age, st.none() | _stream_members, orders | equalities, ages),
)
stream_filters = combined(stream_rules)
"""Filters on the metadata of streams."""

# ---------------------------------------------------------------------------------------------- documents

places = st.fixed_dictionaries({"lat": st.floats(-90, 90) | numbers, "lon": st.floats(-180, 180) | numbers})
_some_places = places | st.sampled_from(
    [{"lat": 0.5, "lon": 0.5}, {"lat": 40.6, "lon": -73.8}, {"lat": 91, "lon": 0}]
)
_inner = st.lists(scalars, max_size=3) | st.dictionaries(names, scalars, max_size=3)
elements = st.dictionaries(names, scalars | _inner, max_size=6)
usual = st.fixed_dictionaries(
    {},
    optional={
        "a": few | _inner,
        "b": few,
        "temp": numbers,
        "name": st.sampled_from(STRINGS),
        "l": st.lists(few, max_size=4) | _inner,
        "m": st.fixed_dictionaries({"l": st.lists(few, max_size=3)}) | _inner,
        "place": _some_places,
        "value": _inner,
    },
)


def _document(
    top: dict[str, Any], odd: dict[str, Any], elems: dict[str, Any], stated: list[str]
) -> dict[str, Any]:
    elems = odd | elems
    if not stated:
        return {**top, "elems": elems}
    pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in elems]
    return {**top, "elems": elems, TYPES: {"/m/l": "date", **dict(zip(pointers, stated, strict=False))}}


drops = st.builds(
    _document,
    st.fixed_dictionaries(
        {
            "id": text.filter(bool),
            "creationDate": st.integers(0, 1000),
        },
        optional={
            "flowId": text,
            "path": text,
            "creatorId": text,
            "fhash": text,
            "version": st.just(0),
            "lastEditDate": st.integers(0, 1000),
            "location": _some_places,
            "parentDropId": st.fixed_dictionaries({"dropId": text, "flowId": text}),
        },
    ),
    elements,
    usual,
    st.lists(st.sampled_from(["date", "dropRef", "long", "email"]), max_size=4),
)
resources = st.dictionaries(st.sampled_from([*NAMES, *TOP, "m", "l"]), scalars | _inner, max_size=8).map(
    lambda body: {**body, "id": "f1", "creationDate": 10}
)
NOW = 1000
