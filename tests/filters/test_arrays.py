"""Masks over columns: every pair of edges, missing values, and what numpy cannot say."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from flowthings_like.errors import CannotFilter, InvalidInput
from flowthings_like.filters import EXISTS, NOT, mem, nodes
from flowthings_like.filters.arrays import mask, matching
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.filters.rows import rows_of

pytestmark = pytest.mark.once

WHOLE = [0, 1, -1, 127, 128, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**62 + 1]
REAL = [0.0, -0.0, 0.5, -1.5, 0.1, 2.0**53, 2.0**53 + 2, 2.0**63, -(2.0**63), 1e300, float(np.float32(0.1))]
COLUMNS = {
    "i8": np.array(WHOLE, "i8"),
    "u8": np.array([*range(10), 2**63, 2**64 - 1], "u8"),
    "i1": np.array([-128, 127, *range(10)], "i1"),
    "f8": np.array([*REAL, np.nan], "f8"),
    "f4": np.array([0.1, 0.5, 1, -1, np.nan, 3e38, *range(6)], "f4"),
}
MEMBERS = {name: nodes.Member((name,)) for name in COLUMNS}
OPERATORS = (*nodes.EQUALITY, *nodes.ORDER)
NUMBERS: list[int | float] = [*WHOLE, *REAL]


def agree(*several: nodes.Filter) -> None:
    """Check that the mask of each filter is what the predicate finds in each row."""
    rows = rows_of(COLUMNS)
    for node in several:
        test = compile_predicate(node)
        assert mask(node, COLUMNS).tolist() == [test(row, 0) for row in rows], str(node)


@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_compare_exactly(name: str) -> None:
    for op, number in itertools.product(OPERATORS, NUMBERS):
        agree(nodes.Compare(MEMBERS[name], op, number))
    agree(*(nodes.In(MEMBERS[name], pair) for pair in itertools.combinations(NUMBERS, 2)))


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_compare_exactly(name: str) -> None:
    for op, other in itertools.product(OPERATORS, COLUMNS):
        agree(nodes.Compare(MEMBERS[name], op, MEMBERS[other]))


@pytest.mark.parametrize("name", COLUMNS)
def test_remainders_are_exact(name: str) -> None:
    for divisor, left_over in itertools.product(
        [1, -1, 3, 2.5, 0.1, 2**53 + 1, -(2**63), 1e300], [0, 1, 0.5, -1]
    ):
        agree(nodes.Modulo(MEMBERS[name], divisor, "==", left_over))


def test_nan_is_missing() -> None:
    columns = {"a": np.array([1.0, np.nan])}
    assert mask(EXISTS(mem.a), columns).tolist() == [True, False]
    for node in (mem.a > 0, mem.a <= 0, mem.a == mem.a, mem.a % 1 == 0, mem.a.IN(1)):
        assert not mask(node, columns)[1]
        assert mask(NOT(node), columns)[1]
    assert mask(mem.a != 5, columns).tolist() == [True, True]


def test_texts_compare_by_code_points() -> None:
    columns = {"a": np.array(["", "a", "Z", "a\0b", "😀", "\uffff"])}
    rows = rows_of(columns)
    for op, text in itertools.product(OPERATORS, ["", "a", "a\0", "a\0\0", "a\0b", "Z", "😀", "\uffff", "1"]):
        node = nodes.Compare(nodes.Member(("a",)), op, text)
        test = compile_predicate(node)
        assert mask(node, columns).tolist() == [test(row, 0) for row in rows], str(node)


def test_what_numpy_cannot_say_is_tested_row_by_row() -> None:
    columns: dict[str, Any] = {
        "raw": np.array([b"one", b"two"]),
        "place": np.array([(40.6, -73.8), (0, 0)], [("lat", "f8"), ("lon", "f8")]),
        "value": np.array([1, 2]),
    }
    for node in (mem.raw == b"one", mem.place.WITHIN(50, "KM", (40.6, -73.8))):
        with pytest.raises(CannotFilter, match="numpy cannot test"):
            mask(node, columns)
        assert matching(node, columns).tolist() == [True, False]
        assert matching(~node & (mem.value == 2), columns).tolist() == [False, True]
    assert mask(mem.place.lat > 1, columns).tolist() == [True, False]
    with pytest.raises(InvalidInput, match="elems"):
        mask(mem.value > 1, {"elems": columns["value"]})
