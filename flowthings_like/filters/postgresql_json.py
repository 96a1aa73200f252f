"""How PostgreSQL reads JSON text: members, their types, and exact comparisons with their values.

The text is cast to `json` where it is read. `jsonb` would not do: it refuses U+0000, and it makes 1e16 a
whole number. PostgreSQL's text has no U+0000 either: it is written as U+0001 U+0001, and U+0001 as U+0001
U+0002, so that no two strings become one, and their order stays. The connection spells parameters like that,
and here it is done to the documents.

Whole numbers have up to 64 bits, and reals are doubles. A number below 2^53 is compared as a double; beyond
that, whole numbers are compared as such, and reals with the next double.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    Numeric,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

from .values import is_index

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

__all__ = [
    "SORT_KEYS",
    "computed",
    "exact_number",
    "is_nothing",
    "kind_of",
    "member",
    "number_in",
    "number_of",
    "number_test",
    "text_in",
    "text_of",
    "text_test",
]

T = TypeVar("T")

_EXACT = 1 << 53
"""Up to this size every whole number is a double."""

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def member(document: ColumnElement[Any], path: Sequence[str]) -> ColumnElement[Any]:
    """What is at a path in a column of JSON text, as `json`; null if there is nothing.

    Args:
        path: names of members; digits may be an index of a list.
    """
    found: ColumnElement[Any] = cast(_readable(document), JSON)
    for part in path:
        name = literal(part, Text)
        if is_index(part):
            found = found.op("#>", return_type=JSON())(array([name]))
        else:
            found = found.op("->", return_type=JSON())(name)
    return found


def computed(
    document: ColumnElement[Any],
    value: ColumnElement[Any],
    expression: Callable[[ColumnElement[Any]], ColumnElement[T]],
) -> ColumnElement[T]:
    """An expression of a value that was read from a document, which is read once for it.

    PostgreSQL would read it again wherever the value is named. It does not look into a subquery with OFFSET.
    """
    found = select(value.label("found")).offset(literal_column("0"))
    if isinstance(document, Column):
        found = found.correlate(document.table)
    inner = found.subquery()
    return select(expression(inner.c.found)).select_from(inner).scalar_subquery()


def kind_of(value: ColumnElement[Any]) -> ColumnElement[str]:
    """The type of a `json` value: number, string, boolean, null, object or array; null of null."""
    return func.json_typeof(value, type_=Text)


def text_of(value: ColumnElement[Any]) -> ColumnElement[str]:
    """The string that a `json` value is; of any other value its JSON text."""
    return value.op("#>>", return_type=Text())(cast(array([]), ARRAY(Text)))


def number_of(value: ColumnElement[Any]) -> ColumnElement[str]:
    """The digits of the number that a `json` value is."""
    return cast(value, Text)


def is_nothing(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that there is no `json` value, or null."""
    return func.coalesce(kind_of(value), "null") == "null"


def _number_key(value: ColumnElement[Any]) -> ColumnElement[Any]:
    kind, digits = kind_of(value), number_of(value)
    truth = case((digits == "true", literal(1.0, Double)), else_=literal(0.0, Double))
    return case((kind == "number", cast(digits, Double)), (kind == "boolean", truth), else_=null())


def _exact_key(value: ColumnElement[Any]) -> ColumnElement[Any]:
    kind, digits = kind_of(value), number_of(value)
    # Otherwise truth would come after the 1 that it is equal to, and not by its age.
    truth = case((digits == "true", literal(1, Numeric)), else_=literal(0, Numeric))
    return case((kind == "number", exact_number(digits)), (kind == "boolean", truth), else_=null())


def _text_key(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((kind_of(value).in_(["number", "boolean"]), null()), else_=text_of(value)).collate("C")


SORT_KEYS = (_number_key, _exact_key, _text_key)
"""What `json` values are sorted by: first numbers, and truth as 1 and 0, then text and JSON text."""


def exact_number(digits: ColumnElement[Any]) -> ColumnElement[Any]:
    """A number as `numeric`, by its digits: equal numbers are equal, and those of one double have an order.

    The digits of a real of 2^53 and more may be those of another whole number that is the same double.
    """
    real = cast(digits, Double)
    is_whole_double = and_(
        digits.regexp_match("[.eE]"), func.abs(real) >= float(_EXACT), func.abs(real) < 2.0**63
    )
    return case((is_whole_double, cast(cast(real, BigInteger), Numeric)), else_=cast(digits, Numeric))


def number_test(digits: ColumnElement[Any], op: str, wanted: float) -> ColumnElement[bool]:
    """The condition that a number, given by its digits, compares by `op` with another one."""
    compare = _COMPARE[op]
    if -_EXACT < wanted < _EXACT:
        return compare(cast(digits, Double), literal(float(wanted), Double))  # type: ignore[no-any-return]
    is_real = digits.regexp_match("[.eE]")
    whole = compare(cast(digits, Numeric), literal(Decimal(int(wanted)), Numeric))
    return case((is_real, _real_test(cast(digits, Double), op, wanted)), else_=whole)


def number_in(digits: ColumnElement[Any], wanted: Sequence[float]) -> ColumnElement[bool]:
    """The condition that a number, given by its digits, is one of these."""
    small = [float(one) for one in wanted if -_EXACT < one < _EXACT]
    tests = [number_test(digits, "==", one) for one in wanted if not -_EXACT < one < _EXACT]
    if len(small) == 1:
        tests.append(number_test(digits, "==", small[0]))
    elif small:
        tests.append(cast(digits, Double) == func.any(literal(small, ARRAY(Double))))
    return or_(false(), *tests)


def text_test(text: ColumnElement[Any], op: str, wanted: str) -> ColumnElement[bool]:
    """The condition that a string compares by `op` with another one, by code points."""
    if op != "==":
        text = text.collate("C")
    return _COMPARE[op](text, literal(wanted, Text))  # type: ignore[no-any-return]


def text_in(text: ColumnElement[Any], wanted: Sequence[str]) -> ColumnElement[bool]:
    """The condition that a string is one of these."""
    if len(wanted) == 1:
        return text_test(text, "==", wanted[0])
    return text == func.any(literal(list(wanted), ARRAY(Text)))


def _real_test(real: ColumnElement[Any], op: str, wanted: float) -> ColumnElement[bool]:
    """The condition that a double compares by `op` with a number that may be no double."""
    double = float(wanted)
    if double == wanted:
        return _COMPARE[op](real, literal(double, Double))  # type: ignore[no-any-return]
    if op == "==":
        return false()
    below = double if double < wanted else math.nextafter(double, -math.inf)
    if op[0] == "<":
        return real <= literal(below, Double)
    return real > literal(below, Double)


def _readable(document: ColumnElement[Any]) -> ColumnElement[Any]:
    """JSON text that PostgreSQL can read, whatever characters it holds."""
    other = document
    for written, spelled in _SPELLED:
        other = func.replace(other, written, spelled)
    return case((func.strpos(document, _AWKWARD) > literal_column("0"), other), else_=document)


_AWKWARD: ColumnElement[str] = literal_column(r"'\u000'")
_SPELLED: list[tuple[ColumnElement[str], ColumnElement[str]]] = [
    (literal_column(written), literal_column(spelled))
    for written, spelled in (
        (r"'\\'", r"'\u005c'"),  # without escaped backslashes, every backslash begins an escape
        (r"'\u0001'", r"'\u0001\u0002'"),
        (r"'\u0000'", r"'\u0001\u0001'"),
    )
]
