"""Builds filters from Python operators: `mem`, `AGE`, `EXISTS`, `HAS`, `MATCHES`, `NOT`.

    (mem.elems.temp > 90) & ~EXISTS(mem.elems.wind_gust)
    mem.path.re("^/acme/", "i") | mem.fhash.IN("a", "b")

The names and call signatures are those of the flowthings client's documentation. Anything that cannot be part
of a filter raises InvalidInput in the line that writes it.
"""

from __future__ import annotations

import keyword
import numbers
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NoReturn

from ..errors import InvalidInput
from . import coerce, nodes
from .nodes import Filter
from .operands import member_of
from .quoting import quote, split_path


class Mem:
    """A member of the documents that a filter will look at: `mem.path`, `mem.elems.temp`, `mem["odd name"]`.

    Compare it (== != < <= > >=), take a remainder of it (`mem.a % 10 == 3`), or use `re`, `IN`, `CONTAINS`,
    `WITHIN`. These four are methods: a member of such a name is written `mem["re"]`.
    """

    __slots__ = ("_parts",)
    _parts: tuple[str, ...]

    def __init__(self, parts: tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "_parts", parts)

    # -- naming a member

    def __getattr__(self, name: str) -> Mem:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # Python asks for a special method, and means no member
        return Mem((*self._parts, name))

    def __getitem__(self, name: str | bytes | int) -> Mem:
        """The member of that name or dotted path. A name in backquotes may hold dots: mem["`a.b`"].

        An int is an index into a list, from 0.
        """
        name = coerce.unwrapped(name)
        if isinstance(name, numbers.Integral) and not isinstance(name, bool) and name >= 0:
            return Mem((*self._parts, str(int(name))))
        if not isinstance(name, str):
            raise InvalidInput(f"expected a member's name, or its place in a list from 0, not {name!r}")
        return Mem((*self._parts, *split_path(name)))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a member cannot be assigned to; compare it: mem.{name} == …")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a member cannot be deleted from a filter")

    # -- comparing it

    def __eq__(self, other: object) -> Filter:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> Filter:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: object) -> Filter:
        return self._compare("<", other)

    def __le__(self, other: object) -> Filter:
        return self._compare("<=", other)

    def __gt__(self, other: object) -> Filter:
        return self._compare(">", other)

    def __ge__(self, other: object) -> Filter:
        return self._compare(">=", other)

    def _compare(self, op: str, other: object) -> Filter:
        return nodes.Compare(self.__member__(), op, coerce.operand(other))

    def __mod__(self, divisor: object) -> Remainder:
        return Remainder(self.__member__(), coerce.number(divisor))

    def re(self, pattern: str | bytes | re.Pattern[Any], flags: str = "") -> Filter:
        """The member is a string in which the pattern matches. Flags: i m s as in Python; g is ignored."""
        return nodes.Regex(self.__member__(), *coerce.pattern(pattern, flags))

    def IN(self, *items: object) -> Filter:  # noqa: N802 (the seed document's name)
        """The member equals one of the items: IN(1, 2), or IN([1, 2]) with a list, tuple, set or range."""
        return nodes.In(self.__member__(), coerce.items(items))

    def CONTAINS(self, *items: object) -> Filter:  # noqa: N802 (the seed document's name)
        """The member is a list that holds all the items, which are given as for IN."""
        return nodes.Contains(self.__member__(), coerce.items(items))

    def WITHIN(  # noqa: N802 (the seed document's name)
        self,
        distance: object = None,
        unit: str = "MILES",
        coords: Iterable[object] | None = None,
        zip: object = None,
        *,
        polygon: Iterable[Iterable[object]] | None = None,
    ) -> Filter:
        """The member is a location at most `distance` KM or MILES from coords (lat, lon), or from a zip code.

        With both, coords count. With `polygon=[(lat, lon), …]` alone: the member is a location inside the
        polygon.
        """
        if polygon is not None:
            if not (distance is None and coords is None and zip is None):
                raise InvalidInput(
                    "expected a polygon alone, not together with a distance, coords or a zip code"
                )
            return nodes.Inside(
                self.__member__(), tuple(coerce.point(point) for point in coerce.iterable(polygon))
            )
        if not isinstance(unit, str):
            raise InvalidInput(f"expected a unit, {' or '.join(nodes.UNITS)}, not {unit!r}")
        if distance is None:
            raise InvalidInput("WITHIN needs a distance, such as WITHIN(5, 'MILES', coords=(40.64, -73.78))")
        zip_code = None if coords is not None or zip is None else str(coerce.unwrapped(zip))
        if coords is None and zip_code is None:
            raise InvalidInput(
                f"WITHIN({distance!r}, {unit!r}) needs a place: coords=(lat, lon) or zip='10001'"
            )
        point = None if coords is None else coerce.point(coords)
        return nodes.Within(self.__member__(), coerce.number(distance), unit.upper(), point, zip_code)

    # -- being a Python object

    def __member__(self) -> nodes.Member:
        if not self._parts:
            raise InvalidInput("expected a member, such as mem.path or mem.elems.temp, not mem itself")
        return member_of(self._parts)

    def __hash__(self) -> int:
        return hash(self._parts)

    def __str__(self) -> str:
        return str(nodes.Member(self._parts)) if self._parts else "mem"

    def __repr__(self) -> str:
        return "mem" + "".join(map(_access, self._parts))

    def __reduce__(self) -> tuple[Any, ...]:
        return Mem, (self._parts,)

    def __iter__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} stands for a member of documents that are not here yet, so it cannot be iterated over"
        )

    def __contains__(self, item: object) -> NoReturn:
        raise TypeError(f"write {self!r}.CONTAINS({item!r}) for `{item!r} in {self!r}`")

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} is neither true nor false. Write EXISTS({self!r}) or {self!r} == True")

    def _combine(self, *others: object) -> NoReturn:
        raise InvalidInput(
            f"a member alone is no filter: {self!r}. & | and ~ bind tighter than comparisons, so put every "
            "comparison in parentheses: (mem.a > 5) & (mem.b == 1). EXISTS(mem.a) asks if it is there"
        )

    __and__ = __rand__ = __or__ = __ror__ = __invert__ = _combine


class Remainder:
    """`mem.a % n`, which becomes a filter by == or !=."""

    __slots__ = ("_divisor", "_left")

    def __init__(self, left: nodes.Member, divisor: int | float) -> None:
        self._left, self._divisor = left, divisor
        nodes.Modulo(left, divisor, "==", 0)  # raises for a divisor of 0 in the line that writes it

    def __eq__(self, other: object) -> Filter:  # type: ignore[override]
        return nodes.Modulo(self._left, self._divisor, "==", coerce.number(other))

    def __ne__(self, other: object) -> Filter:  # type: ignore[override]
        return nodes.Modulo(self._left, self._divisor, "!=", coerce.number(other))

    def __hash__(self) -> int:
        return hash((self._left, self._divisor))

    def __repr__(self) -> str:
        return f"{Mem(self._left.parts)!r} % {self._divisor!r}"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"write {self!r} == 0 for `if {self!r}`")


class Age:
    """The time since a date: `AGE < 60_000` for creationDate, `AGE("seen") < 60_000` for another member.

    Compare it with a number of milliseconds or a timedelta.
    """

    __slots__ = ("_field",)

    def __init__(self, field: Mem | None = None) -> None:
        self._field = field

    def __call__(self, name: str | bytes | Mem) -> Age:
        """The age of another date member. Called again: of a member within that one."""
        inner = name if isinstance(name, Mem) else mem[name]
        return Age(inner if self._field is None else Mem((*self._field._parts, *inner._parts)))

    def _compare(self, op: str, other: object) -> Filter:
        other = coerce.unwrapped(other)
        ms = other / timedelta(milliseconds=1) if isinstance(other, timedelta) else other
        ms = coerce.number(int(ms) if isinstance(ms, float) and ms.is_integer() and ms is not other else ms)
        return nodes.Age(None if self._field is None else self._field.__member__(), op, ms)

    def __eq__(self, other: object) -> Filter:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: object) -> Filter:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: object) -> Filter:
        return self._compare("<", other)

    def __le__(self, other: object) -> Filter:
        return self._compare("<=", other)

    def __gt__(self, other: object) -> Filter:
        return self._compare(">", other)

    def __ge__(self, other: object) -> Filter:
        return self._compare(">=", other)

    def __hash__(self) -> int:
        return hash(None if self._field is None else self._field._parts)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} is neither true nor false. Compare it: {self!r} < 60_000")

    def __repr__(self) -> str:
        return "AGE" if self._field is None else f"AGE({self._field!r})"


mem = Mem()
"""The members of documents: `mem.elems.temp`."""

AGE = Age()
"""The time since a document was created, in ms."""


def EXISTS(member: Mem | str | bytes) -> Filter:  # noqa: N802 (the seed document's name)
    """The document has the member, which may be null. Takes a member or its name."""
    return nodes.Exists((member if isinstance(member, Mem) else mem[member]).__member__())


def HAS(elem_type: str | bytes) -> Filter:  # noqa: N802 (the seed document's name)
    """At least one element is of that type: string, integer, float, boolean, map, list, null."""
    return nodes.Has(coerce.string(elem_type))


def MATCHES(pattern: str | bytes | re.Pattern[Any], flags: str = "") -> Filter:  # noqa: N802 (the seed document's name)
    """The pattern matches in at least one element that is a string. Flags as for `mem.a.re`."""
    return nodes.Matches(*coerce.pattern(pattern, flags))


def NOT(filter: Filter) -> Filter:  # noqa: N802 (the seed document's name)
    """Matches exactly the documents that `filter` does not match."""
    if not isinstance(filter, Filter):
        raise InvalidInput(f"expected a filter in NOT(…), such as NOT(EXISTS(mem.a)), not {filter!r}")
    return nodes.Not(filter)


def _access(part: str) -> str:
    plain = part.isascii() and part.isidentifier() and not keyword.iskeyword(part)
    if plain and not part.startswith("__") and part not in Mem.__dict__:
        return f".{part}"
    return f"[{quote(part, '`') if '.' in part or part[0] == '`' else part!r}]"
