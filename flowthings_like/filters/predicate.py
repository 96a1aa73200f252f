"""Compiles a filter into a Python function that tests documents. The function consists of closures."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..errors import InvalidInput
from .geography import distance, inside, location
from .nodes import (
    UNITS,
    Age,
    And,
    Compare,
    Contains,
    Exists,
    Filter,
    Has,
    In,
    Inside,
    Matches,
    Member,
    Modulo,
    Not,
    Operand,
    Or,
    Regex,
    Within,
)
from .operands import plain
from .patterns import searcher
from .values import (
    ELEMENTS,
    MISSING,
    TYPE_NAMES,
    TYPES,
    Document,
    comparable,
    equality_key,
    finder,
    is_number,
    remainder,
)
from .zip_codes import point_of

Test = Callable[[Document, int], bool]
"""A compiled filter. It is called with a plain document and the current time in ms."""

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The operator to use when the two sides are exchanged."""


def compile_predicate(node: Filter) -> Test:
    """A function that returns whether a document matches the filter.

    The document is plain: a resource, or a drop with its top-level members, its `elems`, and under TYPES the
    types that were stated for them. `test(document, now)` never raises.

    Raises:
        InvalidInput: the filter cannot be evaluated: re2 refuses a pattern, or a zip code is not known.
        ConfigurationError: the filter has a pattern, and re2 is not installed.
    """
    match node:
        case Compare(left, op, value):
            return _compare(left, op, value)
        case And(filters):
            return _all([compile_predicate(one) for one in filters])
        case Or(filters):
            return _any([compile_predicate(one) for one in filters])
        case Not(one):
            return _not(compile_predicate(one))
        case Exists(member):
            find = finder(member)
            return lambda document, now: find(document) is not MISSING
        case In():
            return _in(node)
        case Contains():
            return _contains(node)
        case Modulo():
            return _modulo(node)
        case Regex(left, pattern, flags):
            return _regex(finder(left), searcher(pattern, flags))
        case Matches(pattern, flags):
            return _matches(searcher(pattern, flags))
        case Has(name):
            return _has(name)
        case Age():
            return _age(node)
        case Within():
            return _within(node)
        case Inside(left, polygon):
            return _inside(finder(left), polygon)
    raise InvalidInput(f"expected a filter, not {type(node).__name__}")


# Each function below returns a closure in which everything is prepared: a test looks up nothing but the
# document.


def _not(test: Test) -> Test:
    return lambda document, now: not test(document, now)


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda document, now: first(document, now) and second(document, now)

    def every(document: Document, now: int) -> bool:
        for test in tests:  # noqa: SIM110 (all() with a generator costs twice as much)
            if not test(document, now):
                return False
        return True

    return every


def _any(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda document, now: first(document, now) or second(document, now)

    def some(document: Document, now: int) -> bool:
        for test in tests:  # noqa: SIM110
            if test(document, now):
                return True
        return False

    return some


def _compare(left: Member, op: str, value: Operand) -> Test:
    if op == "!=":
        return _not(_compare(left, "==", value))
    find, compare = finder(left), COMPARE[op]
    if isinstance(value, Member):
        return _compare_members(find, op, finder(value))
    wanted = plain(value)
    if is_number(wanted):

        def number(document: Document, now: int) -> bool:
            value = find(document)
            kind = type(value)
            return (kind is float or kind is int) and compare(value, wanted)

        return number
    if type(wanted) is str:

        def string(document: Document, now: int) -> bool:
            value = find(document)
            return type(value) is str and compare(value, wanted)

        return string
    wanted_key = equality_key(wanted)
    return lambda document, now: equality_key(find(document)) == wanted_key


def _compare_members(find: Callable[[Document], Any], op: str, find_other: Callable[[Document], Any]) -> Test:
    if op == "==":

        def equal(document: Document, now: int) -> bool:
            value = find(document)
            return value is not MISSING and equality_key(value) == equality_key(find_other(document))

        return equal
    compare = COMPARE[op]

    def ordered(document: Document, now: int) -> bool:
        value, other = find(document), find_other(document)
        return comparable(value, other) and compare(value, other)

    return ordered


def _in(node: In) -> Test:
    members = [_compare(node.left, "==", item) for item in node.items if isinstance(item, Member)]
    wanted = frozenset(equality_key(plain(item)) for item in node.items if not isinstance(item, Member))
    find = finder(node.left)

    def one_of(document: Document, now: int) -> bool:
        return equality_key(find(document)) in wanted

    return _any([one_of, *members]) if members else one_of


def _contains(node: Contains) -> Test:
    find = finder(node.left)
    others = [finder(item) for item in node.items if isinstance(item, Member)]
    wanted = frozenset(equality_key(plain(item)) for item in node.items if not isinstance(item, Member))

    def holds(document: Document, now: int) -> bool:
        value = find(document)
        if type(value) is not list:
            return False
        held = set(map(equality_key, value))
        return wanted <= held and all(equality_key(other(document)) in held for other in others)

    return holds


def _modulo(node: Modulo) -> Test:
    if node.op == "!=":
        return _not(_modulo(Modulo(node.left, node.divisor, "==", node.remainder)))
    find, divisor, left_over = finder(node.left), node.divisor, node.remainder

    def leaves(document: Document, now: int) -> bool:
        value = find(document)
        return is_number(value) and remainder(value, divisor) == left_over

    return leaves


def _regex(find: Callable[[Document], Any], search: Callable[[str], object]) -> Test:
    def found(document: Document, now: int) -> bool:
        value = find(document)
        return type(value) is str and search(value) is not None

    return found


def _elements(document: Document) -> Document:
    elems: Document = document.get(ELEMENTS, document)
    return elems


def _matches(search: Callable[[str], object]) -> Test:
    return lambda document, now: any(
        type(value) is str and search(value) is not None for value in _elements(document).values()
    )


def _has(name: str) -> Test:
    kind = TYPE_NAMES.get(name)

    def some(document: Document, now: int) -> bool:
        if any(type(value) is kind for value in _elements(document).values()):
            return True
        types = document.get(TYPES) if ELEMENTS in document else None
        return type(types) is dict and any(
            stated == name and pointer.count("/") == 1 for pointer, stated in types.items()
        )

    return some


def _age(node: Age) -> Test:
    if node.op == "!=":
        return _not(_age(Age(node.field, "==", node.ms)))
    find = finder(node.field or Member(("creationDate",)))
    compare, ms = COMPARE[MIRRORED[node.op]], node.ms

    def aged(document: Document, now: int) -> bool:
        value = find(document)
        return is_number(value) and compare(value, now - ms)

    return aged


def _within(node: Within) -> Test:
    centre = point_of(node.zip or "") if node.point is None else node.point
    find, limit = finder(node.left), node.distance * UNITS[node.unit]

    def near(document: Document, now: int) -> bool:
        point = location(find(document))
        return point is not None and distance(point, centre) <= limit

    return near


def _inside(find: Callable[[Document], Any], polygon: tuple[Any, ...]) -> Test:
    def within(document: Document, now: int) -> bool:
        point = location(find(document))
        return point is not None and inside(point, polygon)

    return within
