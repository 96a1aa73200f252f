"""Writes the rules of a filter as SQL, each for the type of its column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from . import column_bounds as bounds
from .columns import Column, Dialect, Kind
from .nodes import (
    Age,
    Compare,
    Contains,
    Exists,
    Filter,
    Has,
    In,
    Inside,
    Json,
    Matches,
    Member,
    Modulo,
    Regex,
    Within,
)
from .operands import plain
from .patterns import searcher
from .predicate import MIRRORED
from .row_members import column_of
from .target import cannot
from .values import is_number

__all__ = ["FALSE", "ColumnRules", "Condition"]


class Condition(NamedTuple):
    """The SQL of one rule.

    Attributes:
        text: SQL in parentheses. It is true where the rule is true, and false or null elsewhere.
        null: the condition under which `text` may be null; "" if it never is.
        guard: what has to be true besides `text`; "" if nothing. Several rules may share it.
    """

    text: str
    null: str = ""
    guard: str = ""

    @property
    def whole(self) -> str:
        """The text with its guard."""
        return f"({self.text} AND {self.guard})" if self.guard else self.text


FALSE = Condition("(1 = 0)")

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBERS = frozenset({Kind.WHOLE, Kind.REAL, Kind.DECIMAL})
_DATES = frozenset({Kind.DATE, Kind.MOMENT, Kind.ZONED_MOMENT})
_UNKNOWN = frozenset({Kind.OTHER, Kind.NESTED})
_COMPARABLE = frozenset({Kind.WHOLE, Kind.TEXT, Kind.BOOLEAN, Kind.DATE, Kind.UUID})
"""What two columns of one type are compared in without a conversion."""


class ColumnRules:
    """Writes rules for one table.

    Attributes:
        parameters: the values of what was written, in the order of their `?`.
        calls: whether something calls a function that the connection has to have.
    """

    def __init__(self, columns: Mapping[str, Column], dialect: Dialect, now: int) -> None:
        self.columns = columns
        self.dialect = dialect
        self.now = now
        self.parameters: list[Any] = []
        self.calls = False

    def rule(self, node: Filter) -> Condition:
        """One rule as SQL. CannotFilter if the database cannot test it."""
        match node:
            case Compare(left, op, Member() as other):
                return self.compare_columns(node, left, op, other)
            case Compare(left, op, value):
                return self._compare(node, left, op, plain(value))
            case In():
                return self._in(node)
            case Age(field, op, ms):
                return self._compare(node, field or Member(("creationDate",)), MIRRORED[op], self.now - ms)
            case Exists(member):
                name, _ = self.column(node, member)
                # Always true, and an error of the database if there is no such column.
                return Condition(f"({name} IS NULL OR {name} IS NOT NULL)")
            case Modulo():
                return self.modulo(node)
            case Regex():
                return self.regex(node)
            case Contains(left, _):
                _, column = self.column(node, left)
                instead = (
                    f"has {column.kind.value} in this column, and no list; mem.{left}.re(…) finds a part"
                )
            case Within() | Inside():
                instead = "has no locations; compare the columns of the latitude and the longitude"
            case Has() | Matches():
                instead = "would have to look at all columns; write a rule for each column"
            case _:
                instead = "has nothing that means the same"
        self.refuse(node, instead)
        return None

    def refuse(self, node: Filter, instead: str) -> NoReturn:
        """Raise CannotFilter."""
        cannot(self.dialect.name, node, instead)

    def column(self, node: Filter, member: Member) -> tuple[str, Column]:
        """The quoted name and the type of a member's column."""
        name = column_of(member)
        if name is None:
            self.refuse(node, f"has no members within a column; name a column, not {member}")
        return self.dialect.quote(name), self.columns[name]

    # -- comparisons with a value

    def _compare(self, node: Filter, member: Member, op: str, value: Any) -> Condition:
        name, column = self.column(node, member)
        if column.kind is Kind.NESTED or (column.kind is Kind.OTHER and value is not None):
            self._refuse_kind(node, column)
        if value is None:
            return Condition(f"({name} IS NULL)")
        if isinstance(value, bool):
            return self.equals_boolean(node, name, column.kind, value)
        if isinstance(value, str):
            return self.compare_text(node, name, column, op, value)
        if isinstance(value, (list, dict)):
            return FALSE
        return self.compare_number(node, name, column, op, value)

    def _refuse_kind(self, node: Filter, column: Column) -> NoReturn:
        self.refuse(node, f"has {column.kind.value} in this column; write it in SQL")

    def equals_boolean(self, node: Filter, name: str, kind: Kind, value: bool) -> Condition:
        """The condition that a column is true, or false."""
        if kind is Kind.BOOLEAN:
            return _nullable(name, f"{name} = {'TRUE' if value else 'FALSE'}")
        if kind is Kind.WHOLE and not self.dialect.has_booleans:
            self.refuse(node, "has no booleans but whole numbers; compare with 1 or 0")
        return FALSE

    def compare_text(self, node: Filter, name: str, column: Column, op: str, value: str) -> Condition:
        """A comparison with a text."""
        kind = column.kind
        if kind is Kind.UUID:
            return self._equals_uuid(node, name, op, [value])
        if kind in _DATES:
            self.refuse(node, "has dates in this column; compare with a datetime, not with a text")
        if kind is not Kind.TEXT:
            return FALSE
        if op == "==":
            return self.is_one_text(name, column, [value])
        if not self.dialect.orders_text:
            self.refuse(node, "orders texts by rules that are not known here; use == or IN")
        if not self.dialect.holds_nul and "\0" in value:
            # No text of the column holds U+0000, so the text before it says the same.
            value, op = value.partition("\0")[0], "<=" if op[0] == "<" else ">"
        self.parameters.append(self.dialect.text_value(value))
        return _nullable(name, f"{self.dialect.text(name)} {op} ?")

    def is_one_text(self, name: str, column: Column, values: list[str]) -> Condition:
        """The condition that a column of texts equals one of these."""
        values = [value for value in values if self.dialect.holds_nul or "\0" not in value]
        if not values:
            return FALSE
        exact = self.dialect.text(name)
        tests = []
        if column.takes_unicode or all(map(str.isascii, values)):
            # This one finds the column's index. It is true for other texts, too, if the column's collation
            # ignores something.
            self.parameters += values
            tests.append(_equals(name, len(values)))
        if exact != name:
            self.parameters += map(self.dialect.text_value, values)
            tests.append(_equals(exact, len(values)))
        return _nullable(name, " AND ".join(tests))

    def _equals_uuid(self, node: Filter, name: str, op: str, values: list[str]) -> Condition:
        if op != "==":
            self.refuse(node, "has UUIDs in this column; compare with == or IN")
        values = [value for value in values if _UUID.fullmatch(value)]
        if not values:
            return FALSE
        self.parameters += values
        return _nullable(name, f"{name} IN ({', '.join(['CAST(? AS uuid)'] * len(values))})")

    def compare_number(
        self, node: Filter, name: str, column: Column, op: str, value: int | float
    ) -> Condition:
        """A comparison with a number."""
        found = self._bounds(column, op, value)
        if found is None:
            self.refuse(node, "has decimals in this column; compare them with less than 2**52")
        if not found.possible:
            return FALSE
        if not found.tests:
            return Condition(f"({name} IS NOT NULL)")
        self.parameters += [bound for _, bound in found.tests]
        return _nullable(name, " AND ".join([self._test(name, column.kind, op) for op, _ in found.tests]))

    def _bounds(self, column: Column, op: str, value: int | float) -> bounds.Bounds | None:
        match column.kind:
            case Kind.WHOLE:
                return bounds.whole_bounds(op, value, self.dialect.whole)
            case Kind.REAL:
                return bounds.real_bounds(op, value)
            case Kind.DECIMAL:
                return bounds.decimal_bounds(op, value, column.scale)
            case Kind.NUMBER:
                return bounds.Bounds((("=" if op == "==" else op, value),))
            case Kind.DATE:
                return bounds.date_bounds(op, value)
            case Kind.MOMENT | Kind.ZONED_MOMENT:
                return bounds.moment_bounds(op, value, zoned=column.kind is Kind.ZONED_MOMENT)
        return bounds.NEVER

    def _test(self, name: str, kind: Kind, op: str) -> str:
        return self.dialect.number(name, op, kind) if kind in _NUMBERS else f"{name} {op} ?"

    # -- IN

    def _in(self, node: In) -> Condition:
        name, column = self.column(node, node.left)
        items = [item for item in node.items if not isinstance(item, Json)]
        rules: list[Condition] = []
        texts = [text for item in items if isinstance(text := _plain(item), str)]
        if texts and (found := self.equals_texts(node, name, column, texts)) is not None:
            rules.append(found)
            items = [item for item in items if not isinstance(_plain(item), str)]
        numbers = [number for item in items if is_number(number := _plain(item))]
        if len(numbers) > 1 and (found := self.equals_numbers(name, column.kind, numbers)) is not None:
            rules.append(found)
            items = [item for item in items if not is_number(_plain(item))]
        if column.kind in _UNKNOWN and len(items) < len(node.items):
            self._refuse_kind(node, column)
        return _any(rules + [self.rule(Compare(node.left, "==", item)) for item in items])

    def equals_texts(self, node: Filter, name: str, column: Column, values: list[str]) -> Condition | None:
        """The condition that a column equals one of these; None if each needs a condition of its own."""
        if column.kind is Kind.TEXT:
            return self.is_one_text(name, column, values)
        return self._equals_uuid(node, name, "==", values) if column.kind is Kind.UUID else None

    def equals_numbers(self, name: str, kind: Kind, values: list[Any]) -> Condition | None:
        """The condition that a column equals one of these; None if each needs a condition of its own."""
        if kind is not Kind.WHOLE:
            return None
        found = [bounds.whole_bounds("==", value, self.dialect.whole) for value in values]
        whole = [value for one in found for _, value in one.tests]
        self.parameters += whole
        return _nullable(name, _equals(name, len(whole))) if whole else FALSE

    # -- other rules

    def compare_columns(self, node: Filter, left: Member, op: str, right: Member) -> Condition:
        """A comparison of two columns."""
        (name, column), (name2, column2) = self.column(node, left), self.column(node, right)
        kind = column.kind
        if kind is not column2.kind or kind not in _COMPARABLE:
            self.refuse(
                node, f"has {kind.value} in one column and {column2.kind.value} in the other; write it in SQL"
            )
        if op != "==" and kind in (Kind.BOOLEAN, Kind.UUID):
            if kind is Kind.BOOLEAN:  # they have no order in a filter
                return FALSE
            self.refuse(node, "has UUIDs in these columns; compare them with ==")
        one, other = name, name2
        if kind is Kind.TEXT:
            if not self.dialect.orders_text:
                self.refuse(node, "compares texts by rules that are not known here; write it in SQL")
            one, other = self.dialect.text(name), self.dialect.text(name2)
        null = f"{name} IS NULL OR {name2} IS NULL"
        if op != "==":
            return Condition(f"({one} {op} {other})", null)
        both = f"{name} IS NULL AND {name2} IS NULL"
        return Condition(f"((NOT ({null}) AND {one} = {other}) OR ({both}))")

    def modulo(self, node: Modulo) -> Condition:
        """A remainder. It has the sign of the column's value in every database."""
        name, column = self.column(node, node.left)
        if column.kind is not Kind.WHOLE:
            self.refuse(node, f"has {column.kind.value} in this column, not whole numbers")
        if not float(node.divisor).is_integer():
            self.refuse(node, "takes remainders of whole numbers alone")
        divisor = bounds.whole_bounds("==", abs(node.divisor))
        remainder = bounds.whole_bounds("==", node.remainder)
        if not divisor.tests:
            self.refuse(node, "takes remainders of numbers of at most 64 bits")
        if not remainder.tests:
            return FALSE
        self.parameters += [divisor.tests[0][1], remainder.tests[0][1]]
        return _nullable(name, f"{name} % ? = ?")

    def regex(self, node: Regex) -> Condition:
        """A regular expression."""
        name, column = self.column(node, node.left)
        searcher(node.pattern, node.flags)  # raises now if the pattern is not valid
        if column.kind in _UNKNOWN or column.kind is Kind.UUID:
            self._refuse_kind(node, column)
        if column.kind is not Kind.TEXT:
            return FALSE
        found = self.dialect.search(name, node.pattern, node.flags)
        if found is None:
            self.refuse(
                node,
                "has regular expressions that differ; a plain text would do, alone, behind ^ or before $",
            )
        self.parameters += found[1]
        return _nullable(name, found[0])


def _plain(item: Any) -> Any:
    return item if isinstance(item, Member) else plain(item)


def _nullable(name: str, text: str) -> Condition:
    return Condition(f"({text})", f"{name} IS NULL")


def _equals(column: str, count: int) -> str:
    return f"{column} = ?" if count == 1 else f"{column} IN ({', '.join('?' * count)})"


def _any(rules: list[Condition]) -> Condition:
    """At least one of the conditions; never, if there is none."""
    if len(rules) < 2:
        return rules[0] if rules else FALSE
    never_null = [f"({one.whole} AND NOT ({one.null}))" if one.null else one.whole for one in rules]
    return Condition("(" + " OR ".join(never_null) + ")")
