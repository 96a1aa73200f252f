"""Aggregates: figures over a flow's drops, a row for each group.

    {"output": ["$avg:temp", "$count"], "groupBy": ["$month"], "filter": "temp > 0",
     "rules": {"gale": "wind_speed >= 32"}, "sorts": ["$month:desc"]}

    [{"id": {"$month": 12}, "$avg:temp": 38.4, "$count": 2144}, …]

Averages, sums and extremes are over the numbers that a member holds; what is missing or no number does not
count, and where there is none the figure is null. A rule is a member that is 1 where its filter matches and 0
elsewhere, so its average is a share. Dates are UTC; a date selector reads milliseconds or an ISO 8601 string.
The database does the counting, one pass over the flow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Integer, case, cast, func, null, select
from sqlalchemy.exc import OperationalError

from . import rows
from .aggregate_plan import Group, Plan
from .catalogue import find_flow
from .ids import now_ms
from .query import condition
from .store import documents
from .store.schema import drops

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import Select

    from .catalogue import Flow
    from .rights import Caller
    from .store.store import Store

Key = tuple[Any, ...]

_FORMATS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}
_LISTS = ("unique", "all")
_MISSING = (0, 0)
_ISO_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"


def aggregate(store: Store, caller: Caller, flow: str, request: Any) -> list[dict[str, Any]]:
    """The rows that `request` asks for over the drops of a flow (its id or path).

    Args:
        request: `output`, required, a list of `$avg:m $min:m $max:m $sum:m $unique:m $all:m $count`;
            `groupBy`, a list of members, rules and date selectors (`$year $month $day $hour $minute
            $second`, with `:member` to read another date than creationDate); `filter`; `rules`, a map of
            names to filters; `sorts`, a list of groups, outputs or date selectors, each with `:asc` or
            `:desc` if wanted.

    Returns:
        a map for each group: its key under `id`, its figures under the outputs' own names. Sorted as asked,
        otherwise by the key; missing values last. No drops, no rows.

    Raises:
        BadRequest: saying which part is wrong and what may stand there.
        Forbidden, NotFound.
    """
    plan = Plan.from_request(request)

    def work(connection: Connection) -> list[dict[str, Any]]:
        found = find_flow(connection, flow)
        caller.require(found.path, "dropRead")
        source = _Source(plan, found, connection.dialect)
        figures = _figures(connection, plan, source)
        lists = _lists(connection, plan, source)
        return [_row(plan, key, {**values, **lists.get(key, {})}) for key, values in figures.items()]

    return _sorted(plan, store.read(work))


class _Source:
    """The drops that count, and what a plan's names mean among their columns."""

    def __init__(self, plan: Plan, flow: Flow, dialect: Dialect) -> None:
        self.parameters = rows.of(flow)
        now = now_ms()

        def matches(node: Any) -> ColumnElement[bool]:
            return condition(node, columns=rows.COLUMNS, document=drops.c.elems, dialect=dialect, now=now)

        self._rules = {name: case((matches(node), 1), else_=0) for name, node in plan.rules.items()}
        self._where = None if plan.filter is None else matches(plan.filter)

    def select(self, *wanted: ColumnElement[Any]) -> Select[Any]:
        query = select(*wanted).where(rows.IN_FLOW)
        return query if self._where is None else query.where(self._where)

    def key(self, group: Group) -> ColumnElement[Any]:
        """A group's key: a number as it is, anything else as JSON text, so that "1" is not 1; or null."""
        if group.unit:
            return self._date(group.unit, group.member)
        if (rule := self._rule(group.member)) is not None:
            return rule
        found = self.number(group.member)
        text = documents.text(group.member, rows.COLUMNS, drops.c.elems)
        return case((found.is_not(None), found), else_=func.nullif(text, "null"))

    def number(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        rule = self._rule(member)
        return documents.number(member, rows.COLUMNS, drops.c.elems) if rule is None else rule

    def json(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        rule = self._rule(member)
        return documents.text(member, rows.COLUMNS, drops.c.elems) if rule is None else func.json_quote(rule)

    def _rule(self, member: tuple[str, ...]) -> ColumnElement[Any] | None:
        return self._rules.get(member[0]) if len(member) == 1 else None

    def _date(self, unit: str, member: tuple[str, ...]) -> ColumnElement[Any]:
        form = _FORMATS[unit]
        ms = self.number(member)
        since_epoch = func.strftime(form, ms / 1000.0, "unixepoch")
        if member == ("creationDate",):
            return cast(since_epoch, Integer)
        given = documents.value(member, rows.COLUMNS, drops.c.elems)
        written = case((given.op("GLOB")(_ISO_DATE), func.strftime(form, given)), else_=null())
        return cast(case((ms.is_not(None), since_epoch), else_=written), Integer)


def _figures(connection: Connection, plan: Plan, source: _Source) -> dict[Key, dict[str, Any]]:
    """The figures that SQL computes, by group."""
    try:
        found = connection.execute(_statement(plan, source, func.sum), source.parameters).all()
    except OperationalError as error:
        if "integer overflow" not in str(error.orig):
            raise
        # Whole numbers that add up to more than 64 bits: the sum is then a float.
        found = connection.execute(_statement(plan, source, func.total), source.parameters).all()
    width = len(plan.groups)
    names = [figure.name for figure in plan.figures if figure.kind not in _LISTS]
    return {
        tuple(row[:width]): dict(zip(names, map(_finite, row[width:-1]), strict=True))
        for row in found
        if row[-1]  # without groups there is a row even for no drops
    }


def _statement(plan: Plan, source: _Source, total: Any) -> Select[Any]:
    numbers = {figure.member: source.number(figure.member) for figure in plan.figures if figure.member}
    labels = {member: f"n{index}" for index, member in enumerate(numbers)}
    keys = [source.key(group).label(f"k{index}") for index, group in enumerate(plan.groups)]
    inner = source.select(
        drops.c.id.label("one"), *keys, *(number.label(labels[member]) for member, number in numbers.items())
    ).subquery()
    count = func.count(inner.c.one)
    functions = {"avg": func.avg, "min": func.min, "max": func.max, "sum": total}
    figures = [
        count if figure.kind == "count" else functions[figure.kind](inner.c[labels[figure.member]])
        for figure in plan.figures
        if figure.kind not in _LISTS
    ]
    groups = [inner.c[key.name] for key in keys]
    return select(*groups, *figures, count).group_by(*groups)


def _lists(connection: Connection, plan: Plan, source: _Source) -> dict[Key, dict[str, list[Any]]]:
    """The figures that are lists of values, by group; oldest drop first."""
    wanted = [figure for figure in plan.figures if figure.kind in _LISTS]
    if not wanted:
        return {}
    width = len(plan.groups)
    keys = [source.key(group) for group in plan.groups]
    values = [source.json(figure.member) for figure in wanted]
    found: dict[Key, dict[str, list[Any]]] = {}
    statement = source.select(*keys, *values).order_by(drops.c.id)
    for row in connection.execute(statement, source.parameters):
        lists = found.setdefault(tuple(row[:width]), {figure.name: [] for figure in wanted})
        for figure, text in zip(wanted, row[width:], strict=True):
            if text is not None:
                lists[figure.name].append(orjson.loads(text))
    for lists in found.values():
        for figure in wanted:
            if figure.kind == "unique":
                lists[figure.name] = _unique(lists[figure.name])
    return found


def _row(plan: Plan, key: Key, figures: Mapping[str, Any]) -> dict[str, Any]:
    parts = {
        group.name: orjson.loads(part) if isinstance(part, str) else part
        for group, part in zip(plan.groups, key, strict=True)
    }
    return {"id": parts, **{figure.name: figures[figure.name] for figure in plan.figures}}


def _sorted(plan: Plan, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sorts = [*plan.sorts, *((group.name, False) for group in plan.groups)]
    groups = {group.name for group in plan.groups}
    for name, descending in reversed(sorts):
        ranks = {id(row): _rank(row["id"][name] if name in groups else row[name]) for row in found}
        # Two stable sorts, so that what is missing comes last in either direction.
        found.sort(key=lambda row, ranks=ranks: ranks[id(row)], reverse=descending)  # type: ignore[misc]
        found.sort(key=lambda row, ranks=ranks: ranks[id(row)] == _MISSING)  # type: ignore[misc]
    return found


def _rank(value: Any) -> tuple[int, Any]:
    """A place for every JSON value: truth, numbers, strings, then lists and maps by their text."""
    if value is None:
        return _MISSING
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, (int, float)):
        return 2, value
    return (3, value) if isinstance(value, str) else (4, _canonical(value))


def _unique(values: list[Any]) -> list[Any]:
    """Each value once, sorted; 1 and 1.0 are the same, 1 and true are not."""
    kept: dict[Any, Any] = {}
    for value in values:
        kept.setdefault(_rank(value), value)
    return [kept[rank] for rank in sorted(kept)]


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
