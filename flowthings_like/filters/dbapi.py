"""Turns a filter into a WHERE clause for any DB-API driver: `?` for each value, names in quotes.

    to_where(mem.login == "yoen", {"login": Column(Kind.TEXT)}, DIALECTS["postgresql"], now)

A row is a document whose members are its columns. A column that is null is a member that exists and is null.
A date counts as milliseconds since 1970, as in the platform's documents, and a decimal as the double that is
nearest to it.

SQL's conditions are null for a null, databases ignore case or convert texts to numbers, and round the numbers
that they compare. So each rule is written for the column's type, and is true exactly where the predicate is
true. SQLite's columns have no types. There the clause tests the type of each value, and calls the predicate
for what SQLite cannot say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .column_rules import ColumnRules, Condition
from .columns import DIALECTS, Column, Dialect, Kind
from .nodes import (
    MAX_LENGTH,
    Age,
    And,
    Compare,
    Contains,
    Filter,
    Has,
    Inside,
    Matches,
    Member,
    Modulo,
    Not,
    Or,
    Regex,
    Within,
)
from .parser import Parser
from .predicate import Test, compile_predicate
from .row_members import columns_of, members_of, rules_of
from .target import cannot
from .text import write
from .values import ELEMENTS

__all__ = ["FUNCTION", "Where", "filter_row", "to_where"]

FUNCTION = "flowthings_filter"
"""The function of SQLite that tests a row with the predicate. `filter_row` is its body."""

MOST_PARAMETERS = 30_000
"""The most values in a clause. PostgreSQL takes 65,535 in a statement, and SQLite 32,766."""
MOST_RULES = 200
"""The most rules that SQLite gets as SQL. It takes expressions of depth 1000; a chain is as deep as long."""
MOST_PAIRS = 60
"""The most columns that FUNCTION gets. A function of SQLite takes 127 arguments."""
MAX_TEXT = 16 * MAX_LENGTH


@dataclass(slots=True)
class Where:
    """A condition on rows.

    Attributes:
        text: SQL with `?` for each value. It is true for the rows that match, and false or null for others.
        parameters: the values.
        calls: whether it calls FUNCTION, which the connection must have.
    """

    text: str
    parameters: tuple[Any, ...]
    calls: bool = False


def to_where(node: Filter, columns: Mapping[str, Column], dialect: Dialect, now: int) -> Where:
    """A filter as a condition on rows.

    Args:
        node: the filter.
        columns: at least the columns that `columns_of(node)` names.
        dialect: the database's.
        now: ms since the epoch, from which AGE is counted.

    Raises:
        CannotFilter: the database cannot test it so that the predicate's meaning comes out.
        InvalidInput: a pattern is not valid, or a name cannot be a column's.
    """
    is_sqlite = dialect is DIALECTS["sqlite"]
    rules = _SQLiteRules(columns, dialect, now) if is_sqlite else ColumnRules(columns, dialect, now)
    if isinstance(rules, _SQLiteRules) and _is_long(node):
        text = rules.ask(node).text
    else:
        text = _write(rules, node, True)
    if len(rules.parameters) > MOST_PARAMETERS:
        cannot(dialect.name, node, f"takes {MOST_PARAMETERS} values, and this has {len(rules.parameters)}")
    return Where(text, tuple(rules.parameters), rules.calls)


def _is_long(node: Filter) -> bool:
    return isinstance(node, (Not, And, Or)) and sum(1 for _ in rules_of(node)) > MOST_RULES


def _write(rules: ColumnRules, node: Filter, wanted: bool) -> str:
    # NOT is pushed down to the rules, where it is known what may be null.
    match node:
        case Not(one):
            return _write(rules, one, not wanted)
        case And(filters) | Or(filters):
            if isinstance(node, And) and wanted:
                return _write_all(rules, filters)
            joint = " AND " if isinstance(node, And) == wanted else " OR "
            return "(" + joint.join([_write(rules, one, wanted) for one in filters]) + ")"
        case Compare(left, "!=", value):
            node, wanted = Compare(left, "==", value), not wanted
        case Age(field, "!=", ms):
            node, wanted = Age(field, "==", ms), not wanted
        case Modulo(left, divisor, "!=", remainder):
            node, wanted = Modulo(left, divisor, "==", remainder), not wanted
    rule = rules.rule(node)
    if wanted:
        return rule.whole
    return f"(NOT {rule.whole} OR {rule.null})" if rule.null else f"NOT {rule.whole}"


def _write_all(rules: ColumnRules, filters: tuple[Filter, ...]) -> str:
    """A conjunction, in which a guard that several rules share stands once."""
    found: list[str] = []
    guards: dict[str, None] = {}
    for one in filters:
        if isinstance(one, (Not, And, Or, Age, Modulo)) or (isinstance(one, Compare) and one.op == "!="):
            found.append(_write(rules, one, True))
            continue
        rule = rules.rule(one)
        found.append(rule.text)
        if rule.guard:
            guards[rule.guard] = None
    return "(" + " AND ".join([*found, *guards]) + ")"


class _SQLiteRules(ColumnRules):
    """Writes rules for SQLite, whose columns hold values of any type."""

    def equals_boolean(self, node: Filter, name: str, kind: Kind, value: bool) -> Condition:
        self.refuse(node, "has no booleans but whole numbers; compare with 1 or 0")

    # SQLite orders null before numbers, these before texts, and texts before blobs. So a value that is less
    # than '' is a number, whatever the column was declared as, and a text lies between '' and x''.

    def compare_text(self, node: Filter, name: str, column: Column, op: str, value: str) -> Condition:
        # For a column that is declared as a number SQLite would convert a text that looks like one.
        left = f"+{name}" if op != "==" and _NUMERAL.match(value) else name
        self.parameters.append(value)
        sign = "=" if op == "==" else op
        guard = "< x''" if op[0] == ">" else ">= ''"
        return Condition(f"({left} {sign} ? COLLATE BINARY)", f"{name} IS NULL", f"{name} {guard}")

    def compare_number(
        self, node: Filter, name: str, column: Column, op: str, value: int | float
    ) -> Condition:
        if op == "==":
            return self.equals_numbers(name, column.kind, [value])
        self.parameters.append(value)
        left = f"+{name}" if _rounds(value) else name  # with a `+` no index is used
        return Condition(f"({left} {op} ?)", f"{name} IS NULL", f"{name} < ''")

    def equals_texts(self, node: Filter, name: str, column: Column, values: list[str]) -> Condition:
        self.parameters += values
        marks = ", ".join("?" * len(values))
        return Condition(f"({name} COLLATE BINARY IN ({marks}))", f"{name} IS NULL", f"{name} >= ''")

    def equals_numbers(self, name: str, kind: Kind, values: list[Any]) -> Condition:
        self.parameters += values
        text = _equals(name, len(values))
        if any(map(_rounds, values)):  # what an index finds is compared again
            self.parameters += values
            text += f" AND {_equals(f'+{name}', len(values))}"
        return Condition(f"({text})", f"{name} IS NULL", f"{name} < ''")

    def compare_columns(self, node: Filter, left: Member, op: str, right: Member) -> Condition:
        return self.ask(node)

    def modulo(self, node: Modulo) -> Condition:
        return self.ask(node)

    def regex(self, node: Regex) -> Condition:
        return self.ask(node)

    def ask(self, node: Filter) -> Condition:
        """Call the predicate for each row, with the columns that the filter reads."""
        for rule in rules_of(node):
            if isinstance(rule, (Has, Matches, Contains, Within, Inside)):
                self.rule(rule)  # raises
            if isinstance(rule, Compare) and isinstance(rule.value, bool):
                self.rule(rule)  # raises
            for member in members_of(rule):
                self.column(rule, member)
        compile_predicate(node)  # raises now, and not row by row, if it cannot be evaluated
        names = dict.fromkeys(columns_of(node))
        if len(names) > MOST_PAIRS:
            self.refuse(node, f"passes at most {MOST_PAIRS} columns to a function")
        self.calls = True
        self.parameters += [write(node), self.now, *names]
        columns = ", ".join([f"?, {self.dialect.quote(name)}" for name in names])
        return Condition(f"({FUNCTION}(?, ?, {columns}))")


_NUMERAL = re.compile(r"\s*[-+]?[0-9.]+([eE][-+]?[0-9]*)?\s*")
_EXACT = 1 << 53


def _rounds(value: int | float) -> bool:
    """Whether the index of a REAL column looks for another number: the double next to a whole number."""
    return isinstance(value, int) and abs(value) > _EXACT and float(value) != value


def _equals(column: str, count: int) -> str:
    return f"{column} = ?" if count == 1 else f"{column} IN ({', '.join('?' * count)})"


@lru_cache(maxsize=256)
def _test(text: str) -> Test:
    return compile_predicate(Parser(text, MAX_TEXT).whole())


def filter_row(text: str, now: int, *pairs: Any) -> bool:
    """Test a row of SQLite: the body of FUNCTION. Its arguments are a filter's text, the time, and columns.

    Args:
        pairs: for each column its name and its value.
    """
    row = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return _test(text)({**row, ELEMENTS: row}, now)
