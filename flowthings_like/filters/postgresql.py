"""Writes filters as SQL for PostgreSQL, which reads JSON text but cannot call the predicate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Integer, Numeric, Text, and_, case, false, func, literal, true
from sqlalchemy.dialects.postgresql import ARRAY

from ..errors import CannotFilter
from ..wire.integers import LEAST, MOST
from . import postgresql_json as json
from .predicate import COMPARE
from .sql_writer import Writer
from .text import write
from .values import ends_in_value, is_number

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

    from .nodes import Filter, Member

__all__ = ["PostgreSQL"]

_CONSTANTS = {True: "true", False: "false", None: "null"}


class PostgreSQL(Writer):
    """JSON as text. Members of any name are found; rules that are no comparisons are left to the reader."""

    def is_native(self, path: tuple[str, ...]) -> bool:
        return True

    def ask(self, node: Filter) -> ColumnElement[bool]:
        raise CannotFilter("PostgreSQL", write(node), "compares members with values; test the rest here")

    def json_exists(self, column: ColumnElement[Any], path: tuple[str, ...]) -> ColumnElement[bool]:
        return json.member(column, path).is_not(None)

    def json_in(
        self, column: ColumnElement[Any], path: tuple[str, ...], values: list[Any]
    ) -> ColumnElement[bool]:
        numbers = [one for one in values if is_number(one)]
        texts = [one for one in values if isinstance(one, str)]
        names = [_CONSTANTS[one] for one in values if one is None or isinstance(one, bool)]

        def test(found: ColumnElement[Any]) -> ColumnElement[bool]:
            whens: list[tuple[ColumnElement[bool], ColumnElement[bool]]] = []
            if numbers:
                whens.append(
                    (json.kind_of(found) == "number", json.number_in(json.number_of(found), numbers))
                )
            if texts:
                whens.append((json.kind_of(found) == "string", json.text_in(json.text_of(found), texts)))
            if names:
                whens.append((json.number_of(found).in_(names), true()))
            return case(*whens, else_=false())

        return json.computed(column, json.member(column, path), test)

    def json_compare(
        self, column: ColumnElement[Any], path: tuple[str, ...], op: str, value: str | float
    ) -> ColumnElement[bool]:
        def test(found: ColumnElement[Any]) -> ColumnElement[bool]:
            if isinstance(value, str):
                fits, passes = "string", json.text_test(json.text_of(found), op, value)
            else:
                fits, passes = "number", json.number_test(json.number_of(found), op, value)
            return case((json.kind_of(found) == fits, passes), else_=false())

        return json.computed(column, json.member(column, path), test)

    @staticmethod
    def column_in(column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
        if isinstance(column.type, (Integer, Numeric)):
            kept = [int(one) for one in values if int(one) == one and LEAST <= one <= MOST]
            wanted = literal(kept, ARRAY(BigInteger))
        else:
            kept, wanted = values, literal(values, ARRAY(Text))
        if not kept:
            return false()
        equal = column == kept[0] if len(kept) == 1 else column == func.any(wanted)
        return and_(column.is_not(None), equal)

    @staticmethod
    def column_compare(column: ColumnElement[Any], op: str, value: str | float) -> ColumnElement[bool]:
        if isinstance(value, str):
            return and_(column.is_not(None), json.text_test(column, op, value))
        return and_(column.is_not(None), _whole_test(column, op, value))

    def _is_native(self, member: Member) -> bool:
        return not ends_in_value(member.parts)


def _whole_test(column: ColumnElement[Any], op: str, value: float) -> ColumnElement[bool]:
    """A test of a column of whole numbers, by a whole number."""
    if value != math.floor(value):
        if op == "==":
            return false()
        value, op = (math.floor(value), "<=") if op[0] == "<" else (math.ceil(value), ">=")
    if value > MOST:
        return true() if op[0] == "<" else false()
    if value < LEAST:
        return true() if op[0] == ">" else false()
    return COMPARE[op](column, literal(int(value), BigInteger))  # type: ignore[return-value]
