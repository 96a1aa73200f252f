"""ThingQueries: the methods of a Client that find things by a filter, without code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, overload

from ...errors import InvalidInput
from ...filters.nodes import Contains, Filter, Member
from ...filters.operands import Json
from ...filters.quoting import split_path
from ...filters.row_members import members_of, rules_of
from ...filters.target import Explanation, Parts, all_filters, split
from ...filters.things import Code, write_key, write_test
from ...green.calls.markers import plain
from ...transport.outgoing_values import resolve
from ...wire.things.scopes import is_name
from .calls import Calls

if TYPE_CHECKING:
    Names = str | Iterable[str]
    Found = dict[str, Any]

__all__ = ["ThingQueries"]

MOST_DEPTH = 127


@dataclass(slots=True)
class _Query:
    """A filter, as code for a node.

    Attributes:
        code: begins the query: `x` is the list of the things that were found.
        variables: of the query.
        parts: what is tested on the node, and what here.
        now: ms since the epoch, from which AGE is counted.
    """

    code: str
    variables: dict[str, Any]
    parts: Parts
    now: int

    def rest(self) -> Callable[[Found], bool] | None:
        """The test of a found thing for the rest of the filter."""
        test = self.parts.test()
        return None if test is None else lambda thing: test(thing, self.now)


class ThingQueries(Calls):
    """The part of a Client that finds things by filters."""

    @overload
    def find(
        self,
        place: str,
        *filters: Filter | str | None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        deep: int = 1,
        scope: str | None = None,
        timeout: float | None = None,
        partial: bool = False,
        explain: Literal[False] = False,
    ) -> list[Found]: ...
    @overload
    def find(
        self,
        place: str,
        *filters: Filter | str | None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        deep: int = 1,
        scope: str | None = None,
        timeout: float | None = None,
        partial: bool = False,
        explain: Literal[True],
    ) -> Explanation: ...
    def find(
        self,
        place: str,
        *filters: Filter | str | None,
        sort: Names | None = None,
        order: str = "asc",
        limit: int | None = None,
        deep: int = 1,
        scope: str | None = None,
        timeout: float | None = None,
        partial: bool = False,
        explain: bool = False,
    ) -> Any:
        """Return the things at a place that match all these filters: `find(".books", mem.year >= 2000)`.

        The node tests the filter: its names and values travel as variables, and the code has none of them.
        It means what it means everywhere: see docs/filters.md. Items that are no things are left out.

        Args:
            place: the property of the collection that has the things, ".books" or ".library.books": a list,
                a set, or a thing whose properties are things. An odd name stands in backquotes.
            filters: filters or their texts. Without a filter every thing matches.
            sort: members to sort by; `order` is "asc" or "desc". Things without the member, or with nil,
                count as the least, then numbers and dates, then texts by code points, then other values.
            limit: the most things to return.
            deep: how many levels of things the result shows, 0 to 127.
            scope: the collection; None for the default scope.
            timeout: as for `query`.
            partial: whether a part of the filter that the node cannot test may be tested here, on the things
                that the rest of it finds. Members of inner things are found to the depth `deep`.
            explain: return the code that would run, and what would be tested here.

        Raises:
            CannotFilter: the node cannot test a part of the filter, and `partial` is False.
            InvalidInput: an argument is not valid.
            ThingsDBError: the node refused; LookupError if there is no such place.
        """
        query = self._thing_query(place, filters, partial, deep)
        code = query.code + _sorted(query.variables, sort, order)
        limit = _limit(limit)
        test = query.rest()
        if limit is not None and test is None:
            query.variables["_limit"] = limit
            code += "x = x[:_limit]; "
        query.variables["_deep"] = _depth(deep)
        code += "return x, _deep;"
        if explain:
            return Explanation.of("things", [code], query.parts)
        found = self.query(code, scope, timeout, idempotent=True, variables=query.variables)
        return found if test is None else list(islice(filter(test, found), limit))

    def first(
        self,
        place: str,
        *filters: Filter | str | None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        deep: int = 1,
        scope: str | None = None,
        timeout: float | None = None,
        partial: bool = False,
    ) -> Found | None:
        """Return the first thing that `find` would return; None if there is none."""
        found = self.find(
            place,
            *filters,
            sort=sort,
            order=order,
            limit=1,
            deep=deep,
            scope=scope,
            timeout=timeout,
            partial=partial,
        )
        return found[0] if found else None

    def count(
        self,
        place: str,
        *filters: Filter | str | None,
        deep: int = 1,
        scope: str | None = None,
        timeout: float | None = None,
        partial: bool = False,
    ) -> int:
        """Return how many things at a place match all these filters. See `find`."""
        query = self._thing_query(place, filters, partial, deep)
        test = query.rest()
        if test is None:
            code = query.code + "x.len();"
            number: int = self.query(code, scope, timeout, idempotent=True, variables=query.variables)
            return number
        query.variables["_deep"] = _depth(deep)
        code = query.code + "return x, _deep;"
        found = self.query(code, scope, timeout, idempotent=True, variables=query.variables)
        return sum(map(test, found))

    @plain
    def iterate(
        self,
        place: str,
        *filters: Filter | str | None,
        size: int = 1000,
        limit: int | None = None,
        deep: int = 1,
        scope: str | None = None,
        timeout: float | None = None,
        partial: bool = False,
    ) -> Iterator[Found]:
        """Yield the things at a place that match all these filters, in the order of the place. See `find`.

        Each query looks at `size` items. So a place may have more things than one query may look at. If items
        are removed or inserted meanwhile, a thing may be left out or come twice.

        Args:
            size: how many items a query looks at.
        """
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidInput(f"size is {size!r}; give a whole number of 1 or more")
        query = self._thing_query(place, filters, partial, deep, part="x = x[_from:_to]; ")
        code = query.code.replace("x = x[_from:_to]; ", "_len = x.len(); x = x[_from:_to]; ", 1)
        query.variables["_deep"] = _depth(deep)
        code += "return [_len, x], _deep;"
        return islice(self._pages(query, code, size, scope, timeout), _limit(limit))

    def _pages(
        self, query: _Query, code: str, size: int, scope: str | None, timeout: float | None
    ) -> Iterator[Found]:
        test, start, length = query.rest(), 0, 1
        while start < length:
            variables = {**query.variables, "_from": start, "_to": start + size}
            length, found = self.query(code, scope, timeout, idempotent=True, variables=variables)
            yield from found if test is None else filter(test, found)
            start += size

    def _thing_query(
        self, place: Any, filters: tuple[Any, ...], partial: bool, deep: int, part: str = ""
    ) -> _Query:
        node, now = all_filters(filters), time.time_ns() // 1_000_000
        variables: dict[str, Any] = {}
        code = f"x = {_place(place, variables)}; "
        code += "x = is_set(x) ? list(x) : is_thing(x) ? x.values() : x; " + part
        parts = split(node, lambda part: write_test(part, now), partial=partial)
        if parts.rest is not None:
            _check_depth(parts.rest, deep)
        test = Code(text="is_thing(t);") if parts.said is None else write_test(parts.said, now)
        variables |= test.variables
        return _Query(f"{code}{test.before}x = x.filter(|t| {{ {test.text} }}); ", variables, parts, now)


def _place(place: Any, variables: dict[str, Any]) -> str:
    """The code for a place. A name that is no name of the language becomes a variable."""
    place = resolve(place)
    if not isinstance(place, str) or not place.startswith("."):
        raise InvalidInput(f'the place is {place!r}; give the path of a property, such as ".books"')
    code = "root()"
    for name in split_path(place[1:]):
        if is_name(name):
            code += f".{name}"
        else:
            variable = f"_p{len(variables)}"
            variables[variable] = name
            code += f"[{variable}]"
    return code.replace("root().", ".", 1)


def _sorted(variables: dict[str, Any], sort: Any, order: Any) -> str:
    """Statements that sort the list `x` by members. The last member is sorted by first."""
    sort = resolve(sort)
    if order not in ("asc", "desc"):
        raise InvalidInput(f'order is {order!r}; give "asc" or "desc"')
    names = [] if sort is None else [sort] if isinstance(sort, str) else list(map(resolve, sort))
    code = ""
    for at, name in reversed(list(enumerate(names))):
        if not isinstance(name, str):
            raise InvalidInput(f"a member to sort by is a {type(name).__name__}; give its name")
        key = write_key(Member(split_path(name)), f"s{at}_")
        variables |= key.variables
        code += _sort_by(key, is_descending=order == "desc")
    return code


def _sort_by(key: Code, is_descending: bool) -> str:
    # Values of several types have no order in ThingsDB, so each kind is sorted alone.
    kinds = ["is_nil(k)", "is_int(k) || is_float(k)", "is_str(k)"]
    kinds.append(f"!({' || '.join(kinds)})")
    code = f"k_ = |t| {{ {key.text} }}; "
    for at, kind in enumerate(kinds):
        code += f"g{at} = x.filter(|t| {{ k = k_.call(t); {kind}; }}); "
    reverse = ", true" if is_descending else ""
    code += "".join(f"g{at} = g{at}.sort(|t| k_.call(t){reverse}); " for at in (1, 2))
    groups = [3, 2, 1, 0] if is_descending else [0, 1, 2, 3]
    return code + "x = [" + ", ".join(f"g{at}" for at in groups) + "].flat(); "


def _check_depth(rest: Filter, deep: int) -> None:
    """Raise InvalidInput if the result does not show what the rest of a filter has to test."""
    needed = 1
    for rule in rules_of(rest):
        inner = isinstance(rule, Contains) or isinstance(getattr(rule, "value", None), Json)
        needed = max([needed, *(len(member.parts) + inner for member in members_of(rule))])
    if deep < min(needed, MOST_DEPTH):
        raise InvalidInput(
            f"the part `{rest}` is tested here, on {needed} levels of things; give deep={needed}"
        )


def _depth(deep: Any) -> int:
    deep = resolve(deep)
    if isinstance(deep, bool) or not isinstance(deep, int) or not 0 <= deep <= MOST_DEPTH:
        raise InvalidInput(f"deep is {deep!r}; give a whole number from 0 to {MOST_DEPTH}")
    return deep


def _limit(limit: Any) -> int | None:
    limit = resolve(limit)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidInput(f"limit is {limit!r}; give a whole number of 0 or more, or None")
    found: int | None = limit
    return found
