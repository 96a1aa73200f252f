"""Aggregates: measures over a flow's drops, a row for each group.

    {"output": ["$avg:temp", "$count"], "groupBy": ["$month"], "filter": "temp > 0",
     "rules": {"gale": "wind_speed >= 32"}, "sorts": ["$month:desc"]}

    [{"id": {"$month": 12}, "$avg:temp": 38.4, "$count": 2144}, …]

Averages, sums and extremes are over the numbers that a member holds; what is missing or no number does not
count, and where there is none the output is null. A sum of whole numbers is one as long as 64 bits hold it; a
sum that no number can be is refused. A rule is a member that is 1 if its filter matches and 0 otherwise, so
its average is a share. Dates are UTC; a date selector reads milliseconds or an ISO 8601 string. The database
computes everything in one pass over the flow, or over its indexes if they hold all that is asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from ...problems import BadRequest
from ...store.schema import drops
from ..access.authorization import authorize
from ..drops.flow_cache import find_flow
from . import postgresql, streamed
from .measures import ListMeasure, NumberMeasure
from .plan import Plan
from .ranking import MISSING, Rank, rank
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.selectable import Select

    from ...store.store import Store
    from ..access.rights import Caller
    from .streamed import Key

_LARGEST = "1.8e308"


def aggregate(store: Store, caller: Caller, flow: str, request: Any) -> list[dict[str, Any]]:
    """The rows that `request` asks for over the drops of a flow (its id or path).

    Args:
        request: `output`, required, a list of `$avg:m $min:m $max:m $sum:m $unique:m $all:m $count`;
            `groupBy`, a list of members, rules and date selectors (`$year $month $day $hour $minute
            $second`, with `:member` to read another date than creationDate); `filter`; `rules`, a map of
            names to filters; `sorts`, a list of groups, outputs or date selectors, each with `:asc` or
            `:desc` if wanted.

    Returns:
        a map for each group: its key under `id`, its values under the outputs' own names. Sorted as asked,
        otherwise by the key; missing values last. No drops, no rows.

    Raises:
        BadRequest: saying which part is wrong and what may stand there.
        Forbidden, NotFound.
    """
    plan = Plan.from_request(request)

    def work(connection: Connection) -> list[dict[str, Any]]:
        found = authorize(connection, caller, flow, "dropRead", find_flow)
        if connection.dialect.name != "sqlite":
            values = postgresql.computed(connection, plan, found)
            if values is None:
                values = streamed.computed(connection, plan, found)
            _refuse_infinite(values)
            return [_row(plan, key, each) for key, each in values.items()]
        computed = _computed(connection, plan, Source.of(connection, plan, found))
        lists = _lists(connection, plan, Source.of_documents(connection, plan, found))
        return [_row(plan, key, {**values, **lists.get(key, {})}) for key, values in computed.items()]

    return _sorted(plan, store.read(work))


def _computed(connection: Connection, plan: Plan, source: Source) -> dict[Key, dict[str, Any]]:
    """The outputs that the database computes, by group."""
    width = len(plan.groups)
    try:
        found = _grouped(connection, plan, source)
        overflow = not all(map(_is_finite, (value for row in found for value in row[width:])))
    except OperationalError as error:
        if "integer overflow" not in str(error.orig):
            raise
        overflow = True
    if overflow:
        found = _grouped(connection, plan, source, exact=True)
    names = [output.name for output in plan.outputs if not isinstance(output.measure, ListMeasure)]
    computed = {
        tuple(row[:width]): dict(zip(names, row[width:-1], strict=True))
        for row in found
        if row[-1]  # without groups there is a row even for no drops
    }
    if overflow:
        _refuse_infinite(computed)
    return computed


def _refuse_infinite(computed: Mapping[Key, Mapping[str, Any]]) -> None:
    for values in computed.values():
        for name, value in values.items():
            if not _is_finite(value):
                raise BadRequest(
                    f"{name} is beyond {_LARGEST}, the largest number there is: filter what is added up"
                )


def _grouped(
    connection: Connection, plan: Plan, source: Source, *, exact: bool = False
) -> list[tuple[Any, ...]]:
    """The rows of the outputs, each behind its group's key and before its count."""
    for output in plan.outputs:
        if isinstance(output.measure, NumberMeasure):
            output.measure.install(connection, exact=exact)
    spans = source.spans(connection)
    if spans is None:
        statement = _statement(plan, source, exact)
        return [tuple(row) for row in connection.execute(statement, source.parameters)]
    statement = _statement(plan, source, exact, in_span=True)
    found = []
    for key, start, end in spans:
        span = {**source.parameters, "span_start": start, "span_end": end}
        found.append((*key, *connection.execute(statement, span).one()))
    return found


def _statement(plan: Plan, source: Source, exact: bool, in_span: bool = False) -> Select[Any]:
    grouped = () if in_span else plan.groups
    asked = [output for output in plan.outputs if not isinstance(output.measure, ListMeasure)]
    numbers = {output.member: source.number(output.member) for output in asked if output.member}
    labels = {member: f"n{index}" for index, member in enumerate(numbers)}
    keys = [source.key(group).label(f"k{index}") for index, group in enumerate(grouped)]
    inner = source.select(
        drops.c.id.label("one"),
        *keys,
        *(number.label(labels[member]) for member, number in numbers.items()),
        in_span=in_span,
    ).subquery()
    count = func.count(inner.c.one)
    values = [
        output.measure.of(inner.c[labels[output.member]], exact=exact)
        if isinstance(output.measure, NumberMeasure)
        else count
        for output in asked
    ]
    groups = [inner.c[key.name] for key in keys]
    return select(*groups, *values, count).group_by(*groups)


def _lists(connection: Connection, plan: Plan, source: Source) -> dict[Key, dict[str, list[Any]]]:
    """The outputs that are lists of values, by group; oldest drop first."""
    wanted = {
        output.name: output.measure for output in plan.outputs if isinstance(output.measure, ListMeasure)
    }
    members = [output.member for output in plan.outputs if output.name in wanted]
    if not wanted:
        return {}
    width = len(plan.groups)
    keys = [source.key(group) for group in plan.groups]
    values = [source.json(member) for member in members]
    found: dict[Key, dict[str, list[Any]]] = {}
    statement = source.select(*keys, *values).order_by(drops.c.id)
    for row in connection.execute(statement, source.parameters):
        lists = found.setdefault(tuple(row[:width]), {name: [] for name in wanted})
        for name, text in zip(wanted, row[width:], strict=True):
            if text is not None:
                lists[name].append(orjson.loads(text))
    return {
        key: {name: wanted[name].finish(listed) for name, listed in lists.items()}
        for key, lists in found.items()
    }


def _row(plan: Plan, key: Key, values: Mapping[str, Any]) -> dict[str, Any]:
    parts = {
        group.name: orjson.loads(part) if isinstance(part, str) else part
        for group, part in zip(plan.groups, key, strict=True)
    }
    return {"id": parts, **{output.name: values[output.name] for output in plan.outputs}}


def _sorted(plan: Plan, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sorts = [*plan.sorts, *((group.name, False) for group in plan.groups)]
    groups = {group.name for group in plan.groups}
    for name, descending in reversed(sorts):
        ranks: dict[int, Rank] = {}
        for row in found:
            ranks[id(row)] = rank(row["id"][name] if name in groups else row[name])
        # Two stable sorts, so that what is missing comes last in either direction.
        found.sort(key=lambda row, ranks=ranks: ranks[id(row)], reverse=descending)  # type: ignore[misc]
        found.sort(key=lambda row, ranks=ranks: ranks[id(row)] == MISSING)  # type: ignore[misc]
    return found


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
