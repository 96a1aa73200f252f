"""Turns a filter into code of ThingsDB that tests a thing. Every name and every value is a variable.

    code = write_test(mem.year >= 2000, now)
    code.text        # "e = t.get(_elems, t); …; (is_int(m0) || is_float(m0)) && m0 >= v0;"
    code.variables   # {"_elems": "elems", "n0": "year", "v0": 2000}

A thing is a document: its properties are the members. A datetime or a timeval counts as milliseconds since
1970. ThingsDB takes true for 1, raises an error where a text is compared with a number, and compares an int
with a float after a conversion that may round. So each rule asks for the type first.

What is written here runs on the node of the embedded platform and on ThingsDB 1.9: it has the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .column_bounds import Bounds, real_bounds, whole_bounds
from .columns import literal_pattern
from .nodes import (
    Age,
    And,
    Compare,
    Contains,
    Exists,
    Filter,
    Has,
    In,
    Matches,
    Member,
    Modulo,
    Not,
    Or,
    Regex,
)
from .operands import plain
from .patterns import searcher
from .pcre import pcre_source
from .predicate import MIRRORED
from .target import cannot
from .values import DROP_MEMBERS, ELEMENTS, ends_in_value, is_index, is_number

__all__ = ["Code", "write_key", "write_test"]

NAME = "ThingsDB"
_EXACT = 1 << 53
_MOST_RULES = 100
"""The most rules of a filter. A node takes 64 KiB of code."""
_MOST_PARTS = 64
"""The most values in a list or map that a member is compared with."""

_CHECKS = {
    "string": "is_str",
    "boolean": "is_bool",
    "integer": "is_int",
    "long": "is_int",
    "float": "is_float",
    "map": "is_thing",
    "sortedMap": "is_thing",
    "list": "is_array",
    "set": "is_array",
    "sortedSet": "is_array",
    "null": "is_nil",
}
"""The functions for the types that HAS knows."""


@dataclass(slots=True)
class Code:
    """A test of a thing.

    Attributes:
        before: statements to run once, before any thing is tested.
        text: the statements of a closure with the parameter `t`. The value of the last one is the result.
        variables: the variables of the query.
    """

    before: str = ""
    text: str = ""
    variables: dict[str, Any] = field(default_factory=dict)


def write_test(node: Filter, now: int) -> Code:
    """A filter as a test of a thing.

    Args:
        now: ms since the epoch, from which AGE is counted.

    Raises:
        CannotFilter: ThingsDB cannot test it so that the predicate's meaning comes out.
        InvalidInput: a pattern is not valid.
    """
    writer = _Writer(now, "")
    condition = writer.write(node)
    return writer.code(f"is_thing(t) && {condition}")


def write_key(member: Member, prefix: str) -> Code:
    """A function of a thing that returns the value of a member, nil if there is none. A date gives its ms.

    Args:
        prefix: with which its variables begin.
    """
    writer = _Writer(0, prefix)
    return writer.code(writer.number(member))


class _Writer:
    """Writes one test.

    Each member is read into two variables before the rules are tested: m0 has its value, or nil, and h0 is
    whether the thing has it.
    """

    def __init__(self, now: int, prefix: str) -> None:
        self.now = now
        self.prefix = prefix
        self.before: list[str] = []
        self.first: dict[str, str] = {}
        self.statements: list[str] = []
        self.variables: dict[str, Any] = {}
        self.members: dict[Member, str] = {}
        self.existing: dict[Member, str] = {}
        self.numbers: dict[Member, str] = {}
        self.steps = 0
        self.rules = 0

    def code(self, result: str) -> Code:
        """The whole test."""
        text = "".join(f"{one}; " for one in [*self.first.values(), *self.statements, result])
        return Code("".join(f"{one}; " for one in self.before), text.rstrip(), self.variables)

    def variable(self, kind: str, value: Any) -> str:
        """A new variable of the query."""
        name = f"{self.prefix}{kind}{len(self.variables)}"
        self.variables[name] = value
        return name

    # -- members

    def value(self, member: Member) -> str:
        """The variable with a member's value, or nil."""
        found = self.members.get(member)
        if found is None:
            found = f"m{len(self.members)}"
            if len(member.parts) == 1:  # its `has` is only called if a rule asks for it
                value = f"{self._top(member)}.get({self.variable('n', member.parts[0])})"
            else:
                value, self.existing[member] = self._walk(member.parts)
            self.members[member] = found
            self.statements.append(f"{found} = {value}")
        return found

    def exists(self, member: Member) -> str:
        """The expression that tells whether there is such a member."""
        if len(member.parts) == 1:
            return f"{self._top(member)}.has({self.variable('n', member.parts[0])})"
        self.value(member)
        return self.existing[member]

    def number(self, member: Member) -> str:
        """The variable with a member's value, in which a date is a number of milliseconds."""
        found = self.numbers.get(member)
        if found is None:
            value = self.value(member)
            found = self.numbers[member] = f"d{value[1:]}"
            self.statements.append(
                f"{found} = is_datetime({value}) || is_timeval({value}) ? int({value}) * 1000 : {value}"
            )
        return found

    def thing(self) -> str:
        """The variable with the thing; a new one, if what is tested is no thing."""
        self.first.setdefault("w", "w = is_thing(t) ? t : thing()")
        return "w"

    def elements(self) -> str:
        """The variable with the thing that has the elements: a drop's `elems`, or the thing itself."""
        if "u" not in self.first:
            self.variables["e"] = ELEMENTS
            self.first["u"] = "u = is_thing(t) ? t.get(e, t) : nil; u = is_thing(u) ? u : thing()"
        return "u"

    def _top(self, member: Member) -> str:
        return self.thing() if member.parts[0] in DROP_MEMBERS else self.elements()

    def _walk(self, parts: tuple[str, ...]) -> tuple[str, str]:
        """Read a path into variables: their names, of the value and of whether there is one."""
        if ends_in_value(parts):
            value, has = self._steps(parts)
            outer, has_outer = self._walk(parts[:-1])
            step = self._next()
            self.statements.append(f"x{step} = {has} ? {value} : {outer}")
            self.statements.append(f"y{step} = {has} || {has_outer}")
            return f"x{step}", f"y{step}"
        return self._steps(parts)

    def _steps(self, parts: tuple[str, ...]) -> tuple[str, str]:
        within = self._top(Member(parts))
        has = "true"
        for part in parts:
            step, name = self._next(), self.variable("n", part)
            if within in ("w", "u"):
                found, value = f"{within}.has({name})", f"{within}.get({name})"
            elif is_index(part):
                at = self.variable("i", int(part))
                found = f"is_array({within}) && {at} < {within}.len()"
                found = f"is_thing({within}) ? {within}.has({name}) : {found}"
                value = f"y{step} ? (is_thing({within}) ? {within}.get({name}) : {within}[{at}]) : nil"
            else:
                found = f"is_thing({within}) && {within}.has({name})"
                value = f"y{step} ? {within}.get({name}) : nil"
            self.statements += [f"y{step} = {found}", f"x{step} = {value}"]
            within, has = f"x{step}", f"y{step}"
        return within, has

    def _next(self) -> int:
        self.steps += 1
        return self.steps

    # -- filters

    def write(self, node: Filter) -> str:
        """A filter as an expression, in parentheses."""
        match node:
            case Not(one):
                return f"(!{self.write(one)})"
            case And(filters) | Or(filters):
                found = [self._named(self.write(one), len(filters)) for one in filters]
                if len(found) > 8:
                    listed = f"[{', '.join(found)}]"
                    call = "every" if isinstance(node, And) else "some"
                    return f"({listed}.{call}(|b| b))"
                return f"({f' {node.sign} '.join(found)})"
            case Compare(left, "!=", value):
                return f"(!{self.write(Compare(left, '==', value))})"
            case Age(at, "!=", ms):
                return f"(!{self.write(Age(at, '==', ms))})"
            case Modulo(left, divisor, "!=", remainder):
                return f"(!{self.write(Modulo(left, divisor, '==', remainder))})"
        self.rules += 1
        if self.rules > _MOST_RULES:
            cannot(NAME, node, f"takes filters of at most {_MOST_RULES} rules")
        return f"({self._rule(node)})"

    def _named(self, condition: str, count: int) -> str:
        """A variable with a condition, if it is long or one of many: a node limits how deep code nests."""
        if len(condition) <= 40 and count <= 8:
            return condition
        step = self._next()
        self.statements.append(f"c{step} = {condition}")
        return f"c{step}"

    def _rule(self, node: Filter) -> str:
        match node:
            case Compare(left, op, Member()):
                cannot(NAME, node, "does not compare two members; compare each with a value")
            case Compare(left, op, value):
                return self._compare(node, left, op, plain(value))
            case In(left, items):
                return self._in(node, left, items)
            case Contains(left, items):
                return self._contains(node, left, items)
            case Exists(member):
                return self.exists(member)
            case Age(at, op, ms):
                at = at or Member(("creationDate",))
                return self._compare(node, at, MIRRORED[op], self.now - ms)
            case Modulo():
                return self._modulo(node)
            case Regex(left, pattern, flags):
                value = self.value(left)
                return f"is_str({value}) && {self._search(node, pattern, flags)(value)}"
            case Matches(pattern, flags):
                test = self._search(node, pattern, flags)
                return f"{self.elements()}.values().some(|a| is_str(a) && {test('a')})"
            case Has(name) if name in _CHECKS:
                return f"{self.elements()}.values().some(|a| {_CHECKS[name]}(a))"
            case Has():
                return cannot(NAME, node, f"has no such type; it knows {', '.join(_CHECKS)}")
        return cannot(NAME, node, "has no geography; compare location.lat and location.lon")

    def _compare(self, node: Filter, member: Member, op: str, value: Any) -> str:
        if value is None:
            return f"{self.exists(member)} && is_nil({self.value(member)})"
        if is_number(value) and abs(value) < _EXACT:
            one, name = self.value(member), self.variable("v", value)
            is_date = f"is_datetime({one}) || is_timeval({one})"
            dated = f"{is_date} ? int({one}) * 1000 {op} {name} : false"
            return f"is_int({one}) || is_float({one}) ? {one} {op} {name} : {dated}"
        if is_number(value):
            return self._compare_number(self.number(member), op, value)
        if op != "==":
            name = self.variable("v", value)
            return f"is_str({self.value(member)}) && {self.value(member)} {op} {name}"
        return self._equals(node, self.value(member), value)

    def _compare_number(self, value: str, op: str, number: int | float) -> str:
        if abs(number) < _EXACT:
            return f"(is_int({value}) || is_float({value})) && {value} {op} {self.variable('v', number)}"
        # ThingsDB would compare them as floats. Each type is compared with a number of its own.
        whole = self._tests("is_int", value, whole_bounds(op, number))
        real = self._tests("is_float", value, real_bounds(op, number))
        return f"({whole}) || ({real})"

    def _tests(self, check: str, value: str, found: Bounds) -> str:
        if not found.possible:
            return "false"
        tests = [
            f"{value} {'==' if op == '=' else op} {self.variable('v', bound)}" for op, bound in found.tests
        ]
        return " && ".join([f"{check}({value})", *tests])

    def _equals(self, node: Filter, value: str, wanted: Any) -> str:
        """The expression that a value equals another, with equal types in all of it."""
        if isinstance(wanted, (list, dict)) and _size(wanted) > _MOST_PARTS:
            cannot(NAME, node, f"compares with lists and maps of at most {_MOST_PARTS} values")
        if wanted is None:
            return f"is_nil({value})"
        if isinstance(wanted, (bool, str)):
            check = "is_str" if isinstance(wanted, str) else "is_bool"
            return f"{check}({value}) && {value} == {self.variable('v', wanted)}"
        if is_number(wanted):
            return f"({self._compare_number(value, '==', wanted)})"
        if isinstance(wanted, list):
            parts = [f"is_array({value})", f"{value}.len() == {self.variable('v', len(wanted))}"]
            inner = [(f"{value}[{self.variable('i', at)}]", item) for at, item in enumerate(wanted)]
        else:
            parts = [f"is_thing({value})", f"{value}.len() == {self.variable('v', len(wanted))}"]
            inner = []
            for name, item in wanted.items():
                key = self.variable("n", name)
                parts.append(f"{value}.has({key})")
                inner.append((f"{value}.get({key})", item))
        return " && ".join([*parts, *(f"({self._equals(node, one, item)})" for one, item in inner)])

    def _in(self, node: Filter, left: Member, items: tuple[Any, ...]) -> str:
        if any(isinstance(item, Member) for item in items):
            cannot(NAME, node, "does not compare two members; give IN values alone")
        values = [plain(item) for item in items]
        texts = [value for value in values if isinstance(value, str)]
        numbers = [value for value in values if is_number(value) and abs(value) < _EXACT]
        found: list[str] = []
        if texts:
            name = self.variable("v", texts)
            found.append(f"(is_str({self.value(left)}) && {name}.has({self.value(left)}))")
        if numbers:
            name, value = self.variable("v", numbers), self.number(left)
            found.append(f"((is_int({value}) || is_float({value})) && {name}.has({value}))")
        others = [
            one for one in values if not isinstance(one, str) and not (is_number(one) and abs(one) < _EXACT)
        ]
        found += [f"({self._compare(node, left, '==', other)})" for other in others]
        return " || ".join(found) or "false"

    def _contains(self, node: Filter, left: Member, items: tuple[Any, ...]) -> str:
        if any(isinstance(item, Member) for item in items):
            cannot(NAME, node, "does not compare two members; give CONTAINS values alone")
        value = self.value(left)
        tests = [f"{value}.some(|a| {self._equals(node, 'a', plain(item))})" for item in items]
        return " && ".join([f"is_array({value})", *tests])

    def _modulo(self, node: Modulo) -> str:
        divisor = whole_bounds("==", abs(node.divisor))  # the remainder has the sign of the value
        remainder = whole_bounds("==", node.remainder)
        if not float(node.divisor).is_integer() or not divisor.tests:
            cannot(NAME, node, "takes remainders of a division by whole numbers of at most 64 bits alone")
        value = self.number(node.left)
        if not remainder.tests:
            cannot(NAME, node, "has remainders that are whole numbers alone")
        by, wanted = (self.variable("v", one.tests[0][1]) for one in (divisor, remainder))
        limit = self.variable("v", 2.0**63)
        # A float beyond 64 bits has no remainder in ThingsDB: `%` raises an error.
        is_finite = f"!is_inf({value}) && !is_nan({value})"
        whole = f"{is_finite} && (abs({value}) >= {limit} || {value} == int({value}))"
        return f"(is_int({value}) || (is_float({value}) && {whole})) && {value} % {by} == {wanted}"

    def _search(self, node: Filter, pattern: str, flags: str) -> Callable[[str], str]:
        """A function that writes the test of a text."""
        searcher(pattern, flags)  # raises now if the pattern is not valid
        found = literal_pattern(pattern, flags)
        if found is not None:
            method = "starts_with" if found.starts else "ends_with" if found.ends else "contains"
            name = self.variable("v", found.text)
            return lambda value: f"{value}.{method}({name})"
        source = pcre_source(pattern, flags)
        if source is None:
            cannot(NAME, node, "has regular expressions that differ; letters, ., [], () and * would do")
        name, kept = self.variable("r", source), self.variable("f", flags.replace("g", ""))
        self.before.append(f"{name} = regex({name}, {kept})")
        return lambda value: f"{name}.test({value})"


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1
