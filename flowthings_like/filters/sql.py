"""Turns a filter into a SQLAlchemy expression that is true or false for every row, never null.

Comparisons with values, EXISTS, IN, AGE, NOT, && and || become plain SQL, which the database runs by itself
and with its indexes. For all other rules SQLite calls the Python predicate, through a function that
`register` installs, so SQL and predicate cannot disagree.

To add a database, add a Writer to WRITERS.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Integer, Numeric, and_, bindparam, case, false, func, literal, not_, or_, true
from sqlalchemy.types import NullType

from ..errors import ConfigurationError
from . import index_columns
from .nodes import (
    MAX_LENGTH,
    Age,
    And,
    Compare,
    Exists,
    Filter,
    Has,
    In,
    Json,
    Member,
    Node,
    Not,
    Operand,
    Or,
)
from .operands import plain
from .parser import Parser
from .predicate import COMPARE, MIRRORED, Test, compile_predicate
from .text import write
from .values import DROP_MEMBERS, ELEMENTS, TYPES, ends_in_value, is_index, is_number

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

Columns = Mapping[str, "ColumnElement[Any]"]

JSON_MEMBERS = frozenset([ELEMENTS, TYPES, "location", "parentDropId"])
"""The top-level members whose columns hold JSON text. Other columns hold one number or text."""

MOST_RULES = 200  # SQLite takes expressions of depth 1000, and a chain of && is as deep as it is long
MOST_LEVELS = 8  # the stack of SQLite's parser holds 100 entries
MAX_TEXT = 16 * MAX_LENGTH  # a parsed filter of MAX_LENGTH can be this long when it is written again


def to_sql(
    node: Filter,
    *,
    columns: Columns,
    document: ColumnElement[Any],
    dialect: str,
    now: int,
    indexed: index_columns.Columns | None = None,
) -> ColumnElement[bool]:
    """A filter as a condition on rows.

    Args:
        node: the filter.
        columns: the top-level members that have columns, by name; null means that the member is missing. If
            `elems` is among them the rows are drops: names that are not a drop's members are elements, and
            the column TYPES holds the types that were stated for the elements.
        document: the JSON text of everything else: a drop's elements, or a whole resource. Non-ASCII
            characters stand in it without escapes, as orjson writes them.
        dialect: SQLAlchemy's name of the database.
        now: ms since the epoch, from which AGE is counted.
        indexed: the columns of indexed members, which are read in place of the document.

    Raises:
        InvalidInput: the filter cannot be evaluated; see `compile_predicate`.
        ConfigurationError: the dialect is unknown, or re2 is needed and not installed.
    """
    writer = WRITERS.get(dialect)
    if writer is None:
        raise ConfigurationError(f"expected a database among {', '.join(WRITERS)}, not {dialect}")
    compile_predicate(node)  # raises now, and not row by row, if the filter cannot be evaluated
    return writer(columns, document, now, indexed).write(node)


def register(dbapi_connection: Any) -> None:
    """Install the function that the expressions call, on a raw sqlite3 connection."""
    dbapi_connection.create_function("filter_test", -1, _filter_test, deterministic=True)


class Writer(ABC):
    """Writes filters as SQL for one database and one table. No part of the SQL is ever null."""

    def __init__(
        self,
        columns: Columns,
        document: ColumnElement[Any],
        now: int,
        indexed: index_columns.Columns | None = None,
    ) -> None:
        self.columns = columns
        self.document = document
        self.now = now
        self.indexed = indexed

    @abstractmethod
    def json_exists(self, column: ColumnElement[Any], path: tuple[str, ...]) -> ColumnElement[bool]:
        """The condition that there is a value at the path."""

    @abstractmethod
    def json_in(
        self, column: ColumnElement[Any], path: tuple[str, ...], values: list[Any]
    ) -> ColumnElement[bool]:
        """The condition that the value at the path equals one of these scalars."""

    @abstractmethod
    def json_compare(
        self, column: ColumnElement[Any], path: tuple[str, ...], op: str, value: str | float
    ) -> ColumnElement[bool]:
        """The condition that the value at the path has the type of `value` and compares with it by `op`."""

    @abstractmethod
    def is_native(self, path: tuple[str, ...]) -> bool:
        """Whether the database's own JSON functions can follow the path."""

    @abstractmethod
    def ask(self, node: Filter) -> ColumnElement[bool]:
        """The condition for a filter that cannot be written as SQL: the database calls the predicate."""

    def write(self, node: Filter) -> ColumnElement[bool]:
        """The condition for a whole filter."""
        rules, levels = _extent(node)
        if rules > MOST_RULES or levels > MOST_LEVELS:
            return self.ask(node)
        return self._write(node, True)

    def _write(self, node: Filter, wanted: bool) -> ColumnElement[bool]:
        # NOT is pushed down to the rules. No rule is ever null, so this is exact, and it keeps the SQL flat.
        match node:
            case Not(one):
                return self._write(one, not wanted)
            case And(filters) | Or(filters):
                join = and_ if isinstance(node, And) == wanted else or_
                return join(*(self._write(one, wanted) for one in filters))
            case Compare(left, "!=", value):
                rule, wanted = self._rule(Compare(left, "==", value)), not wanted
            case Age(field, "!=", ms):
                rule, wanted = self._rule(Age(field, "==", ms)), not wanted
            case _:
                rule = self._rule(node)
        return rule if wanted else not_(rule)

    def _rule(self, node: Filter) -> ColumnElement[bool]:
        found = self._indexed_rule(node)
        return self._stored_rule(node) if found is None else found

    def _indexed_rule(self, node: Filter) -> ColumnElement[bool] | None:
        """The condition for a rule about an indexed member; None if the member's column cannot answer it."""
        if self.indexed is None:
            return None
        if isinstance(node, Exists):
            slot = index_columns.slot_of(node.member, self.indexed.slots)
            return None if slot is None else self.indexed.by_slot[slot].is_not(None)
        rule = index_columns.rule(node, self.indexed.slots, self.now)
        if rule is None or not rule.exact or (rule.orders_text and rule.slot in self.indexed.disordered):
            return None
        column = self.indexed.by_slot[rule.slot]
        return and_(column.is_not(None), *(test_of(column, op, value) for op, value in rule.tests))

    def _stored_rule(self, node: Filter) -> ColumnElement[bool]:
        match node:
            case Compare(left, "==", value) if _is_scalar(value) and self._is_native(left):
                return self._in(left, [plain(value)])
            case Compare(left, op, value) if _is_scalar(value) and self._is_native(left):
                return self._compare(left, op, plain(value))
            case In(left, items) if self._is_native(left) and len(items) <= index_columns.MOST_ITEMS:
                if all(map(_is_scalar, items)):
                    return self._in(left, [plain(item) for item in items])
            case Exists(member) if self._is_native(member):
                return self._exists(member)
            case Age(field, op, ms):
                field = field or Member(("creationDate",))
                if self._is_native(field):
                    return self._compare(field, MIRRORED[op], self.now - ms)
        return self.ask(node)

    # A member is found in a column with one value, at a path in a column with JSON, or nowhere.

    def _place(self, member: Member) -> tuple[ColumnElement[Any] | None, tuple[str, ...] | None]:
        first, rest = member.parts[0], member.parts[1:]
        if first in self.columns:
            if first in JSON_MEMBERS:
                return self.columns[first], rest
            return (None if rest else self.columns[first]), None
        if self.is_drops and first in DROP_MEMBERS:
            return None, None
        return self.document, member.parts

    @property
    def is_drops(self) -> bool:
        return ELEMENTS in self.columns

    def _is_native(self, member: Member) -> bool:
        _, path = self._place(member)
        return not ends_in_value(member.parts) and (path is None or self.is_native(path))

    def _exists(self, member: Member) -> ColumnElement[bool]:
        column, path = self._place(member)
        if column is None:
            return false()
        return column.is_not(None) if path is None else self.json_exists(column, path)

    def _in(self, member: Member, values: list[Any]) -> ColumnElement[bool]:
        column, path = self._place(member)
        if column is None or not values:
            return false()
        if path is not None:
            return self.json_in(column, path, values)
        fitting = [value for value in values if _fits(column, value)]
        return and_(column.is_not(None), _is_one_of(column, fitting)) if fitting else false()

    def _compare(self, member: Member, op: str, value: str | float) -> ColumnElement[bool]:
        column, path = self._place(member)
        if column is None:
            return false()
        if path is not None:
            return self.json_compare(column, path, op, value)
        if not _fits(column, value):
            return false()
        return and_(column.is_not(None), COMPARE[op](column, value))  # type: ignore[arg-type]

    def _names(self, node: Node) -> Iterator[str]:
        """The top-level columns that a filter reads."""
        if isinstance(node, Age) and node.field is None:
            yield "creationDate"
        if isinstance(node, Member):
            yield node.parts[0]
        if isinstance(node, Has):
            yield TYPES
        for one in fields(node):  # type: ignore[arg-type]
            value = getattr(node, one.name)
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, Node):
                    yield from self._names(inner)


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
        texts = (isinstance(plain(value), str) for value in values if _is_scalar(value))
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
            whens.append((kind.in_(self._numbers), _is_one_of(value, numbers)))
        if texts:
            whens.append((kind == "text", _is_one_of(value, texts)))
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


WRITERS: dict[str, type[Writer]] = {"sqlite": SQLite}
"""The writer for each database, by SQLAlchemy's name of it."""

_AWKWARD = re.compile(r'["\\\x00-\x1f]')


def _json_path(path: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{part}"' for part in path)


def _is_one_of(column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
    if len(values) == 1:
        equal: ColumnElement[bool] = column == values[0]
        return equal
    # Without NullType, SQLAlchemy would give all values the type of the first one, and a whole number beyond
    # 2^53 that is sent as a real becomes another number.
    return column.in_(bindparam(None, values, type_=NullType(), unique=True, expanding=True))


def test_of(column: ColumnElement[Any], op: str, value: Any) -> ColumnElement[bool]:
    """One test of an `index_columns.Rule`, as a condition on the member's column."""
    if op == "in":
        return _is_one_of(column, value)
    return COMPARE["==" if op == "=" else op](column, value)  # type: ignore[return-value]


def _is_scalar(value: Operand) -> bool:
    return not isinstance(value, (Json, Member))


def _fits(column: ColumnElement[Any], value: Any) -> bool:
    return is_number(value) if isinstance(column.type, (Integer, Numeric)) else isinstance(value, str)


def _extent(node: Filter) -> tuple[int, int]:
    """The number of rules in a filter, and of levels of && and ||."""
    match node:
        case Not(one):
            return _extent(one)
        case And(filters) | Or(filters):
            extents = [_extent(one) for one in filters]
            return sum(rules for rules, _ in extents), 1 + max(levels for _, levels in extents)
    return 1, 0


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
