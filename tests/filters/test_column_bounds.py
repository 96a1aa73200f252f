"""Comparisons of numbers with columns: the bounds are true for what the comparison is true for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.filters.column_bounds import (
    ALWAYS,
    NEVER,
    Bounds,
    date_bounds,
    decimal_bounds,
    moment_bounds,
    real_bounds,
    whole_bounds,
)
from flowthings_like.services.database.row_documents import row_document

from .strategies import near, numbers

pytestmark = pytest.mark.once

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
EPOCH = datetime(1970, 1, 1)
values = numbers | near | st.integers(-3, 3) | st.sampled_from([0.1, 2.5, 0.5, -0.5])


def passes(found: Bounds, value: Any) -> bool:
    return found.possible and all(COMPARE[op](value, bound) for op, bound in found.tests)


def check(bounds: Callable[[str, Any], Bounds | None], column: Any, counts_as: Any, value: Any) -> None:
    for op in ("==", "<", "<=", ">", ">="):
        found = bounds(op, value)
        if found is not None:
            assert passes(found, column) == COMPARE[op](counts_as, value), (op, found)


@given(st.integers(-(2**63), 2**63 - 1) | near.map(int).filter(lambda n: abs(n) < 2**63), values)
def test_whole_numbers(column: int, value: int | float) -> None:
    check(whole_bounds, column, column, value)


@given(st.floats(allow_nan=False) | near.map(float), values)
def test_doubles(column: float, value: int | float) -> None:
    check(real_bounds, column, column, value)


@given(st.integers(-(10**15), 10**15) | st.integers(-5, 5), values)
def test_dates_with_times(us: int, value: int | float) -> None:
    column = EPOCH + timedelta(microseconds=us)
    for ms in (value, us / 1000):
        check(lambda op, ms: moment_bounds(op, ms, zoned=False), column, us // 1000, ms)


@given(st.integers(-3, 3), values, st.sampled_from([0, 1, -1, 0.5]))
def test_dates(day: int, value: int | float, off: float) -> None:
    column, ms = (EPOCH + timedelta(days=day)).date(), day * 86_400_000
    check(date_bounds, column, ms, value)
    check(date_bounds, column, ms, ms + off)


@given(
    st.integers(-(10**6), 10**6) | st.integers(-5, 5),
    st.sampled_from([None, 0, 1, 3, 20]),
    st.sampled_from([0, 0, 1, -1]),
    st.sampled_from([2, 17, 18, 30]),
    values,
)
def test_decimals(number: int, scale: int | None, off: int, place: int, value: int | float) -> None:
    for near_it in (Decimal(number).scaleb(-3), Decimal(repr(value)), Decimal(value)):
        if abs(near_it) > 10**20 or 0 < abs(near_it) < Decimal("1e-30"):
            continue
        column = near_it + Decimal(off).scaleb(-place)
        if scale is not None:
            column = column.quantize(Decimal(1).scaleb(-scale), context=Context(prec=200))
        counts_as = row_document(["n"], [column])["n"]
        check(lambda op, bound: decimal_bounds(op, bound, scale), column, counts_as, value)


def test_what_does_not_fit_is_not_sent() -> None:
    assert whole_bounds("<", 1e300) == ALWAYS
    assert whole_bounds("==", 2.0**63) == NEVER
    assert whole_bounds(">=", -1e300) == ALWAYS
    assert moment_bounds("<", 1e300, zoned=False) == ALWAYS
    assert date_bounds(">", 1e300) == NEVER
    assert decimal_bounds("==", 0.1, 2) == Bounds((("=", Decimal("0.10")),))
    assert decimal_bounds("==", 2**60, 2) is None
