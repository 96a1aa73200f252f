"""Laws: arithmetic, precedence, sorting and slices agree with Python's; literals are read back."""

from __future__ import annotations

import operator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.wire.things import errors

from .support import Stuff

int64 = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-10, 10)
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@settings(max_examples=120, deadline=None)
@given(int64, st.sampled_from(sorted(OPERATORS)), int64)
def test_integers_are_python_s_or_overflow(a: int, sign: str, b: int) -> None:
    expected = OPERATORS[sign](a, b)
    try:
        assert Stuff()(f"a {sign} b", a=a, b=b) == expected
    except errors.OverflowError:
        assert not -(1 << 63) <= expected < 1 << 63


@settings(max_examples=100, deadline=None)
@given(int64, int64.filter(bool))
def test_quotient_and_remainder(a: int, b: int) -> None:
    stuff = Stuff()
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    if quotient < 1 << 63:
        assert stuff("a / b", a=a, b=b) == quotient
    assert stuff("a / float(b)", a=a, b=b) == float(a) / float(b)
    rest = stuff("a % b", a=a, b=b)
    assert abs(rest) < abs(b)
    assert (a - rest) % b == 0
    assert rest == 0 or (rest < 0) == (a < 0)


@settings(max_examples=100, deadline=None)
@given(int64)
def test_a_number_literal_has_the_number_that_it_spells(a: int) -> None:
    assert Stuff()(str(a)) == a
    assert Stuff()(f"int('{a}')") == a
    if a >= 0:
        assert [Stuff()(text) for text in (hex(a), oct(a), bin(a))] == [a, a, a]


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_a_string_literal_has_the_text_that_it_quotes(text: str) -> None:
    doubled = {quote: text.replace(quote, quote * 2) for quote in "'\""}
    assert Stuff()("'" + doubled["'"] + "'") == text
    assert Stuff()('"' + doubled['"'] + '"') == text
    template = text.replace("`", "``").replace("{", "{{").replace("}", "}}")
    assert Stuff()(f"`{template}`") == text


_signs = st.sampled_from(["+", "-", "*", "|", "&", "^"])
chains = st.recursive(
    st.integers(0, 9).map(str),
    lambda inner: st.builds(
        lambda first, rest: f"({first}{''.join(f' {sign} {value}' for sign, value in rest)})",
        inner,
        st.lists(st.tuples(_signs, inner), min_size=1, max_size=4),
    ),
    max_leaves=12,
).map(lambda text: text.removeprefix("(").removesuffix(")") if text.count("(") == 1 else text)


@settings(max_examples=120, deadline=None)
@given(chains)
def test_operators_bind_as_python_s_do(text: str) -> None:
    expected = eval(text)
    try:
        assert Stuff()(text) == expected
    except errors.OverflowError:
        assert "*" in text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers() | st.floats(allow_nan=False) | st.booleans()), st.lists(st.text()))
def test_sorting_is_python_s(numbers: list[Any], texts: list[str]) -> None:
    numbers = [max(min(number, 1 << 60), -(1 << 60)) for number in numbers]
    stuff = Stuff()
    assert stuff("v.sort()", v=numbers) == sorted(numbers)
    assert stuff("v.sort(|a, b| a < b ? -1 : a > b ? 1 : 0)", v=numbers) == sorted(numbers)
    assert stuff("v.sort(true)", v=texts) == sorted(texts, reverse=True)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(-5, 5)),
    *[st.none() | st.integers(-6, 6)] * 2,
    st.none() | st.integers(-3, 3).filter(bool),
)
def test_slices_are_python_s(items: list[int], start: int | None, stop: int | None, step: int | None) -> None:
    assert Stuff()("v[a:b:c]", v=items, a=start, b=stop, c=step) == items[start:stop:step]
