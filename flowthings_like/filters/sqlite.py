"""Writes filters as SQL for SQLite, which reads JSON text with its own functions and calls the predicate."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import case, false, func, literal, true

from .nodes import MAX_LENGTH, Compare, Filter, In, Operand
from .operands import plain
from .parser import Parser
from .predicate import COMPARE, Test, compile_predicate
from .sql_writer import JSON_MEMBERS, Writer, is_one_of, is_scalar
from .text import write
from .values import ELEMENTS, is_index, is_number

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

__all__ = ["SQLite", "register"]

MAX_TEXT = 16 * MAX_LENGTH  # a parsed filter of MAX_LENGTH can be this long when it is written again


def register(dbapi_connection: Any) -> None:
    """Install the function that the expressions call, on a raw sqlite3 connection."""
    dbapi_connection.create_function("filter_test", -1, _filter_test, deterministic=True)


class SQLite(Writer):
    """JSON as text, read by SQLite's own JSON functions."""

    _numbers = ("integer", "real")
    _constants = {True: "true", False: "false", None: "null"}

    def is_native(self, path: tuple[str, ...]) -> bool:
        # Digits may be an index into a list. How a path quotes " and \ differs between versions of SQLite.
        return not any(is_index(part) or _AWKWARD.search(part) for part in path)

    def _stored_rule(self, node: Filter) -> ColumnElement[bool]:
        rule = super()._stored_rule(node)
        match node:
            case Compare(left, _, value):
                values: tuple[Operand, ...] = (value,)
            case In(left, values):
                pass
            case _:
                return rule
        column, path = self._place(left)
        texts = (isinstance(plain(value), str) for value in values if is_scalar(value))
        if column is None or path is None or not self._is_native(left) or not any(texts):
            return rule
        # SQLite ends a JSON string at its first U+0000, so the predicate tests documents that have one.
        return case((func.instr(column, "\\u0000") > 0, self.ask(node)), else_=rule)

    def json_exists(self, column: ColumnElement[Any], path: tuple[str, ...]) -> ColumnElement[bool]:
        return self._type(column, path).is_not(None)

    def json_in(
        self, column: ColumnElement[Any], path: tuple[str, ...], values: list[Any]
    ) -> ColumnElement[bool]:
        kind, value = self._type(column, path), self._value(column, path)
        numbers = [one for one in values if is_number(one)]
        texts = [one for one in values if isinstance(one, str)]
        names = [self._constants[one] for one in values if one is None or isinstance(one, bool)]
        whens: list[tuple[ColumnElement[bool], ColumnElement[bool]]] = []
        if numbers:
            whens.append((kind.in_(self._numbers), is_one_of(value, numbers)))
        if texts:
            whens.append((kind == "text", is_one_of(value, texts)))
        if names:
            whens.append((kind.in_(names), true()))
        return case(*whens, else_=false())

    def json_compare(
        self, column: ColumnElement[Any], path: tuple[str, ...], op: str, value: str | float
    ) -> ColumnElement[bool]:
        kind = self._type(column, path)
        fits = kind == "text" if isinstance(value, str) else kind.in_(self._numbers)
        return case((fits, COMPARE[op](self._value(column, path), value)), else_=false())

    def ask(self, node: Filter) -> ColumnElement[bool]:
        """Call the predicate for each row, with the document and the columns that the filter reads."""
        extras: list[Any] = []
        for name in sorted(set(self._names(node)) & set(self.columns) - {ELEMENTS}):
            extras += [name, self.columns[name]]
        return func.filter_test(write(node), self.now, int(self.is_drops), self.document, *extras) == literal(
            1
        )

    def _type(self, column: ColumnElement[Any], path: tuple[str, ...]) -> ColumnElement[Any]:
        return func.json_type(column, _json_path(path))

    def _value(self, column: ColumnElement[Any], path: tuple[str, ...]) -> ColumnElement[Any]:
        return func.json_extract(column, _json_path(path))


_AWKWARD = re.compile(r'["\\\x00-\x1f]')


def _json_path(path: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{part}"' for part in path)


@lru_cache(maxsize=256)
def _test(text: str) -> Test:
    return compile_predicate(Parser(text, MAX_TEXT).whole())


def _filter_test(text: str, now: int, is_drop: int, document: str, *extras: Any) -> bool:
    """SQLite's function `filter_test`: tests one row with the predicate of a filter."""
    body = orjson.loads(document)
    whole: dict[str, Any] = {ELEMENTS: body} if is_drop else body
    for name, value in zip(extras[::2], extras[1::2], strict=True):
        if value is not None:
            whole[name] = orjson.loads(value) if name in JSON_MEMBERS else value
    return _test(text)(whole, now)
