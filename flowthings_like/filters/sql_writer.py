"""Writes filters as SQL: what all databases have in common.

A Writer says for each rule of a filter how its database tests it. A rule that the database cannot test is
left to the predicate: either the database calls it, or the reader of the rows does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Numeric, and_, bindparam, false, not_, or_
from sqlalchemy.types import NullType

from . import index_columns
from .nodes import Age, And, Compare, Exists, Filter, Has, In, Json, Member, Node, Not, Operand, Or
from .operands import plain
from .predicate import COMPARE, MIRRORED
from .values import DROP_MEMBERS, ELEMENTS, TYPES, ends_in_value, is_number

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

__all__ = ["JSON_MEMBERS", "Columns", "Writer", "fits", "is_one_of", "is_scalar"]

Columns = Mapping[str, "ColumnElement[Any]"]

JSON_MEMBERS = frozenset([ELEMENTS, TYPES, "location", "parentDropId"])
"""The top-level members whose columns hold JSON text. Other columns hold one number or text."""

MOST_RULES = 200  # SQLite takes expressions of depth 1000, and a chain of && is as deep as it is long
MOST_LEVELS = 8  # the stack of SQLite's parser holds 100 entries


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
        """The condition for a filter that cannot be written as SQL: the database calls the predicate.

        Raises:
            CannotFilter: it cannot call it.
        """

    @staticmethod
    def column_in(column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
        """The condition that a column, which may be null, equals one of these values of its type."""
        return and_(column.is_not(None), is_one_of(column, values))

    @staticmethod
    def column_compare(column: ColumnElement[Any], op: str, value: str | float) -> ColumnElement[bool]:
        """The condition that a column, which may be null, compares by `op` with a value of its type."""
        return and_(column.is_not(None), COMPARE[op](column, value))  # type: ignore[arg-type]

    def write(self, node: Filter) -> ColumnElement[bool]:
        """The condition for a whole filter. Raises CannotFilter if the database cannot test it."""
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
            return None if slot is None else self.indexed.by_slot[slot].exists()
        rule = index_columns.rule(node, self.indexed.slots, self.now)
        if rule is None or not rule.exact or (rule.orders_text and rule.slot in self.indexed.disordered):
            return None
        return self.indexed.by_slot[rule.slot].passes(rule)

    def _stored_rule(self, node: Filter) -> ColumnElement[bool]:
        match node:
            case Compare(left, "==", value) if is_scalar(value) and self._is_native(left):
                return self._in(left, [plain(value)])
            case Compare(left, op, value) if is_scalar(value) and self._is_native(left):
                return self._compare(left, op, plain(value))
            case In(left, items) if self._is_native(left) and len(items) <= index_columns.MOST_ITEMS:
                if all(map(is_scalar, items)):
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
        fitting = [value for value in values if fits(column, value)]
        return self.column_in(column, fitting) if fitting else false()

    def _compare(self, member: Member, op: str, value: str | float) -> ColumnElement[bool]:
        column, path = self._place(member)
        if column is None:
            return false()
        if path is not None:
            return self.json_compare(column, path, op, value)
        return self.column_compare(column, op, value) if fits(column, value) else false()

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


def is_one_of(column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
    """The condition that a column equals one of these values."""
    if len(values) == 1:
        equal: ColumnElement[bool] = column == values[0]
        return equal
    # Without NullType, SQLAlchemy would give all values the type of the first one, and a whole number beyond
    # 2^53 that is sent as a real becomes another number.
    return column.in_(bindparam(None, values, type_=NullType(), unique=True, expanding=True))


def is_scalar(value: Operand) -> bool:
    """Whether an operand is one value, and neither a list, a map nor a member."""
    return not isinstance(value, (Json, Member))


def fits(column: ColumnElement[Any], value: Any) -> bool:
    """Whether a column of one type can hold a value."""
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
