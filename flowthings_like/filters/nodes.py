"""The expression tree of filters: what text, predicate and SQL all read.

Every node is immutable, hashable and picklable, and compares by structure: `1`, `1.0` and `True` are three
different operands. The constructors raise InvalidInput for a filter that makes no sense, such as an order of
booleans or a divisor of 0. `build` makes nodes from Python operators, `text.parse` from the filter language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import InvalidInput
from .operands import (
    IDENTIFIER,
    MAX_DEPTH,
    Json,
    Member,
    Node,
    Operand,
    Scalar,
    Typed,
    check_number,
    check_operand,
    refuse,
)
from .patterns import check_flags, normal_pattern

__all__ = [
    "EQUALITY",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "ORDER",
    "UNITS",
    "Age",
    "And",
    "Compare",
    "Contains",
    "Exists",
    "Filter",
    "Has",
    "In",
    "Inside",
    "Json",
    "Matches",
    "Member",
    "Modulo",
    "Node",
    "Not",
    "Operand",
    "Or",
    "Point",
    "Regex",
    "Scalar",
    "Typed",
    "Within",
]

MAX_LENGTH = 65_536
"""The longest filter text, in characters."""
EQUALITY = ("==", "!=")
ORDER = ("<", "<=", ">", ">=")
UNITS = {"KM": 1.0, "MILES": 1.609344}
"""The units that WITHIN takes, each in kilometres."""
_MAX_AGE = 1 << 53
_ZIP = re.compile(r"[A-Za-z0-9-]{1,16}")


class Filter(Node):
    """A condition on documents. Combine filters with `&`, `|`, `~`, or with AND, OR, NOT.

    `str(f)` writes the filter in the platform's filter language (the module `text` defines this method), and
    `parse(str(f)) == f`. A filter has no truth value of its own, because it has seen no document: `f and g`,
    `not f`, `if f` and `1 < mem.a < 5` raise TypeError.
    """

    __slots__ = ("_text",)
    depth: int = 0  # how deep parentheses and NOT nest in the text

    def AND(self, other: Filter) -> Filter:  # noqa: N802 (the seed document's name)
        """Both filters hold. Written nested, `((a) && (b)) && (c)`, where `&` writes `(a) && (b) && (c)`."""
        return And((self, _filter(other))) if self.depth < MAX_DEPTH // 2 else self & other

    def OR(self, other: Filter) -> Filter:  # noqa: N802 (the seed document's name)
        """At least one of the two filters holds. Written nested, like AND."""
        return Or((self, _filter(other))) if self.depth < MAX_DEPTH // 2 else self | other

    def __and__(self, other: Filter) -> Filter:
        return _joined(And, self, _filter(other))

    def __or__(self, other: Filter) -> Filter:
        return _joined(Or, self, _filter(other))

    def __invert__(self) -> Filter:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError(
            f"the filter {_short(str(self))} is neither true nor false before it meets a document. Write "
            "(a) & (b) for `a and b`, (a) | (b) for `a or b`, ~(a) for `not a`, "
            "(mem.a > 1) & (mem.a < 5) for `1 < mem.a < 5`, mem.a.IN(…) for `mem.a in …`"
        )

    def __repr__(self) -> str:
        return f"<Filter {self}>"


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _filter(other: object) -> Filter:
    if isinstance(other, Filter):
        return other
    raise InvalidInput(
        f"a filter combines only with filters, not with {type(other).__name__} {_short(repr(other))}. Put "
        "every comparison in parentheses, (mem.a > 1) & (mem.b == 2), and text through parse(…)"
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Compare(Filter):
    """`left op value`. Ordering takes a number, a string or a member; `==` and `!=` take any operand."""

    left: Member
    op: str
    value: Operand

    def __post_init__(self) -> None:
        if self.op not in EQUALITY and self.op not in ORDER:
            refuse(f"one of {' '.join(EQUALITY + ORDER)}", repr(self.op))
        check_operand(self.value)
        if self.op in ORDER and (self.value is None or isinstance(self.value, (bool, Json))):
            refuse(f"a number, a string or a member after {self.op}", _name_of(self.value))

    def __bool__(self) -> bool:
        # `mem.a == mem.a` has an answer without a document. Dicts and sets of members ask it.
        if self.op == "==" and self.value == self.left:
            return True
        return Filter.__bool__(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Modulo(Filter):
    """`left % divisor op remainder`. op is == or !=. The remainder has the sign of the member's value."""

    left: Member
    divisor: int | float
    op: str
    remainder: int | float

    def __post_init__(self) -> None:
        check_number(self.divisor, "a number after %")
        if self.divisor == 0:
            refuse("a divisor other than 0", "0")
        if self.op not in EQUALITY:
            refuse("== or != after a remainder", repr(self.op))
        check_number(self.remainder, "a number as the remainder")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Regex(Filter):
    """`left =~ /pattern/flags`: the member is a string that has a match. Flags: g (ignored), i, m, s."""

    left: Member
    pattern: str
    flags: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", normal_pattern(self.pattern))
        check_flags(self.flags)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class In(Filter):
    """`left IN [items]`: the member equals one of the items. Without items it matches no document."""

    left: Member
    items: tuple[Operand, ...]

    def __post_init__(self) -> None:
        for item in self.items:
            check_operand(item)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contains(Filter):
    """`left CONTAINS [items]`: the member is a list that holds all the items."""

    left: Member
    items: tuple[Operand, ...]

    def __post_init__(self) -> None:
        for item in self.items:
            check_operand(item)


Point = tuple[int | float, int | float]
"""(latitude, longitude) in degrees."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Within(Filter):
    """`left WITHIN distance unit OF [point]` or `OF [ZIP=zip]`, one of the two. Units: KM, MILES."""

    left: Member
    distance: int | float
    unit: str
    point: Point | None = None
    zip: str | None = None

    def __post_init__(self) -> None:
        check_number(self.distance, "a distance")
        if self.distance < 0:
            refuse("a distance of 0 or more", self.distance)
        if self.unit not in UNITS:
            refuse(f"a unit, {' or '.join(UNITS)}", repr(self.unit))
        if (self.point is None) == (self.zip is None):
            refuse("one place: a point (lat, lon) or a zip code", "both" if self.point else "none")
        if self.point is not None:
            _check_point(self.point)
        elif not _ZIP.fullmatch(self.zip or ""):
            refuse("a zip code of letters, digits and -", repr(self.zip))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Inside(Filter):
    """`left WITHIN [[lat,lon],…]`: the location is inside a polygon of at least three points."""

    left: Member
    polygon: tuple[Point, ...]

    def __post_init__(self) -> None:
        if len(self.polygon) < 3:
            refuse("a polygon of at least three points", f"{len(self.polygon)}")
        for point in self.polygon:
            _check_point(point)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Exists(Filter):
    """`EXISTS member`: the document has the member. Its value may be null."""

    member: Member


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Has(Filter):
    """`HAS type`: at least one element is of this type.

    An element has the type of its value (string, integer, float, boolean, map, list, null), and the type that
    its writer stated, such as date or dropRef.
    """

    type: str

    def __post_init__(self) -> None:
        if not isinstance(self.type, str) or not IDENTIFIER.fullmatch(self.type):
            refuse("a type's name, such as string or map", repr(self.type))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Matches(Filter):
    """`MATCHES /pattern/flags`: at least one element is a string that has a match."""

    pattern: str
    flags: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", normal_pattern(self.pattern))
        check_flags(self.flags)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Age(Filter):
    """`AGE op ms`: compares the time since creationDate, or since the date in `field`, in ms."""

    field: Member | None
    op: str
    ms: int | float

    def __post_init__(self) -> None:
        if self.op not in EQUALITY and self.op not in ORDER:
            refuse(f"one of {' '.join(EQUALITY + ORDER)}", repr(self.op))
        check_number(self.ms, "an age in milliseconds")
        if abs(self.ms) > _MAX_AGE:
            refuse("an age of at most 2**53 milliseconds", self.ms)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(Filter):
    """`NOT filter`: matches the documents that the filter does not match, also those without the member."""

    filter: Filter
    depth: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        _filter(self.filter)
        _set_depth(self, self.filter.depth + (2 if isinstance(self.filter, _Combination) else 1))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Combination(Filter):
    filters: tuple[Filter, ...]
    depth: int = field(init=False, compare=False)
    sign: ClassVar[str]

    def __post_init__(self) -> None:
        if len(self.filters) < 2:
            refuse(f"two filters or more around {self.sign}", len(self.filters))
        for one in self.filters:
            _filter(one)
        _set_depth(self, 1 + max(one.depth for one in self.filters))


class And(_Combination):
    """`(a) && (b) && …`: all the filters hold."""

    __slots__ = ()
    sign = "&&"


class Or(_Combination):
    """`(a) || (b) || …`: at least one of the filters holds."""

    __slots__ = ()
    sign = "||"


def _joined(kind: type[_Combination], one: Filter, other: Filter) -> Filter:
    """The members of two filters in one combination. They were checked before, so this is quick."""
    mine = one.filters if isinstance(one, kind) else (one,)
    theirs = other.filters if isinstance(other, kind) else (other,)
    made = object.__new__(kind)
    object.__setattr__(made, "filters", (*mine, *theirs))
    depths = (one.depth if isinstance(one, kind) else one.depth + 1, other.depth + (other is theirs[0]))
    _set_depth(made, max(depths))
    return made


def _set_depth(one: Filter, depth: int) -> None:
    if depth > MAX_DEPTH:
        refuse(f"filters nested at most {MAX_DEPTH} deep", f"{depth} (& and | keep long chains flat)")
    object.__setattr__(one, "depth", depth)


def _check_point(point: object) -> None:
    if not isinstance(point, tuple) or len(point) != 2:
        refuse("a point (lat, lon)", repr(point))
    for value, limit, what in ((point[0], 90, "latitude"), (point[1], 180, "longitude")):
        check_number(value, f"a {what} in degrees")
        if not -limit <= value <= limit:
            refuse(f"a {what} between -{limit} and {limit}", value)


def _name_of(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else "a list or map"
