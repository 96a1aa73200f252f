"""Indexed elements in PostgreSQL: two columns a slot, one for numbers and one for everything else, as bytes.

At least one of the two is null. Sorted by both, with nulls last, the values have their order: numbers,
strings, markers (see store.slots).

PostgreSQL takes no hints. Each statement is written so that the element's index serves it best: few drops are
collected in the index's order first, and those with one value are ordered by what follows that value in the
index, which is the other column, null in all of them, and then the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, false, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from ....filters.predicate import COMPARE
from ...store.schema import NUMBER_NAMES, SLOT_NAMES, drops
from ...store.slots import MARKER, pair_of
from . import rows
from .slot_sql import SlotSql, Written

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select

    from ....filters.index_columns import Rule

__all__ = ["PostgresqlSlots", "SlotColumns"]

_MARKER = f"'\\x{MARKER.hex()}'::bytea"


class _Test(NamedTuple):
    """A comparison with one value, or by "in" with a list of them."""

    op: str
    value: Any


class _Tests(NamedTuple):
    """The tests of a rule in each column; none where no value of the column passes the rule."""

    numbers: list[_Test]
    others: list[_Test]

    @classmethod
    def of(cls, rule: Rule) -> _Tests:
        op, wanted = rule.tests[0]
        if op == "in":
            pairs = [pair_of(value) for value in wanted]
            numbers = [pair.number for pair in pairs if pair.number is not None]
            others = [pair.rest for pair in pairs if pair.rest is not None]
            return cls([_Test(op, numbers)] if numbers else [], [_Test(op, others)] if others else [])
        compared = [(op, pair_of(value)) for op, value in rule.tests]
        if (
            compared[0][1].number is not None
        ):  # the other bound is the least string, and all numbers are below
            return cls([_Test(op, pair.number) for op, pair in compared if pair.number is not None], [])
        return cls([], [_Test(op, pair.rest) for op, pair in compared])


class SlotColumns:
    """The columns of an indexed element.

    Attributes:
        number: holds numbers.
        other: holds strings and markers.
    """

    def __init__(self, number: str, other: str) -> None:
        self.number: ColumnElement[Any] = drops.c[number]
        self.other: ColumnElement[Any] = drops.c[other]

    def exists(self) -> ColumnElement[bool]:
        """The condition that the element is there."""
        return or_(self.number.is_not(None), self.other.is_not(None))

    def passes(self, rule: Rule) -> ColumnElement[bool]:
        """The condition that the element is there and passes the tests of a rule."""
        tests = _Tests.of(rule)
        sides = []
        if tests.numbers:
            sides.append(and_(self.number.is_not(None), *_conditions(self.number, tests.numbers)))
        if tests.others:
            there = self.number.is_(None), self.other.is_not(None)
            sides.append(and_(*there, *_conditions(self.other, tests.others)))
        return or_(false(), *sides)


class PostgresqlSlots(SlotSql):
    """PostgreSQL reads the index that it finds cheapest."""

    explain = "EXPLAIN"
    columns: tuple[SlotColumns, ...] = tuple(map(SlotColumns, NUMBER_NAMES, SLOT_NAMES))

    def source(self, slot: int) -> str:
        return f"FROM drops WHERE flow_id = ? AND {_exists(slot)}"

    def all_indexed(self) -> str:
        return "FROM drops WHERE flow_id = ? AND indexed IS NOT NULL"

    def of_rule(self, rule: Rule) -> Written:
        tests = _Tests.of(rule)
        number, other = NUMBER_NAMES[rule.slot], SLOT_NAMES[rule.slot]
        sides = []
        if tests.numbers:
            sides.append(" AND ".join(_written(number, test.op) for test in tests.numbers))
        if tests.others:
            sides.append(
                " AND ".join([f"{number} IS NULL", *(_written(other, test.op) for test in tests.others)])
            )
        text = f" AND ({' OR '.join(sides)})"
        return Written(text, tuple(test.value for test in [*tests.numbers, *tests.others]))

    def compared(self, slot: int, op: str, value: bytes | str) -> Written:
        text = f" AND {NUMBER_NAMES[slot]} IS NULL AND {SLOT_NAMES[slot]} {op} ?"
        return Written(text, (pair_of(value).rest,))

    def is_scalar(self, slot: int) -> str:
        return f"({NUMBER_NAMES[slot]} IS NOT NULL OR {SLOT_NAMES[slot]} < {_MARKER})"

    def is_no_scalar(self, slot: int) -> str:
        number, other = NUMBER_NAMES[slot], SLOT_NAMES[slot]
        return f"({number} IS NULL AND ({other} IS NULL OR {other} >= {_MARKER}))"

    def order(self, slot: int, direction: str) -> str:
        # Nulls come last in ASC and first in DESC, which is how the index stands.
        return f"{NUMBER_NAMES[slot]} {direction}, {SLOT_NAMES[slot]} {direction}"

    def sort(self, slot: int, direction: str) -> Sequence[str]:
        number, text = NUMBER_NAMES[slot], SLOT_NAMES[slot]
        in_order = f"CASE WHEN {text} < {_MARKER} THEN {text} END"
        return f"{number} IS NULL AND {in_order} IS NULL", f"{number} {direction}", f"{in_order} {direction}"

    def by_rule(
        self, select: str, flow_id: str, rules: Iterable[Rule], rule: Rule, direction: str
    ) -> Written:
        tests = self.of_rules(rules)
        passing = f"{select} WHERE flow_id = ? AND {_exists(rule.slot)}{tests.text}"
        if rule.is_equality:
            text = f"{passing} ORDER BY {_null_name(rule)} {direction}, id {direction}"
        else:
            found = f"{passing} ORDER BY {self.order(rule.slot, 'ASC')}"
            text = f"WITH found AS MATERIALIZED ({found}) SELECT * FROM found ORDER BY id {direction}"
        return Written(text, (flow_id, *tests.values))

    def count(self, rule: Rule, most: int) -> Written:
        tests = self.of_rule(rule)
        order = self.order(rule.slot, "ASC")
        found = f"SELECT 1 {self.source(rule.slot)}{tests.text} ORDER BY {order} LIMIT {most}"
        return Written(f"SELECT count(*) FROM ({found}) AS passing", tests.values)

    def restrict(self, statement: Select[Any], rule: Rule) -> Select[Any]:
        columns = self.columns[rule.slot]
        if rule.is_equality:
            return statement.where(columns.passes(rule))
        found = (
            select(drops.c.id)
            .where(rows.IN_FLOW, columns.passes(rule))
            .order_by(columns.number, columns.other)
            .correlate(None)
            .scalar_subquery()
        )
        return statement.where(drops.c.id == func.any(func.array(found)))

    def newest(self, rule: Rule) -> tuple[ColumnElement[Any], ...]:
        if rule.is_equality:
            return drops.c[_null_name(rule)], drops.c.id
        return (drops.c.id,)

    def hint(self, statement: Select[Any], index: str) -> Select[Any]:
        return statement


def _null_name(rule: Rule) -> str:
    """The column that is null where a value equals what the rule asks for."""
    return (SLOT_NAMES if _Tests.of(rule).numbers else NUMBER_NAMES)[rule.slot]


def _exists(slot: int) -> str:
    return f"({NUMBER_NAMES[slot]} IS NOT NULL OR {SLOT_NAMES[slot]} IS NOT NULL)"


def _written(name: str, op: str) -> str:
    return f"{name} = ANY(?)" if op == "in" else f"{name} {op} ?"


def _conditions(column: ColumnElement[Any], tests: list[_Test]) -> list[ColumnElement[bool]]:
    found: list[Any] = []
    for op, value in tests:
        if op == "in":
            found.append(column == func.any(literal(value, ARRAY(column.type))))
        else:
            found.append(COMPARE["==" if op == "=" else op](column, literal(value, column.type)))
    return found
