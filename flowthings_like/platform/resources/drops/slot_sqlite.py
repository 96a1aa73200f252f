"""Indexed elements in SQLite: one column a slot, which holds values of all types and sorts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_

from ....filters.predicate import COMPARE
from ....filters.sql_writer import is_one_of
from ...store.schema import SLOT_NAMES, drops
from .slot_sql import SlotSql, Written

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select

    from ....filters.index_columns import Rule

__all__ = ["SlotColumn", "SqliteSlots"]


class SlotColumn:
    """The column of an indexed element.

    Attributes:
        column: in the table of drops.
    """

    def __init__(self, name: str) -> None:
        self.column: ColumnElement[Any] = drops.c[name]

    def exists(self) -> ColumnElement[bool]:
        """The condition that the element is there."""
        return self.column.is_not(None)

    def passes(self, rule: Rule) -> ColumnElement[bool]:
        """The condition that the element is there and passes the tests of a rule."""
        return and_(self.exists(), *(self._test(op, value) for op, value in rule.tests))

    def _test(self, op: str, value: Any) -> ColumnElement[bool]:
        if op == "in":
            return is_one_of(self.column, value)
        return COMPARE["==" if op == "=" else op](self.column, value)  # type: ignore[return-value]


class SqliteSlots(SlotSql):
    """SQLite reads the index that INDEXED BY names."""

    explain = "EXPLAIN QUERY PLAN"
    columns = tuple(map(SlotColumn, SLOT_NAMES))

    def source(self, slot: int) -> str:
        name = SLOT_NAMES[slot]
        return f"FROM drops INDEXED BY drops_by_{name} WHERE flow_id = ? AND {name} IS NOT NULL"

    def all_indexed(self) -> str:
        return "FROM drops INDEXED BY drops_indexed WHERE flow_id = ? AND indexed IS NOT NULL"

    def of_rule(self, rule: Rule) -> Written:
        name, text = SLOT_NAMES[rule.slot], ""
        values: list[Any] = []
        for op, value in rule.tests:
            if op == "in":
                text += f" AND {name} IN ({', '.join('?' * len(value))})"
                values += value
            else:
                text += f" AND {name} {op} ?"
                values.append(value)
        return Written(text, tuple(values))

    def compared(self, slot: int, op: str, value: bytes | str) -> Written:
        return Written(f" AND {SLOT_NAMES[slot]} {op} ?", (value,))

    def is_scalar(self, slot: int) -> str:
        return f"{SLOT_NAMES[slot]} < x''"

    def is_no_scalar(self, slot: int) -> str:
        return f"({SLOT_NAMES[slot]} IS NULL OR {SLOT_NAMES[slot]} >= x'')"

    def order(self, slot: int, direction: str) -> str:
        return f"{SLOT_NAMES[slot]} {direction}"

    def sort(self, slot: int, direction: str) -> Sequence[str]:
        in_order = f"CASE WHEN {self.is_scalar(slot)} THEN {SLOT_NAMES[slot]} END"
        return f"{in_order} IS NULL", f"{in_order} {direction}"

    def by_rule(
        self, select: str, flow_id: str, rules: Iterable[Rule], rule: Rule, direction: str
    ) -> Written:
        name, tests = SLOT_NAMES[rule.slot], self.of_rules(rules)
        where = f"INDEXED BY drops_by_{name} WHERE flow_id = ? AND {name} IS NOT NULL{tests.text}"
        return Written(f"{select} {where} ORDER BY id {direction}", (flow_id, *tests.values))

    def count(self, rule: Rule, most: int) -> Written:
        tests = self.of_rule(rule)
        found = f"SELECT 1 {self.source(rule.slot)}{tests.text} LIMIT {most}"
        return Written(f"SELECT count(*) FROM ({found})", tests.values)

    def restrict(self, statement: Select[Any], rule: Rule) -> Select[Any]:
        passing = statement.where(self.columns[rule.slot].passes(rule))
        return self.hint(passing, f"drops_by_{SLOT_NAMES[rule.slot]}")

    def newest(self, rule: Rule) -> tuple[ColumnElement[Any], ...]:
        return (drops.c.id,)

    def hint(self, statement: Select[Any], index: str) -> Select[Any]:
        return statement.with_hint(drops, f"INDEXED BY {index}", "sqlite")
