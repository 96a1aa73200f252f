"""Aggregates as SQL for PostgreSQL. What it cannot compute is left to `streamed`.

A member is read once for each drop, as the digits of a number or as JSON text. Whole numbers are summed as
`numeric` and reals as doubles, because a column holds values of one type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Double, Integer, Numeric, Text, and_, case, cast, func, literal_column, null, select
from sqlalchemy.exc import DataError

from ....filters import postgresql_json as json
from ....filters.sql import JSON_MEMBERS
from ....filters.values import is_number
from ...ids import now_ms
from ...store import json_columns
from ...store.schema import drops
from ..drops import query_plan, rows
from ..query.query import Query, translated
from .measures import CountMeasure, NumberMeasure
from .number_parts import NumberParts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.row import Row
    from sqlalchemy.sql.elements import ColumnElement

    from ....filters.nodes import Filter
    from ..drops.flow_cache import Flow
    from .plan import Group, Plan
    from .streamed import Key

__all__ = ["computed"]

_AGE = ("creationDate",)
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999, in ms since the epoch


class _Unsayable(Exception):
    """PostgreSQL cannot compute a part of a plan."""


def computed(connection: Connection, plan: Plan, flow: Flow) -> dict[Key, dict[str, Any]] | None:
    """All outputs of a plan over the drops of a flow, by group; None if PostgreSQL cannot compute them."""
    try:
        statement = _Statement(connection, plan, flow)
    except _Unsayable:
        return None
    try:
        with connection.begin_nested():
            found = connection.execute(statement.select, rows.of(flow)).all()
    except DataError:  # a sum of doubles has overflowed
        return None
    return dict(map(statement.result, found))


class _Statement:
    """The statement of a plan, and what its rows mean.

    Raises:
        _Unsayable: a part of the plan is none of SQL's.
    """

    def __init__(self, connection: Connection, plan: Plan, flow: Flow) -> None:
        self._plan = plan
        self._connection = connection
        self._now = now_ms()
        self._members = list(dict.fromkeys(output.member for output in plan.outputs if output.member))
        for output in plan.outputs:
            measure = output.measure
            if not isinstance(measure, CountMeasure) and (
                not isinstance(measure, NumberMeasure) or measure.of_parts is None
            ):
                raise _Unsayable
        keys = [self._key(group).label(f"k{index}") for index, group in enumerate(plan.groups)]
        digits = [self._digits(member).label(f"d{index}") for index, member in enumerate(self._members)]
        inner = select(drops.c.id, *keys, *digits).where(rows.IN_FLOW)
        inner = query_plan.restricted(connection, flow, Query(filter=plan.filter, now=self._now), inner)
        if plan.filter is not None:
            inner = inner.where(self._condition(plan.filter))
        # OFFSET keeps PostgreSQL from reading the members again wherever they are named.
        read = inner.offset(literal_column("0")).subquery()
        shown = [self._shown(group, read.c[f"k{index}"]) for index, group in enumerate(plan.groups)]
        groups = [self._grouped(group, read.c[f"k{index}"]) for index, group in enumerate(plan.groups)]
        parts = [part for index in range(len(digits)) for part in _parts(read.c[f"d{index}"])]
        self.select = select(func.count(), *shown, *parts).select_from(read).group_by(*groups)
        if not groups:
            self.select = self.select.having(func.count() > 0)

    def result(self, row: Row[Any]) -> tuple[Key, dict[str, Any]]:
        """A group's key, and its outputs by name."""
        count: int = row[0]
        rest: list[Any] = list(row[1:])
        width = len(self._plan.groups)
        key = tuple(
            part if part is None or group.unit else _key_of(orjson.loads(part))
            for group, part in zip(self._plan.groups, rest[:width], strict=True)
        )
        by_member = {
            member: _number_parts(rest[start : start + len(NumberParts._fields)])
            for member, start in zip(self._members, _starts(width), strict=False)
        }
        outputs: dict[str, Any] = {}
        for output in self._plan.outputs:
            measure = output.measure
            if isinstance(measure, NumberMeasure) and measure.of_parts is not None:
                outputs[output.name] = measure.of_parts(by_member[output.member])
            else:
                outputs[output.name] = count
        return key, outputs

    def _condition(self, node: Filter) -> ColumnElement[bool]:
        found = translated(
            node,
            columns=rows.COLUMNS,
            document=drops.c.elems,
            dialect=self._connection.dialect,
            now=self._now,
        )
        if found.rest is not None:
            raise _Unsayable
        return found.condition

    def _rule(self, member: tuple[str, ...]) -> ColumnElement[str] | None:
        node = self._plan.rules.get(member[0]) if len(member) == 1 else None
        return None if node is None else case((self._condition(node), "1"), else_="0")

    def _key(self, group: Group) -> ColumnElement[Any]:
        """A group's key: a part of a date, or JSON text; null for nothing."""
        if group.unit:
            if group.member != _AGE:
                raise _Unsayable
            seconds = func.floor(drops.c.created / literal_column("1000.0"))
            moment = func.timezone("UTC", func.to_timestamp(cast(seconds, Double)))
            part = cast(func.date_part(group.unit, moment), Integer)
            return case((and_(drops.c.created >= _FIRST, drops.c.created <= _LAST), part), else_=null())
        if (rule := self._rule(group.member)) is not None:
            return rule

        def text(found: ColumnElement[Any]) -> ColumnElement[Any]:
            return case((json.is_nothing(found), null()), else_=cast(found, Text))

        return self._read(group.member, text)

    def _digits(self, member: tuple[str, ...]) -> ColumnElement[Any]:
        """The digits of a member's number; null for anything else."""
        if (rule := self._rule(member)) is not None:
            return rule

        def number(found: ColumnElement[Any]) -> ColumnElement[Any]:
            return case((json.kind_of(found) == "number", json.number_of(found)), else_=null())

        return self._read(member, number)

    def _read(self, member: tuple[str, ...], expression: Any) -> ColumnElement[Any]:
        column = rows.COLUMNS.get(member[0])
        if column is None or member[0] in JSON_MEMBERS:
            found = json_columns.member_in_postgresql(member, rows.COLUMNS, drops.c.elems)
            document = drops.c.elems if column is None else column
            return json.computed(document, found, expression)
        if len(member) > 1:
            return cast(null(), Text)
        return expression(func.to_json(column))  # type: ignore[no-any-return]

    @staticmethod
    def _grouped(group: Group, key: ColumnElement[Any]) -> ColumnElement[Any]:
        """What a key is grouped by: 1 and 1.0 are one number."""
        if group.unit:
            return key
        is_digits = func.left(key, 1).collate("C").between("-", "9")
        return case((is_digits, cast(func.trim_scale(json.exact_number(key)), Text)), else_=key)

    @staticmethod
    def _shown(group: Group, key: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.min(key) if group.unit else func.min(key.collate("C"))


def _parts(digits: ColumnElement[Any]) -> Iterator[ColumnElement[Any]]:
    """The aggregates that make a `NumberParts`."""
    is_whole = func.translate(digits, ".eE", "") == digits
    whole = case((is_whole, cast(digits, Numeric)), else_=null())
    real = case((is_whole, null()), else_=cast(digits, Double))
    for numbers in (whole, real):
        yield func.count(numbers)
        yield func.sum(numbers)
        yield func.min(numbers)
        yield func.max(numbers)


def _starts(first: int) -> range:
    return range(first, first + 10_000, len(NumberParts._fields))


def _number_parts(found: list[Any]) -> NumberParts:
    wholes: list[Any] = [None if one is None else int(one) for one in found[:4]]
    return NumberParts(*wholes, *found[4:])


def _key_of(value: Any) -> Any:
    """A part of a key: a number as it is, anything else as JSON text."""
    return value if is_number(value) else orjson.dumps(_unspelled(value)).decode()


def _unspelled(value: Any) -> Any:
    """A value that was read by PostgreSQL, with U+0000 and U+0001 as they were written."""
    if isinstance(value, str):
        return value.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in value else value
    if isinstance(value, list):
        return [_unspelled(item) for item in value]
    if isinstance(value, dict):
        return {_unspelled(name): _unspelled(item) for name, item in value.items()}
    return value
